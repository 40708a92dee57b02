//! `teach`: fits a bundle from good parts alone, on the device itself.
//!
//! The photos are kept, so that an interrupted run can continue and more parts can be added later.

mod signing;
mod suspects;

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bundle::dataset::{Survey, survey};
use bundle::{
    Align, PIXELS, ThresholdRule, TileChoice, TilingRequest, ZoneFactor, add_mask, alignment,
    claim_with_threshold, highest, miss_rate, outlier_warning, parse, reference_patch, suspects_warning,
    tiling,
};
use clap::builder::{PossibleValue, PossibleValuesParser};
use judge::Bundle;
use methods::cross_fit::CrossFit;
use methods::options::{MethodOptions, Methods, Options};
use methods::taught_defects::Examples;
use methods::teach::{TeachRequest, TeachResult, teach_and_complete};
use methods::{DynMethod, Flip, METHODS};
use networks::teacher::{Library, Teacher, load_file};
use shared_format::{Arithmetic, Recipe, Roi, Size, Zones};

use self::signing::Signing;
use super::collect::{self, album::Album};
use crate::commands::outcome::CommandOutcome;
use crate::files::parts::{PartFiles, PartListing, look_alike_warnings};
use crate::learning::Lesson;
use crate::line_file::{LineFile, VotesConfig};
use crate::part::VoteCount;

/// Seeds the folds and the method's choices.
const SEED: u64 = 0;

/// Arguments of `teach`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file: good parts are taken with its camera and trigger, and its votes decide how a part's frames are combined.
    #[arg(long, value_name = "FILE", required_unless_present = "from")]
    line: Option<PathBuf>,
    /// Take good parts from this folder instead of the camera: one image per part or, if several frames of a part vote, one
    /// folder per part.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Number of good parts to take with the camera; those of an earlier run count.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=99_999))]
    parts: u32,
    /// Take this many good parts in addition to those of an earlier run, and learn from all of them.
    #[arg(long, value_name = "N", conflicts_with_all = ["parts", "from"], value_parser = clap::value_parser!(u32).range(1..=99_999))]
    add: Option<u32>,
    /// The method to learn with.
    #[arg(long, value_parser = PossibleValuesParser::new(names()), default_value = METHODS[0].name)]
    method: String,
    /// Where to write the bundle; an older bundle there is replaced in one step. The photos are kept next to it, in OUT-parts.
    #[arg(long, value_name = "BUNDLE")]
    out: PathBuf,
    /// The teacher: its name in `trainer teacher list`, or its .safetensors file.
    #[arg(long, default_value = "efficientnet-lite0")]
    teacher: String,
    /// Input size of the network, N or WxH, in multiples of 32. By default it has the shape of the frames (or of the region)
    /// and about --pixels pixels.
    #[arg(long, conflicts_with = "pixels", value_parser = parse::input_size)]
    size: Option<Size>,
    /// Number of pixels of the network's input, for each tile; more pixels find smaller defects but take longer.
    #[arg(long, default_value_t = PIXELS, value_parser = parse::pixels)]
    pixels: u32,
    /// The region of each frame that is judged, X,Y,W,H in pixels; by default the whole frame.
    #[arg(long, value_parser = parse::region)]
    roi: Option<Roi>,
    /// Cut the region into COLUMNSxROWS tiles, each seen at the full input size (for small defects on large parts), or auto: as many
    /// as show the photos at their own size.
    #[arg(long, default_value = "1x1", value_parser = parse::tiles)]
    tiles: TileChoice,
    /// Pixels of the network's input by which neighbouring tiles overlap, a multiple of 32; 32 by default.
    #[arg(long, value_parser = parse::overlap)]
    overlap: Option<u16>,
    /// Picture of the part's areas, in the photos' size: black is not judged (a label, or the belt around the part), white is the part,
    /// and each grey level is a zone with a limit of its own.
    #[arg(long, value_name = "PICTURE", visible_alias = "ignore")]
    mask: Option<PathBuf>,
    /// How much more than the others a zone of the mask tolerates, LEVEL:FACTOR, such as 128:1.3; below 1 it tolerates less. Can be given
    /// for several zones.
    #[arg(long, value_name = "LEVEL:FACTOR", value_parser = parse::zone)]
    zone: Vec<ZoneFactor>,
    /// Area of each frame that looks the same in all of them unless the light changes, such as a grey card, X,Y,W,H in pixels: brightness
    /// and colour are corrected by it.
    #[arg(long, value_name = "X,Y,W,H", value_parser = parse::region)]
    reference_patch: Option<Roi>,
    /// Align parts before they are judged: off, shift, rigid (shifts and turns) or auto (rigid, if the images show that it
    /// helps).
    #[arg(long, default_value_t = Align::Auto)]
    align: Align,
    /// Also learn from mirrored copies, for parts that may come either way round: none, horizontal (left and right swapped) or
    /// vertical (top and bottom swapped).
    #[arg(long, default_value_t = Flip::None)]
    flip: Flip,
    /// Folder of known defects, with a subfolder for each kind (and masks or boxes, if there are any): likeness to them becomes a
    /// second limit, under the same budget of false alarms.
    #[arg(long, value_name = "FOLDER")]
    defects: Option<PathBuf>,
    /// Share of defects that may be missed: says whether the taught ones show it, and how many would.
    #[arg(long, requires = "defects")]
    target_fnr: Option<f64>,
    /// Share of good parts that may be rejected.
    #[arg(long, default_value_t = 0.01)]
    target_fpr: f64,
    /// How to find the threshold. `claim` takes the score that as many good parts exceed as the target allows or, with too few
    /// parts, the largest score. `estimate` uses all large scores, so that no single odd photo decides, but the share of rejected
    /// good parts is not bounded. `auto` is `claim` if there are enough parts for it not to
    /// hang on a few of them, else `estimate`.
    #[arg(long, value_name = "RULE", default_value_t = ThresholdRule::Auto)]
    threshold: ThresholdRule,
    /// Leave out parts that score unlike the others and may be bad, at most 15 % of them: they are listed here and in the bundle's
    /// left-out.json, and their photos stay where they are. Takes twice as long.
    #[arg(long)]
    drop_suspects: bool,
    /// A frame that is unlike good parts nearly everywhere is a fault (another product?) and not a reject.
    #[arg(long)]
    check_product: bool,
    #[command(flatten, next_help_heading = "Options of methods")]
    options: Options<FittedMethods>,
}

