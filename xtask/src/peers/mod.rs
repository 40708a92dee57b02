//! `cargo xtask bench --peers`: the judge's engine beside other inference engines, on the same networks and inputs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache};
use crate::pip::Pip;
use crate::setup::{self, Purpose};
use crate::{hash, shell, system, workspace};

const IMPORTS: &str = "import numpy, onnx, onnxruntime, openvino";
/// Where the figures are published.
const DOCUMENT: &str = "docs/performance.md";

/// Writes the networks, times every engine and writes `docs/performance.md`; with `--json FILE` the rows, too.
pub fn run(options: &[OsString]) -> Result<()> {
    let json = match options {
        [] => None,
        [name, file] if name == "--json" => Some(std::path::absolute(file)?),
        _ => bail!("`cargo xtask bench --peers` takes `--json FILE` and nothing else"),
    };
    let root = setup::run(Purpose::Test)?.root;
    let python = environment(&root)?;
    let folder = workspace::target_folder()?.join("peers");
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let json = json.unwrap_or_else(|| folder.join("rows.json"));

    // Of the whole workspace: another selection of packages would build tract once more.
    let build = |arguments: &[&str]| {
        let mut cargo = workspace::cargo(&root);
        shell::run(cargo.args(["build", "--quiet", "--workspace"]).args(arguments))
    };
    build(&["--release", "--example", "time_network"])?;
    build(&["--example", "performance_graphs"])?;
    let graphs = workspace::target_folder()?.join("debug/examples/performance_graphs");
    shell::run(Command::new(graphs).arg(&folder))?;
    let script = |name: &str| root.join("xtask/src/peers").join(name);
    shell::run(Command::new(&python).arg(script("graphs.py")).arg(&folder))?;

    let program = workspace::release_folder()?.join("examples/time_network");
    let mut drive = Command::new(&python);
    drive.arg(script("drive.py")).arg(program).arg(&folder).arg(&json).arg(root.join(DOCUMENT));
    shell::run(&mut drive)?;
    println!("the table is in {DOCUMENT}, the rows are in {}", json.display());
    Ok(())
}

/// A Python with the engines: the packages that tests compare against, and more.
fn environment(root: &Path) -> Result<PathBuf> {
    let cache = Cache::open()?;
    let pip = Pip::new(system::ensure()?, &cache);
    let mut requirements = String::new();
    for name in ["python-requirements.txt", "peers-requirements.txt"] {
        let path = root.join("xtask").join(name);
        requirements += &fs::read_to_string(&path)
            .with_context(|| format!("can't read {}: check the file out again", path.display()))?;
    }
    let stamp = format!("peers {}\n", hash::sha256_of_text(&requirements));
    let folder = cache.path("peers");
    let program = folder.join("bin/python");
    if cache::is_installed(&folder, &stamp) && shell::succeeds(Command::new(&program).args(["-I", "-c", ""]))
    {
        println!("the other engines are in {}", folder.display());
        return Ok(program);
    }
    println!(
        "downloading the other engines from pypi.org, about 160 MB: onnxruntime (MIT), openvino (Apache-2.0)"
    );
    cache::install(&folder, &stamp, |part| {
        fs::create_dir_all(part).with_context(|| format!("can't make {}", part.display()))?;
        let list = part.join("requirements.txt");
        fs::write(&list, &requirements).with_context(|| format!("can't write {}", list.display()))?;
        pip.environment(part, &list)?;
        shell::run(Command::new(part.join("bin/python")).args(["-I", "-c", IMPORTS]))
            .context("the engines were installed but can't be imported")
    })?;
    Ok(program)
}
