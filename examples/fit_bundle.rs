//! Fits the default method to photos of good parts and writes a bundle: `fit-bundle TEACHER PHOTOS BUNDLE`.
//!
//! The teacher is a name from `trainer teacher list`, or a .safetensors file.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bundle::dataset::{normal_images, survey};
use bundle::{Align, PIXELS, ThresholdRule, alignment, claim_with_threshold, frame_score, input_shape};
use methods::Flip;
use methods::teach::{TeachRequest, teach};
use networks::teacher::{Library, load_file};
use shared_format::{Recipe, Tiles};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [teacher, photos, out] = &arguments[..] else {
        anyhow::bail!("usage: fit-bundle TEACHER PHOTOS BUNDLE")
    };
    let name = teacher.file_stem().unwrap_or_default().to_string_lossy();
    let teacher =
        if teacher.is_file() { load_file(teacher, &name)? } else { Library::of_user().load(&name)? };

    // Which photos can be used, how large they are, and whether any has colour.
    let found = normal_images(photos)?;
    found.unused.line(photos).iter().for_each(|line| eprintln!("{line}"));
    let survey = survey(&found.images, None, || ());
    for skipped in &survey.skipped {
        eprintln!("skipped {}: {}", skipped.path.display(), skipped.reason);
    }
    let frames = survey.frames.context("there are no usable photos; give a folder of good parts")?;

    // How a frame becomes the network's input. The judge applies it in the same way on the line.
    let input = input_shape(frames, None, Tiles::ONE, PIXELS);
    let mut recipe = Recipe {
        input,
        roi: None,
        tiles: Tiles::ONE,
        colour: survey.colour,
        frames,
        alignment: None,
        ignore: None,
        reference_patch: None,
    };
    recipe.alignment = alignment(Align::Auto, &survey.usable, recipe, || ())?.alignment;

    let parts: Vec<Vec<PathBuf>> = survey.usable.into_iter().map(|photo| vec![photo]).collect();
    let method = methods::METHODS[0].defaults();
    let request = TeachRequest {
        teacher: &teacher,
        recipe,
        zones: None,
        flip: Flip::None,
        parts: &parts,
        defects: None,
        method: method.as_ref(),
        target_fpr: 0.05,
        rule: ThresholdRule::Claim,
        check_product: false,
        left_out: &[],
        seed: 0,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    // A part may have several frames, whose scores a rule would have to combine. Here it has one.
    let only_frame = |frames: &[Vec<f32>]| frames.first().map(|scores| frame_score(scores));
    let result = teach(&request, &only_frame, out, &mut || true)?;
    println!("{}", claim_with_threshold(&result.calibration));
    report_outliers(&result.outliers);
    Ok(())
}

/// Names photos that look unlike the others: one bad part among the good ones raises the threshold for all.
fn report_outliers(outliers: &[PathBuf]) {
    for photo in outliers.iter().map(PathBuf::as_path).map(Path::display) {
        println!("{photo} looks unlike the others; if the part isn't good, remove the photo and fit again");
    }
}
