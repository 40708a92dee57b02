//! Finds images that look the same: one photo saved twice, in a lossy format.

use judge::{Frame, Pixels};
use shared_format::Size;

/// Cells in a row and in a column of a thumbnail.
const SIDE: usize = 16;
/// Two images look the same if no cell's mean brightness (0 to 255) differs by more. JPEG at a quality of 75 changed a cell
/// by at most 1.3 in nine sets of photos; among 1,200 photos of different parts in them, the two most alike differed by 1.8.
const MAX_DIFFERENCE: f32 = 1.5;

/// Side of the central square whose noise is compared, in pixels.
const NOISE_SIDE: usize = 64;
/// Minimum correlation between the noise of two copies of one photo. For two photos of a smooth part it is 0, give or take a
/// few hundredths; after JPEG compression of one photo it is far higher.
const MIN_NOISE_CORRELATION: f32 = 0.15;

/// The mean brightness (0 to 255) of each cell of a 16 × 16 grid over the image, and the noise in its centre.
#[derive(Debug, Clone)]
struct Thumbnail {
    cells: Vec<f32>,
    mean: f32,
    size: Size,
    /// Each pixel minus the mean of its neighbourhood, scaled to unit length; empty if there is no noise.
    noise: Vec<f32>,
}

impl Thumbnail {
    /// Computes the thumbnail of a frame of any size.
    fn of(frame: &Frame) -> Self {
        let width = frame.size().width as usize;
        let brightness: Vec<f32> = match frame.pixels() {
            Pixels::Grey8(values) => values.iter().map(|&v| v.into()).collect(),
            Pixels::Grey16(values) => values.iter().map(|&v| f32::from(v) / 257.0).collect(),
            Pixels::Rgb8(values) => values.chunks_exact(3).map(|v| luma([v[0], v[1], v[2]])).collect(),
            Pixels::Rgb16(values) => {
                values.chunks_exact(3).map(|v| luma([v[0], v[1], v[2]]) / 257.0).collect()
            }
        };
        let height = brightness.len() / width;
        let (mut sums, mut counts) = (vec![0.0f64; SIDE * SIDE], vec![0u32; SIDE * SIDE]);
        for (y, row) in brightness.chunks_exact(width).enumerate() {
            for (x, &value) in row.iter().enumerate() {
                let cell = y * SIDE / height * SIDE + x * SIDE / width;
                sums[cell] += f64::from(value);
                counts[cell] += 1;
            }
        }
        let cells: Vec<f32> =
            sums.iter().zip(&counts).map(|(sum, &count)| (sum / f64::from(count.max(1))) as f32).collect();
        let mean = cells.iter().sum::<f32>() / cells.len() as f32;
        Self { cells, mean, size: frame.size(), noise: noise(&brightness, width) }
    }

    fn looks_like(&self, other: &Self) -> bool {
        self.cells.iter().zip(&other.cells).all(|(a, b)| (a - b).abs() <= MAX_DIFFERENCE)
            && self.shares_noise(other)
    }

    /// Whether the two may have the same noise; true if their sizes differ or one has no noise, since they can't be
    /// compared.
    fn shares_noise(&self, other: &Self) -> bool {
        let comparable = self.size == other.size && !self.noise.is_empty() && !other.noise.is_empty();
        !comparable
            || self.noise.iter().zip(&other.noise).map(|(a, b)| a * b).sum::<f32>() > MIN_NOISE_CORRELATION
    }
}

/// Computes each central pixel minus the mean of the 3 × 3 pixels around it, scaled to unit length.
fn noise(brightness: &[f32], width: usize) -> Vec<f32> {
    let height = brightness.len() / width;
    let (wide, high) = (NOISE_SIDE.min(width.saturating_sub(2)), NOISE_SIDE.min(height.saturating_sub(2)));
    let (left, top) = (width.saturating_sub(wide) / 2, height.saturating_sub(high) / 2);
    let mut noise = Vec::with_capacity(wide * high);
    for y in top..top + high {
        for x in left..left + wide {
            let rows = (y - 1..=y + 1).map(|row| &brightness[row * width + x - 1..=row * width + x + 1]);
            noise.push(brightness[y * width + x] - rows.flatten().sum::<f32>() / 9.0);
        }
    }
    let length = noise.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length == 0.0 {
        return vec![];
    }
    noise.iter_mut().for_each(|value| *value /= length);
    noise
}