fn names() -> Vec<PossibleValue> {
    METHODS.iter().map(|method| PossibleValue::new(method.name).help(method.about)).collect()
}

/// The methods that can be fitted on a board.
#[derive(Debug, Clone, Copy)]
struct FittedMethods;

impl Methods for FittedMethods {
    fn method_options() -> Vec<MethodOptions> {
        METHODS.iter().map(|method| method.method_options()).collect()
    }
}

/// Takes good parts, learns from them and writes a bundle.
///
/// # Errors
/// If line file, camera, folder or teacher can't be used, or there are too few parts. An existing bundle is then unchanged.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    // Report a missing method or teacher before anyone shows fifty parts.
    let method = method(args)?;
    let teacher = teacher(&args.teacher)?;
    let line = args.line.as_deref().map(LineFile::load).transpose()?;
    let votes = line.as_ref().map_or_else(VotesConfig::default, |line| line.votes.clone());
    let folder = match (&args.from, &line) {
        (Some(folder), _) => folder.clone(),
        (None, Some(line)) => {
            let folder = photo_folder(&args.out)?;
            let album = Album::open(&folder)?;
            let wanted = args.add.map_or(args.parts, |more| album.parts().saturating_add(more));
            if collect::collect_parts(line, None, album, wanted)? != CommandOutcome::Success {
                bail!(
                    "there are fewer than {wanted} parts in {}; continue with --parts {wanted}, or use the existing \
                     ones with --from {}",
                    folder.display(),
                    folder.display()
                );
            }
            folder
        }
        (None, None) => bail!("give --line FILE or --from FOLDER"),
    };
    let signing = line.as_ref().map(|line| Signing::new(line, &args.out)).transpose()?;
    let started = Instant::now();
    let Usable { mut parts, mut recipe, zones } = usable_parts(&folder, args, &votes)?;
    let levels: Vec<u8> = zones.iter().flat_map(Zones::levels).collect();
    let count =
        line.as_ref().map_or_else(|| VoteCount::new(&votes, &levels), |line| line.vote_count(&levels))?;
    let decide = |frames: &[Vec<f32>]| count.deciding_score(frames);
    let threads = line.as_ref().map_or(1, |line| line.threads.into());
    let mut left_out = vec![];
    if args.drop_suspects {
        let task = CrossFit {
            teacher: &teacher,
            recipe,
            zones: zones.as_ref(),
            method: method.as_ref(),
            parts: &parts,
            defects: None,
            seed: SEED,
            threads,
        };
        let (kept, suspects) = suspects::leave_out(&task, args.flip, &decide)?;
        (parts, left_out) = (kept, suspects);
        if !left_out.is_empty() {
            // A bad part may have decided it.
            align(&mut recipe, args.align, &parts)?;
        }
    }
    let frames = parts.concat();
    let find = |folder: &PathBuf| Examples::find(folder, &frames, recipe.roi);
    let defects = args.defects.as_ref().map(find).transpose()?;
    if let Some(defects) = &defects {
        print_line(&format!("defects to teach: {}", defects.describe()));
        defects.notes.iter().for_each(|note| print_line(note));
    }
    let request = TeachRequest {
        teacher: &teacher,
        recipe,
        zones: zones.as_ref(),
        flip: args.flip,
        parts: &parts,
        method: method.as_ref(),
        defects: defects.as_ref().map(|examples| (examples, args.target_fnr)),
        target_fpr: args.target_fpr,
        rule: args.threshold,
        check_product: args.check_product,
        left_out: &left_out,
        seed: SEED,
        threads,
    };
    let old = match &signing {
        Some(signing) => signing.old_bundle(&args.out),
        None => Bundle::open(&args.out).ok(),
    };
    let replaces_half = old.is_some_and(|old| old.thresholds.arithmetic == Arithmetic::Half);
    let lesson = Lesson::new(method.as_ref(), args.flip, args.threshold, &args.teacher, &folder)?;
    let mut misses = vec![];
    let mut serial = None;
    // Lesson and signature appear with the bundle: a power cut must not leave one that the line refuses.
    let mut complete = |new: &Path| -> Result<()> {
        lesson.write(new).context("cannot write the lesson; check free space")?;
        misses = miss_rate::describe(&Bundle::open(new)?.thresholds);
        serial = signing.as_ref().map(|signing| signing.sign(new, &args.out)).transpose()?.flatten();
        Ok(())
    };
    let result = teach_and_complete(&request, &decide, &args.out, &mut || true, &mut |new| {
        complete(new).map_err(Into::into)
    })?;
    if let Some(signing) = &signing {
        signing.report(serial);
    }
    report(&result, &misses, args, &folder, parts.len(), started)?;
    if replaces_half {
        let _ = writeln!(
            std::io::stderr(),
            "the previous bundle computed with 16-bit floats, this one computes with 32-bit floats; to change that, run \
             `edge-runtime calibrate --arithmetic auto`"
        );
    }
    Ok(CommandOutcome::Success)
}

