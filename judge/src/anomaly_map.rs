//! The anomaly map of a frame.

/// The anomaly map of the region of interest: the tiles' maps side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct AnomalyMap {
    /// Tile columns × input width.
    pub width: usize,
    /// Tile rows × input height.
    pub height: usize,
    /// Row by row from the top left; larger is more anomalous. No unit.
    pub values: Vec<f32>,
}
