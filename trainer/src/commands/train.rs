//! `trainer train`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bundle::dataset::{DataError, split};
use bundle::{Align, PIXELS, TileChoice, TilingRequest, ZoneFactor, add_mask, parse, tiling};
use clap::builder::PossibleValue;
use methods::Flip;
use methods::features::{Extractor, Levels};
use methods::options::Options;
use networks::PdnSize;
use networks::teacher::Teacher;
use serde_json::Value;
use shared_format::{Recipe, Roi, Size};

use super::images::{Usable, align, correct_light, usable};
use super::screening::{Screening, screening_method};
use super::size_class::SizeClass;
use crate::compute::{ComputeRequest, DeviceChoice, Precision, Resolved};
use crate::method::{Method, Plan, TrainOutcome};
use crate::progress;
use crate::quality::Origin;
use crate::registry::{self, All};
use crate::run::{MAX_STEPS, Run, RunSettings};
use crate::teachers::user_library;

const INTERRUPTED: u8 = 130;
const ONE_TILE: TileChoice = TileChoice::Grid { columns: 1, rows: 1 };
pub(super) const DEFAULT_TEACHER: &str = "efficientnet-lite0";

/// Learn from images of good parts.
///
/// A fitted method learns from all images. For a trained one, the seed splits them once into three disjoint sets: fit (to learn
/// from), selection (to choose the checkpoint) and calibration (to set the threshold, in `trainer export`). Ctrl-C leaves a
/// checkpoint; resume with `trainer train --resume --out RUN`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The method
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(methods()), default_value = first())]
    method: String,
    /// Whose settings to use: this program's, or the paper's as far as this program can follow it; options given explicitly
    /// override them
    #[arg(long, value_enum, default_value = "ours")]
    recipe: Origin,
    /// Folder of good images, or with train/good below it (MVTec AD layout)
    #[arg(long, required_unless_present = "resume")]
    data: Option<PathBuf>,
    /// Folder for this run: settings, checkpoint, metrics
    #[arg(long)]
    out: PathBuf,
    /// The imported teacher to learn from; efficientnet-lite0 by default, or the one that --size-class names
    #[arg(long)]
    teacher: Option<String>,
    /// For efficientad as published, with a patch description network as teacher: the networks' size, which must be the teacher's
    /// (xs and s come with trainer). Without this, efficientad learns from a backbone, which is faster and finds more
    #[arg(long, value_enum)]
    size_class: Option<SizeClass>,
    /// Input size of the network, N or WxH, multiples of 32; every frame is resized to it. By default, the shape of the
    /// frames (or of the region, or its tiles) with about --pixels pixels
    #[arg(long, conflicts_with = "pixels", value_parser = parse::input_size)]
    size: Option<Size>,
    /// Number of pixels of the network's input, for each tile; more find smaller defects but take longer
    #[arg(long, default_value_t = PIXELS, value_parser = parse::pixels)]
    pixels: u32,
    /// Region of each frame that is judged, X,Y,W,H in pixels; the whole frame by default
    #[arg(long, value_parser = parse::region)]
    roi: Option<Roi>,
    /// Cut the region into COLUMNSxROWS tiles, each seen at the full input size (for small defects on large parts), or auto: as many
    /// as show the photos at their own size
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
    /// Folder of known defects, with a subfolder for each kind (and masks or boxes, if there are any): likeness to them becomes a
    /// second limit, under the same budget of false alarms; devnet learns from them itself
    #[arg(long, value_name = "FOLDER")]
    defects: Option<PathBuf>,
    /// Align parts before they are judged: off, shift, rigid (shifts and rotations) or auto (rigid, if the images show that it helps)
    #[arg(long, default_value_t = Align::Auto)]
    align: Align,
    /// Also learn from mirrored copies, for parts that may lie either way round: none, horizontal (left and right exchanged)
    /// or vertical (top and bottom exchanged)
    #[arg(long, default_value_t = Flip::None)]
    flip: Flip,
    /// Leave out photos that score unlike the others and may show bad parts, at most 15 % of them: they are listed here and in
    /// run.json, and the files stay where they are. Looking takes as long as fitting the default method
    #[arg(long)]
    drop_suspects: bool,
    /// Number of steps, each of as many samples (images, their tiles and mirrored copies) as the method's batch size; chosen by
    /// the method by default
    #[arg(long, conflicts_with = "epochs", value_parser = clap::value_parser!(u64).range(1..=MAX_STEPS))]
    steps: Option<u64>,
    /// Number of passes over the samples to learn from
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    epochs: Option<u64>,
    /// Maximum training time in minutes; all methods but EfficientAD end earlier once they stop improving on the selection images. Chosen
    /// by the method by default
    #[arg(long, conflicts_with_all = ["steps", "epochs"], value_parser = minutes)]
    minutes: Option<f64>,
    /// Seed for the split, the initial weights and the order of the images
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Resume the run in --out with its own settings; only --device, --precision and --threads can be changed
    #[arg(long)]
    resume: bool,
    /// Device to compute on
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// Number format of the convolutions during training (default: auto); the exported model is always f32
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Number of threads; all cores by default
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=1024))]
    threads: Option<i32>,
    #[command(flatten, next_help_heading = "Options of methods")]
    options: Options<All>,
}

