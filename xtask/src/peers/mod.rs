//! `cargo xtask bench --peers`: the judge's engine beside other inference engines, on the same networks and inputs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::pip::{Environment, Pip};
use crate::setup::{self, Purpose};
use crate::{shell, system, workspace};

/// The packages that tests compare against, and more.
const ENVIRONMENT: Environment = Environment {
    name: "peers",
    what: "the other inference engines",
    requirements: &["python-requirements.txt", "peers-requirements.txt"],
    contents: "about 160 MB: onnxruntime (MIT), openvino (Apache-2.0)",
    imports: "import numpy, onnxruntime, openvino",
};
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
    let cache = Cache::open()?;
    let python = Pip::new(system::ensure()?, &cache).kept(&cache, &root, &ENVIRONMENT)?;
    let folder = graphs(&root)?;
    let json = json.unwrap_or_else(|| folder.join("rows.json"));

    build(&root, &["--release", "--example", "time_network"])?;
    let program = workspace::release_folder()?.join("examples/time_network");
    let mut drive = Command::new(&python);
    drive
        .arg(root.join("xtask/src/peers/drive.py"))
        .arg(program)
        .arg(&folder)
        .arg(&json)
        .arg(root.join(DOCUMENT));
    shell::run(&mut drive)?;
    println!("the table is in {DOCUMENT}, the rows are in {}", json.display());
    Ok(())
}

/// Writes the networks that are compared, as ONNX, and gives their folder.
pub fn graphs(root: &Path) -> Result<PathBuf> {
    let folder = workspace::target_folder()?.join("peers");
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    build(root, &["--example", "performance_graphs"])?;
    let graphs = workspace::target_folder()?.join("debug/examples/performance_graphs");
    shell::run(Command::new(graphs).arg(&folder))?;
    Ok(folder)
}

/// Of the whole workspace: another selection of packages would build tract once more.
fn build(root: &Path, arguments: &[&str]) -> Result<()> {
    let mut cargo = workspace::cargo(root);
    shell::run(cargo.args(["build", "--quiet", "--workspace"]).args(arguments))
}
