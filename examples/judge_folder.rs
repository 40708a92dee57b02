//! Judges every image of a folder with a bundle: `judge-folder BUNDLE FOLDER`.

use std::path::PathBuf;

use anyhow::Context as _;
use judge::{Judge, Verdict, decode_file, has_image_extension};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (bundle, folder) =
        arguments.next().zip(arguments.next()).context("usage: judge-folder BUNDLE FOLDER")?;
    let mut judge = Judge::open(&bundle, 1)?;

    // The scores of the golden frames show whether this machine computes what the workstation computed.
    for golden in judge.check_golden()? {
        anyhow::ensure!(golden.within, "{} scores {}, not {}", golden.file, golden.score, golden.expected);
    }

    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let all = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let (mut paths, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|path| has_image_extension(path));
    paths.sort();
    if !others.is_empty() {
        eprintln!("not used: {} files without an image extension, or folders", others.len());
    }
    let mut rejected = 0;
    for path in &paths {
        // A file that can't be decoded gets the verdict `fault`, never `pass`.
        let (_, judgement) = judge.judge_from(|| decode_file(path));
        match (&judgement.fault, judgement.score) {
            (Some(fault), _) => println!("{:6} {}: {fault}", judgement.verdict.to_string(), path.display()),
            (None, score) => {
                println!(
                    "{:6} {}: {:.4}",
                    judgement.verdict.to_string(),
                    path.display(),
                    score.unwrap_or(f32::NAN)
                );
            }
        }
        rejected += usize::from(judgement.verdict != Verdict::Pass);
    }
    println!("{rejected} of {} do not pass", paths.len());
    Ok(())
}
