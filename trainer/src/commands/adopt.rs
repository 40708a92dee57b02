//! `trainer adopt`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use bundle::{Export, Rule, ScoreKind, export, written};
use networks::foreign::{Foreign, Normalisation, Wanted};
use shared_format::{Recipe, Roi, Size, Tiles};

use super::images::{Usable, ignore, usable};
use super::thresholds;
use crate::progress;

/// What bundles name as the method of a model of another maker.
const METHOD: &str = "adopted";
const DEFAULT_SIZE: Size = Size { width: 256, height: 256 };

/// Take over an anomaly model of another maker (ONNX), such as anomalib's exports.
///
/// The model is put between this project's input and outputs, calibrated on good parts that it has not learned from by the
/// very code that runs on the line, and written as a bundle with golden frames. What the model says is not changed, but
/// for one thing: if it scales map and score to 0..1 at its end and cuts off what lies beyond, as anomalib's exports do,
/// they are taken before that, because scores that are cut off can't be told apart.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model; weights in a file beside it are found
    model: PathBuf,
    /// Folder of good images that the model has not learned from, or with train/good below it (MVTec AD layout)
    #[arg(long)]
    data: PathBuf,
    /// Folder for the bundle; an older bundle there is replaced in one step
    #[arg(long)]
    out: PathBuf,
    /// The model's value that is the anomaly map; found by the name anomaly_map or map unless given
    #[arg(long, value_name = "NAME")]
    map: Option<String>,
    /// The model's value that is the score; found by the name pred_score or score unless given, else the map's largest value
    #[arg(long, value_name = "NAME")]
    score: Option<String>,
    /// What the model wants done to an image of RGB 0..1, if it doesn't do it itself: `imagenet`, or what is subtracted and
    /// what divides, MEAN/STD, each a number or three with commas between
    #[arg(long, value_name = "HOW", value_parser = normalisation)]
    normalise: Option<Normalisation>,
    /// Input size, N or WxH, multiples of 32; the model's own if it takes one only, else 256
    #[arg(long, value_parser = written::input_size)]
    size: Option<Size>,
    /// The part of each frame that is judged, X,Y,W,H in pixels; all of it unless given
    #[arg(long, value_parser = written::region)]
    roi: Option<Roi>,
    /// Cut the region into COLUMNSxROWS tiles, each judged at the full input size
    #[arg(long, default_value = "1x1", value_parser = written::tiles)]
    tiles: Tiles,
    /// Picture of what of the parts isn't judged (a label, the belt around them): of the photos' size, black where it isn't, white
    /// everywhere else
    #[arg(long, value_name = "MASK")]
    ignore: Option<PathBuf>,
    /// Share of good parts that may be rejected
    #[arg(long, default_value_t = 0.01)]
    target_fpr: f64,
    /// How the threshold is found: claim, the score that as many good parts exceed as the target allows, or the largest; or estimate, from all large scores: one odd
    /// photo decides nothing, but how many good parts are rejected is not bounded
    #[arg(long, value_name = "RULE", default_value_t = Rule::Claim)]
    threshold: Rule,
    /// Fail where there are too few images to claim the target
    #[arg(long)]
    require_claim: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    progress::catch_interrupts();
    let model = || format!("{} can't be taken over", args.model.display());
    let foreign = Foreign::read(&args.model).with_context(model)?;
    let input = args.size.or(foreign.size()).unwrap_or(DEFAULT_SIZE);
    let wanted =
        Wanted { map: args.map.as_deref(), score: args.score.as_deref(), normalisation: args.normalise };
    let adopted = foreign.adopt(&wanted, input).with_context(model).with_context(|| {
        "say which of its values are the map and the score by --map NAME and --score NAME, and its size by --size, if need be"
    })?;
    let score =
        adopted.score.as_ref().map_or("the map's largest value".to_owned(), |name| format!("`{name}`"));
    eprintln!("map `{}`, score {score}, {}×{}", adopted.map, input.width, input.height);
    if adopted.unscaled {
        eprintln!("its scaling to 0..1, which cuts off what lies beyond, is left out");
    }

    let Usable { found, frames, .. } = usable(&args.data, args.roi)?;
    let mut recipe = Recipe {
        input,
        roi: args.roi,
        tiles: args.tiles,
        colour: found.colour,
        frames,
        alignment: None,
        ignore: None,
    };
    ignore(&mut recipe, args.ignore.as_deref())?;
    let bar = progress::bar(found.usable.len() as u64, "Judging normals");
    let request = Export {
        onnx: &adopted.onnx,
        recipe,
        method: METHOD,
        teacher: "",
        score: ScoreKind::Model,
        calibration: &found.usable,
        target_fpr: args.target_fpr,
        rule: args.threshold,
        require_claim: args.require_claim,
    };
    let calibrated = export(&request, &args.out, || bar.inc(1))?;
    bar.finish_and_clear();
    thresholds::print(&calibrated, adopted.onnx.len(), "adopt again");
    println!("next: edge-runtime inspect --bundle {} IMAGES…", args.out.display());
    Ok(ExitCode::SUCCESS)
}

/// A normalisation that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no normalisation; write imagenet, or MEAN/STD such as 0.5/0.5 or 0.485,0.456,0.406/0.229,0.224,0.225"
)]
struct NormalisationError(String);

fn normalisation(text: &str) -> Result<Normalisation, NormalisationError> {
    if text == "imagenet" {
        return Ok(Normalisation::IMAGENET);
    }
    let numbers = |part: &str| -> Option<[f32; 3]> {
        let numbers: Result<Vec<f32>, _> = part.split(',').map(|n| n.trim().parse()).collect();
        match numbers.ok()?[..] {
            [one] => Some([one; 3]),
            [r, g, b] => Some([r, g, b]),
            _ => None,
        }
    };
    let parts = text.split_once('/').and_then(|(mean, std)| Some((numbers(mean)?, numbers(std)?)));
    let usable = |(mean, std): &([f32; 3], [f32; 3])| {
        mean.iter().all(|x| x.is_finite()) && std.iter().all(|x| x.is_finite() && *x > 0.0)
    };
    let (mean, std) = parts.filter(usable).ok_or_else(|| NormalisationError(text.to_owned()))?;
    Ok(Normalisation { mean, std })
}
