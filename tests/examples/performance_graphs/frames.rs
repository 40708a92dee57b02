//! Frames as cameras send them, each with a bundle of the default method for frames of its size.

use std::path::Path;

use bundle::seeded::Seeded;
use bundle::{PIXELS, input_shape};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use judge::{MODEL_FILE, THRESHOLD_FILE, file_sha256};
use shared_format::{
    Arithmetic, Colour, Evidence, FrameRange, ImageScore, Recipe, Roi, Sample, ScoreQuantiles, Size,
    ThresholdFile, Tiles, threshold_file,
};

use crate::default_method;

/// Name of the frame's file in its folder.
const FRAME: &str = "frame.jpg";
/// Quality of usual USB cameras.
const QUALITY: u8 = 90;

/// What is judged of a frame.
struct Camera {
    name: &'static str,
    frame: [u16; 2],
    roi: Option<Roi>,
}

const CAMERAS: [Camera; 5] = [
    Camera { name: "640x480", frame: [640, 480], roi: None },
    Camera { name: "1280x960", frame: [1280, 960], roi: None },
    Camera { name: "1920x1080", frame: [1920, 1080], roi: None },
    Camera { name: "2592x1944", frame: [2592, 1944], roi: None },
    Camera {
        name: "1920x1080-roi",
        frame: [1920, 1080],
        roi: Some(Roi { x: 660, y: 240, width: 600, height: 600 }),
    },
];

/// Writes a folder for each camera, with a bundle and a frame.
pub fn write(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    for camera in CAMERAS {
        let folder = folder.join(camera.name);
        std::fs::create_dir_all(&folder)?;
        let [width, height] = camera.frame.map(u32::from);
        let seen = Size { width, height };
        let frames = FrameRange { min: seen, max: seen };
        let input = input_shape(frames, camera.roi, Tiles::ONE, PIXELS);
        let recipe = Recipe {
            input,
            roi: camera.roi,
            tiles: Tiles::ONE,
            colour: Colour::Rgb,
            frames,
            alignment: None,
            ignore: None,
            reference_patch: None,
        };
        let onnx = default_method::onnx(input)?;
        let mut buffer = [0; threshold_file::MAX_LEN];
        std::fs::write(folder.join(THRESHOLD_FILE), thresholds(&onnx, recipe)?.encode(&mut buffer)?)?;
        std::fs::write(folder.join(MODEL_FILE), onnx)?;
        std::fs::write(folder.join(FRAME), frame(camera.frame)?)?;
    }
    Ok(())
}

/// Draws a smooth picture with edges and some grain, as a camera sees a part.
fn frame([width, height]: [u16; 2]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut grain = Seeded::new(7, 0);
    let (w, h) = (usize::from(width), usize::from(height));
    let mut values = Vec::with_capacity(3 * w * h);
    for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
        // The same picture at every size, with the same grain of the sensor.
        let (u, v) = (640.0 * x as f32 / w as f32, 480.0 * y as f32 / h as f32);
        let shade = 110.0 + 50.0 * (u / 23.0).sin() + 40.0 * (v / 31.0).cos();
        let edge = if (u as usize / 60 + v as usize / 60).is_multiple_of(2) { 25.0 } else { 0.0 };
        let grain = grain.below(13) as f32;
        values.extend([0.0, 8.0, -12.0].map(|tint| (shade + edge + grain + tint) as u8));
    }
    let mut bytes = vec![];
    let mut encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_2_1);
    encoder.encode(&values, width, height, ColorType::Rgb)?;
    Ok(bytes)
}

/// Thresholds that let every frame pass: speed doesn't depend on them.
fn thresholds(onnx: &[u8], recipe: Recipe) -> Result<ThresholdFile, Box<dyn std::error::Error>> {
    let scores =
        ScoreQuantiles { min: 0.0, q05: 0.0, q25: 0.0, q50: 0.0, q75: 0.0, q95: 0.0, q99: 0.0, max: 0.0 };
    Ok(ThresholdFile {
        producer: "performance graphs".try_into()?,
        method: "local-gaussians".try_into()?,
        teacher: "".try_into()?,
        model_sha256: file_sha256(onnx),
        recipe,
        arithmetic: Arithmetic::Single,
        image_score: ImageScore::Model,
        image_threshold: f32::MAX,
        pixel_threshold: f32::MAX,
        score_tolerance: 0.0,
        evidence: Evidence { normals: 1, rank: 1, sample: Sample::HeldOut, target_fpr: 0.5, scores },
        golden: [].into_iter().collect(),
        product_limit: None,
        defects: None,
    })
}
