//! Operations that turn features into maps and scores.

use super::graph::{Graph, SHAPE, agree};

#[test]
fn a_difference_becomes_a_kernel() {
    for read_by_others in [false, true] {
        let mut g = Graph::default();
        let x = g.conv("x", [24, 3, 4, 4], &[]);
        let y = g.conv("x", [24, 3, 4, 4], &[]);
        let difference = g.node("Sub", &[&x, &y], &[]);
        let square = g.node("Mul", &[&difference, &difference], &[]);
        let distance = g.sum_of_channels(&square);
        if read_by_others {
            let outputs = [&distance[..], &difference];
            assert_eq!(agree(&g.finish(&outputs), &outputs), ["direct", "direct"]);
        } else {
            assert_eq!(agree(&g.finish(&[&distance]), &[&distance]), ["direct", "direct", "distance"]);
        }
    }
}

#[test]
fn pooling_and_distances_become_kernels() {
    let mut g = Graph::default();
    let floor = g.constant(&[1, 1, 1, 1], |_| 1e-6);
    let mut directions = Vec::new();
    for _ in 0..2 {
        let x = g.conv("x", [24, 3, 4, 4], &[]);
        let x = g.relu(&x);
        let x = g.node("AveragePool", &[&x], &[("kernel_shape", &[2, 2]), ("strides", &[2, 2])]);
        let x = g.conv(&x, [40, 24, 4, 4], &[]);
        let square = g.node("Mul", &[&x, &x], &[]);
        let sum = g.sum_of_channels(&square);
        let length = g.node("Sqrt", &[&sum], &[]);
        let length = g.node("Max", &[&length, &floor], &[]);
        directions.push(g.node("Div", &[&x, &length], &[]));
    }
    let difference = g.node("Sub", &[&directions[0], &directions[1]], &[]);
    let square = g.node("Mul", &[&difference, &difference], &[]);
    let distance = g.sum_of_channels(&square);
    let kernels = agree(&g.finish(&[&distance]), &[&distance]);
    assert_eq!(kernels.iter().filter(|k| *k == "direct, ReLU, mean of 2×2").count(), 2, "{kernels:?}");
    assert_eq!(kernels.iter().filter(|k| *k == "Winograd F(4×4, 4×4)").count(), 2, "{kernels:?}");
    assert!(kernels.contains(&"distance of directions".to_owned()), "{kernels:?}");
}

#[test]
fn resizing_becomes_a_kernel() {
    let sparse = |width: usize| move |i: usize| if i / width == i % width / 2 { 0.5 } else { 0.0 };
    let mut g = Graph::default();
    let x = g.conv("x", [16, 3, 3, 3], &[]);
    let rows = g.constant(&[20, 38], sparse(38));
    let columns = g.constant(&[35, 50], |i| if i / 50 == i % 50 { 1.0 } else { 0.0 });
    let y = g.node("MatMul", &[&rows, &x], &[]);
    let y = g.node("MatMul", &[&y, &columns], &[]);
    let (fewer_rows, fewer_columns) = (g.constant(&[9, 18], sparse(18)), g.constant(&[48, 30], sparse(30)));
    let y = g.conv(&y, [8, 16, 3, 3], &[]);
    // The columns before the rows, as the trainer's exporter writes it.
    let y = g.node("MatMul", &[&y, &fewer_columns], &[]);
    let y = g.node("MatMul", &[&fewer_rows, &y], &[]);
    assert_eq!(agree(&g.finish(&[&y]), &[&y]), ["direct", "resampling", "direct", "resampling"]);
}

/// As in PatchCore's graph: features of two levels side by side, and the nearest of a bank's parts.
#[test]
fn a_batch_of_products_becomes_a_kernel() {
    let value = |i: usize| (i % 13) as f32 * 0.1 - 0.5;
    // Centred or not, the difference read by others, and a centre that is more than one row.
    for (centre, read_by_others, expected) in [
        (Some([16, 1, 35]), false, &["direct", "batch of products"][..]),
        (None, false, &["direct", "batch of products"][..]),
        (Some([16, 1, 35]), true, &["direct", "batch of products"][..]),
        (Some([16, 38, 35]), false, &["direct", "batch of products"][..]),
    ] {
        let mut g = Graph::default();
        let x = g.conv("x", [16, 3, 3, 3], &[]);
        let shape = g.integers(&[16, 38, 35]);
        let mut x = g.node("Reshape", &[&x, &shape], &[]);
        if let Some(dims) = centre {
            let centre = g.constant(&dims, value);
            x = g.node("Sub", &[&x, &centre], &[]);
        }
        let weights = g.constant(&[16, 35, 20], value);
        let y = g.node("MatMul", &[&x, &weights], &[]);
        let outputs = if read_by_others { vec![y.as_str(), x.as_str()] } else { vec![y.as_str()] };
        assert_eq!(agree(&g.finish(&outputs), &outputs), expected, "{centre:?} {read_by_others}");
    }
    // The product of two computed values stays with tract.
    let mut g = Graph::default();
    let [a, b] = [g.conv("x", [16, 3, 3, 3], &[]), g.conv("x", [16, 3, 3, 3], &[])];
    let (left, right) = (g.integers(&[16, 38, 35]), g.integers(&[16, 35, 38]));
    let (a, b) = (g.node("Reshape", &[&a, &left], &[]), g.node("Reshape", &[&b, &right], &[]));
    let y = g.node("MatMul", &[&a, &b], &[]);
    assert_eq!(agree(&g.finish(&[&y]), &[&y]), ["direct", "direct"]);
}

