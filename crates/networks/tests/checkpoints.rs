//! Tests checkpoints that contain more than the weights: all weights are found, or an error says why not.
#![cfg(feature = "import")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

#[allow(dead_code, reason = "each test program uses only part of it")]
mod support;

use networks::teacher::TeacherError;
use networks::teacher::import::read_published;
use networks::teacher::write_safetensors;
use networks::{Array, Network, Weights};
use support::{Pickle, Strings, legacy_of, legacy_preamble, random_weights, zip_of};

/// A small network's weights.
fn weights() -> (Network, Weights) {
    let network = Network::by_name("pdn-xs").unwrap();
    let weights = random_weights(&network, 4);
    (network, weights)
}

fn read(bytes: &[u8]) -> Result<(Network, Weights), TeacherError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    read_published(&path)
}

fn why_not(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

/// Writes `{name: … }` around what `inner` writes.
fn dict(pickle: &mut Pickle, name: &str, inner: impl FnOnce(&mut Pickle)) {
    pickle.text(name).raw(b"}");
    inner(pickle);
    pickle.raw(b"s");
}

/// Writes an optimizer's state for this many parameters.
fn optimizer(pickle: &mut Pickle, parameters: usize, moments: &Array) {
    dict(pickle, "optimizer", |pickle| {
        dict(pickle, "state", |pickle| {
            for parameter in 0..parameters {
                pickle.integer(parameter).raw(b"}");
                pickle.text("step").integer(5).raw(b"s").text("exp_avg").tensor(moments).raw(b"ss");
            }
        });
        pickle
            .text("param_groups")
            .raw(b"]}")
            .text("lr")
            .raw(b"G\x3f\x50\x62\x4d\xd2\xf1\xa9\xfc")
            .raw(b"sas");
    });
}

#[test]
fn weights_beside_an_optimizer_of_any_size_are_imported() {
    let (network, weights) = weights();
    let moments = Array { shape: vec![2, 2], data: vec![0.5; 4] };
    let prefixed: Weights = weights.iter().map(|(name, w)| (format!("module.{name}"), w.clone())).collect();
    for parameters in [1, 14, 15, 16, 17, 300] {
        for optimizer_first in [false, true] {
            let mut pickle = Pickle::new(Strings::Unicode);
            pickle.raw(b"}").text("epoch").integer(3).raw(b"s");
            pickle.text("best_acc1").tensor(&moments).raw(b"s");
            if optimizer_first {
                optimizer(&mut pickle, parameters, &moments);
            }
            pickle.text("state_dict").state_dict(&prefixed).raw(b"s");
            if !optimizer_first {
                optimizer(&mut pickle, parameters, &moments);
            }
            let many = std::iter::repeat_n(&moments, parameters);
            let arrays: Vec<&Array> = if optimizer_first {
                std::iter::once(&moments).chain(many).chain(weights.values()).collect()
            } else {
                std::iter::once(&moments).chain(weights.values()).chain(many).collect()
            };
            let pickle = pickle.finish();
            let zip = zip_of(&pickle, arrays.iter().copied());
            let legacy = legacy_of(&pickle, arrays.iter().copied(), Strings::Unicode);
            for bytes in [zip, legacy] {
                let (found, imported) = read(&bytes).unwrap();
                assert_eq!(found.name, network.name, "{parameters}, {optimizer_first}");
                assert!(imported == weights, "{parameters}, {optimizer_first}");
            }
        }
    }
}

/// A training framework's state: a dict for each loop, with nested dicts.
#[test]
fn weights_beside_a_framework_s_own_state_are_imported() {
    let (_, weights) = weights();
    let mut pickle = Pickle::new(Strings::Unicode);
    pickle.raw(b"}");
    dict(&mut pickle, "loops", |pickle| {
        for name in ["fit_loop", "validate_loop", "test_loop", "predict_loop"] {
            dict(pickle, name, |pickle| {
                for depth in 0..12 {
                    pickle.text(&format!("progress{depth}")).raw(b"}").text("total").raw(b"}");
                    pickle.text("ready").integer(1).raw(b"ss");
                }
                for _ in 0..12 {
                    pickle.raw(b"s");
                }
            });
        }
    });
    let prefixed: Weights =
        weights.iter().map(|(name, w)| (format!("model.teacher.{name}"), w.clone())).collect();
    pickle.text("state_dict").state_dict(&prefixed).raw(b"s");
    let (_, imported) = read(&zip_of(&pickle.finish(), weights.values())).unwrap();
    assert!(imported == weights);
}

#[test]
fn python_2_names_weights_by_byte_strings() {
    let (_, weights) = weights();
    for strings in [Strings::Short, Strings::Long, Strings::Quoted] {
        let mut plain = Pickle::new(strings);
        plain.state_dict(&weights);
        // Python 2 builds an OrderedDict from a list of pairs.
        let mut pairs = Pickle::new(strings);
        pairs.raw(b"ccollections\nOrderedDict\n](");
        for (name, array) in &weights {
            pairs.raw(b"](").text(name).tensor(array).raw(b"e");
        }
        pairs.raw(b"e\x85R");
        for pickle in [plain.finish(), pairs.finish()] {
            let (_, imported) = read(&legacy_of(&pickle, weights.values(), strings)).unwrap();
            assert!(imported == weights, "{strings:?}");
        }
    }
}

#[test]
fn what_is_nested_too_deep_or_holds_itself_is_an_error_that_says_so() {
    let (_, weights) = weights();
    let nested = |depth: usize| {
        let mut pickle = Pickle::new(Strings::Unicode);
        pickle.raw(b"}").text("state_dict").state_dict(&weights).raw(b"s");
        for _ in 0..depth {
            pickle.text("a").raw(b"}");
        }
        for _ in 0..depth {
            pickle.raw(b"s");
        }
        zip_of(&pickle.finish(), weights.values())
    };
    assert!(read(&nested(64)).is_ok());
    for depth in [65, 100_000] {
        let why = why_not(&nested(depth));
        assert!(
            why.contains("nested more than 64 deep") && why.contains("save the state_dict() alone"),
            "{why}"
        );
    }
    let legacy = |opcodes: &[u8]| [&legacy_preamble(), opcodes, b"\x80\x02]."].concat();
    let tuples = [b"\x80\x02)".to_vec(), vec![0x85; 1_000_000], b".".to_vec()].concat();
    assert!(why_not(&legacy(&tuples)).contains("tuples more than 64 deep"));
    let itself = b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.";
    assert!(why_not(&legacy(itself)).contains("nested more than 64 deep"));
    // Each dict doubles the number of paths to the end.
    let mut twice = b"\x80\x02}q\x00".to_vec();
    (0..40).for_each(|_| twice.extend(b"}(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00uq\x00"));
    twice.push(b'.');
    assert!(why_not(&legacy(&twice)).contains("names more than 100000 tensors and dicts"));
    let long = [b"\x80\x02}T\x00\x10\x00\x00", &[b'a'; 4096][..], b"}s."].concat();
    assert!(why_not(&legacy(&long)).contains("more than 1024 characters"));
    let steps = [b"\x80\x02", &b"N".repeat(5_000_000)[..], b"."].concat();
    assert!(why_not(&legacy(&steps)).contains("more than 4194304 steps"));
}

#[test]
fn names_of_no_network_are_told_with_the_networks_that_there_are() {
    let array = Array { shape: vec![8, 3, 3, 3], data: vec![0.0; 216] };
    let names =
        ["features.0.weight", "features.3.weight", "features.6.weight", "classifier.0.weight", "a", "b"];
    let weights: Weights = names.map(|name| (name.to_owned(), array.clone())).into();
    let why = why_not(&write_safetensors(&weights, Default::default()));
    for said in
        ["`features.0.weight`", "1 more", "resnet18", "efficientnet-lite0", "pdn-m", "give the weights"]
    {
        assert!(why.contains(said), "{said}: {why}");
    }
    assert!(!why.contains("no tensor"), "{why}");
}

#[test]
fn timm_s_efficientnet_lite_is_imported() {
    let network = Network::by_name("efficientnet-lite0").unwrap();
    let weights = random_weights(&network, 6);
    // Folded weights have a bias instead of the norm; the first stage's block has two convolutions.
    let renamed = |name: &str| {
        let (layer, tensor) = name.rsplit_once('.').unwrap();
        let parts: Vec<&str> = layer.split('.').collect();
        let [_, number, part] = parts[..] else { return format!("conv_stem.{tensor}") };
        let mut block: usize = number.parse().unwrap();
        let mut stage = 0;
        for count in [1, 2, 2, 3] {
            if block < count {
                break;
            }
            (block, stage) = (block - count, stage + 1);
        }
        let part = match (part, stage) {
            ("_depthwise_conv", _) => "conv_dw",
            ("_project_conv", 1..) => "conv_pwl",
            _ => "conv_pw",
        };
        format!("blocks.{stage}.{block}.{part}.{tensor}")
    };
    let timm: Weights = weights.iter().map(|(name, array)| (renamed(name), array.clone())).collect();
    assert_eq!(timm.len(), weights.len());
    let (found, imported) = read(&write_safetensors(&timm, Default::default())).unwrap();
    assert_eq!(found.name, network.name);
    assert!(imported == weights);
}

/// Safetensors start with a length, whose first byte may be that of a pickle.
#[test]
fn safetensors_with_a_header_of_any_length_are_told_from_a_pickle() {
    let (_, weights) = weights();
    let start = |note: usize| {
        let notes = [("note".to_owned(), "x".repeat(note))].into();
        write_safetensors(&weights, notes)
    };
    let file = (0..256).map(start).find(|file| file[0] == 0x80).unwrap();
    assert!(read(&file).unwrap().1 == weights);
}

#[test]
fn a_pipe_or_a_device_is_no_weight_file() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.pth");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), std::path::Path::new("/dev/zero")] {
        let error = read_published(path).unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }
}