/// Returns the name of the first method, the default.
fn first() -> &'static str {
    registry::all().first().map_or("", |method| method.name())
}

fn methods() -> Vec<PossibleValue> {
    registry::all().iter().map(|method| PossibleValue::new(method.name()).help(method.about())).collect()
}

impl Args {
    /// Returns the options that the recipe stands for, as this command takes them.
    ///
    /// # Errors
    /// If the method has no published recipe that can be followed here.
    pub(super) fn recipe_options(&self) -> anyhow::Result<&'static [&'static str]> {
        match self.recipe {
            Origin::Ours => Ok(&[]),
            Origin::Published => known(&self.method)?.published().with_context(|| {
                format!("the published recipe of {} can't be followed here; omit --recipe", self.method)
            }),
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    progress::catch_interrupts();
    let wanted = |precision| ComputeRequest { device: args.device, precision, threads: args.threads };
    let (run, method, compute) = if args.resume {
        let run = Run::open(&args.out)?;
        let method = known(&run.settings.method)?;
        let threads = args.threads.or(Some(run.settings.threads));
        let precision = args.precision.unwrap_or(run.settings.precision);
        let compute = method.resolve(ComputeRequest { threads, ..wanted(precision) })?;
        (run, method, compute)
    } else {
        let method = known(&args.method)?;
        let precision = args.precision.unwrap_or(Precision::Auto);
        let compute = method.resolve(wanted(precision))?;
        (start(args, method.as_ref(), &compute)?, method, compute)
    };
    let settings = &run.settings;
    method.check(settings, &run.teacher)?;
    let Size { width, height } = settings.recipe.input;
    let length = match settings.minutes {
        _ if method.is_fitted() => String::new(),
        Some(minutes) => {
            format!("at most {minutes} minutes and {} steps of {} samples, ", settings.steps, settings.batch)
        }
        None => format!("{} steps of {} samples, ", settings.steps, settings.batch),
    };
    eprintln!(
        "{} with teacher {} ({}), {width}×{height}, {length}seed {}, {}",
        settings.method, settings.teacher, run.teacher.network.name, settings.seed, compute.description
    );
    let started = std::time::Instant::now();
    let out = args.out.display();
    match method.train(&run, &compute)? {
        TrainOutcome::Finished { chosen_step } => {
            let chosen = chosen_step
                .map(|step| format!("; the selection images chose step {step}"))
                .unwrap_or_default();
            eprintln!("trained in {:.0} s{chosen}", started.elapsed().as_secs_f64());
            eprintln!("next: trainer export {out} --out BUNDLE");
            Ok(ExitCode::SUCCESS)
        }
        TrainOutcome::Fitted { summary } => {
            eprintln!("fitted in {:.1} s: {summary}", started.elapsed().as_secs_f64());
            eprintln!("next: trainer export {out} --out BUNDLE");
            Ok(ExitCode::SUCCESS)
        }
        TrainOutcome::Interrupted { .. } if method.is_fitted() => {
            eprintln!("stopped before the end; start over with: trainer train --resume --out {out}");
            Ok(ExitCode::from(INTERRUPTED))
        }
        TrainOutcome::Interrupted { step } => {
            eprintln!(
                "stopped after step {step} of {}; resume with: trainer train --resume --out {out}",
                settings.steps
            );
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

/// Reads the images, splits them and creates the run's folder.
fn start(args: &Args, method: &dyn Method, compute: &Resolved) -> anyhow::Result<Run> {
    let Some(data) = &args.data else { bail!("--data is missing; give the folder of good images") };
    let given = args.options.for_method(&args.method)?;
    if args.defects.is_some() && !method.is_fitted() && !method.needs_defects() {
        bail!("{} can't be taught defects; use the default method, or omit --defects", method.name());
    }
    if args.defects.is_none() && method.needs_defects() {
        bail!(
            "{} learns from known defects beside good parts; give their folder as --defects",
            method.name()
        );
    }
    let teacher = teacher(args)?;
    let options = method.options(given, &teacher)?;
    let data = data.canonicalize().map_err(|source| DataError::Folder { folder: data.clone(), source })?;
    if data.to_str().is_none() {
        bail!("the path {} is not UTF-8 and can't be recorded; rename the folder", data.display());
    }
    let Usable { mut found, frames, unused } = usable(&data, args.roi)?;
    let Args { tiles, overlap, size, pixels, roi, .. } = *args;
    let cut = tiling(&TilingRequest { tiles, overlap, size, pixels }, frames, roi)?;
    let (input, tiles, colour) = (cut.input, cut.tiles, found.colour);
    let mut recipe =
        Recipe { input, roi, tiles, colour, frames, alignment: None, ignore: None, reference_patch: None };
    if args.tiles != ONE_TILE {
        let cost = Extractor::new(&teacher, recipe, Flip::None, Levels::Coarse, threads(compute))?.cost()?;
        eprintln!("tiles: {cut}; the teacher takes {cost} a frame");
    }
    let mask = add_mask(&mut recipe, args.mask.as_deref(), &args.zone)?;
    mask.iter().for_each(|mask| eprintln!("{}", mask.description));
    let zones = mask.and_then(|mask| mask.zones);
    correct_light(&mut recipe, args.reference_patch, &found.usable)?;
    align(&mut recipe, args.align, &found.usable)?;
    let mut left_out = vec![];
    if args.drop_suspects {
        let screening = Screening {
            method: screening_method(method, &options, &teacher)?,
            teacher: &teacher,
            recipe,
            zones: zones.as_ref(),
            flip: args.flip,
            seed: args.seed,
            threads: compute.threads,
        };
        left_out = screening.leave_out(&mut found.usable)?;
        if !left_out.is_empty() {
            // A bad part may have decided it.
            align(&mut recipe, args.align, &found.usable)?;
        }
    }

    let sets = split(found.usable.len(), args.seed);
    let names = |set: &[usize]| set.iter().map(|&index| relative(&found.usable[index], &data)).collect();
    let mut settings = RunSettings::new(&args.method, &teacher.name, &data, recipe, args.seed);
    (settings.fit, settings.selection, settings.calibration) = if method.is_fitted() {
        (names(&(0..found.usable.len()).collect::<Vec<_>>()), vec![], vec![])
    } else {
        (names(&sets.fit), names(&sets.selection), names(&sets.calibration))
    };
    settings.skipped =
        found.skipped.iter().map(|s| (recordable(&s.path, &data), s.reason.to_string())).collect();
    settings.left_out = left_out.into_iter().map(|(path, score)| (relative(&path, &data), score)).collect();
    settings.unused = unused;
    settings.zones = zones;
    settings.flip = args.flip;
    settings.defects = args.defects.as_deref().map(defects_folder).transpose()?;
    settings.options = options;
    settings.precision = compute.precision;
    settings.threads = compute.threads;
    let normals = found.usable.len();
    if method.is_fitted() {
        eprintln!(
            "{normals} normals to learn from; each is also used for calibration, scored by a model of the others"
        );
    } else {
        eprintln!(
            "{normals} normals: {} to learn from, {} to choose the checkpoint, {} to calibrate",
            sets.fit.len(),
            sets.selection.len(),
            sets.calibration.len()
        );
    }
    let samples = sets.fit.len() * tiles.count() * args.flip.copies();
    let plan = plan(args, method, &settings.options, samples, &teacher)?;
    (settings.steps, settings.batch, settings.minutes) = (plan.steps, plan.batch, plan.minutes);
    method.check(&settings, &teacher)?;
    Ok(Run::create(&args.out, settings, teacher)?)
}

/// Loads the teacher that the user names, or the one of the requested size.
fn teacher(args: &Args) -> anyhow::Result<Teacher> {
    let size = args.size_class.map(SizeClass::pdn);
    let unless_named = size.map_or(DEFAULT_TEACHER, PdnSize::network_name);
    let name = args.teacher.as_deref().unwrap_or(unless_named);
    let teacher = user_library().load(name)?;
    match size {
        Some(size) if size.network_name() != teacher.network.name => bail!(
            "the teacher {name} is the network {}, not {}, which --size-class asks for; give another --teacher, or omit --size-class",
            teacher.network.name,
            size.network_name()
        ),
        _ => Ok(teacher),
    }
}

fn threads(compute: &Resolved) -> usize {
    usize::try_from(compute.threads).unwrap_or(1).max(1)
}

fn known(name: &str) -> anyhow::Result<Box<dyn Method>> {
    registry::by_name(name).with_context(|| format!("this trainer doesn't know the method {name}; update it"))
}

/// Returns the method's plan, with the user's settings in place of its own.
fn plan(
    args: &Args,
    method: &dyn Method,
    options: &Value,
    samples: usize,
    teacher: &Teacher,
) -> anyhow::Result<Plan> {
    let has_length = args.steps.is_some() || args.epochs.is_some();
    if method.is_fitted() && (has_length || args.minutes.is_some()) {
        bail!(
            "{} is fitted in one pass over the images; omit --steps, --epochs and --minutes",
            method.name()
        );
    }
    let plan = method.plan(options, teacher, samples)?;
    if args.minutes.is_some() && plan.minutes.is_none() {
        bail!("the length of this training is fixed; give --steps instead of --minutes");
    }
    let from_epochs = args.epochs.map(|epochs| (epochs * samples as u64).div_ceil(plan.batch as u64));
    Ok(Plan {
        steps: args.steps.or(from_epochs).unwrap_or(plan.steps),
        minutes: args.minutes.or(plan.minutes).filter(|_| !has_length),
        ..plan
    })
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse::<f64>().ok().filter(|minutes| (0.05..=100_000.0).contains(minutes));
    minutes.ok_or_else(|| format!("invalid time `{text}`: expected minutes, such as 5 or 0.5"))
}

/// Returns the absolute path of a folder of defects.
pub(super) fn defects_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    let found = folder.canonicalize();
    let found = found.map_err(|source| DataError::Folder { folder: folder.to_owned(), source })?;
    if found.to_str().is_none() {
        bail!("the path {} is not UTF-8 and can't be recorded; rename the folder", found.display());
    }
    Ok(found)
}

fn relative(path: &Path, data: &Path) -> PathBuf {
    path.strip_prefix(data).unwrap_or(path).to_owned()
}

/// Converts a path so that a record can hold it: bytes that aren't UTF-8 become replacement characters.
fn recordable(path: &Path, data: &Path) -> PathBuf {
    relative(path, data).to_string_lossy().into_owned().into()
}
