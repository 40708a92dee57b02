//! EfficientAD from its teachers to a verdict, by the programs that users run.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

use std::collections::HashMap;

use fit::network::{PdnSize, Weights};
use tests::run;
use tests::teachers::{legacy_pth, random_weights, zip_pth};
use tests::workshop::Workshop;
use trainer::teacher::{Library, write_safetensors};

/// The weights under other names.
fn renamed(weights: &Weights, name: impl Fn(&str) -> String) -> Weights {
    weights.iter().map(|(old, array)| (name(old), array.clone())).collect()
}

#[test]
fn teachers_are_read_as_they_are_published() {
    let workshop = Workshop::default();
    // The places of the convolutions in the official code's sequences.
    let official: [(PdnSize, &[usize]); 3] =
        [(PdnSize::S, &[0, 3, 6, 8]), (PdnSize::M, &[0, 3, 6, 8, 10, 12]), (PdnSize::Xs, &[0, 3, 6, 8])];
    for (size, places) in official {
        let weights = random_weights(&size.teacher(), 7);
        let place: HashMap<String, String> = places
            .iter()
            .enumerate()
            .map(|(k, place)| (format!("conv{}", k + 1), place.to_string()))
            .collect();
        let numbered = renamed(&weights, |name| {
            let (conv, part) = name.split_once('.').unwrap();
            format!("{}.{part}", place[conv])
        });
        // What anomalib saves beside the teacher must not be taken for it.
        let mut anomalib = renamed(&weights, |name| format!("model.teacher.{name}"));
        for (name, array) in &weights {
            let mut student = array.clone();
            student.data.fill(0.5);
            anomalib.insert(format!("model.student.{name}"), student);
        }
        for (file, bytes) in [
            ("official.pth", zip_pth(&numbered)),
            ("older.pth", legacy_pth(&numbered)),
            ("anomalib.pth", zip_pth(&weights)),
            ("whole.pth", zip_pth(&anomalib)),
            ("ours.safetensors", write_safetensors(&weights, HashMap::new())),
        ] {
            let path = workshop.path(file);
            std::fs::write(&path, bytes).unwrap();
            workshop.import(&path, "t");
            let kept = Library::at(&workshop.path("home/teachers")).load("t").unwrap();
            assert_eq!(kept.network.name, size.network_name(), "{file}");
            assert!(kept.weights == weights, "{file} of {} gave other weights", size.network_name());
        }
        let last = format!("{}.bias", places.last().unwrap());
        let mut damaged = numbered.clone();
        damaged.remove(&last);
        let path = workshop.path("damaged.pth");
        std::fs::write(&path, zip_pth(&damaged)).unwrap();
        let mut import = workshop.trainer();
        let (code, _, stderr) = run(import.args(["teacher", "import", "--name", "t"]).arg(&path));
        assert_eq!(code, 1);
        let sentence = format!("no tensor `conv{}.bias`", places.len());
        assert!(stderr.contains(&sentence), "{stderr}");
    }
}
