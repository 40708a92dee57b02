//! Prepares the scenarios: trains bundles, selects frames to show, and boots the board with both.

use std::path::{Path, PathBuf};
use std::process::Command;

use judge::{Pixels, decode_file};
use serde_json::Value;
use shared_format::{Size, ThresholdFile, threshold_file::MAX_LEN};
use tempfile::TempDir;
use tests::workshop::Workshop;
use tests::{images, program, run, succeed};

use crate::machine::Machine;
use crate::{line_files, root};

/// Side of the frames in pixels.
pub const SIDE: u32 = 300;
/// Scores this close to the threshold, as a share of it, could fall on the other side on another processor.
const MARGIN: f64 = 0.02;

/// A threshold below every score: the lowest score of the calibration's cells is not the lowest possible.
const NOTHING_PASSES: f32 = -1e6;

/// Everything that a board is booted with.
pub struct Stage {
    kernel: PathBuf,
    folder: TempDir,
    /// Names of frames that the bundle passes, as judged on this machine.
    pub good: Vec<String>,
    /// Names of frames that it rejects.
    pub defective: Vec<String>,
}

impl Stage {
    /// Trains the bundles, selects frames, and packs the board's root.
    pub fn set() -> Self {
        let variable = |name: &str| {
            let path = std::env::var_os(name).map(PathBuf::from);
            path.unwrap_or_else(|| panic!("{name} is not set; `cargo xtask board` sets it"))
        };
        let (kernel, programs) = (variable("NOMINAL_BOARD_KERNEL"), variable("NOMINAL_BOARD_PROGRAMS"));
        let folder = tempfile::tempdir().unwrap();
        let workshop = Workshop::default();
        let photos = photos(&workshop);
        let bundles = bundles(&workshop, &photos);
        let frames = folder.path().join("frames");
        std::fs::create_dir(&frames).unwrap();
        let (good, defective) = frames_of(&photos, &frames, &bundles.join("cell"));

        let mut root = root::base(&kernel);
        root.copy_folder("bundles", &bundles);
        root.copy_folder("frames", &frames);
        root.copy("lite0.safetensors", &workshop.path("home/teachers/lite0.safetensors"));
        for (name, text) in line_files::all() {
            root.file(&format!("root/{name}.toml"), text.as_bytes());
        }
        root.copy("bin/edge-runtime", &stripped(&programs.join("edge-runtime"), folder.path()));
        root.copy("bin/feed_camera", &stripped(&programs.join("examples/feed_camera"), folder.path()));
        std::fs::write(folder.path().join("root.cpio"), root.finish()).unwrap();
        let stage = Self { kernel: kernel.join("vmlinuz"), folder, good, defective };
        stage.new_disk();
        stage
    }

    /// Makes an empty disk for the next board.
    pub fn new_disk(&self) {
        let disk = self.folder.path().join("disk");
        let _ = std::fs::remove_file(&disk);
        succeed(Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(&disk).arg("64M"));
    }

    /// Switches on a board, with its disk mounted at `/data` and its inputs on simulated lines.
    pub fn board(&self) -> Machine {
        let path = |name: &str| self.folder.path().join(name);
        let mut board = Machine::boot(&self.kernel, &path("root.cpio"), &path("disk"), self.folder.path());
        board.run("mount -t ext4 /dev/vda /data");
        board.run("S=/sys/kernel/config/gpio-sim/inputs; mkdir -p $S/bank0");
        board.run("echo 8 >$S/bank0/num_lines; echo 1 >$S/live");
        board.run("CHIP=$(cat $S/bank0/chip_name); INPUTS=/sys/devices/platform/$(cat $S/dev_name)/$CHIP");
        board.run("export TRIGGER=$INPUTS/sim_gpio0/pull ENCODER=$INPUTS/sim_gpio1/pull");
        board.run("ln -sf /dev/$CHIP /dev/inputs; test -c /dev/inputs");
        board
    }
}

