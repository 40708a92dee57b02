//! Moves a picture.

use super::rigid_transform::RigidTransform;

/// Writes to `out` each plane of `planes` (each of `sides` = width × height), sampled where `movement` takes each pixel. Beyond the
/// edges, the edge's value is repeated.
pub fn warp(planes: &[f32], sides: [usize; 2], movement: RigidTransform, out: &mut Vec<f32>) {
    let [width, height] = sides;
    let [cos, sin] = movement.rotation();
    let real = sides.map(|side| side as f64);
    out.clear();
    out.resize(planes.len(), 0.0);
    let size = width * height;
    let mut corners = Vec::with_capacity(width);
    for row in 0..height {
        let [x, y] = movement.apply([0.0, row as f64], real);
        corners.clear();
        corners.extend((0..width).map(|column| {
            let column = column as f64;
            Corners::of([x + cos * column, y + sin * column], sides)
        }));
        let rows = out.chunks_exact_mut(size.max(1)).zip(planes.chunks_exact(size.max(1)));
        for (out, plane) in rows {
            let Some(out) = out.get_mut(row * width..(row + 1) * width) else { continue };
            out.iter_mut().zip(&corners).for_each(|(out, corners)| *out = corners.value(plane));
        }
    }
}

/// The four pixels around a point, and the point's position between them.
struct Corners {
    /// Index of the upper left pixel.
    start: usize,
    /// Offset to the next column and row; 0 at the last one, whose weight is 0.
    step: usize,
    down: usize,
    /// Weights of the right and of the lower pixels, 0..1.
    right: f32,
    below: f32,
}

impl Corners {
    fn of([x, y]: [f64; 2], [width, height]: [usize; 2]) -> Self {
        let last = [width.saturating_sub(1), height.saturating_sub(1)];
        let (x, y) = (x.clamp(0.0, last[0] as f64), y.clamp(0.0, last[1] as f64));
        let (left, top) = (x as usize, y as usize);
        Self {
            start: top * width + left,
            step: usize::from(left < last[0]),
            down: if top < last[1] { width } else { 0 },
            right: (x - left as f64) as f32,
            below: (y - top as f64) as f32,
        }
    }

    fn value(&self, plane: &[f32]) -> f32 {
        let value = |at: usize| plane.get(at).copied().unwrap_or_default();
        let (a, b) = (value(self.start), value(self.start + self.step));
        let below = self.start + self.down;
        let (c, d) = (value(below), value(below + self.step));
        let (upper, lower) = (a + (b - a) * self.right, c + (d - c) * self.right);
        upper + (lower - upper) * self.below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_moves_and_repeats_its_edges() {
        let plane: Vec<f32> = (0..6).map(|n| n as f32).collect();
        let mut out = vec![];
        warp(&plane, [3, 2], RigidTransform { shift: [1.0, 0.0], turn: 0.0 }, &mut out);
        assert_eq!(out, [1.0, 2.0, 2.0, 4.0, 5.0, 5.0]);
        warp(&plane, [3, 2], RigidTransform { shift: [-0.5, 1.0], turn: 0.0 }, &mut out);
        assert_eq!(out, [3.0, 3.5, 4.5, 3.0, 3.5, 4.5]);
        warp(&plane, [3, 2], RigidTransform::IDENTITY, &mut out);
        assert_eq!(out, plane);
    }
}
