//! Photos of parts that move, lie still, or show nothing.

use std::path::Path;

use judge::{Frame, Pixels, encode_png};
use shared_format::{Colour, FrameRange};

use super::*;
use crate::seeded::Seeded;

const INPUT: Size = Size { width: 128, height: 96 };

fn recipe() -> Recipe {
    let frames = FrameRange { min: INPUT, max: INPUT };
    Recipe {
        input: INPUT,
        roi: None,
        tiles: Tiles::ONE,
        colour: Colour::Grey,
        frames,
        alignment: None,
        ignore: None,
        reference_patch: None,
    }
}

/// Writes images painted by `grey`, which gives the value at a pixel of image n.
fn write(folder: &Path, count: usize, grey: impl Fn(usize, [f64; 2]) -> u8) -> Vec<PathBuf> {
    let paths = (0..count).map(|n| folder.join(format!("{n}.png")));
    paths
        .enumerate()
        .map(|(n, path)| {
            let pixels = (0..INPUT.height)
                .flat_map(|y| (0..INPUT.width).map(move |x| [f64::from(x), f64::from(y)]))
                .map(|at| grey(n, at))
                .collect();
            let frame = Frame::new(INPUT, Pixels::Grey8(pixels)).unwrap();
            std::fs::write(&path, encode_png(&frame).unwrap()).unwrap();
            path
        })
        .collect()
}

/// A bar and a square on a plate, as image n shows them after a movement.
fn part(movement: RigidTransform, n: usize, at: [f64; 2]) -> u8 {
    let [x, y] = movement.inverse().apply(at, [f64::from(INPUT.width), f64::from(INPUT.height)]);
    let value = if (30.0..44.0).contains(&x) && (20.0..80.0).contains(&y) {
        200
    } else if (60.0..90.0).contains(&x) && (30.0..50.0).contains(&y) {
        20
    } else {
        110
    };
    // The lighting differs between photos.
    value + (n % 20) as u8
}

fn movement(n: usize) -> RigidTransform {
    let n = n as f64;
    RigidTransform {
        shift: [(n * 1.7) % 13.0 - 6.0, (n * 2.3) % 9.0 - 4.0],
        turn: ((n * 0.013) % 0.06) - 0.03,
    }
}

fn learned(align: Align, paths: &[PathBuf], recipe: Recipe) -> Result<Aligned, AlignError> {
    alignment(align, paths, recipe, || ())
}

#[test]
fn auto_aligns_parts_that_move_and_leaves_those_that_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let moving = write(folder.path(), 12, |n, at| part(movement(n), n, at));
    let aligned = learned(Align::Auto, &moving, recipe()).unwrap();
    let found = aligned.alignment.unwrap();
    assert_eq!(found.motion, Motion::Rigid, "{}", aligned.description);
    assert!((225..=250).contains(&found.least_likeness), "{}", aligned.description);
    assert!(aligned.description.starts_with("rigid; parts lie up to "), "{}", aligned.description);
    assert!(Recipe { alignment: Some(found), ..recipe() }.is_valid());

    let still = write(folder.path(), 12, |n, at| part(RigidTransform::IDENTITY, n, at));
    let aligned = learned(Align::Auto, &still, recipe()).unwrap();
    assert_eq!(aligned.alignment, None, "{}", aligned.description);
    assert!(
        learned(Align::Shift, &still, recipe()).unwrap().alignment.is_some_and(|a| a.motion == Motion::Shift)
    );
    assert_eq!(learned(Align::Off, &moving, recipe()).unwrap().alignment, None);
}

#[test]
fn tiles_are_aligned_together() {
    let folder = tempfile::tempdir().unwrap();
    let moving = write(folder.path(), 12, |n, at| part(movement(n), n, at));
    let tiles = Tiles { columns: 3, rows: 2, overlap: 32 };
    let tiled = Recipe { tiles, input: Size { width: 64, height: 64 }, ..recipe() };
    let alignment = learned(Align::Auto, &moving, tiled).unwrap().alignment.unwrap();
    let mut preparer = Preparer::new(Recipe { alignment: Some(alignment), ..tiled });
    let mut input = vec![];
    for (n, path) in moving.iter().enumerate() {
        let found = preparer.prepare(&decode_file(path).unwrap(), &mut input).unwrap().unwrap();
        assert_eq!(input.len(), 6 * 3 * 64 * 64);
        // Relative to the reference, which itself lies somewhere; shifts are in pixels of 160×96 instead of 128×96.
        assert!(found.shift[0].abs() < 18.0 && found.shift[1].abs() < 10.0, "{n}: {found:?}");
    }
}

#[test]
fn auto_leaves_textures_and_pictures_of_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let noise =
        |n: usize, [x, y]: [f64; 2]| (Seeded::new(n as u64, (y * 1000.0 + x) as u64).below(256)) as u8;
    let texture = write(folder.path(), 6, noise);
    assert_eq!(learned(Align::Auto, &texture, recipe()).unwrap().alignment, None);
    let blank = write(folder.path(), 6, |n, _| n as u8);
    let aligned = learned(Align::Auto, &blank, recipe()).unwrap();
    assert_eq!((aligned.alignment, &aligned.description[..3]), (None, "off"));
    assert!(matches!(learned(Align::Rigid, &blank, recipe()), Err(AlignError::NotLocked { count: 6, .. })));
}

#[test]
fn what_can_not_be_aligned_is_refused_only_if_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let parts = write(folder.path(), 6, |n, at| part(movement(n), n, at));
    // An image of something else.
    write(folder.path(), 1, |_, [x, y]| if (x + y) % 40.0 < 20.0 { 250 } else { 5 });
    assert_eq!(learned(Align::Auto, &parts, recipe()).unwrap().alignment, None);
    std::fs::write(&parts[2], b"no picture").unwrap();
    assert!(
        matches!(learned(Align::Auto, &parts, recipe()), Err(AlignError::Decode { path, .. }) if path == parts[2])
    );
}
