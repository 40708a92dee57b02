//! What a distillation was started with, so that it goes on with the same.

use std::path::{Path, PathBuf};

use networks::Network;
use serde::{Deserialize, Serialize};

use super::request::{Request, write};
use crate::method::TrainError;
use crate::natural::count_natural_photos;
use crate::run::RunError;
use crate::schedule::Schedule;

const SETTINGS: &str = "settings.json";

/// What a distillation that goes on must have in common with its beginning.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    from: String,
    network: String,
    size: String,
    images: PathBuf,
    photos: usize,
    schedule: Schedule,
    seed: u64,
}

/// Makes sure that the folder is this distillation's; returns the number of photos.
///
/// # Errors
/// Where the backbone is none, there are no photos, or the folder is another distillation's.
pub fn settle(request: &Request<'_>, folder: &Path) -> Result<usize, TrainError> {
    let network = &request.from.network;
    if !Network::backbones().iter().any(|backbone| backbone.name == network.name) {
        return Err(TrainError::Unfit(format!(
            "the teacher {} is a {} and no backbone; give a ResNet or an EfficientNet-Lite as --from",
            request.from.name, network.name
        )));
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RunError::Io { path, source }
    };
    let images = request.images.canonicalize().map_err(failed(request.images))?;
    let settings = Settings {
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
        Ok(json) if serde_json::from_slice::<Settings>(&json).ok().as_ref() == Some(&settings) => {}
        Ok(_) => {
            return Err(TrainError::Unfit(format!(
                "{} holds a distillation with other settings (see its {SETTINGS}); give those to go on, choose another \
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