fn luma<T: Into<f32>>([red, green, blue]: [T; 3]) -> f32 {
    0.299 * red.into() + 0.587 * green.into() + 0.114 * blue.into()
}

/// Images that may look like one another.
#[derive(Debug, Clone, Default)]
pub struct LookAlikes(Vec<Thumbnail>);

impl LookAlikes {
    /// Adds the next image.
    pub fn add(&mut self, frame: &Frame) {
        self.0.push(Thumbnail::of(frame));
    }

    /// Finds images that look like an earlier one: the index of each, and of the first that it looks like.
    #[must_use]
    pub fn find(&self) -> Vec<(usize, usize)> {
        let thumbnails = &self.0;
        // If the means differ, so does a cell: only images of similar brightness are compared.
        let mut order: Vec<usize> = (0..thumbnails.len()).collect();
        order.sort_by(|&a, &b| thumbnails[a].mean.total_cmp(&thumbnails[b].mean));
        let mut first: Vec<Option<usize>> = vec![None; thumbnails.len()];
        for (at, &a) in order.iter().enumerate() {
            for &b in &order[at + 1..] {
                if thumbnails[b].mean - thumbnails[a].mean > MAX_DIFFERENCE {
                    break;
                }
                if thumbnails[a].looks_like(&thumbnails[b]) {
                    let (early, late) = (a.min(b), a.max(b));
                    first[late] = Some(first[late].map_or(early, |known| known.min(early)));
                }
            }
        }
        first.iter().enumerate().filter_map(|(late, early)| Some((late, (*early)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;

    /// A part with its own texture and noise of ±`noise` levels in each pixel.
    fn photo(part: u64, noise: u64, seed: u64) -> Frame {
        let (mut texture, mut random) = (Seeded::new(part, 1), Seeded::new(seed, 2));
        let mut pixels = Vec::new();
        for _ in 0..96 * 128 {
            let value = 60 + texture.below(130) + random.below(2 * noise as usize + 1);
            pixels.push((value - noise as usize) as u8);
        }
        Frame::new(Size { width: 128, height: 96 }, Pixels::Grey8(pixels)).unwrap()
    }

    #[test]
    fn a_photo_that_lost_a_little_looks_the_same_and_another_part_does_not() {
        let photos = [photo(1, 0, 0), photo(2, 0, 0), photo(1, 1, 3), photo(3, 0, 0), photo(1, 1, 4)];
        let mut look_alikes = LookAlikes::default();
        photos.iter().for_each(|photo| look_alikes.add(photo));
        assert_eq!(look_alikes.find(), [(2, 0), (4, 0)]);
    }

    #[test]
    fn two_photos_of_a_smooth_part_have_their_own_noise() {
        let photo = |seed: u64| {
            let mut random = Seeded::new(seed, 3);
            let values = (0..96 * 128).map(|i| (100 + i % 128 / 4 + random.below(7)) as u8).collect();
            Frame::new(Size { width: 128, height: 96 }, Pixels::Grey8(values)).unwrap()
        };
        let thumbnails: Vec<Thumbnail> = (0..4).map(|seed| Thumbnail::of(&photo(seed))).collect();
        assert!(
            thumbnails[0]
                .cells
                .iter()
                .zip(&thumbnails[1].cells)
                .all(|(a, b)| (a - b).abs() <= MAX_DIFFERENCE)
        );
        assert_eq!(LookAlikes(thumbnails).find(), []);
    }

    #[test]
    fn few_pixels_still_make_a_thumbnail() {
        let frame = Frame::new(Size { width: 3, height: 1 }, Pixels::Rgb16(vec![257; 9])).unwrap();
        let thumbnail = Thumbnail::of(&frame);
        assert!(thumbnail.cells.iter().all(|cell| cell.is_finite()));
    }
}
