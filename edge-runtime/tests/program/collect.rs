//! Tests of `collect` with simulated cameras.

use std::path::Path;

use crate::support::frame;
use crate::{Fixture, code, program, stderr};

fn line(camera: &str, trigger: &str, votes: u16) -> String {
    format!(
        "name = \"a\"\n[[product]]\nname = \"cap\"\nbundle = \"bundle\"\n[camera]\n{camera}\n[trigger]\n{trigger}\n\
         [votes]\nframes = {votes}\n[gate]\ndelay_ms = 50\npulse_ms = 10\n"
    )
}

const PATTERN: &str = "source = \"pattern\"\nwidth = 96\nheight = 64\nfps = 100";
const PRESENCE: &str = "kind = \"presence\"\nshare = 0.03";

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn collect(fixture: &Fixture, parts: &str) -> std::process::Output {
    let arguments = ["collect", "--line", "line.toml", "--parts", parts, "--out", "photos"];
    program(fixture.folder.path()).args(arguments).output().unwrap()
}

#[test]
fn parts_in_sight_are_kept_without_loss_and_a_second_run_goes_on() {
    let fixture = Fixture::new();
    fixture.write("line.toml", line(PATTERN, PRESENCE, 2).as_bytes());
    let output = collect(&fixture, "2");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("2 of 2 parts: part-00002-1.png"), "{}", stderr(&output));
    let output = collect(&fixture, "3");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).starts_with("2 parts already in the folder"));
    let names = names(&fixture.path("photos"));
    assert_eq!(names.len(), 6, "{names:?}");
    for name in names {
        let photo = judge::decode_file(&fixture.path("photos").join(name)).unwrap();
        assert_eq!((photo.size().width, photo.size().height), (96, 64));
    }
}

#[test]
fn jpegs_are_kept_as_they_are_and_repeated_ones_once() {
    let fixture = Fixture::new();
    let jpeg = |spot| {
        let frame = frame(spot);
        let judge::Pixels::Grey8(pixels) = frame.pixels() else { panic!("{frame:?}") };
        let (width, height) = (frame.size().width as u16, frame.size().height as u16);
        let mut jpeg = vec![];
        jpeg_encoder::Encoder::new(&mut jpeg, 90)
            .encode(pixels, width, height, jpeg_encoder::ColorType::Luma)
            .unwrap();
        jpeg
    };
    let pictures = [jpeg(0), jpeg(0), jpeg(255)];
    for (number, bytes) in pictures.iter().enumerate() {
        fixture.write(&format!("shots/{number}.jpg"), bytes);
    }
    fixture.write("shots/9.jpg", &pictures[0][..pictures[0].len() / 2]);
    let camera = "source = \"folder\"\npath = \"shots\"\nfps = 2\nrepeat = false";
    fixture.write("line.toml", line(camera, "kind = \"interval\"\nevery_ms = 20", 1).as_bytes());
    let output = collect(&fixture, "5");
    let said = stderr(&output);
    assert_eq!(code(&output), 1, "{said}");
    assert!(said.contains("photos holds 2 of 5 parts"), "{said}");
    assert!(said.contains("cut short"), "{said}");
    assert_eq!(names(&fixture.path("photos")), ["part-00001.jpg", "part-00002.jpg"]);
    assert_eq!(std::fs::read(fixture.path("photos/part-00001.jpg")).unwrap(), pictures[0]);
    assert_eq!(std::fs::read(fixture.path("photos/part-00002.jpg")).unwrap(), pictures[2]);
}

/// Real belts: a bolt, and four fruits of which two are in view at a time. `NOMINAL_DATA` is the folder with their frames.
#[test]
fn each_part_on_real_belts_is_found_once() {
    let Some(data) = std::env::var_os("NOMINAL_DATA") else {
        eprintln!("skipped: NOMINAL_DATA is not set, so there are no frames of real belts");
        return;
    };
    // A region as narrow as a light barrier, across the belt; three places each.
    for (belt, parts, places) in
        [("bolt_conveyor", 1, [80, 220, 340]), ("fruit_conveyor", 4, [160, 220, 280])]
    {
        for x in places {
            let fixture = Fixture::new();
            let frames = std::path::Path::new(&data).join("frames").join(belt);
            // About as fast as they were taken.
            let camera = format!("source = \"folder\"\npath = {frames:?}\nfps = 30\nrepeat = false");
            let trigger =
                format!("kind = \"presence\"\nregion = {{ x = {x}, y = 0, width = 40, height = 270 }}");
            fixture.write("line.toml", line(&camera, &trigger, 1).as_bytes());
            let output = collect(&fixture, "20");
            let said = stderr(&output);
            assert!(said.contains(&format!("photos holds {parts} of 20 parts")), "{belt} {x}: {said}");
        }
    }
}

#[test]
fn what_cannot_be_collected_is_told_at_once() {
    let fixture = Fixture::new();
    fixture.write("line.toml", line("source = \"folder\"\npath = \"nowhere\"", PRESENCE, 1).as_bytes());
    let output = collect(&fixture, "2");
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("nothing matches"), "{}", stderr(&output));
    let gpio = "kind = \"gpio\"\n[gpio]\nchip = \"/dev/null\"\ntrigger = { line = 3 }";
    fixture.write("line.toml", line(PATTERN, gpio, 1).as_bytes());
    let output = collect(&fixture, "2");
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("cannot take the inputs 3 of /dev/null"), "{}", stderr(&output));
}
