//! The project's kernels in a model, compared with tract alone.

mod convolutions;
mod graph;
mod maps;

use judge::Network;

use self::graph::{Graph, SHAPE, agree, image};

/// Whatever no kernel computes stays with tract, in between the kernels.
#[test]
fn unusual_operations_stay_right() {
    let mut g = Graph::default();
    let x = g.conv("x", [16, 3, 3, 3], &[]);
    let dilated = g.conv(&x, [16, 16, 3, 3], &[("dilations", &[2, 2])]);
    let grouped = g.conv(&dilated, [16, 4, 3, 3], &[("group", &[4])]);
    let long = g.conv(&grouped, [17, 16, 1, 5], &[("pads", &[0, 4, 0, 0]), ("strides", &[3, 1])]);
    // Read twice: neither the activation nor the sum belongs to the convolution alone.
    let relu = g.relu(&long);
    let both = g.node("Add", &[&long, &relu], &[]);
    let shift = g.constant(&[17, 1, 1], |i| i as f32);
    let shifted = g.node("Mul", &[&both, &shift], &[]);
    let low = g.constant(&[], |_| -0.25);
    let floor = g.node("Max", &[&low, &both], &[]);
    let cap = g.node("Min", &[&floor, &low], &[]);
    let outputs = [x.as_str(), &long, &relu, &shifted, &cap];
    let kernels = agree(&g.finish(&outputs), &outputs);
    assert_eq!(kernels, ["direct", "direct"]);
}

/// A convolution with computed weights, and a model without any convolution.
#[test]
fn models_without_a_match_run() {
    let mut g = Graph::default();
    let shape = g.constant(&[2, 3, 1, 1], |i| i as f32);
    let weights = g.node("Exp", &[&shape], &[]);
    let y = g.node("Conv", &["x", &weights], &[]);
    let kernels = agree(&g.finish(&[&y]), &[&y]);
    assert!(kernels.len() <= 1, "{kernels:?}");

    let mut g = Graph::default();
    let y = g.relu("x");
    let y = g.node("MaxPool", &[&y], &[("kernel_shape", &[2, 2])]);
    assert!(agree(&g.finish(&[&y]), &[&y]).is_empty());
}

#[test]
fn a_profile_names_every_operation() {
    let mut g = Graph::default();
    let x = g.conv("x", [16, 3, 3, 3], &[]);
    let x = g.relu(&x);
    let y = g.conv(&x, [16, 16, 3, 3], &[]);
    let mut network = Network::load(&g.finish(&[&y]), SHAPE, &[&y], 1).unwrap();
    let times = network.profile(&image(), 3).unwrap();
    assert!(times.iter().any(|t| t.name == y && t.operation == "Winograd F(4×4, 3×3)"), "{times:?}");
    assert!(network.profile(&[0.0], 1).is_err());
}