/// Loads the teacher by name, or from its file.
///
/// # Errors
/// If there is none, or it is damaged.
pub(super) fn teacher(given: &str) -> Result<Teacher> {
    let path = Path::new(given);
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        return Ok(load_file(path, &name)?);
    }
    let library = Library::of_user();
    let hint = || {
        format!(
            "copy a teacher from the trainer's machine into {}, or give its .safetensors file as --teacher",
            library.folder().display()
        )
    };
    library.load(given).with_context(hint)
}

/// Returns the method with the given options.
fn method(args: &Args) -> Result<Box<dyn DynMethod>> {
    let given = args.options.for_method(&args.method)?;
    let method = methods::by_name(&args.method);
    let method = method.with_context(|| format!("unknown method `{}`; see --help", args.method))?;
    Ok(method.given(given)?)
}

/// Returns the folder for photos: next to the bundle, because a bundle is replaced as a whole.
fn photo_folder(bundle: &Path) -> Result<PathBuf> {
    let name = bundle.file_name().context("--out is not the path of a folder; give the bundle's path")?;
    let mut name = name.to_owned();
    name.push("-parts");
    Ok(bundle.with_file_name(name))
}

/// What is learned from.
struct Usable {
    /// The frames of each part.
    parts: Vec<Vec<PathBuf>>,
    recipe: Recipe,
    zones: Option<Zones>,
}

