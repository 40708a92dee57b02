//! `trainer adopt`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use bundle::{
    Export, LeftOut, ScoreKind, ThresholdRule, TileChoice, TilingRequest, ZoneFactor, add_mask, export,
    parse, tiling,
};
use networks::foreign::{AdoptOptions, ForeignModel, Normalisation};
use shared_format::{Recipe, Roi, Size};

use super::images::{Usable, correct_light, usable};
use super::thresholds;
use crate::progress;

/// The method's name in bundles made from third-party models.
const METHOD: &str = "adopted";
const DEFAULT_SIZE: Size = Size { width: 256, height: 256 };

/// Adopt a third-party anomaly model (ONNX), such as an anomalib export.
///
/// The model is wrapped in this project's input and outputs, calibrated on good parts that it has not learned from, with the
/// same code that runs on the line, and written as a bundle with golden frames. The model's values are not changed, with
/// one exception: if it finally scales map and score to 0..1 and clips values outside that range, as anomalib's exports do,
/// they are taken before the scaling, because clipped scores can't be told apart.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model; weights in a separate file beside it are found automatically
    model: PathBuf,
    /// Folder of good images that the model has not learned from, or with train/good below it (MVTec AD layout)
    #[arg(long)]
    data: PathBuf,
    /// Folder for the bundle; an existing bundle there is replaced in one step
    #[arg(long)]
    out: PathBuf,
    /// Name of the model's value that is the anomaly map; anomaly_map or map by default
    #[arg(long, value_name = "NAME")]
    map: Option<String>,
    /// Name of the model's value that is the score; pred_score or score by default, otherwise the map's largest value
    #[arg(long, value_name = "NAME")]
    score: Option<String>,
    /// Normalisation of an RGB 0..1 image, if the model expects one and doesn't do it itself: `imagenet`, or the values to
    /// subtract and to divide by, MEAN/STD, each one number or three separated by commas
    #[arg(long, value_name = "HOW", value_parser = normalisation)]
    normalise: Option<Normalisation>,
    /// Input size, N or WxH, multiples of 32; the model's own if it accepts only one, otherwise 256
    #[arg(long, value_parser = parse::input_size)]
    size: Option<Size>,
    /// Region of each frame that is judged, X,Y,W,H in pixels; the whole frame by default
    #[arg(long, value_parser = parse::region)]
    roi: Option<Roi>,
    /// Cut the region into COLUMNSxROWS tiles, each judged at the full input size, or auto: as many as show the photos at their own size
    #[arg(long, default_value = "1x1", value_parser = parse::tiles)]
    tiles: TileChoice,
    /// Pixels of the network's input by which neighbouring tiles overlap, a multiple of 32; 32 by default
    #[arg(long, value_parser = parse::overlap)]
    overlap: Option<u16>,
    /// Picture of the part's areas, in the photos' size: black is not judged (a label, or the belt around the part), white is the part,
    /// and each grey level is a zone with a limit of its own
    #[arg(long, value_name = "PICTURE", visible_alias = "ignore")]
    mask: Option<PathBuf>,
    /// How much more than the others a zone of the mask tolerates, LEVEL:FACTOR, such as 128:1.3; below 1 it tolerates less. Can be given
    /// for several zones
    #[arg(long, value_name = "LEVEL:FACTOR", value_parser = parse::zone)]
    zone: Vec<ZoneFactor>,
    /// Area of each frame that looks the same in all of them unless the light changes, such as a grey card, X,Y,W,H in pixels: brightness
    /// and colour are corrected by it
    #[arg(long, value_name = "X,Y,W,H", value_parser = parse::region)]
    reference_patch: Option<Roi>,
    /// Share of good parts that may be rejected
    #[arg(long, default_value_t = 0.01)]
    target_fpr: f64,
    /// How the threshold is set: claim, the score that only as many good parts exceed as the target allows, or the largest score;
    /// estimate, from all large scores: one odd photo doesn't decide it, but the share of rejected good parts is not bounded; or auto,
    /// claim if there are enough good parts for it not to hang on a few of them, else estimate
    #[arg(long, value_name = "RULE", default_value_t = ThresholdRule::Auto)]
    threshold: ThresholdRule,
    /// Fail if there are too few images to claim the target
    #[arg(long)]
    require_claim: bool,
    /// A frame that is unlike good parts nearly everywhere is a fault (another product?) and not a reject
    #[arg(long)]
    check_product: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    progress::catch_interrupts();
    let model = || format!("{} can't be adopted", args.model.display());
    let foreign = ForeignModel::read(&args.model).with_context(model)?;
    let input = args.size.or(foreign.size()).unwrap_or(DEFAULT_SIZE);
    let wanted = AdoptOptions {
        map: args.map.as_deref(),
        score: args.score.as_deref(),
        normalisation: args.normalise,
    };
    let adopted = foreign.adopt(&wanted, input).with_context(model).with_context(|| {
        "if necessary, name its map and score with --map NAME and --score NAME, and give its size with --size"
    })?;
    let score =
        adopted.score.as_ref().map_or("the map's largest value".to_owned(), |name| format!("`{name}`"));
    eprintln!("map `{}`, score {score}, {}×{}", adopted.map, input.width, input.height);
    if adopted.unscaled {
        eprintln!("its final scaling to 0..1, which clips values, is left out");
    }

    let Usable { found, frames, .. } = usable(&args.data, args.roi)?;
    let request = TilingRequest {
        tiles: args.tiles,
        overlap: args.overlap,
        size: Some(input),
        pixels: input.width * input.height,
    };
    let cut = tiling(&request, frames, args.roi)?;
    if cut.tiles.count() > 1 {
        eprintln!("tiles: {cut}");
    }
    let mut recipe = Recipe {
        input,
        roi: args.roi,
        tiles: cut.tiles,
        colour: found.colour,
        frames,
        alignment: None,
        ignore: None,
        reference_patch: None,
    };
    let mask = add_mask(&mut recipe, args.mask.as_deref(), &args.zone)?;
    mask.iter().for_each(|mask| eprintln!("{}", mask.description));
    let zones = mask.and_then(|mask| mask.zones);
    correct_light(&mut recipe, args.reference_patch, &found.usable)?;
    let bar = progress::bar(found.usable.len() as u64, "Judging normals");
    let request = Export {
        onnx: &adopted.onnx,
        recipe,
        method: METHOD,
        teacher: "",
        score: zones.as_ref().map_or(ScoreKind::Model, |zones| ScoreKind::Zones { zones, normals: &[] }),
        calibration: &found.usable,
        target_fpr: args.target_fpr,
        rule: args.threshold,
        require_claim: args.require_claim,
        left_out: LeftOut::default(),
        check_product: args.check_product,
        defects: None,
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
    "invalid normalisation `{0}`: expected imagenet, or MEAN/STD such as 0.5/0.5 or 0.485,0.456,0.406/0.229,0.224,0.225"
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
