//! Pictures as users paint them.

use judge::{Frame, Preparer, encode_png};
use shared_format::{Colour, FrameRange, Tiles};

use super::*;

const PHOTO: Size = Size { width: 300, height: 200 };
const INPUT: Size = Size { width: 96, height: 64 };

fn recipe(roi: Option<Roi>, tiles: Tiles) -> Recipe {
    let frames = FrameRange { min: PHOTO, max: PHOTO };
    Recipe { input: INPUT, roi, tiles, colour: Colour::Rgb, frames, alignment: None, ignore: None }
}

fn picture(size: Size, level: impl Fn(u32, u32) -> u8) -> Frame {
    let pixels = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
    Frame::new(size, Pixels::Grey8(pixels.map(|(x, y)| level(x, y)).collect())).unwrap()
}

fn read(bytes: &[u8], recipe: &Recipe) -> Result<IgnoreMask, IgnoreError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    std::fs::write(&path, bytes).unwrap();
    ignore_mask(&path, recipe)
}

fn painted(recipe: &Recipe, level: impl Fn(u32, u32) -> u8) -> Result<IgnoreMask, IgnoreError> {
    read(&encode_png(&picture(PHOTO, level)).unwrap(), recipe)
}

/// Whatever black pixels show, the network sees the same; all else it sees as it did.
#[test]
fn what_is_black_changes_nothing_and_little_else_is_lost() {
    let regions = [None, Some(Roi { x: 31, y: 7, width: 201, height: 187 })];
    for (roi, tiles) in regions.into_iter().zip([Tiles { columns: 2, rows: 1 }, Tiles::ONE]) {
        let plain = recipe(roi, tiles);
        let is_black = |x: u32, y: u32| (100..170).contains(&x) && (60..121).contains(&y);
        let mask = painted(&plain, |x, y| if is_black(x, y) { 0 } else { 255 }).unwrap();
        let mut preparer = Preparer::new(Recipe { ignore: Some(mask), ..plain });
        let texture = |x: u32, y: u32| (x * 7 + y * 13) as u8;
        let first = picture(PHOTO, texture);
        let second = picture(PHOTO, |x, y| if is_black(x, y) { 255 - texture(x, y) } else { texture(x, y) });
        let mut of = |frame: &Frame| {
            let mut input = vec![];
            preparer.prepare(frame, &mut input).unwrap();
            input
        };
        assert_eq!(of(&first), of(&second));
        let region = roi.map_or(300.0 * 200.0, |roi| f64::from(roi.width * roi.height));
        let black = 70.0 * 61.0 / region;
        assert!((black..1.5 * black).contains(&mask.share()), "{} of {black}", mask.share());
    }
}

#[test]
fn pictures_that_say_nothing_are_refused() {
    let recipe = recipe(None, Tiles::ONE);
    assert!(matches!(painted(&recipe, |_, _| 255), Err(IgnoreError::Nothing(_))));
    assert!(matches!(painted(&recipe, |_, _| 0), Err(IgnoreError::Everything(_))));
    // A photo that was painted on.
    let photo = painted(&recipe, |x, y| if x < 50 { 0 } else { 60 + (x + y) as u8 % 100 });
    assert!(matches!(photo, Err(IgnoreError::Grey { percent, .. }) if percent > 80.0));
    let smaller = picture(Size { width: 299, height: 200 }, |_, _| 0);
    let smaller = read(&encode_png(&smaller).unwrap(), &recipe);
    let message = smaller.unwrap_err().to_string();
    assert!(message.contains("has 299×200 pixels, but the photos have 300×200 to 300×200"), "{message}");
    let cut = &encode_png(&picture(PHOTO, |_, _| 0)).unwrap()[..90];
    assert!(matches!(read(cut, &recipe), Err(IgnoreError::Decode { .. })));
    assert!(matches!(ignore_mask(Path::new("/nowhere/mask.png"), &recipe), Err(IgnoreError::Decode { .. })));
}
