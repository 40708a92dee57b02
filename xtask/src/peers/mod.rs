//! `cargo xtask bench --peers`: compares the judge's engine with other inference engines, on the same networks and inputs.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::pip::{Environment, Pip};
use crate::setup::{self, Purpose};
use crate::{shell, system, workspace};

/// The packages that tests compare against, and the other engines.
const ENVIRONMENT: Environment = Environment {
    name: "peers",
    what: "the other inference engines",
    requirements: &["python-requirements.txt", "peers-requirements.txt"],
    contents: "about 260 MB: onnxruntime (MIT), openvino, opencv (Apache-2.0), ncnn and pnnx (BSD-3-Clause)",
    imports: "import numpy, onnx, onnxruntime, openvino, ncnn, cv2",
};
/// Separate, because its converter needs other versions of the same packages.
const LITERT: Environment = Environment {
    name: "litert",
    what: "LiteRT and its converter",
    requirements: &["litert-requirements.txt"],
    contents: "about 220 MB: ai-edge-litert (Apache-2.0), onnx2tf (MIT) and what they import",
    imports: "import numpy, onnx2tf; from ai_edge_litert import interpreter",
};
/// The Pythons that its packages support.
const LITERT_PYTHONS: [&str; 3] = ["python3", "python3.13", "python3.12"];
const LITERT_VERSIONS: Range<u8> = 12..14;
/// The document with the published figures.
const DOCUMENT: &str = "docs/performance.md";

/// What can be measured alone.
pub const PARTS: [&str; 2] = ["networks", "frames"];

/// Writes the networks, times every engine, and writes `docs/performance.md` and the rows to the file `json`. The folders in `bundles`
/// are also compared. With `only`, one of [`PARTS`], the document stays as it is.
pub fn run(json: Option<&Path>, only: Option<&str>, bundles: &[PathBuf]) -> Result<()> {
    let json = json.map(std::path::absolute).transpose()?;
    let bundles = bundles.iter().map(|folder| bundle(folder)).collect::<Result<Vec<_>>>()?;
    let root = setup::run(Purpose::Test)?.root;
    let cache = Cache::open()?;
    let python = Pip::new(system::ensure()?, &cache).ensure_environment(&cache, &root, &ENVIRONMENT)?;
    // Its converter takes no part in whole frames.
    let litert = if only == Some("frames") { None } else { litert(&cache, &root)? };
    let folder = graphs(&root)?;
    let json = json.unwrap_or_else(|| folder.join("rows.json"));

    build(&root, &["--release", "--example", "time_network", "--example", "time_frame"])?;
    let programs = workspace::release_folder()?.join("examples");
    let mut drive = Command::new(&python);
    drive
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(root.join("xtask/src/peers/drive.py"))
        .arg(programs)
        .arg(&folder)
        .arg(&json)
        .arg(root.join(DOCUMENT))
        .arg(litert.as_deref().unwrap_or(Path::new("-")))
        .arg(only.unwrap_or("-"))
        .args(bundles);
    shell::run(&mut drive)?;
    let rows = json.display();
    match only {
        None => println!("the table is in {DOCUMENT}, the rows are in {rows}"),
        Some(_) => println!("the rows are in {rows}"),
    }
    Ok(())
}

fn bundle(folder: &Path) -> Result<PathBuf> {
    let folder = std::path::absolute(folder)?;
    let model = folder.join("model.onnx");
    anyhow::ensure!(
        model.is_file(),
        "{} does not exist; give the bundle folder that `trainer export` wrote",
        model.display()
    );
    Ok(folder)
}

/// Returns the Python with LiteRT; `None` if no Python is new enough for it.
fn litert(cache: &Cache, root: &Path) -> Result<Option<PathBuf>> {
    match system::python(&LITERT_PYTHONS, LITERT_VERSIONS) {
        Some(python) => Pip::new(python, cache).ensure_environment(cache, root, &LITERT).map(Some),
        None => {
            println!(
                "LiteRT is left out: its converter needs Python 3.12 or 3.13 with venv and ensurepip on PATH"
            );
            Ok(None)
        }
    }
}

/// Writes the compared networks as ONNX, and returns their folder.
pub fn graphs(root: &Path) -> Result<PathBuf> {
    let folder = workspace::target_folder()?.join("peers");
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    build(root, &["--example", "performance_graphs"])?;
    let graphs = workspace::target_folder()?.join("debug/examples/performance_graphs");
    shell::run(Command::new(graphs).arg(&folder))?;
    Ok(folder)
}

/// Builds the whole workspace, because another selection of packages would build tract again.
fn build(root: &Path, arguments: &[&str]) -> Result<()> {
    let mut cargo = workspace::cargo(root);
    shell::run(cargo.args(["build", "--quiet", "--workspace"]).args(arguments))
}
