//! Pictures as users paint them.

use judge::{Frame, Pixels, Preparer, encode_png};
use shared_format::{Colour, FrameRange, Tiles};

use super::*;

const PHOTO: Size = Size { width: 300, height: 200 };
const INPUT: Size = Size { width: 96, height: 64 };

fn recipe(roi: Option<Roi>, tiles: Tiles) -> Recipe {
    let frames = FrameRange { min: PHOTO, max: PHOTO };
    Recipe {
        input: INPUT,
        roi,
        tiles,
        colour: Colour::Rgb,
        frames,
        alignment: None,
        ignore: None,
        reference_patch: None,
    }
}

fn picture(size: Size, level: impl Fn(u32, u32) -> u8) -> Frame {
    let pixels = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
    Frame::new(size, Pixels::Grey8(pixels.map(|(x, y)| level(x, y)).collect())).unwrap()
}

fn read(bytes: &[u8], recipe: &Recipe, factors: &[ZoneFactor]) -> Result<PaintedMask, PaintedMaskError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    std::fs::write(&path, bytes).unwrap();
    painted_mask(&path, recipe, factors)
}

fn painted(recipe: &Recipe, level: impl Fn(u32, u32) -> u8) -> Result<PaintedMask, PaintedMaskError> {
    read(&encode_png(&picture(PHOTO, level)).unwrap(), recipe, &[])
}

