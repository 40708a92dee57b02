//! `check`: verifies a line file, its bundles and its devices.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use judge::Engine;
use signing::SignedBundle;

use crate::capture::nokhwa::LIMITATIONS;
use crate::capture::{CaptureError, DEFAULT_EQUAL_FRAMES};
use crate::commands::outcome::CommandOutcome;
use crate::files::{bundles, images};
use crate::gate::{BeltUnit, GateSettings};
use crate::line_file::{CameraConfig, LineFile, ProcessConfig, Product, Safe, Trigger, ViewTiming, VoteRule};
use crate::link::socket;
use crate::output::KINDS;
use crate::trust::{self, LineTrust};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The line file.
    #[arg(value_name = "FILE")]
    line: PathBuf,
    /// Check only the file; its bundles and devices need not exist yet.
    #[arg(long)]
    file_only: bool,
    /// Accept bundles, and a key list, with lower serial numbers than the line has used before: from now on, it uses them.
    #[arg(long, conflicts_with = "file_only")]
    allow_downgrade: bool,
}

/// Checks the line and prints a description of what it would do.
///
/// # Errors
/// If the line file can't be used. Bundles and devices that fail are listed and make the outcome an error.
pub fn run(args: &Args) -> Result<CommandOutcome> {
    let mut line = LineFile::load(&args.line)?;
    line.signing.allow_downgrade |= args.allow_downgrade;
    let (mut problems, mut signatures) = (vec![], vec![]);
    if !args.file_only {
        match LineTrust::of(&line) {
            Ok(trust) => (problems, signatures) = bundles(&line, &trust, args.allow_downgrade),
            Err(e) => problems.push(e.to_string()),
        }
        problems.extend(devices(&line));
    }
    let mut gateway = None;
    if let Some(config) = line.socket.as_ref().filter(|_| !args.file_only) {
        match socket::check(&config.path) {
            Ok(said) => gateway = Some(said),
            Err(problem) => problems.push(problem),
        }
    }
    let mut out = std::io::stdout().lock();
    write!(out, "{}", describe(&line))?;
    if let Some(said) = &gateway {
        writeln!(out, "gateway   {said}")?;
    }
    for repeated in line.cameras().filter_map(|(_, camera)| repeated_images(&line, camera)) {
        writeln!(out, "camera    {repeated}")?;
    }
    for signature in &signatures {
        writeln!(out, "signature {signature}")?;
    }
    for problem in &problems {
        writeln!(out, "problem   {problem}")?;
    }
    let end = if problems.is_empty() { "all checks passed" } else { "some checks failed, see above" };
    writeln!(out, "{end}")?;
    Ok(if problems.is_empty() { CommandOutcome::Success } else { CommandOutcome::Error })
}

/// Opens every bundle and judges its golden frames, as the line does at start. Returns what is wrong, and who signed each.
fn bundles(line: &LineFile, trust: &LineTrust, accept: bool) -> (Vec<String>, Vec<String>) {
    let (mut problems, mut opened) = (vec![], vec![]);
    let products: Vec<Product> = line.products.iter().flat_map(Product::bundles).collect();
    for product in &products {
        match bundle(line, trust, product) {
            Ok(signed) => opened.push((product.name.as_str(), signed)),
            Err(e) => problems.push(format!("product {}: {e:#}", product.name)),
        }
    }
    let signatures = opened.iter().filter_map(|(product, signed)| {
        signed.as_ref().map(|signed| format!("{product}: {}", trust::describe(signed)))
    });
    let signatures = signatures.collect();
    if accept && problems.is_empty() {
        let opened: Vec<_> = opened.iter().map(|(product, signed)| (*product, signed.as_ref())).collect();
        problems.extend(trust.remember(&opened).err().map(|e| e.to_string()));
    }
    (problems, signatures)
}

fn bundle(line: &LineFile, trust: &LineTrust, product: &Product) -> Result<Option<SignedBundle>> {
    let (mut judge, signed) = trust.open(Engine::default(), product, line.threads.into())?;
    bundles::warn_of_emulation(&mut judge);
    bundles::check_first_golden(&mut judge)?;
    line.vote_count(&bundles::zone_levels(&judge))?;
    Ok(signed)
}

fn devices(line: &LineFile) -> Vec<String> {
    let mut problems: Vec<String> = line
        .cameras()
        .flat_map(|(view, camera)| {
            let named = |problem: String| {
                if line.views.is_empty() { problem } else { format!("view {view}: {problem}") }
            };
            camera_problems(camera).into_iter().map(named).collect::<Vec<_>>()
        })
        .collect();
    let paths = KINDS.iter().flat_map(|kind| kind.devices(line));
    problems.extend(paths.filter(|(_, path)| !path.exists()).map(absent));
    problems
}

fn absent((key, path): (&str, &Path)) -> String {
    format!("{key} = {path:?} does not exist; connect it, or correct the path")
}

