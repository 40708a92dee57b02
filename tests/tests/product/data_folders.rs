//! Tests folders as people and data sets organise them: unused files are reported, and copies count once.

use std::path::{Path, PathBuf};

use judge::{Frame, Pixels, encode_png};
use serde_json::Value;
use shared_format::Size;
use tests::images::{part, write_parts};
use tests::workshop::Workshop;
use tests::{program, run, succeed};

const SIZE: Size = Size { width: 96, height: 80 };

fn patchcore(workshop: &Workshop, data: &str, out: &str) -> (i32, String) {
    let mut train = workshop.trainer();
    train.args(["train", "--method", "patchcore", "--teacher", tests::workshop::TEACHER, "--size", "64"]);
    let (code, _, stderr) =
        run(train.arg("--data").arg(workshop.path(data)).arg("--out").arg(workshop.path(out)));
    (code, stderr)
}

fn run_json(workshop: &Workshop, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(workshop.path(name).join("run.json")).unwrap()).unwrap()
}

/// Encodes the part as an uncompressed BMP: another container with the same pixels.
fn bmp(frame: &Frame) -> Vec<u8> {
    let Pixels::Grey8(grey) = frame.pixels() else { unreachable!("parts are grey") };
    let Size { width, height } = frame.size();
    let mut bytes = b"BM".to_vec();
    let row = (3 * width).next_multiple_of(4);
    for value in [54 + row * height, 0, 54, 40, width, height, 24 << 16 | 1, 0, row * height, 0, 0, 0, 0] {
        bytes.extend(value.to_le_bytes());
    }
    for line in grey.chunks_exact(width as usize).rev() {
        bytes.extend(line.iter().flat_map(|&value| [value; 3]));
        bytes.resize(bytes.len() + (row - 3 * width) as usize, 0);
    }
    bytes
}

/// Adds a text chunk to the PNG: different bytes, the same image.
fn with_text(png: &[u8]) -> Vec<u8> {
    let after_header = 8 + 25;
    let body = b"tEXtComment\0copied";
    let mut bytes = png[..after_header].to_vec();
    bytes.extend((body.len() as u32 - 4).to_be_bytes());
    bytes.extend(body);
    let crc = !body.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    });
    bytes.extend(crc.to_be_bytes());
    bytes.extend(&png[after_header..]);
    bytes
}

fn write_thrice(folder: &Path, count: u64) {
    std::fs::create_dir_all(folder).unwrap();
    for seed in 0..count {
        let frame = part(SIZE, seed, false);
        let png = encode_png(&frame).unwrap();
        for (extension, bytes) in [("bmp", bmp(&frame)), ("copy.png", with_text(&png)), ("png", png)] {
            std::fs::write(folder.join(format!("{seed}.{extension}")), bytes).unwrap();
        }
    }
}

