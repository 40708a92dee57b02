//! Parts that lie differently from the reference: found, moved, judged, or refused.

use judge::align::{Aligner, RigidTransform, luma_cells, warp};
use judge::{Fault, Frame, Pixels, PrepareError, Preparer, Scorer};
use shared_format::{Alignment, Motion, Recipe, Reference, Size};
use support::size;

use crate::support;

const INPUT: Size = Size { width: 256, height: 160 };
const CELLS: [usize; 2] = [64, 40];

/// Draws a grey plate with a bar, a square and a disc, no two sides alike, as planes 0..1.
fn scene(input: Size) -> Vec<f32> {
    let [width, height] = [f64::from(input.width), f64::from(input.height)];
    let mut plane = vec![];
    for row in 0..input.height {
        for column in 0..input.width {
            let (x, y) = (f64::from(column) / width, f64::from(row) / height);
            let disc = (x - 0.7).powi(2) + (y - 0.6).powi(2) < 0.02;
            let value = if disc {
                0.9
            } else if (0.2..0.3).contains(&x) && (0.15..0.8).contains(&y) {
                0.1
            } else if (0.4..0.6).contains(&x) && (0.2..0.4).contains(&y) {
                0.75
            } else {
                0.4 + 0.1 * x
            };
            plane.push(value as f32);
        }
    }
    plane.repeat(3)
}

fn reference(planes: &[f32], input: Size, sides: [usize; 2]) -> Reference {
    let luma: Vec<u8> = luma_cells(planes, input, sides).iter().map(|v| v.round() as u8).collect();
    Reference::new(sides[0] as u8, sides[1] as u8, &luma).unwrap()
}

fn alignment(motion: Motion) -> Alignment {
    Alignment { motion, least_likeness: 500, reference: reference(&scene(INPUT), INPUT, CELLS) }
}

/// Returns the scene moved by `movement`.
fn lying(movement: RigidTransform) -> Vec<f32> {
    let mut planes = vec![];
    warp(&scene(INPUT), [INPUT.width as usize, INPUT.height as usize], movement.inverse(), &mut planes);
    planes
}

#[test]
fn shifts_and_turns_are_found_in_any_light() {
    let mut aligner = Aligner::new(&alignment(Motion::Rigid), None, INPUT);
    for (shift, turn) in [([0.0, 0.0], 0.0), ([13.0, -7.5], 0.0), ([-20.3, 9.0], 0.04), ([4.0, 4.0], -0.07)] {
        let planes = lying(RigidTransform { shift, turn });
        let dimmed: Vec<f32> = planes.iter().map(|v| 0.1 + 0.5 * v).collect();
        for planes in [&planes, &dimmed] {
            let (found, correlation) = aligner.find(planes).unwrap();
            assert!(correlation > 0.95, "{correlation}");
            let off = [0, 1].map(|axis| (found.shift[axis] - shift[axis]).abs());
            assert!(off.iter().all(|off| *off < 0.5), "{found:?} for {shift:?}, {turn}");
            assert!((found.turn - turn).abs() < 0.002, "{found:?} for {shift:?}, {turn}");
        }
    }
}

#[test]
fn only_shifts_are_taken_out_if_that_is_what_is_asked_for() {
    let mut aligner = Aligner::new(&alignment(Motion::Shift), None, INPUT);
    let (found, _) = aligner.find(&lying(RigidTransform { shift: [11.0, 5.0], turn: 0.02 })).unwrap();
    assert_eq!(found.turn, 0.0);
    assert!((found.shift[0] - 11.0).abs() < 2.0 && (found.shift[1] - 5.0).abs() < 2.0, "{found:?}");
}

/// The same on every processor: a bundle's scores don't depend on the machine that found them.
#[test]
fn a_movement_is_the_same_to_the_last_bit() {
    let mut aligner = Aligner::new(&alignment(Motion::Rigid), None, INPUT);
    let (found, correlation) =
        aligner.find(&lying(RigidTransform { shift: [-9.25, 6.5], turn: 0.03125 })).unwrap();
    let bits = [found.shift[0], found.shift[1], found.turn, correlation].map(f64::to_bits);
    let expected = [
        13_844_742_314_485_829_372,
        4_619_025_239_698_775_292,
        4_584_663_867_150_487_529,
        4_607_127_974_483_076_746,
    ];
    assert_eq!(bits, expected, "{found:?} {correlation}");
}

