//! The `--line` option of commands on bundles: opens a bundle as that line would.

use std::path::Path;

use anyhow::Result;
use judge::{Engine, Judge};

use crate::files::bundles::open_with;
use crate::line_file::LineFile;
use crate::trust::{LineTrust, describe, describe_unverified};

/// Opens a bundle, and says who signed it, if anybody did. With a line file, it must be a bundle that this line would run in the place
/// of the one of the same folder name.
///
/// # Errors
/// If the line file or the bundle can't be used, or the line would refuse the bundle.
pub(super) fn open(
    engine: Engine,
    folder: &Path,
    line: Option<&Path>,
    threads: usize,
) -> Result<(Judge, Option<String>)> {
    let (judge, signed) = match line {
        Some(path) => {
            let line = LineFile::load(path)?;
            let product =
                line.products.iter().find(|product| product.bundle.file_name() == folder.file_name());
            let product = product.map(|product| product.name.as_str());
            LineTrust::of(&line)?.open_folder(engine, folder, product, threads)?
        }
        None => (open_with(engine, folder, threads)?, None),
    };
    let signature = signed.as_ref().map(describe).or_else(|| describe_unverified(folder));
    Ok((judge, signature))
}