/// Returns the parts whose frames can all be used, and a recipe for them.
fn usable_parts(folder: &Path, args: &Args, votes: &VotesConfig) -> Result<Usable> {
    let listed = PartListing::list(folder)
        .with_context(|| format!("cannot read the folder {}; check the path", folder.display()))?;
    listed.unused.line(folder).iter().for_each(|line| print_line(line));
    let mut parts = listed.parts;
    let frames: Vec<PathBuf> = parts.iter().flat_map(|part| &part.frames).cloned().collect();
    let found = survey(&frames, args.roi, || {});
    for skipped in &found.skipped {
        print_line(&format!("skipped {}: {}", skipped.path.display(), skipped.reason));
    }
    let skipped: HashSet<&PathBuf> = found.skipped.iter().map(|skipped| &skipped.path).collect();
    parts.retain(|part| !part.frames.iter().any(|frame| skipped.contains(frame)));
    let needed = usize::from(votes.frames);
    parts.retain(|part| {
        let count = part.frames.len();
        if count != needed {
            let name = &part.name;
            print_line(&format!(
                "skipped {name}: this part has {count} frame(s); votes.frames = {needed} needs exactly that many"
            ));
        }
        count == needed
    });
    warn_of_duplicates(&found, &parts);
    let range = found
        .frames
        .with_context(|| format!("{} holds no usable images; give photos of good parts", folder.display()))?;
    let Args { tiles, overlap, size, pixels, roi, .. } = *args;
    let cut = tiling(&TilingRequest { tiles, overlap, size, pixels }, range, roi)?;
    if cut.tiles.count() > 1 {
        print_line(&format!("tiles: {cut}"));
    }
    let (input, tiles, colour) = (cut.input, cut.tiles, found.colour);
    let mut recipe = Recipe {
        input,
        roi,
        tiles,
        colour,
        frames: range,
        alignment: None,
        ignore: None,
        reference_patch: None,
    };
    let mask = add_mask(&mut recipe, args.mask.as_deref(), &args.zone)?;
    mask.iter().for_each(|mask| print_line(&mask.description));
    let parts: Vec<Vec<PathBuf>> = parts.into_iter().map(|part| part.frames).collect();
    if let Some(area) = args.reference_patch {
        let found = reference_patch(area, colour, &parts.concat())?;
        print_line(&format!("reference patch: {found}"));
        recipe.reference_patch = Some(found.patch);
    }
    align(&mut recipe, args.align, &parts)?;
    Ok(Usable { parts, recipe, zones: mask.and_then(|mask| mask.zones) })
}

/// Decides whether parts are aligned, and adds that to the recipe.
fn align(recipe: &mut Recipe, align: Align, parts: &[Vec<PathBuf>]) -> Result<()> {
    recipe.alignment = None;
    let aligned = alignment(align, &parts.concat(), *recipe, || {})?;
    print_line(&format!("alignment: {}", aligned.description));
    recipe.alignment = aligned.alignment;
    Ok(())
}

/// Warns of photos that look alike: a duplicate adds no evidence. Frames of the same part may look alike.
fn warn_of_duplicates(found: &Survey, parts: &[PartFiles]) {
    let part_of: HashMap<&PathBuf, usize> =
        parts.iter().enumerate().flat_map(|(at, part)| part.frames.iter().map(move |f| (f, at))).collect();
    let of_two_parts =
        found.duplicates.iter().filter(|(copy, first)| part_of.get(copy) != part_of.get(first));
    let pairs: Vec<_> = of_two_parts.cloned().collect();
    look_alike_warnings(&pairs).iter().for_each(|warning| print_line(&format!("warning: {warning}")));
}

fn report(
    result: &TeachResult,
    misses: &[String],
    args: &Args,
    folder: &Path,
    parts: usize,
    started: Instant,
) -> Result<()> {
    if let Some((first, others)) = result.second_group.split_first() {
        print_line(&format!(
            "warning: {} photos, such as {}, seem to show a different product; teach one product at a time",
            others.len() + 1,
            first.display()
        ));
    }
    for outlier in &result.outliers {
        print_line(&format!(
            "warning: {} looks unlike the other parts; if it isn't a good part of this product, remove it and teach again",
            outlier.display()
        ));
    }
    for warning in &result.warnings {
        print_line(&format!("warning: {warning}"));
    }
    let calibration = &result.calibration;
    let or_drop = if args.drop_suspects { "" } else { ", or teach with --drop-suspects" };
    let advice = format!("remove those that aren't good parts and teach again{or_drop}");
    if let Some(warning) = suspects_warning(&calibration.suspects, parts, &advice) {
        print_line(&format!("warning: {warning}"));
    }
    if let Some(warning) = outlier_warning(calibration, "teach again") {
        print_line(&format!("warning: {warning}"));
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", claim_with_threshold(calibration))?;
    writeln!(out, "{}", highest(calibration))?;
    for line in misses {
        writeln!(out, "{line}")?;
    }
    writeln!(
        out,
        "{}: {} from {parts} parts, learned in {:.0} s; the photos are kept in {}",
        args.out.display(),
        args.method,
        started.elapsed().as_secs_f64(),
        folder.display()
    )?;
    Ok(())
}

/// Prints to standard error; it doesn't matter if that is closed.
fn print_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
