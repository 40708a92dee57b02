//! Moves a picture.

use super::movement::Movement;

/// Writes to `out` what each plane of `planes` (each of `sides` = width × height) has where `movement` takes each pixel; beyond its
/// edges what the edge has.
pub fn moved(planes: &[f32], sides: [usize; 2], movement: Movement, out: &mut Vec<f32>) {
    let [width, height] = sides;
    let [cos, sin] = movement.rotation();
    let real = sides.map(|side| side as f64);
    out.clear();
    for plane in planes.chunks_exact((width * height).max(1)) {
        for row in 0..height {
            let [x, y] = movement.of([0.0, row as f64], real);
            out.extend((0..width).map(|column| {
                let column = column as f64;
                value_at(plane, sides, [x + cos * column, y + sin * column])
            }));
        }
    }
}

/// The value between four pixels.
fn value_at(plane: &[f32], [width, height]: [usize; 2], [x, y]: [f64; 2]) -> f32 {
    let last = [width - 1, height - 1];
    let (x, y) = (x.clamp(0.0, last[0] as f64), y.clamp(0.0, last[1] as f64));
    let (left, top) = (x as usize, y as usize);
    let (right, below) = ((x - left as f64) as f32, (y - top as f64) as f32);
    // At the last column and row the share of the next is 0.
    let step = usize::from(left < last[0]);
    let down = if top < last[1] { width } else { 0 };
    let start = top * width + left;
    let value = |at: usize| plane.get(at).copied().unwrap_or_default();
    let (a, b) = (value(start), value(start + step));
    let (c, d) = (value(start + down), value(start + down + step));
    let (upper, lower) = (a + (b - a) * right, c + (d - c) * right);
    upper + (lower - upper) * below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_moves_and_repeats_its_edges() {
        let plane: Vec<f32> = (0..6).map(|n| n as f32).collect();
        let mut out = vec![];
        moved(&plane, [3, 2], Movement { shift: [1.0, 0.0], turn: 0.0 }, &mut out);
        assert_eq!(out, [1.0, 2.0, 2.0, 4.0, 5.0, 5.0]);
        moved(&plane, [3, 2], Movement { shift: [-0.5, 1.0], turn: 0.0 }, &mut out);
        assert_eq!(out, [3.0, 3.5, 4.5, 3.0, 3.5, 4.5]);
        moved(&plane, [3, 2], Movement::NONE, &mut out);
        assert_eq!(out, plane);
    }
}
