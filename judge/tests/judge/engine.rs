//! ONNX bytes → network, good and bad.

use judge::{EngineError, Network};
use support::{branching_onnx, onnx, onnx_with_outputs};

use crate::support;

const SHAPE: [usize; 4] = [1, 3, 64, 64];

fn load(bytes: &[u8]) -> Result<Network, EngineError> {
    Network::load(bytes, SHAPE, &["anomaly_map", "score"], 1)
}

#[test]
fn outputs_come_in_the_order_asked_for() {
    let mut input = vec![0.25; 3 * 64 * 64];
    input[64 * 64 + 70] = 0.75;
    for threads in [0, 1, 2] {
        let mut network =
            Network::load(&onnx(64, &["Neg", "Neg"]), SHAPE, &["score", "anomaly_map"], threads).unwrap();
        assert_eq!(network.output_shapes(), [vec![1], vec![1, 1, 64, 64]]);
        for _ in 0..2 {
            let outputs = network.run(&input).unwrap();
            assert_eq!(outputs[0], [0.75]);
            assert_eq!((outputs[1][70], outputs[1][71]), (0.75, 0.25));
        }
    }
}

#[test]
fn inner_values_can_be_asked_for_by_name() {
    let mut network = Network::load(&onnx(64, &["Neg"]), SHAPE, &["step0"], 1).unwrap();
    assert_eq!(network.run(&[0.5; 3 * 64 * 64]).unwrap()[0][9], -0.5);
}

#[test]
fn threads_change_no_bit_and_survive_a_failure() {
    let bytes = branching_onnx(64);
    let outputs = ["anomaly_map", "score", "left", "peak"];
    let mut input: Vec<f32> = (0..3 * 64 * 64).map(|i| (i % 251) as f32 / 256.0).collect();
    let mut alone = Network::load(&bytes, SHAPE, &outputs, 1).unwrap();
    for threads in [2, 3, 64] {
        let mut network = Network::load(&bytes, SHAPE, &outputs, threads).unwrap();
        for frame in 0..20 {
            input[frame] = 0.99;
            assert_eq!(network.run(&input).unwrap(), alone.run(&input).unwrap(), "{threads} threads");
            input[9] = 7.0;
            for network in [&mut network, &mut alone] {
                let error = network.run(&input).unwrap_err();
                assert!(matches!(error, EngineError::Run(_)), "{error}");
            }
            input[9] = 0.5;
        }
    }
}

#[test]
fn a_network_may_move_to_another_thread() {
    let mut network = load(&onnx(64, &[])).unwrap();
    let outputs = std::thread::spawn(move || network.run(&[0.5; 3 * 64 * 64]).unwrap()).join().unwrap();
    assert_eq!(outputs[1], [0.5]);
}

#[test]
fn another_input_size_is_refused() {
    let error = Network::load(&onnx(96, &[]), SHAPE, &["score"], 1).unwrap_err();
    assert_eq!(
        error,
        EngineError::InputShape { model: "1×3×96×96".to_owned(), recipe: "1×3×64×64".to_owned() }
    );
    let error = load(&onnx(64, &[])).unwrap().run(&[0.0; 5]).unwrap_err();
    assert_eq!(error, EngineError::InputLength { expected: 12288, found: 5 });
}

#[test]
fn a_missing_output_is_named() {
    let error = Network::load(&onnx(64, &[]), SHAPE, &["heat"], 1).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`heat`") && text.contains("`anomaly_map`, `score`"), "{text}");
}

#[test]
fn an_output_that_no_node_produces_is_an_error_not_a_panic() {
    let bytes = onnx_with_outputs(64, &[], ["anomaly_map", "nowhere"]);
    let error = load(&bytes).unwrap_err();
    assert!(matches!(error, EngineError::Model(_)), "{error}");
}

#[test]
fn unknown_operators_and_other_bytes_are_refused() {
    for bytes in [&b""[..], b"not a model", &[0xFF; 64], &onnx(64, &["NoSuchOperator"])] {
        let error = load(bytes).unwrap_err();
        assert!(matches!(error, EngineError::Model(_)), "{error}");
    }
}

#[test]
fn cut_and_flipped_models_never_panic() {
    let whole = onnx(64, &["Abs"]);
    for cut in 0..whole.len() {
        assert!(load(&whole[..cut]).is_err(), "cut at {cut} of {}", whole.len());
    }
    for at in 0..whole.len() {
        for flip in [0x01, 0x10, 0xFF] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            if let Ok(mut network) = load(&damaged) {
                let _ = network.run(&[0.5; 3 * 64 * 64]);
            }
        }
    }
}
