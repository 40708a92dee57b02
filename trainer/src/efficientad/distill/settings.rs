//! The settings of a distillation, stored so that it resumes with the same ones.

use std::path::{Path, PathBuf};

use networks::Network;
use serde::{Deserialize, Serialize};

use super::request::{Request, write};
use crate::method::TrainError;
use crate::natural::count_natural_photos;
use crate::run::RunError;
use crate::schedule::Schedule;

const SETTINGS: &str = "settings.json";

/// The settings that a resumed distillation must share with its start.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct DistillSettings {
    from: String,
    network: String,
    size: String,
    images: PathBuf,
    photos: usize,
    schedule: Schedule,
    seed: u64,
}

/// Ensures that the folder belongs to this distillation; returns the number of photos.
///
/// # Errors
/// If the teacher is not a backbone, there are no photos, or the folder belongs to another distillation.
pub fn check_or_create(request: &Request<'_>, folder: &Path) -> Result<usize, TrainError> {
    let network = &request.from.network;
    if !Network::backbones().iter().any(|backbone| backbone.name == network.name) {
        return Err(TrainError::Unfit(format!(
            "the teacher {} is the network {}, not a backbone; give a ResNet or an EfficientNet-Lite as --from",
            request.from.name, network.name
        )));
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RunError::Io { path, source }
    };
    let images = request.images.canonicalize().map_err(failed(request.images))?;
    let settings = DistillSettings {
        from: request.from.name.clone(),
        network: network.name.to_owned(),
        size: request.size.network_name().to_owned(),
        photos: count_natural_photos(&images)?,
        images,
        schedule: request.schedule,
        seed: request.seed,
    };
    let path = folder.join(SETTINGS);
    match std::fs::read(&path) {
        Ok(json) if serde_json::from_slice::<DistillSettings>(&json).ok().as_ref() == Some(&settings) => {}
        Ok(_) => {
            return Err(TrainError::Unfit(format!(
                "{} holds a distillation with other settings (see its {SETTINGS}); give the same settings to resume it, choose another \
                 --out, or remove the folder",
                folder.display()
            )));
        }
        Err(_) => {
            std::fs::create_dir_all(folder).map_err(failed(folder))?;
            let json = serde_json::to_vec_pretty(&settings).map_err(|e| failed(&path)(e.into()))?;
            write(&path, &json)?;
        }
    }
    Ok(settings.photos)
}