/// Whatever black pixels show, the network sees the same; all else it sees as it did.
#[test]
fn what_is_black_changes_nothing_and_little_else_is_lost() {
    let regions = [None, Some(Roi { x: 31, y: 7, width: 201, height: 187 })];
    for (roi, tiles) in regions.into_iter().zip([Tiles::side_by_side(2, 1), Tiles::ONE]) {
        let plain = recipe(roi, tiles);
        let is_black = |x: u32, y: u32| (100..170).contains(&x) && (60..121).contains(&y);
        let painted = painted(&plain, |x, y| if is_black(x, y) { 0 } else { 255 }).unwrap();
        assert_eq!(painted.zones, None);
        let mask = painted.ignore.unwrap();
        assert_eq!(
            painted.description,
            format!("ignored: {:.0} % of the region of interest", 100.0 * mask.share())
        );
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

/// Bands of equal width: black, white, grey and dark grey.
fn bands(x: u32, _: u32) -> u8 {
    [0, 255, 160, 80][(x / 75) as usize]
}

fn zones(painted: &PaintedMask) -> &Zones {
    let zones = painted.zones.as_ref().unwrap();
    assert!(zones.is_valid());
    zones
}

#[test]
fn each_grey_level_is_a_zone_where_it_was_painted() {
    let regions = [None, Some(Roi { x: 31, y: 7, width: 250, height: 187 })];
    for (roi, tiles) in regions.into_iter().zip([Tiles::side_by_side(2, 1), Tiles::ONE]) {
        let painted = painted(&recipe(roi, tiles), bands).unwrap();
        let (zones, ignore) = (zones(&painted), painted.ignore.unwrap());
        assert_eq!(zones.levels().collect::<Vec<_>>(), [255, 160, 80]);
        let mask = zones.mask;
        assert_eq!((mask.columns(), mask.rows()), (ignore.columns(), ignore.rows()));
        let left = roi.map_or(0.0, |roi| f64::from(roi.x));
        let width = roi.map_or(300.0, |roi| f64::from(roi.width));
        for column in 0..usize::from(mask.columns()) {
            let middle = left + (column as f64 + 0.5) * width / f64::from(mask.columns());
            let is_border = (middle / 75.0 - (middle / 75.0).round()).abs() < 0.1;
            let zone = [None, Some(0), Some(1), Some(2)][(middle / 75.0) as usize];
            let found = (!ignore.ignores(column, 3)).then(|| mask.zone(column, 3));
            assert!(is_border || found == zone, "column {column}: {found:?}, not {zone:?}");
        }
    }
    let painted = painted(&recipe(None, Tiles::ONE), bands).unwrap();
    assert_eq!(
        painted.description,
        "ignored: 27 % of the region of interest; zones: level 255 with 23 %, level 160 with 25 %, level 80 with 25 %"
    );
}

#[test]
fn zones_without_black_ignore_nothing_and_factors_belong_to_levels() {
    let recipe = recipe(None, Tiles::ONE);
    let png = encode_png(&picture(PHOTO, |x, _| if x < 150 { 254 } else { 128 })).unwrap();
    let factors = [ZoneFactor { level: 130, factor: 1.5 }, ZoneFactor { level: 255, factor: 0.5 }];
    let painted = read(&png, &recipe, &factors).unwrap();
    assert_eq!(painted.ignore, None);
    let named: Vec<(u8, f32)> = zones(&painted).zones.iter().map(|zone| (zone.level, zone.factor)).collect();
    assert_eq!(named, [(255, 0.5), (128, 1.5)]);
    assert_eq!(
        painted.description,
        "zones: level 255 with 50 % and factor 0.5, level 128 with 50 % and factor 1.5"
    );
    let unknown = read(&png, &recipe, &[ZoneFactor { level: 60, factor: 2.0 }]).unwrap_err().to_string();
    assert_eq!(unknown, "--zone 60: the mask has no zone of this level; its zones have the levels 255, 128");
    let plain = encode_png(&picture(PHOTO, |x, _| if x < 150 { 0 } else { 255 })).unwrap();
    let unknown = read(&plain, &recipe, &factors).unwrap_err().to_string();
    assert!(unknown.contains("--zone 130: the mask has no zones"), "{unknown}");
    let mut recipe = recipe;
    assert!(matches!(add_mask(&mut recipe, None, &factors), Err(PaintedMaskError::NoMask)));
    assert_eq!(add_mask(&mut recipe, None, &[]).unwrap(), None);
}

/// A soft brush leaves every level between two areas, some of which are another area's.
#[test]
fn soft_edges_and_jpeg_make_no_zones() {
    let recipe = recipe(None, Tiles::ONE);
    let soft = |x: u32, _: u32| match x {
        0..=98 => 0,
        99 => 90,
        100 => 170,
        101..=200 => 255,
        201 => 219,
        202 => 183,
        _ => 160,
    };
    let of_soft = painted(&recipe, soft).unwrap();
    assert_eq!(zones(&of_soft).levels().collect::<Vec<_>>(), [255, 160]);
    assert!(of_soft.description.contains("other levels, 1.0 %"), "{}", of_soft.description);
    // A slanted edge in a JPEG, with its ringing.
    let slanted = |x: u32, y: u32| {
        if x + y / 3 < 120 {
            0
        } else if x < 220 {
            255
        } else {
            130
        }
    };
    let pixels: Vec<u8> = (0..200).flat_map(|y| (0..300).map(move |x| slanted(x, y))).collect();
    let mut jpeg = vec![];
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 75);
    encoder.encode(&pixels, 300, 200, jpeg_encoder::ColorType::Luma).unwrap();
    let from_jpeg = read(&jpeg, &recipe, &[]).unwrap();
    let levels: Vec<u8> = zones(&from_jpeg).levels().collect();
    assert!(levels.len() == 2 && levels[0] == 255 && levels[1].abs_diff(130) < 4, "{levels:?}");
    let exact = painted(&recipe, slanted).unwrap();
    let (a, b) = (from_jpeg.ignore.unwrap().share(), exact.ignore.unwrap().share());
    assert!((a - b).abs() < 0.03, "{a} {b}");
}

#[test]
fn pictures_that_say_nothing_or_are_ambiguous_are_refused() {
    use PaintedMaskError as E;
    let recipe = recipe(None, Tiles::ONE);
    assert!(matches!(painted(&recipe, |_, _| 255), Err(E::Nothing(_))));
    assert!(matches!(painted(&recipe, |_, _| 128), Err(E::Nothing(_))));
    assert!(matches!(painted(&recipe, |_, _| 0), Err(E::Everything(_))));
    // A little white is not enough for the resize filter's reach.
    assert!(matches!(painted(&recipe, |x, y| if (x, y) == (9, 9) { 255 } else { 0 }), Err(E::Everything(_))));
    // A photo that was painted on.
    let photo = painted(&recipe, |x, y| if x < 50 { 0 } else { 60 + (x + y) as u8 % 100 });
    assert!(matches!(photo, Err(E::TooClose { .. })), "{photo:?}");
    let noise = |x: u32, y: u32| ((x * 300 + y).wrapping_mul(0x9e37_79b1) >> 24) as u8;
    let noisy = painted(&recipe, |x, y| if x < 50 { 0 } else { noise(x, y) });
    assert!(matches!(noisy, Err(E::Between { percent, .. }) if percent > 50.0), "{noisy:?}");
    let close = painted(&recipe, |x, _| {
        if x < 100 {
            255
        } else if x < 200 {
            128
        } else {
            140
        }
    });
    assert!(matches!(close, Err(E::TooClose { levels: [140, 128], .. })), "{close:?}");
    let near_white = painted(&recipe, |x, _| if x < 100 { 255 } else { 230 });
    assert!(matches!(near_white, Err(E::TooClose { levels: [255, 230], .. })), "{near_white:?}");
    let near_black = painted(&recipe, |x, _| if x < 100 { 0 } else { 20 });
    assert!(matches!(near_black, Err(E::TooClose { .. })), "{near_black:?}");
    let small = painted(&recipe, |x, y| if x < 30 && y < 10 { 128 } else { 255 });
    assert!(matches!(small, Err(E::TooSmall { level: 128, cells, .. }) if cells < 16), "{small:?}");
    let red = [[255u8, 0, 0], [255; 3]].map(|pixel| pixel.repeat(30_000)).concat();
    let red = Frame::new(PHOTO, Pixels::Rgb8(red)).unwrap();
    let red = read(&encode_png(&red).unwrap(), &recipe, &[]);
    assert!(matches!(red, Err(E::Between { percent: 50.0, .. })), "{red:?}");
    let smaller = picture(Size { width: 299, height: 200 }, |_, _| 0);
    let smaller = read(&encode_png(&smaller).unwrap(), &recipe, &[]);
    let message = smaller.unwrap_err().to_string();
    assert!(message.contains("has 299×200 pixels, but the photos have 300×200 to 300×200"), "{message}");
    let cut = &encode_png(&picture(PHOTO, |_, _| 0)).unwrap()[..90];
    assert!(matches!(read(cut, &recipe, &[]), Err(E::Decode { .. })));
    assert!(matches!(painted_mask(Path::new("/nowhere/mask.png"), &recipe, &[]), Err(E::Decode { .. })));
}
