//! Thousands of models with flipped, lost, doubled and inserted bytes: each is loaded or refused with a sentence, in a
//! moment. tract's reader divides, indexes and allocates by what a file says.
// The settings for tests cover test functions only, not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::mpsc;
use std::time::Duration;

use judge::{EngineError, Network};
use support::{Chance, bottleneck_onnx, branching_onnx, onnx, window_onnx};

const FILES: usize = if cfg!(target_arch = "x86_64") { 6_000 } else { 600 };
const SIDE: usize = 16;
/// Far longer than any of them takes, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

fn load(bytes: &[u8]) -> Result<Network, EngineError> {
    Network::load(bytes, [1, 3, SIDE, SIDE], &["anomaly_map", "score"], 1)
}

#[test]
fn every_one_is_a_network_or_an_error_soon() {
    let side = SIDE as u64;
    let seeds = [
        onnx(side, &["Abs"]),
        branching_onnx(side),
        bottleneck_onnx(side),
        window_onnx(side),
        window_onnx(side),
    ];
    for seed in &seeds {
        load(seed).unwrap();
    }
    let (send, receive) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let mut chance = Chance::default();
        for file in 0..FILES {
            let mut bytes = seeds[file % seeds.len()].clone();
            chance.mutate(&mut bytes);
            // Told before it is tried, so that what hangs is known.
            send.send(Err(bytes.clone())).unwrap();
            let loaded = load(&bytes);
            let refusal = loaded.map(|mut network| drop(network.run(&[0.5; 3 * SIDE * SIDE]))).err();
            send.send(Ok(refusal.map(|error| error.to_string()))).unwrap();
        }
    });
    let (mut tried, mut loaded, mut refused) = (Vec::new(), 0, 0);
    loop {
        match receive.recv_timeout(PATIENCE) {
            Ok(Err(bytes)) => tried = bytes,
            Ok(Ok(None)) => loaded += 1,
            Ok(Ok(Some(refusal))) => {
                assert!(!refusal.is_empty());
                refused += 1;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("this model is never done: {tried:?}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    worker.join().unwrap();
    assert_eq!(loaded + refused, FILES);
    assert!(loaded > FILES / 20 && refused > FILES / 4, "{loaded} loaded, {refused} refused");
}
