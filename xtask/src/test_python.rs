//! The Python packages that tests compare against, in a virtual environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{self, Cache};
use crate::hash;
use crate::pip::Pip;
use crate::shell;

const IMPORTS: &str = "import numpy, onnx, onnxruntime, PIL, sklearn";

/// Makes sure of the environment, and returns its Python.
pub fn ensure(cache: &Cache, root: &Path, pip: &Pip) -> Result<PathBuf> {
    let requirements = root.join("xtask/python-requirements.txt");
    let text = fs::read_to_string(&requirements)
        .with_context(|| format!("can't read {}: check the file out again", requirements.display()))?;
    let stamp = format!("python-requirements.txt {}\n", hash::sha256_of_text(&text));
    let folder = cache.path("python");
    let program = folder.join("bin/python");
    // The Python that the environment was made from may have gone since.
    if cache::is_installed(&folder, &stamp) && shell::succeeds(Command::new(&program).args(["-I", "-c", ""]))
    {
        println!("Python packages for tests are in {}", folder.display());
        return Ok(program);
    }
    println!(
        "downloading Python packages for tests from pypi.org, about 100 MB: numpy, scipy, scikit-learn \
         (BSD-3-Clause), onnxruntime (MIT), onnx (Apache-2.0), pillow (MIT-CMU) and what these import"
    );
    cache::install(&folder, &stamp, |part| {
        pip.environment(part, &requirements)?;
        shell::run(Command::new(part.join("bin/python")).args(["-I", "-c", IMPORTS]))
            .context("the Python packages were installed but can't be imported")
    })?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_python_package_pins_a_version_and_hashes() {
        let text = include_str!("../python-requirements.txt").replace("\\\n", " ");
        let lines: Vec<&str> = text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
        assert!(lines.len() >= 5);
        for line in &lines {
            let (requirement, hashes) = line.split_once("--hash=sha256:").unwrap_or_else(|| panic!("{line}"));
            assert!(requirement.contains("=="), "{line}");
            for hash in hashes.split("--hash=sha256:") {
                assert!(
                    hash.trim().len() == 64 && hash.trim().bytes().all(|b| b.is_ascii_hexdigit()),
                    "{line}"
                );
            }
        }
        for package in ["numpy", "onnx", "onnxruntime", "pillow", "scikit-learn"] {
            assert!(lines.iter().any(|l| l.starts_with(&format!("{package}=="))), "{package}");
        }
    }
}
