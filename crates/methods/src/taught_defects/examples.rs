//! Finds the images of known defects, what marks the defect in each, and contradictions with the good parts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use bundle::dataset::listing::UnusedReason;
use bundle::dataset::{SkipReason, Survey, survey, test_images};
use judge::{ReadError, read_regular_file};
use shared_format::Roi;
use shared_format::taught_defects::MAX_KINDS;

use super::error::DefectsError;

/// Maximum length of a kind's name, in bytes.
const MAX_NAME: usize = 32;
/// Maximum size of a text file with boxes: tens of thousands of them.
const MAX_BOX_BYTES: u64 = 1 << 20;

/// An image of a known defect.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The file.
    pub path: PathBuf,
    /// Index of its kind in [`Examples::kinds`].
    pub kind: usize,
    /// Masks of the defect, to be combined; none if there is no mask.
    pub masks: Vec<PathBuf>,
    /// Boxes around the defect: left, top, right and bottom as shares of the image's sides; none if there are none.
    pub boxes: Vec<[f64; 4]>,
}

/// Images of known defects.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examples {
    /// The kinds' names.
    pub kinds: Vec<String>,
    /// The images, sorted by kind and name.
    pub images: Vec<Example>,
    /// What the user should know: files that aren't used, images that look like good parts, kinds with a single image.
    pub notes: Vec<String>,
}

impl Examples {
    /// Finds the images in `folder`: a subfolder for each kind, with masks in `ground_truth` or `masks` as for
    /// [`test_images`], or boxes in a text file beside the image and with its name (a class and the box's centre and sides as
    /// shares of the image's sides on each line, as YOLO writes them; the class doesn't count). Folders of good parts are
    /// left out. `normals` are the good parts that are learned from.
    ///
    /// # Errors
    /// See [`DefectsError`].
    pub fn find(folder: &Path, normals: &[PathBuf], roi: Option<Roi>) -> Result<Self, DefectsError> {
        let mut found = test_images(folder)?;
        let mut unused = std::mem::take(&mut found.unused);
        let good = found.images.iter().filter(|image| !image.is_defective());
        good.for_each(|image| unused.add(UnusedReason::Beside, &image.path));
        let defective = || found.images.iter().filter(|image| image.is_defective());
        let of_defects: HashSet<&PathBuf> = defective().map(|image| &image.path).collect();
        // A test folder may hold the good parts, too.
        let normals: Vec<PathBuf> =
            normals.iter().filter(|path| !of_defects.contains(path)).cloned().collect();
        let paths: Vec<PathBuf> =
            normals.iter().chain(defective().map(|image| &image.path)).cloned().collect();
        let survey = survey(&paths, roi, || {});
        let mut notes = contradictions(&survey, &of_defects)?;
        let usable: HashSet<&PathBuf> = survey.usable.iter().collect();
        let used = || defective().filter(|image| usable.contains(&image.path));
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        used().for_each(|image| *counts.entry(&image.kind).or_default() += 1);
        let kinds: Vec<String> = counts.keys().map(|kind| (*kind).to_owned()).collect();
        if kinds.is_empty() {
            notes.splice(..0, unused.line(folder));
            return Err(DefectsError::None { folder: folder.to_owned(), notes });
        }
        if kinds.len() > MAX_KINDS {
            return Err(DefectsError::TooManyKinds(kinds.len()));
        }
        if let Some(long) = kinds.iter().find(|kind| kind.len() > MAX_NAME) {
            return Err(DefectsError::KindName(long.clone()));
        }
        for (kind, _) in counts.iter().filter(|(_, count)| **count == 1) {
            notes.push(format!(
                "warning: only one image shows `{kind}`, so nothing can be said about how often it will be missed; teach more"
            ));
        }
        let index: HashMap<&str, usize> = counts.keys().enumerate().map(|(at, kind)| (*kind, at)).collect();
        let mut images = vec![];
        let mut box_files = HashSet::new();
        for image in used() {
            let boxes = if image.masks.is_empty() {
                box_files.insert(box_file(&image.path));
                boxes(&image.path)?
            } else {
                vec![]
            };
            let kind = index.get(image.kind.as_str()).copied().unwrap_or_default();
            images.push(Example { path: image.path.clone(), kind, masks: image.masks.clone(), boxes });
        }
        images.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
        unused.remove(&box_files);
        notes.splice(..0, unused.line(folder));
        Ok(Self { kinds, images, notes })
    }

    /// Returns the number of images of each kind.
    #[must_use]
    pub fn counts(&self) -> Vec<usize> {
        (0..self.kinds.len())
            .map(|kind| self.images.iter().filter(|image| image.kind == kind).count())
            .collect()
    }

    /// Describes the kinds and their numbers of images: `scratch (10), dent (7)`.
    #[must_use]
    pub fn describe(&self) -> String {
        let kinds = self.kinds.iter().zip(self.counts());
        kinds.map(|(kind, count)| format!("{kind} ({count})")).collect::<Vec<_>>().join(", ")
    }
}

