//! The photos of the decided defects, one folder per kind.

use std::io;
use std::path::{Path, PathBuf};

use bundle::atomic::write_folder;

use super::decisions::DecidedRecord;
use super::error::LearnError;
use crate::files::parts::folder_name;

/// The folder below that of all records.
const FOLDER: &str = "defects";
/// The kind of defects that nobody named.
const UNNAMED: &str = "unnamed";

/// Writes the photos of a product's defects as `defects/PRODUCT/KIND/RECORD.jpg` below the folder of records, in place of
/// those of an earlier time: the decisions say what belongs there. On the same disk they take no space. Returns the folder;
/// `None` if there are no defects.
///
/// # Errors
/// [`LearnError::Defects`]; an earlier folder is then unchanged.
pub fn write_known_defects(
    records: &Path,
    product: &str,
    defects: &[DecidedRecord],
) -> Result<Option<PathBuf>, LearnError> {
    let folder = records.join(FOLDER).join(folder_name(product));
    if defects.is_empty() && !folder.exists() {
        return Ok(None);
    }
    let fill = |partial: &Path| defects.iter().try_for_each(|defect| add(partial, defect));
    write_folder(&folder, fill)
        .map_err(|source: io::Error| LearnError::Defects { folder: folder.clone(), source })?;
    Ok((!defects.is_empty()).then_some(folder))
}

fn add(folder: &Path, defect: &DecidedRecord) -> io::Result<()> {
    let kind = folder.join(defect.entry.kind.as_ref().map_or(UNNAMED, |kind| kind.as_str()));
    std::fs::create_dir_all(&kind)?;
    let extension = defect.frame.extension().unwrap_or_default().to_string_lossy();
    let target = kind.join(format!("{}.{extension}", defect.name));
    std::fs::hard_link(&defect.frame, &target).or_else(|_| std::fs::copy(&defect.frame, &target).map(|_| ()))
}
