//! Compares the figures with scikit-learn's.

use std::io::Write as _;
use std::process::{Command, Stdio};

use bundle::evaluate::auroc;
use bundle::seeded::Seeded;

#[test]
fn auroc_agrees_with_scikit_learn() {
    let Some(python) = tests::optional_data("NOMINAL_PYTHON", "AUROC against scikit-learn") else { return };
    let mut random = Seeded::new(9, 0);
    for (n, levels) in [(50, 5), (1000, 1 << 20), (4000, 37)] {
        let mut items: Vec<(f32, bool)> = (0..n)
            .map(|_| {
                let positive = random.below(3) == 0;
                (random.below(levels) as f32 + if positive { levels as f32 / 4.0 } else { 0.0 }, positive)
            })
            .collect();
        let scores: Vec<f32> = items.iter().map(|i| i.0).collect();
        let labels: Vec<bool> = items.iter().map(|i| i.1).collect();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/auroc.py");
        let mut child =
            Command::new(&python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = serde_json::json!({ "scores": scores, "labels": labels }).to_string();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let theirs: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let ours = auroc(&mut items).unwrap();
        assert!((ours - theirs).abs() < 1e-12, "ours {ours}, scikit-learn {theirs}");
    }
}
