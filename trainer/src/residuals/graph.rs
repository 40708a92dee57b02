//! Adds the distances to an exported model.

use networks::onnx::{GraphBuilder, Value};

use super::ResidualGaussians;

impl ResidualGaussians {
    /// Adds the squared Mahalanobis distances of residuals (1×C×h×w) divided by C: 1×1×h×w. `name` is that of the constants.
    pub fn add(&self, g: &mut GraphBuilder, residuals: &Value, name: &str) -> Value {
        let ([channels, rows, columns], side) = (self.shape, self.side);
        let [cell_rows, cell_columns] = self.cells();
        let cells = cell_rows * cell_columns;
        let mean = g.constant(&format!("{name}.residual_mean"), &[1, channels, rows, columns], &self.mean);
        let centred = g.sub(residuals, &mean);
        let split = g.reshape(&centred, &[channels, cell_rows, side, cell_columns, side]);
        let ordered = g.transpose(&split, &[1, 3, 2, 4, 0]);
        let by_cell = g.reshape(&ordered, &[cells, side * side, channels]);
        let whitening =
            g.constant(&format!("{name}.residual_whitening"), &[cells, channels, channels], &self.whitening);
        let white = g.mat_mul(&by_cell, &whitening);
        let squares = g.mul(&white, &white);
        let means = g.mean_of_last(&squares);
        let split = g.reshape(&means, &[cell_rows, cell_columns, side, side]);
        let ordered = g.transpose(&split, &[0, 2, 1, 3]);
        g.reshape(&ordered, &[1, 1, rows, columns])
    }
}
