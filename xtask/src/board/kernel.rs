//! The emulated board's kernel: Debian's kernel for 64-bit ARM, a shell, and two modules that Debian doesn't build.
//!
//! `v4l2loopback` (a camera whose frames a program supplies) is packaged by Debian as source; `gpio-sim` (GPIO lines that a script can
//! pull up and down) is in the kernel's source package and also needs `irq_sim`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cache::{self, Cache};
use crate::shell;

/// Version of this module's output.
const LAYOUT: u32 = 1;
/// The newest Debian kernel that has these drivers; this package depends on its exact version.
const META: &str = "linux-image-6.12-arm64:arm64";
const PROCESSOR: [&str; 2] = ["ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-"];

/// Returns the folder with `vmlinuz`, `busybox` and `modules`, and builds it if it is missing.
pub fn ensure(cache: &Cache) -> Result<PathBuf> {
    let place = cache.path("board");
    let stamp = format!("layout {LAYOUT}");
    if cache::is_installed(&place, &stamp) {
        println!("the board's kernel is in {}", place.display());
        return Ok(place);
    }
    cache::install(&place, &stamp, |part| {
        let work = part.join("work");
        fs::create_dir(&work).with_context(|| format!("can't make {}", work.display()))?;
        let release = unpack(&work)?;
        println!("building the board's kernel modules");
        let build = prepare_headers(&work, &release)?;
        let loopback = loopback(&work, &build)?;
        let simulator = simulator(&work, &build)?;
        collect(&work, part, &release, &[loopback, simulator])?;
        cache::remove(&work)
    })?;
    Ok(place)
}

/// Downloads Debian's packages and unpacks them into `root`. Returns the kernel's release, such as `6.12.1-arm64`.
fn unpack(work: &Path) -> Result<String> {
    let depends = output(Command::new("apt-cache").args(["depends", META]))?;
    let image = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
    let image = image.with_context(|| format!("apt doesn't know {META}; run `apt-get update`"))?;
    let release = image.split(':').next().unwrap_or(image).to_owned();
    let version = release.trim_end_matches("-arm64");
    let packages = [
        format!("linux-image-{release}:arm64"),
        format!("linux-headers-{release}:arm64"),
        format!("linux-headers-{version}-common"),
        format!("linux-kbuild-{version}"),
        "linux-source-6.12".to_owned(),
        "v4l2loopback-dkms".to_owned(),
        "busybox-static:arm64".to_owned(),
    ];
    println!("downloading the board's kernel {release} and its sources from Debian (260 MB)");
    shell::run(Command::new("apt-get").current_dir(work).args(["download", "--quiet"]).args(&packages))?;
    for file in fs::read_dir(work)? {
        let file = file?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            shell::run(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(work.join("root")))?;
        }
    }
    Ok(release)
}

/// Changes the headers' paths from `/usr` to below `root`. Returns their folder.
fn prepare_headers(work: &Path, release: &str) -> Result<PathBuf> {
    let root = work.join("root");
    let headers = root.join("usr/src").join(format!("linux-headers-{release}"));
    for name in ["Makefile", ".kernelvariables"] {
        let path = headers.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        let here = |folder: &str| format!("{}{folder}", root.display());
        let text = text.replace("/usr/src/linux", &here("/usr/src/linux"));
        fs::write(&path, text.replace("/usr/lib/linux", &here("/usr/lib/linux")))?;
    }
    // Without it, no type information (BTF) is generated, which would need more programs.
    cache::remove(&headers.join("vmlinux"))?;
    Ok(headers)
}

fn build(headers: &Path, source: &Path, flags: &str) -> Result<()> {
    let mut make = Command::new("make");
    make.arg("-C").arg(headers).args(PROCESSOR).arg(format!("M={}", source.display()));
    shell::run(make.args([&format!("KCFLAGS={flags}"), "--silent", "modules"]))
}

fn loopback(work: &Path, headers: &Path) -> Result<PathBuf> {
    let sources = work.join("root/usr/src");
    let name = fs::read_dir(&sources)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.starts_with("v4l2loopback-"))
        .context("Debian's package v4l2loopback-dkms contains no source")?;
    let source = sources.join(name);
    // The kernel has replaced strlcpy by strscpy since this version.
    build(headers, &source, "-Dstrlcpy=strscpy")?;
    Ok(source.join("v4l2loopback.ko"))
}

fn simulator(work: &Path, headers: &Path) -> Result<PathBuf> {
    let archive = work.join("root/usr/src/linux-source-6.12.tar.xz");
    let files = ["drivers/gpio/gpio-sim.c", "kernel/irq/irq_sim.c"];
    let inside = files.map(|file| format!("linux-source-6.12/{file}"));
    let source = work.join("gpio-simulator");
    fs::create_dir(&source)?;
    let mut tar = Command::new("tar");
    shell::run(tar.args(["--strip-components=3", "-xJf"]).arg(archive).arg("-C").arg(&source).args(inside))?;
    let simulated = source.join("irq_sim.c");
    let text = fs::read_to_string(&simulated)?;
    // The function that the kernel calls here isn't exported to modules; this one does the same by interrupt number.
    let (inner, offered) = ("handle_simple_irq(irq_to_desc(irqnum));", "generic_handle_irq(irqnum);");
    ensure!(text.contains(inner), "the kernel's irq_sim.c has changed; adapt xtask/src/board/kernel.rs");
    fs::write(&simulated, text.replace(inner, offered))?;
    fs::write(
        source.join("Kbuild"),
        "obj-m := gpio-simulator.o\ngpio-simulator-y := gpio-sim.o irq_sim.o\n",
    )?;
    build(headers, &source, "")?;
    Ok(source.join("gpio-simulator.ko"))
}

/// Collects the files that are kept: kernel, shell, and the modules with their index.
fn collect(work: &Path, part: &Path, release: &str, built: &[PathBuf]) -> Result<()> {
    let root = work.join("root");
    cache::rename(&root.join("boot").join(format!("vmlinuz-{release}")), &part.join("vmlinuz"))?;
    cache::rename(&root.join("bin/busybox"), &part.join("busybox"))?;
    let modules = root.join("lib/modules").join(release);
    for module in built {
        let name = module.file_name().context("a module has no name")?;
        fs::copy(module, modules.join("kernel").join(name))
            .with_context(|| format!("can't keep {}", module.display()))?;
    }
    shell::run(Command::new("depmod").arg("-b").arg(&root).arg(release))?;
    fs::create_dir_all(part.join("modules"))?;
    cache::rename(&modules, &part.join("modules").join(release))
}

fn output(command: &mut Command) -> Result<String> {
    let line = shell::line(command, None);
    let output = command.output().with_context(|| format!("can't start `{line}`"))?;
    ensure!(output.status.success(), "`{line}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
