//! `cargo xtask bench --instructions`: counts the instructions that a 64-bit ARM processor executes per frame, with the judge's kernels
//! (using 32-bit floats, and 16-bit floats if they support them) and with tract's own. They are counted under emulation, so the figure is
//! independent of the machine; it isn't a time.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use crate::cross::{Cross, EMULATOR, TARGET};
use crate::setup::{self, Purpose};
use crate::{peers, shell, workspace};

/// A subset of the networks that `cargo xtask bench --peers` times. Emulation computes one value at a time, so others take hours.
pub const NETWORKS: [&str; 2] = ["stpm-resnet18-256", HALVED];
/// The network with inverted bottlenecks, which the kernels can compute with 16-bit floats.
const HALVED: &str = "stpm-efficientnet-lite0-256";
/// Versions of QEMU's plugin interface; every QEMU since 5.1 supports one of them.
const INTERFACES: std::ops::RangeInclusive<u32> = 1..=6;
const PIXELS: usize = 3 * 256 * 256;

/// Prints the counts for the named networks, or for all if none is named.
pub fn run(named: &[&str]) -> Result<()> {
    let networks = if named.is_empty() { &NETWORKS[..] } else { named };
    let root = setup::run(Purpose::Test)?.root;
    let folder = peers::graphs(&root)?;
    let mut build = Cross::set_up()?.cargo("build", &["judge", "edge-runtime"]);
    shell::run(build.args(["--release", "--example", "time_network"]))?;
    let program = workspace::target_folder()?.join(TARGET).join("release/examples/time_network");
    let counter = Counter { plugin: plugin(&root, &folder)?, program, folder };
    let image: Vec<u8> = (0..PIXELS).flat_map(|i| ((i % 251) as f32 / 251.0).to_le_bytes()).collect();
    fs::write(counter.image(), image).context("can't write the image")?;
    println!("instructions per frame, 64-bit ARM with NEON, one thread, in millions:");
    println!("{:<30} {:<16} {:>8} {:>6}", "network", "engine", "count", "ratio");
    for network in networks {
        let engines: &[(&str, &str)] =
            &[("plain", "tract"), ("kernels", "nominal"), ("half", "nominal, 16 bits")];
        let engines = if *network == HALVED { engines } else { &engines[..2] };
        let names: Vec<&str> = engines.iter().map(|engine| engine.0).collect();
        let counts = counter.frame(network, &names)?;
        for ((_, words), &count) in engines.iter().zip(&counts) {
            let (millions, ratio) = (count as f64 / 1e6, count as f64 / counts[0] as f64);
            println!("{network:<30} {words:<16} {millions:>8.0} {ratio:>6.2}");
        }
    }
    Ok(())
}

/// Builds the plugin for this machine's QEMU.
fn plugin(root: &Path, folder: &Path) -> Result<PathBuf> {
    let plugin = folder.join("count.so");
    for interface in INTERFACES {
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", &format!("-DINTERFACE={interface}"), "-o"]);
        shell::run(compiler.arg(&plugin).arg(root.join("xtask/src/instructions/count.c")))?;
        let mut emulator = Command::new(EMULATOR);
        // QEMU loads the plugin before it looks for the program.
        let output = emulator.arg("-plugin").arg(&plugin).arg("/nonexistent").output();
        let output = output.with_context(|| format!("can't start {EMULATOR}"))?;
        if !String::from_utf8_lossy(&output.stderr).to_lowercase().contains("plugin") {
            return Ok(plugin);
        }
    }
    bail!("{EMULATOR} can't load our plugin; install QEMU 5.1 or later with plugin support")
}

struct Counter {
    plugin: PathBuf,
    program: PathBuf,
    folder: PathBuf,
}

impl Counter {
    fn image(&self) -> PathBuf {
        self.folder.join("image.f32")
    }

    /// Counts the instructions of one additional frame after the first, for each engine.
    fn frame(&self, network: &str, engines: &[&str]) -> Result<Vec<u64>> {
        let counts: Vec<Result<u64>> = thread::scope(|scope| {
            let started: Vec<_> = engines
                .iter()
                .map(|engine| ["", "1\n"].map(|more| scope.spawn(move || self.count(engine, network, more))))
                .collect();
            let count = |run: thread::ScopedJoinHandle<'_, Result<u64>>| {
                run.join().unwrap_or_else(|_| bail!("a thread panicked"))
            };
            let more = |[one, two]: [_; 2]| {
                let (one, two) = (count(one)?, count(two)?);
                let more = two.checked_sub(one).filter(|&count| count > 0);
                more.context("an additional frame took no additional instructions")
            };
            started.into_iter().map(more).collect()
        });
        counts.into_iter().collect()
    }

    /// Counts the instructions of a whole run: one frame, and those that `more` requests.
    fn count(&self, engine: &str, network: &str, more: &str) -> Result<u64> {
        let mut emulator = Command::new(EMULATOR);
        emulator.arg("-plugin").arg(&self.plugin).arg(&self.program).arg(engine);
        emulator.arg(self.folder.join(network).with_extension("onnx")).arg(self.image());
        emulator.args(["256x256", "1", "/dev/null"]);
        emulator.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = emulator.spawn().with_context(|| format!("can't start {EMULATOR}"))?;
        child.stdin.take().context("no standard input")?.write_all(more.as_bytes())?;
        let output = child.wait_with_output()?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{}` failed: {words}", shell::line(&emulator, None));
        let count = words.lines().find_map(|line| line.strip_prefix("instructions "));
        count
            .and_then(|count| count.parse().ok())
            .with_context(|| format!("the plugin printed no count: {words}"))
    }
}
