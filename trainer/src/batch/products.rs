//! The file that lists the products.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use judge::{ReadError, read_regular_file};
use serde::Deserialize;
use signing::manifest::is_plain_name;

/// Larger files are refused.
const MAX_BYTES: u64 = 16 << 20;
/// Options that `trainer batch` gives itself.
const OWN: [&str; 4] = ["--data", "--out", "--resume", "--help"];

/// Why a file of products can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProductsError {
    /// The file can't be read.
    #[error("cannot read {}: {source}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ReadError,
    },
    /// The file isn't valid TOML, or has an unknown key or a wrong type.
    #[error("cannot parse {}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Position and description of the error.
        reason: String,
    },
    /// Values that are not allowed.
    #[error("{} can't be used:\n  {}", path.display(), problems.join("\n  "))]
    Values {
        /// The file.
        path: PathBuf,
        /// One sentence per problem.
        problems: Vec<String>,
    },
}

/// The products, and what they have in common.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Products {
    /// The folder of the file: relative paths start there, and so do the commands.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The folder for runs, bundles and logs.
    #[serde(default = "default_out")]
    pub out: PathBuf,
    /// The secret key that signs the bundles; without it, they are not signed.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Options of `trainer train` for all products.
    #[serde(default)]
    pub train: Vec<String>,
    /// Options of `trainer export` for all products.
    #[serde(default)]
    pub export: Vec<String>,
    /// The products.
    #[serde(rename = "product")]
    pub products: Vec<Product>,
}

/// A product.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its name, and that of its bundle.
    pub name: String,
    /// The folder with photos of good parts.
    pub data: PathBuf,
    /// Options of `trainer train` after those for all products.
    #[serde(default)]
    pub train: Vec<String>,
    /// Options of `trainer export` after those for all products.
    #[serde(default)]
    pub export: Vec<String>,
}

fn default_out() -> PathBuf {
    "made".into()
}

impl Products {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ProductsError`]; it lists every value that is not allowed.
    pub fn read(path: &Path) -> Result<Self, ProductsError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let bytes = read_regular_file(&path, MAX_BYTES)
            .map_err(|source| ProductsError::Read { path: path.clone(), source })?;
        let syntax = |reason: String| ProductsError::Syntax { path: path.clone(), reason };
        let text = std::str::from_utf8(&bytes).map_err(|e| syntax(format!("{e}; save it as UTF-8")))?;
        let mut products: Self =
            toml::from_str(text).map_err(|e| syntax(e.to_string().trim_end().to_owned()))?;
        products.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        products.out = products.folder.join(&products.out);
        products.key = products.key.map(|key| products.folder.join(key));
        for product in &mut products.products {
            product.data = products.folder.join(&product.data);
        }
        let problems = products.problems();
        if problems.is_empty() { Ok(products) } else { Err(ProductsError::Values { path, problems }) }
    }

    /// Returns the options of `trainer train` for a product.
    #[must_use]
    pub fn train_options(&self, product: &Product) -> Vec<String> {
        self.train.iter().chain(&product.train).cloned().collect()
    }

    /// Returns the options of `trainer export` for a product.
    #[must_use]
    pub fn export_options(&self, product: &Product) -> Vec<String> {
        self.export.iter().chain(&product.export).cloned().collect()
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = vec![];
        if self.products.is_empty() {
            problems.push("it lists no product; add [[product]] with name and data".to_owned());
        }
        let mut seen = BTreeSet::new();
        for product in &self.products {
            let name = &product.name;
            if !is_plain_name(name) {
                problems.push(format!(
                    "name = {name:?} is not allowed; give up to 100 letters, digits, -, _ and ., without a leading dot"
                ));
            }
            if !seen.insert(name) {
                problems.push(format!("{name} is there twice; give each product a name of its own"));
            }
            if !product.data.is_dir() {
                problems.push(format!("{name}: {} is not a folder; correct data", product.data.display()));
            }
        }
        let lists = self.products.iter().flat_map(|product| [&product.train, &product.export]);
        for option in lists.chain([&self.train, &self.export]).flatten() {
            let name = option.split('=').next().unwrap_or_default();
            if OWN.contains(&name) {
                problems.push(format!("{name} is given by `trainer batch` itself; remove it"));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Products, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("photos/cap")).unwrap();
        let path = folder.path().join("products.toml");
        std::fs::write(&path, text).unwrap();
        Products::read(&path).map_err(|e| e.to_string())
    }

    const GOOD: &str = "train = [\"--size\", \"128\"]\n[[product]]\nname = \"cap\"\ndata = \"photos/cap\"\ntrain = [\"--seed\", \"2\"]\n";

    #[test]
    fn options_for_all_come_before_those_of_a_product() {
        let products = read(GOOD.as_bytes()).unwrap();
        let product = &products.products[0];
        assert_eq!(products.train_options(product), ["--size", "128", "--seed", "2"]);
        assert!(products.export_options(product).is_empty() && product.data.is_absolute());
        assert!(products.out.ends_with("made"));
    }

    #[test]
    fn what_is_not_allowed_is_named_all_at_once() {
        for (wrong, named) in [
            (&b""[..], "missing field"),
            (b"\xff\xfe", "UTF-8"),
            (b"product = []", "no product"),
            (b"[[product]]\nname = 5\ndata = \"x\"", "name"),
            (b"jobs = 3\n[[product]]\nname = \"a\"\ndata = \"photos/cap\"", "jobs"),
        ] {
            let refused = read(wrong).unwrap_err();
            assert!(refused.contains(named), "{refused}");
        }
        let text =
            format!("{GOOD}{}export = [\"--out=x\"]\n", GOOD.replace("train = [\"--size\", \"128\"]\n", ""));
        let refused = read(text.replacen("photos/cap", "photos/../none", 1).as_bytes()).unwrap_err();
        for named in ["cap is there twice", "none is not a folder", "--out is given by"] {
            assert!(refused.contains(named), "{refused}");
        }
        assert!(read(GOOD.replace("\"cap\"", "\"../cap\"").as_bytes()).unwrap_err().contains("../cap"));
        assert!(Products::read(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn a_file_that_is_cut_short_is_read_or_refused() {
        for length in 0..GOOD.len() {
            let _ = read(&GOOD.as_bytes()[..length]);
        }
    }
}
