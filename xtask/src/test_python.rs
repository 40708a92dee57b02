//! The virtual environment with the Python packages that tests compare against.

use crate::pip::Environment;

/// The environment.
pub const ENVIRONMENT: Environment = Environment {
    name: "python",
    what: "Python packages for tests",
    requirements: &["python-requirements.txt"],
    contents: "about 100 MB: numpy, scipy, scikit-learn (BSD-3-Clause), onnxruntime (MIT), onnx (Apache-2.0), pillow \
               (MIT-CMU), pymodbus (BSD-3-Clause) and what these import",
    imports: "import numpy, onnx, onnxruntime, PIL, pymodbus, sklearn",
};

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
        for package in ["numpy", "onnx", "onnxruntime", "pillow", "pymodbus", "scikit-learn"] {
            assert!(lines.iter().any(|l| l.starts_with(&format!("{package}=="))), "{package}");
        }
    }
}