/// Returns real cells if the sample set is available, else generated parts: good ones to train on, and frames to show.
fn photos(workshop: &Workshop) -> PathBuf {
    let place = workshop.path("photos");
    let samples = std::env::var_os("NOMINAL_SAMPLES").map(|samples| PathBuf::from(samples).join("elpv"));
    if let Some(cells) = samples.filter(|cells| cells.is_dir()) {
        for (from, count) in [("train/good", 80), ("test/good", 40), ("test/defective", 60)] {
            let mut images: Vec<PathBuf> =
                std::fs::read_dir(cells.join(from)).unwrap().map(|entry| entry.unwrap().path()).collect();
            images.sort();
            std::fs::create_dir_all(place.join(from)).unwrap();
            let step = (images.len() / count).max(1);
            for image in images.iter().step_by(step) {
                std::fs::copy(image, place.join(from).join(image.file_name().unwrap())).unwrap();
            }
        }
        return place;
    }
    tests::report_skipped("real product frames (NOMINAL_SAMPLES is not set); woven textures stand in");
    let size = Size { width: SIDE, height: SIDE };
    images::write_parts(&place.join("train/good"), size, 60, false);
    images::write_parts(&place.join("test/good"), size, 40, false);
    images::write_parts(&place.join("test/defective"), size, 40, true);
    place
}

/// Makes the bundles `cell`, small enough for an emulated processor; `strict`, the same network with a threshold that
/// nothing passes; and `large`, of the size that real boards run.
fn bundles(workshop: &Workshop, photos: &Path) -> PathBuf {
    let bundles = workshop.path("bundles");
    std::fs::create_dir(&bundles).unwrap();
    let weights =
        std::env::var_os("NOMINAL_WEIGHTS").map(PathBuf::from).expect("`cargo xtask board` sets it");
    workshop.import(&weights.join("efficientnet-lite0.pth"), "lite0");
    for (name, size, steps) in [("cell", "64", "40"), ("large", "256", "1")] {
        let data = photos.join("train/good");
        let options = ["--teacher", "lite0", "--size", size, "--steps", steps];
        succeed(&mut workshop.train(&data, &format!("run-{name}"), &options));
        succeed(&mut workshop.export(&format!("run-{name}"), &bundles.join(name), &["--target-fpr", "0.2"]));
    }
    let strict = bundles.join("strict");
    succeed(Command::new("cp").arg("-r").arg(bundles.join("cell")).arg(&strict));
    let file = strict.join(judge::THRESHOLD_FILE);
    let mut thresholds = ThresholdFile::decode(&std::fs::read(&file).unwrap()).unwrap();
    thresholds.image_threshold = NOTHING_PASSES;
    let mut buffer = vec![0; MAX_LEN];
    std::fs::write(file, thresholds.encode(&mut buffer).unwrap()).unwrap();
    bundles
}

/// Writes test images as JPEGs, as from a camera, and sorts them by this machine's own verdict.
fn frames_of(photos: &Path, frames: &Path, bundle: &Path) -> (Vec<String>, Vec<String>) {
    for kind in ["good", "defective"] {
        for (index, entry) in std::fs::read_dir(photos.join("test").join(kind)).unwrap().enumerate() {
            let frame = decode_file(&entry.unwrap().path()).unwrap();
            let Pixels::Grey8(pixels) = frame.pixels() else { panic!("a sample image is not grey") };
            let (width, height) = (frame.size().width as u16, frame.size().height as u16);
            let encoder =
                jpeg_encoder::Encoder::new_file(frames.join(format!("{kind}{index:02}.jpg")), 92).unwrap();
            encoder.encode(pixels, width, height, jpeg_encoder::ColorType::Luma).unwrap();
        }
    }
    let mut inspect = program("edge-runtime");
    let (code, stdout, stderr) = run(inspect.args(["inspect", "--json", "--bundle"]).arg(bundle).arg(frames));
    assert!(matches!(code, 0 | 10), "{stderr}");
    let (mut good, mut defective) = (vec![], vec![]);
    for line in stdout.lines() {
        let report: Value = serde_json::from_str(line).unwrap();
        let (score, threshold) = (report["score"].as_f64().unwrap(), report["threshold"].as_f64().unwrap());
        let name =
            Path::new(report["path"].as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned();
        if (score - threshold).abs() < MARGIN * threshold {
            continue;
        }
        let right = (score < threshold) == name.starts_with("good");
        // The bundle judges most cells correctly, but not all; only those are shown.
        if right && score < threshold {
            good.push(name)
        } else if right {
            defective.push(name)
        }
    }
    assert!(good.len() >= 8 && defective.len() >= 8, "{} good, {} defective", good.len(), defective.len());
    (good, defective)
}

fn stripped(program: &Path, folder: &Path) -> PathBuf {
    let out = folder.join(program.file_name().unwrap());
    succeed(Command::new("aarch64-linux-gnu-strip").arg(program).arg("-o").arg(&out));
    out
}