#[test]
fn means_and_minima_become_kernels() {
    let mut g = Graph::default();
    let x = g.conv("x", [16, 3, 3, 3], &[]);
    let window = [("kernel_shape", &[3i64, 3][..]), ("strides", &[1, 1]), ("pads", &[1, 1, 1, 1])];
    let inside = g.node("AveragePool", &[&x], &[&window[..], &[("count_include_pad", &[0])]].concat());
    let padded = g.node("AveragePool", &[&x], &[&window[..], &[("count_include_pad", &[1])]].concat());
    let strided = [("kernel_shape", &[3i64, 2][..]), ("strides", &[2, 3]), ("pads", &[0, 1, 1, 0])];
    let strided = g.node("AveragePool", &[&x], &strided);
    let both = g.node("Concat", &[&inside, &padded], &[("axis", &[1])]);
    let parts: Vec<String> = (0..3).map(|_| g.conv(&both, [20, 32, 1, 1], &[])).collect();
    let least = g.node("Min", &[&parts[0], &parts[1]], &[]);
    let least = g.node("Min", &[&parts[2], &least], &[]);
    let least = g.node("ReduceMin", &[&least], &[("axes", &[1])]);
    // Read once more: this minimum is not part of the one over the channels.
    let twice = g.node("Min", &[&parts[0], &parts[2]], &[]);
    let own = g.node("ReduceMin", &[&twice], &[("axes", &[1])]);
    let outputs = [least.as_str(), &own, &twice, &strided];
    let kernels = agree(&g.finish(&outputs), &outputs);
    let count = |words: &str| kernels.iter().filter(|kernel| *kernel == words).count();
    assert_eq!(count("mean of windows"), 3, "{kernels:?}");
    assert_eq!(count("minimum over channels"), 2, "{kernels:?}");
}

/// The image's normalisation and the score, as in every exported graph, and lookalikes.
#[test]
fn normalisations_and_scores_become_kernels() {
    let mut g = Graph::default();
    let means = g.constant(&[1, 3, 1, 1], |i| 0.4 + i as f32 * 0.1);
    let factors = g.constant(&[1, 3, 1, 1], |i| 4.0 + i as f32);
    let centred = g.node("Sub", &["x", &means], &[]);
    let normalised = g.node("Mul", &[&centred, &factors], &[]);
    let reversed = g.node("Sub", &[&means, "x"], &[]);
    let reversed = g.node("Mul", &[&reversed, &factors], &[]);
    let map = g.conv(&normalised, [1, 3, 3, 3], &[]);
    let [channels, height, width] = [SHAPE[1], SHAPE[2], SHAPE[3]].map(|side| side as i64);
    let (whole, inner) = (channels * height * width, (height - 2) * (width - 2));
    let mean = |g: &mut Graph, x: &str, shape: &[i64], count: i64, largest: i64| {
        let shape = g.integers(shape);
        let flat = g.node("Reshape", &[x, &shape], &[]);
        let count = g.integers(&[count]);
        let top = g.node("TopK", &[&flat, &count], &[("axis", &[1]), ("largest", &[largest])]);
        g.node("ReduceMean", &[&top], &[("axes", &[1]), ("keepdims", &[0])])
    };
    let score = mean(&mut g, &map, &[1, inner], 20, 1);
    let smallest = mean(&mut g, &map, &[1, inner], 20, 0);
    let rows = mean(&mut g, &reversed, &[channels, whole / channels], 5, 1);
    let outputs = [score.as_str(), &smallest, &rows, &map];
    let kernels = agree(&g.finish(&outputs), &outputs);
    let count = |words: &str| kernels.iter().filter(|kernel| *kernel == words).count();
    assert_eq!(count("normalisation"), 1, "{kernels:?}");
    assert_eq!(count("mean of the largest"), 1, "{kernels:?}");
}
