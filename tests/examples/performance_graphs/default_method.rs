//! The default method's network, with random weights.

use bundle::seeded::Seeded;
use methods::features::Projection;
use methods::image_score::ImageScorer;
use methods::local_gaussians::Model;
use methods::method::{Model as _, View};
use networks::Network;
use networks::teacher::Teacher;
use shared_format::{Size, Tiles};
use tests::teachers::random_weights;

const NETWORK: &str = "efficientnet-lite0";
/// Channels of the two levels that its features come from.
const CHANNELS: usize = 40 + 112;
/// The defaults of `trainer train`.
const DIMENSIONS: usize = 128;
const REACH: usize = 1;
const CELL: usize = 2;

/// Builds local Gaussians on EfficientNet-Lite0 for an input of this size.
pub fn onnx(input: Size) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let network = Network::by_name(NETWORK).ok_or("no such network")?;
    let weights = random_weights(&network, 1);
    let teacher = Teacher { name: NETWORK.to_owned(), network, weights };
    let grid = [input.height as usize / 8, input.width as usize / 8];
    let mut random = Seeded::new(5, 0);
    let mut values =
        |count: usize| (0..count).map(|_| random.below(1 << 16) as f32 / 65536.0 - 0.5).collect::<Vec<f32>>();
    let positions = grid[0] * grid[1];
    let mean = values(positions * DIMENSIONS);
    let whitening = values(positions / (CELL * CELL) * DIMENSIONS * DIMENSIONS);
    let matrix = Projection::orthonormal(CHANNELS, DIMENSIONS, &mut Seeded::new(4, 0));
    let projection = Projection { outputs: DIMENSIONS, mean: vec![0.1; CHANNELS], matrix };
    let model = Model { projection, grid, mean, cell: CELL, whitening, reach: REACH };
    Ok(model.onnx(&teacher, View { input, tiles: Tiles::ONE }, Some(&ImageScorer::plain(grid))))
}