#[test]
fn what_is_not_the_part_does_not_lock() {
    let mut aligner = Aligner::new(&alignment(Motion::Rigid), None, INPUT);
    let pixels = 3 * INPUT.width as usize * INPUT.height as usize;
    let noise: Vec<f32> =
        (0..pixels as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as f32 / 255.0).collect();
    for planes in [vec![0.0; pixels], vec![0.5; pixels], noise, vec![f32::NAN; pixels]] {
        let correlation = aligner.find(&planes).unwrap_err().correlation;
        assert!(correlation < 0.5, "{correlation}");
    }
    // No trace of a lost part is left behind.
    assert!(aligner.find(&scene(INPUT)).is_ok());
}

/// A 64×64 grey frame: the support module's dark frame with a mark to align to and a bright spot, both moved to the right
/// and down.
fn marked(spot: u8, [right, down]: [usize; 2]) -> Frame {
    let mut values = vec![10; 64 * 64];
    let mut fill = |from: [usize; 2], to: [usize; 2], value: u8| {
        for y in from[1]..to[1] {
            values[(y + down) * 64 + from[0] + right..(y + down) * 64 + to[0] + right].fill(value);
        }
    };
    fill([12, 12], [20, 44], 60);
    fill([24, 36], [48, 42], 90);
    if spot > 0 {
        fill([36, 20], [40, 24], spot);
    }
    Frame::new(size(64, 64), Pixels::Grey8(values)).unwrap()
}

fn aligned_recipe() -> Recipe {
    let mut planes = vec![];
    Preparer::new(support::recipe()).prepare(&marked(0, [0, 0]), &mut planes).unwrap();
    let reference = reference(&planes, size(64, 64), [32, 32]);
    let alignment = Alignment { motion: Motion::Rigid, least_likeness: 600, reference };
    Recipe { alignment: Some(alignment), ..support::recipe() }
}

#[test]
fn a_part_is_judged_as_if_it_lay_as_the_others_and_its_defect_shown_where_it_is() {
    let mut preparer = Preparer::new(aligned_recipe());
    let (mut here, mut there) = (vec![], vec![]);
    preparer.prepare(&marked(0, [0, 0]), &mut here).unwrap();
    let movement = preparer.prepare(&marked(0, [5, 3]), &mut there).unwrap().unwrap();
    assert!((movement.shift[0] - 5.0).abs() < 0.3 && (movement.shift[1] - 3.0).abs() < 0.3, "{movement:?}");
    let apart = here.iter().zip(&there).map(|(a, b)| (a - b).abs()).sum::<f32>() / here.len() as f32;
    assert!(apart < 0.01, "{apart}");

    let mut scorer = Scorer::new(&support::onnx(64, &[]), aligned_recipe(), 1).unwrap();
    let scored = scorer.score(&marked(250, [5, 3])).unwrap();
    let brightest = scored.map.values.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    let (x, y) = (brightest % 64, brightest / 64);
    assert!((41..45).contains(&x) && (23..27).contains(&y), "the spot is seen at {x},{y}");
}

#[test]
fn a_frame_without_the_part_is_a_fault() {
    let mut scorer = Scorer::new(&support::onnx(64, &[]), aligned_recipe(), 1).unwrap();
    let empty = Frame::new(size(64, 64), Pixels::Grey8(vec![10; 64 * 64])).unwrap();
    let fault = scorer.score(&empty).unwrap_err();
    assert!(matches!(fault, Fault::Prepare(PrepareError::NotLocked { .. })), "{fault}");
    assert!(fault.to_string().contains("position can't be found"), "{fault}");
    assert!(scorer.score(&marked(0, [2, 2])).is_ok());
}