/// Refuses a defect that is a copy of a good part, and notes those that look like one or can't be used.
fn contradictions(survey: &Survey, of_defects: &HashSet<&PathBuf>) -> Result<Vec<String>, DefectsError> {
    let mut notes = vec![];
    for skipped in survey.skipped.iter().filter(|skipped| of_defects.contains(&skipped.path)) {
        match &skipped.reason {
            SkipReason::Copy(first) if !of_defects.contains(first) => {
                return Err(DefectsError::Contradiction {
                    defect: skipped.path.clone(),
                    normal: first.clone(),
                });
            }
            reason => notes.push(format!("skipped {}: {reason}", skipped.path.display())),
        }
    }
    for (copy, first) in &survey.duplicates {
        if of_defects.contains(copy) && !of_defects.contains(first) {
            notes.push(format!(
                "warning: the defect {} looks like the good part {}; if they are the same photo, remove it from one of the folders",
                copy.display(),
                first.display()
            ));
        }
    }
    Ok(notes)
}

fn box_file(image: &Path) -> PathBuf {
    image.with_extension("txt")
}

/// Reads the boxes beside an image; none if there is no such file.
fn boxes(image: &Path) -> Result<Vec<[f64; 4]>, DefectsError> {
    let path = box_file(image);
    let text = match read_regular_file(&path, MAX_BOX_BYTES) {
        Err(ReadError::Io(e)) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        read => read.map_err(|source| DefectsError::ReadBoxes { path: path.clone(), source })?,
    };
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| parse_box(line).ok_or(DefectsError::Boxes { path: path.clone(), line: at + 1 }))
        .collect()
}

fn parse_box(line: &str) -> Option<[f64; 4]> {
    let numbers: Vec<f64> = line.split_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let &[_, x, y, width, height] = &numbers[..] else { return None };
    let shares = [x, y, width, height].iter().all(|share| (0.0..=1.0).contains(share));
    let sides = [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0];
    (shares && width > 0.0 && height > 0.0).then_some(sides)
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::{Frame, Pixels, encode_png};
    use shared_format::Size;

    /// Writes a picture with its own texture.
    fn write(path: &Path, seed: usize) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut random = bundle::seeded::Seeded::new(seed as u64, 0);
        let pixels = (0..64 * 48).map(|_| (random.below(200)) as u8).collect();
        let frame = Frame::new(Size { width: 64, height: 48 }, Pixels::Grey8(pixels)).unwrap();
        std::fs::write(path, encode_png(&frame).unwrap()).unwrap();
    }

    #[test]
    fn kinds_are_folders_and_boxes_lie_beside_their_image() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let names = ["scratch/1.png", "scratch/2.png", "dent/1.png", "good/1.png"];
        names.iter().enumerate().for_each(|(seed, name)| write(&at(name), seed));
        std::fs::write(at("scratch/2.txt"), "3 0.5 0.25 0.5 0.5\n\n0 0.1 0.1 0.2 0.2\n").unwrap();
        let found = Examples::find(root.path(), &[], None).unwrap();
        assert_eq!(found.kinds, ["dent", "scratch"]);
        assert_eq!(found.describe(), "dent (1), scratch (2)");
        assert_eq!(found.images[2].boxes, [[0.25, 0.0, 0.75, 0.5], [0.0, 0.0, 0.2, 0.2]]);
        assert!(
            found.notes.iter().any(|note| note.contains("only one image shows `dent`")),
            "{:?}",
            found.notes
        );
        // The boxes are used; notes in another file and the good part are not.
        std::fs::write(at("scratch/notes.txt"), "1.png was dropped").unwrap();
        let notes = Examples::find(root.path(), &[], None).unwrap().notes;
        assert!(notes[0].contains("1 file without an image extension (scratch/notes.txt)"), "{notes:?}");
        assert!(notes[0].contains("(good/1.png)"), "{notes:?}");
        for wrong in ["0 0.5 0.25 0.5", "0 0.5 0.25 0 0.5", "0 0.5 1.25 0.5 0.5", "0 nan 0 1 1", "a b c d e"]
        {
            std::fs::write(at("scratch/2.txt"), wrong).unwrap();
            let error = Examples::find(root.path(), &[], None).unwrap_err();
            assert!(matches!(error, DefectsError::Boxes { line: 1, .. }), "{wrong}: {error}");
        }
        std::fs::write(at("scratch/2.txt"), [0xff, 0xfe, 0, 1]).unwrap();
        assert!(Examples::find(root.path(), &[], None).is_err());
    }

    #[test]
    fn a_good_part_among_the_defects_is_named() {
        let root = tempfile::tempdir().unwrap();
        let (normal, defect) = (root.path().join("good/n.png"), root.path().join("defects/scratch/d.png"));
        write(&normal, 1);
        write(&defect, 1);
        let error =
            Examples::find(&root.path().join("defects"), std::slice::from_ref(&normal), None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("d.png") && text.contains("n.png"), "{text}");
        // Nothing but good parts, and nothing at all.
        let only_good = Examples::find(root.path(), &[], None);
        assert!(matches!(&only_good, Ok(found) if found.kinds == ["defects"]), "{only_good:?}");
        std::fs::remove_dir_all(root.path().join("defects")).unwrap();
        assert!(matches!(Examples::find(root.path(), &[], None), Err(DefectsError::None { .. })));
    }
}
