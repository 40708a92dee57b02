//! Tests of `exchange`: swapping two bundles, and swapping them back.

use crate::{Fixture, code, program, stderr};

#[test]
fn a_bundle_takes_another_s_place_and_the_other_stays_beside_it() {
    let fixture = Fixture::new();
    fixture.write(".bundle.beside/model.onnx", b"new");
    let old = std::fs::read(fixture.path("bundle/model.onnx")).unwrap();
    let exchange =
        || program(fixture.folder.path()).args(["exchange", ".bundle.beside", "bundle"]).output().unwrap();
    assert_eq!(code(&exchange()), 0);
    assert_eq!(std::fs::read(fixture.path("bundle/model.onnx")).unwrap(), b"new");
    assert_eq!(std::fs::read(fixture.path(".bundle.beside/model.onnx")).unwrap(), old);
    // Exchanging again restores the old bundle.
    assert_eq!(code(&exchange()), 0);
    assert_eq!(std::fs::read(fixture.path("bundle/model.onnx")).unwrap(), old);

    std::fs::remove_dir_all(fixture.path(".bundle.beside")).unwrap();
    let refused = exchange();
    assert_eq!(code(&refused), 1);
    assert!(stderr(&refused).contains("cannot exchange .bundle.beside with bundle"), "{}", stderr(&refused));
    assert_eq!(std::fs::read(fixture.path("bundle/model.onnx")).unwrap(), old);
}