#[test]
fn the_same_picture_in_another_file_is_no_further_evidence() {
    let workshop = Workshop::default();
    write_thrice(&workshop.path("photos"), 8);
    let (code, stderr) = patchcore(&workshop, "photos", "run");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("16 of 24 images skipped") && stderr.contains("the same picture as"), "{stderr}");
    assert_eq!(run_json(&workshop, "run")["skipped"].as_array().unwrap().len(), 16);

    let teach = ["teach", "--teacher", tests::workshop::TEACHER, "--size", "64", "--from", "photos"];
    let mut edge = program("edge-runtime");
    edge.env("NOMINAL_HOME", workshop.path("home")).current_dir(workshop.path(""));
    let (code, stdout, stderr) = run(edge.args(teach).args(["--out", "taught"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("8 normals, each scored by a model of the others"), "{stdout}");
    assert_eq!(stderr.matches("the same picture as").count(), 16, "{stderr}");

    let line = "name = \"a\"\n[[product]]\nname = \"cap\"\nbundle = \"taught\"\n\
                [camera]\nsource = \"pattern\"\nwidth = 96\nheight = 80\nfps = 5\n\
                [trigger]\nkind = \"interval\"\nevery_ms = 100\n[gate]\ndelay_ms = 50\npulse_ms = 10\n";
    std::fs::write(workshop.path("line.toml"), line).unwrap();
    let mut edge = program("edge-runtime");
    edge.current_dir(workshop.path(""));
    let (code, stdout, stderr) = run(edge.args(["calibrate", "--line", "line.toml", "--from", "photos"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("8 judged, 16 skipped"), "{stdout}");
}

#[test]
fn one_photo_in_two_formats_is_named() {
    let workshop = Workshop::default();
    let photos = workshop.path("photos");
    for seed in 0..8 {
        // Parts differ in brightness, so similar ones are copies.
        let Pixels::Grey8(grey) = part(SIZE, seed, false).pixels().clone() else { unreachable!() };
        let grey: Vec<u8> = grey.iter().map(|&value| (value >> 1) + 12 * seed as u8).collect();
        let frame = Frame::new(SIZE, Pixels::Grey8(grey.clone())).unwrap();
        std::fs::create_dir_all(&photos).unwrap();
        std::fs::write(photos.join(format!("{seed}.png")), encode_png(&frame).unwrap()).unwrap();
        if seed < 2 {
            let mut jpeg = Vec::new();
            let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
            encoder.encode(&grey, 96, 80, jpeg_encoder::ColorType::Luma).unwrap();
            std::fs::write(photos.join(format!("{seed}.jpg")), jpeg).unwrap();
        }
    }
    let (code, stderr) = patchcore(&workshop, "photos", "run");
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("1.png looks like") && stderr.contains("2 image(s) look like another"),
        "{stderr}"
    );
    // So it is where a threshold is set from them.
    let mut export = workshop.trainer();
    succeed(export.arg("export").arg(workshop.path("run")).arg("--out").arg(workshop.path("bundle")));
    let line = "name = \"a\"\n[[product]]\nname = \"cap\"\nbundle = \"bundle\"\n\
                [camera]\nsource = \"pattern\"\nwidth = 96\nheight = 80\nfps = 5\n\
                [trigger]\nkind = \"interval\"\nevery_ms = 100\n[gate]\ndelay_ms = 50\npulse_ms = 10\n";
    std::fs::write(workshop.path("line.toml"), line).unwrap();
    let mut edge = program("edge-runtime");
    edge.current_dir(workshop.path(""));
    let (code, _, stderr) = run(edge.args(["calibrate", "--line", "line.toml", "--from", "photos"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("1.png looks like")
            && stderr.contains("2 image(s) look like an image of another part"),
        "{stderr}"
    );
}

#[test]
fn what_is_not_used_is_said_and_recorded() {
    let workshop = Workshop::default();
    let photos = workshop.path("photos");
    write_parts(&photos, SIZE, 8, false);
    write_parts(&photos.join("batch2"), SIZE, 3, false);
    for name in ["._part-000.png", "Thumbs.db"] {
        std::fs::write(photos.join(name), b"x").unwrap();
    }
    let (code, stderr) = patchcore(&workshop, "photos", "run");
    assert_eq!(code, 0, "{stderr}");
    for clause in [
        "1 hidden file (._part-000.png)",
        "1 file without an image extension (Thumbs.db)",
        "3 images in subfolders",
    ] {
        assert!(stderr.contains(clause), "{clause}: {stderr}");
        let recorded = run_json(&workshop, "run")["unused"].to_string();
        assert!(recorded.contains(clause), "{clause}: {recorded}");
    }
    // If the folder is called good, everything below it is good.
    std::fs::rename(&photos, workshop.path("OK")).unwrap();
    std::fs::create_dir(&photos).unwrap();
    std::fs::rename(workshop.path("OK"), photos.join("OK")).unwrap();
    std::fs::remove_file(photos.join("OK/batch2/part-000.png")).unwrap();
    let (code, stderr) = patchcore(&workshop, "photos", "again");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("2 of 10 images skipped"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_utf8_stops_nothing() {
    use std::os::unix::ffi::OsStrExt as _;
    let workshop = Workshop::default();
    let photos = workshop.path("photos");
    write_parts(&photos, SIZE, 8, false);
    let name = std::ffi::OsStr::from_bytes(b"Pr\xfcfling.png");
    std::fs::write(photos.join(name), encode_png(&part(SIZE, 99, false)).unwrap()).unwrap();
    let (code, stderr) = patchcore(&workshop, "photos", "run");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("its name is not UTF-8; rename it"), "{stderr}");
    assert_eq!(run_json(&workshop, "run")["skipped"].as_array().unwrap().len(), 1);
    let odd = workshop.path("").join(std::ffi::OsStr::from_bytes(b"Stra\xdfe"));
    std::fs::rename(&photos, &odd).unwrap();
    let mut train = workshop.train(&odd, "other", &[]);
    let (code, _, stderr) = run(&mut train);
    assert_eq!(code, 1);
    assert!(stderr.contains("rename the folder"), "{stderr}");
}

#[test]
fn one_still_picture_teaches_no_padim() {
    let workshop = Workshop::default();
    let photos = workshop.path("photos");
    std::fs::create_dir_all(&photos).unwrap();
    // Different files with the same features: they differ only in a corner pixel outside the region.
    for seed in 0..8 {
        let mut grey = vec![90; 96 * 80];
        grey[0] = seed;
        let frame = Frame::new(SIZE, Pixels::Grey8(grey)).unwrap();
        std::fs::write(photos.join(format!("{seed}.png")), encode_png(&frame).unwrap()).unwrap();
    }
    let mut train = workshop.trainer();
    train.args(["train", "--method", "padim", "--teacher", tests::workshop::TEACHER, "--size", "64"]);
    train.args(["--roi", "16,16,64,64", "--data"]).arg(&photos).arg("--out").arg(workshop.path("run"));
    let (code, _, stderr) = run(&mut train);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("all photos are the same"), "{stderr}");
}

/// Evaluates the bundle on a test folder with good and defective parts below `test`.
fn evaluated(workshop: &Workshop, good: &str, masks: &[(&str, Vec<u8>)]) -> (Value, String) {
    let root = workshop.path("set");
    let _ = std::fs::remove_dir_all(&root);
    for (folder, stain) in [(good, false), ("stain", true)] {
        write_parts(&root.join("test").join(folder), SIZE, 4, stain);
    }
    for (name, bytes) in masks {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let json = workshop.path("figures.json");
    let mut eval = workshop.trainer();
    eval.arg("eval").arg(workshop.path("bundle")).arg("--data").arg(&root).arg("--json").arg(&json);
    let (code, _, stderr) = run(&mut eval);
    assert_eq!(code, 0, "{stderr}");
    (serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap(), stderr)
}

fn bundle(workshop: &Workshop) {
    write_parts(&workshop.path("photos"), SIZE, 12, false);
    let (code, stderr) = patchcore(workshop, "photos", "run");
    assert_eq!(code, 0, "{stderr}");
    let bundle: PathBuf = workshop.path("bundle");
    succeed(&mut workshop.export("run", &bundle, &[]));
}

#[test]
fn good_parts_are_found_by_every_common_name_and_missing_ones_are_named() {
    let workshop = Workshop::default();
    bundle(&workshop);
    let (expected, _) = evaluated(&workshop, "good", &[]);
    assert!(expected["image_auroc"].is_f64());
    for good in ["ok", "OK", "Good", "normal"] {
        let (figures, stderr) = evaluated(&workshop, good, &[]);
        assert_eq!(figures, expected, "{good}");
        assert!(stderr.contains(&format!("good parts: {good} (4); defects: stain (4)")), "{stderr}");
    }
    let (figures, stderr) = evaluated(&workshop, "guete", &[]);
    assert!(figures["image_auroc"].is_null());
    assert!(stderr.contains("no folder of good parts (good, ok, normal"), "{stderr}");
}

#[test]
fn masks_are_used_by_every_common_layout_or_counted() {
    let workshop = Workshop::default();
    bundle(&workshop);
    let mask = |level: u8| {
        let pixels = (0..96 * 80).map(|at| if at % 96 < 30 { level } else { 0 }).collect();
        encode_png(&Frame::new(SIZE, Pixels::Grey8(pixels)).unwrap()).unwrap()
    };
    let names: Vec<String> = (0..4).map(|seed| format!("part-{seed:03}")).collect();
    let all = |name: &dyn Fn(&str) -> String, level: u8| -> (Value, String) {
        let masks: Vec<(String, Vec<u8>)> = names.iter().map(|image| (name(image), mask(level))).collect();
        let masks: Vec<(&str, Vec<u8>)> = masks.iter().map(|(n, m)| (n.as_str(), m.clone())).collect();
        evaluated(&workshop, "good", &masks)
    };
    let (expected, stderr) = all(&|image| format!("ground_truth/stain/{image}_mask.png"), 255);
    assert!(expected["pixel_auroc"].is_f64() && !stderr.contains("mask"), "{expected} {stderr}");
    let (loco, _) = all(&|image| format!("ground_truth/stain/{image}/000.png"), 80);
    let (upper, _) = all(&|image| format!("ground_truth/stain/{image}_mask.PNG"), 1);
    let (flat, _) = all(&|image| format!("masks/{image}_GT.png"), 255);
    assert_eq!([&loco, &upper, &flat], [&expected; 3]);

    let (none, stderr) = all(&|image| format!("ground_truth/stain/other-{image}.png"), 255);
    assert!(none["pixel_auroc"].is_null());
    assert!(stderr.contains("masks: none for the 4 defective image(s)"), "{stderr}");
    assert!(stderr.contains("4 masks that belong to no test image"), "{stderr}");
    let (empty, _) = all(&|image| format!("ground_truth/stain/{image}_mask.png"), 0);
    assert_eq!((&empty["empty_masks"], empty["pixel_auroc"].is_null()), (&Value::from(4), true));
    let (some, stderr) = evaluated(
        &workshop,
        "good",
        &[("ground_truth/stain/part-000_mask.png", mask(255)), ("extra/x.png", mask(255))],
    );
    assert_eq!(some["missing_masks"], 3);
    assert!(stderr.contains("masks: 3 of 4 defective images have none"), "{stderr}");
    assert!(stderr.contains("1 image beside the folders that are used (extra/x.png)"), "{stderr}");
}