fn camera_problems(configured: &CameraConfig) -> Vec<String> {
    let mut problems = vec![];
    let camera = configured.device();
    // Another program may hold the camera.
    if let CameraConfig::Process(ProcessConfig { socket: Some(socket), .. }) = configured {
        if !socket.exists() {
            problems.push(format!(
                "camera.socket = {socket:?} does not exist; start {}, or correct the path",
                camera.listening_program()
            ));
        }
        return problems;
    }
    match camera {
        CameraConfig::V4l2(v4l2) => {
            if cfg!(not(feature = "camera")) {
                problems.push(CaptureError::NoSupport.to_string());
            }
            if !v4l2.device.exists() {
                problems.push(absent(("camera.device", &v4l2.device)));
            }
        }
        CameraConfig::Folder { path, .. } if !path.exists() => problems.push(absent(("camera.path", path))),
        CameraConfig::Nokhwa(nokhwa) => {
            if cfg!(not(feature = "nokhwa")) {
                problems.push(CaptureError::NoNokhwa.to_string());
            }
            let (index, path) = (nokhwa.index, format!("/dev/video{}", nokhwa.index));
            if !Path::new(&path).exists() {
                problems.push(format!(
                    "camera.index = {index}: {path} does not exist; connect the camera, or correct the number"
                ));
            }
        }
        CameraConfig::Folder { .. }
        | CameraConfig::Pattern { .. }
        | CameraConfig::Aravis(_)
        | CameraConfig::Process(_) => {}
    }
    problems
}

/// Returns a sentence if files stand in for a camera and are too few not to count as repeated frames.
fn repeated_images(line: &LineFile, configured: &CameraConfig) -> Option<String> {
    let CameraConfig::Folder { path, repeat: true, .. } = configured.device() else { return None };
    let images = images::collect(std::slice::from_ref(path)).ok()?.paths.len();
    let compared = line.health.equal_frames.unwrap_or(DEFAULT_EQUAL_FRAMES);
    (images <= compared.into()).then(|| {
        format!(
            "the {images} image(s) of {} repeat within health.equal_frames = {compared} frames, so each is a fault from the \
             second round on; add images, or set health.equal_frames = 0",
            path.display()
        )
    })
}

/// Describes further views: which of their frames are a part's, and how they vote.
fn describe_views(line: &LineFile) -> String {
    let mut text = String::new();
    for view in &line.views {
        let ViewTiming { exposure_delay, within, .. } = view.timing(line);
        let from = exposure_delay as f64 / 1e6;
        let own = line.products.iter().filter(|product| product.views.contains_key(&view.name)).count();
        let bundle = if own > 0 {
            format!("; {own} of {} products with a bundle of its own", line.products.len())
        } else {
            String::new()
        };
        let missing = if view.optional { "is judged by the other views" } else { "is a fault" };
        let _ = writeln!(
            text,
            "view      {}: a part's frame is captured {from} to {} ms after the trigger; a part without one {missing}{bundle}",
            view.name,
            from + within.as_secs_f64() * 1e3
        );
    }
    if !line.views.is_empty() {
        let rule = match (line.votes.view_rule, line.votes.view_rejects) {
            (VoteRule::Any, _) => "one view".to_owned(),
            (VoteRule::Majority, _) => "more than half of the views".to_owned(),
            (VoteRule::AtLeast, rejects) => format!("{} view(s)", rejects.unwrap_or(1)),
        };
        let _ =
            writeln!(text, "views     {} with that of [camera]; rejected by {rule}", line.views.len() + 1);
    }
    text
}

/// Describes what the line would do.
fn describe(line: &LineFile) -> String {
    let mut text = format!("line      {}\n", line.name);
    for product in &line.products {
        let _ = writeln!(text, "product   {}: {}", product.name, product.bundle.display());
    }
    if matches!(line.camera, CameraConfig::Process(_)) {
        text.push_str("camera    in a process of its own\n");
    }
    if line.cameras().any(|(_, camera)| matches!(camera.device(), CameraConfig::Nokhwa(_))) {
        for limit in LIMITATIONS {
            let _ = writeln!(text, "camera    {limit}");
        }
    }
    text += &describe_views(line);
    let trigger = match &line.trigger {
        Trigger::Gpio { .. } => "an edge on gpio.trigger".to_owned(),
        Trigger::Serial { .. } => "the serial command T".to_owned(),
        Trigger::Socket { .. } => "a command from the gateway".to_owned(),
        Trigger::Frame => "every frame".to_owned(),
        Trigger::Interval { every_ms } => format!("every {every_ms} ms"),
        Trigger::Presence { share, .. } => {
            format!("{:.1} % of the picture differs from the empty belt", 100.0 * share)
        }
    };
    let of = if line.views.is_empty() { "of each part" } else { "of each part and view" };
    let _ = writeln!(text, "trigger   {trigger}; {} frame(s) {of} vote", line.votes.frames);
    for zone in &line.votes.zones {
        let _ = writeln!(text, "zone {:<4} rejects a part by {} frame(s)", zone.level, zone.rejects);
    }
    let settings = GateSettings::of(line);
    let distance = match settings.unit {
        BeltUnit::Time => format!("{:?} of belt time", std::time::Duration::from_nanos(settings.distance)),
        BeltUnit::Ticks => format!("{} encoder ticks", settings.distance),
    };
    let safe = match settings.safe {
        Safe::Reject => "rejected",
        Safe::Pass => "let through",
    };
    let _ =
        writeln!(text, "gate      {distance} after the trigger; a part without a verdict by then is {safe}");
    if !KINDS.iter().any(|kind| kind.is_enabled(line)) {
        text.push_str("outputs   none: verdicts appear only in the status\n");
    }
    text
}
