//! What a bundle is made from, as one hash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use judge::{file_sha256, read_regular_file};
use signing::listed_files::to_hex;

use super::products::{Product, Products};

/// Larger files are no photos, masks or settings.
const MAX_BYTES: u64 = 2 << 30;

/// Returns a hash of all that decides what a product's bundle is: this program, the options, and the contents of the photos and of all files
/// and folders that the options name.
///
/// # Errors
/// If one of them can't be read.
pub fn hash(products: &Products, product: &Product, program: &str) -> Result<String> {
    let (train, export) = (products.train_options(product), products.export_options(product));
    let mut lines =
        vec![format!("program {program}"), format!("train {train:?}"), format!("export {export:?}")];
    let named = train
        .iter()
        .chain(&export)
        .map(|option| option.split_once('=').map_or(option.as_str(), |(_, value)| value));
    let named = named.map(|option| products.folder.join(option)).filter(|path| path.exists());
    for (what, path) in [("data", product.data.clone())].into_iter().chain(named.map(|path| ("option", path)))
    {
        let mut files = vec![];
        list(&path, &mut files)
            .with_context(|| format!("cannot list {}; check its permissions", path.display()))?;
        files.sort();
        for file in files {
            let bytes = read_regular_file(&file, MAX_BYTES);
            let bytes =
                bytes.with_context(|| format!("cannot read {}; check its permissions", file.display()))?;
            let name = file.strip_prefix(&path).unwrap_or(&file);
            lines.push(format!("{what} {name:?} {}", to_hex(&file_sha256(&bytes))));
        }
    }
    Ok(to_hex(&file_sha256(lines.join("\n").as_bytes())))
}

/// Lists the files of a folder and those below it, or the file itself. Hidden ones are no photos.
fn list(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            list(&entry.path(), files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_decides_the_bundle_changes_the_hash_and_nothing_else_does() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("photos/train/good")).unwrap();
        fs::write(path("photos/train/good/a.png"), "a").unwrap();
        fs::write(path("mask.png"), "m").unwrap();
        let file = path("products.toml");
        let text = "[[product]]\nname = \"cap\"\ndata = \"photos\"\ntrain = [\"--mask\", \"mask.png\"]\n";
        let of = |text: &str, program: &str| {
            fs::write(&file, text).unwrap();
            let products = Products::read(&file).unwrap();
            hash(&products, &products.products[0], program).unwrap()
        };
        let before = of(text, "1");
        assert_eq!(of(text, "1"), before);
        fs::write(path("photos/.thumbs"), "x").unwrap();
        assert_eq!(of(text, "1"), before);
        let mut all = vec![before.clone(), of(text, "2"), of(&text.replace("--mask", "--ignore"), "1")];
        fs::write(path("mask.png"), "n").unwrap();
        all.push(of(text, "1"));
        fs::write(path("photos/train/good/a.png"), "b").unwrap();
        all.push(of(text, "1"));
        fs::rename(path("photos/train/good/a.png"), path("photos/train/good/b.png")).unwrap();
        all.push(of(text, "1"));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
