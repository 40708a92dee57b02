use bundle::ThresholdRule;
use methods::Flip;

use super::super::{LESSON_FILE, Learned};
use super::*;
use crate::clock::WallTime;

fn write(folder: &Path, thresholds: &str) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(THRESHOLD_FILE), thresholds).unwrap();
}

fn read(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(THRESHOLD_FILE)).unwrap()
}

/// Makes the next bundle, which is to replace the one in use.
fn make_next(place: &BundlePlace, thresholds: &str) -> String {
    let replaces = place.identity().unwrap();
    write(&place.next(), thresholds);
    let method = methods::METHODS[0].defaults();
    let mut lesson =
        Lesson::new(method.as_ref(), Flip::None, ThresholdRule::Claim, "t", Path::new("/photos")).unwrap();
    let at = WallTime::read("2026-11-30").unwrap();
    lesson.learned = Some(Learned { replaces: replaces.clone(), at, false_alarms: vec![] });
    lesson.write(&place.next()).unwrap();
    replaces
}

#[test]
fn one_program_at_a_time_changes_a_bundle_and_what_it_leaves_half_made_goes() {
    let root = tempfile::tempdir().unwrap();
    let bundle = root.path().join("cap");
    assert!(matches!(BundlePlace::lock(&bundle), Err(LearnError::Place { .. })));
    write(&bundle, "1");
    write(&root.path().join(".cap.learning"), "left by a power cut");
    let place = BundlePlace::lock(&bundle).unwrap();
    assert!(!place.next().exists());
    assert!(matches!(BundlePlace::lock(&bundle), Err(LearnError::Busy { .. })));
    make_next(&place, "2");
    drop(place);
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    assert_eq!(read(&bundle), "1");
}

#[test]
fn only_what_was_replaced_is_put_back() {
    let root = tempfile::tempdir().unwrap();
    let bundle = root.path().join("cap");
    write(&bundle, "1");
    let place = BundlePlace::lock(&bundle).unwrap();
    let nothing = |place: &BundlePlace| matches!(place.roll_back(), Err(LearnError::NoEarlier { .. }));
    assert!(nothing(&place));
    let replaces = make_next(&place, "2");
    // Power is cut before the exchange: the new bundle is beside, but is not the earlier one.
    std::fs::rename(place.next(), place.beside()).unwrap();
    assert!(nothing(&place));
    assert_eq!(read(&bundle), "1");
    make_next(&place, "2");
    place.switch(&replaces).unwrap();
    assert_eq!((read(&bundle), read(&place.beside())), ("2".to_owned(), "1".to_owned()));
    // The earlier bundle is found, but can't be used.
    assert!(matches!(place.roll_back(), Err(LearnError::Bundle(_))));
    assert_eq!(read(&bundle), "2");
    // A deployment puts another bundle beside.
    write(&place.beside(), "3");
    assert!(nothing(&place));
    std::fs::write(bundle.join(LESSON_FILE), b"{").unwrap();
    assert!(matches!(place.roll_back(), Err(LearnError::Lesson { .. })));
}

#[test]
fn a_bundle_that_was_replaced_meanwhile_stays() {
    let root = tempfile::tempdir().unwrap();
    let bundle = root.path().join("cap");
    write(&bundle, "1");
    let place = BundlePlace::lock(&bundle).unwrap();
    let replaces = make_next(&place, "2");
    write(&bundle, "deployed");
    assert!(matches!(place.switch(&replaces), Err(LearnError::Replaced { .. })));
    assert_eq!(read(&bundle), "deployed");
    assert!(!place.beside().exists());
}

#[test]
fn what_an_installed_bundle_replaced_is_put_back_once() {
    let root = tempfile::tempdir().unwrap();
    let bundle = root.path().join("cap");
    write(&bundle, "1");
    let place = BundlePlace::lock(&bundle).unwrap();
    let replaces = place.identity().unwrap();
    write(&place.next(), "2");
    // Power is cut after the record and before the exchange: nothing was replaced.
    let record = Installed { installed: identity(&place.next()).unwrap(), replaces: replaces.clone() };
    std::fs::write(installed_path(&bundle), serde_json::to_vec(&record).unwrap()).unwrap();
    assert!(matches!(place.check_earlier(), Err(LearnError::NoEarlier { .. })));
    place.install(&replaces).unwrap();
    assert_eq!((read(&bundle), read(&place.beside())), ("2".to_owned(), "1".to_owned()));
    assert!(has_earlier(&bundle));
    place.check_earlier().unwrap();
    // The bundles are exchanged, and the one in use isn't what was installed: there is no earlier one to return to.
    replace_folder(&place.beside(), &bundle).unwrap();
    assert!(!has_earlier(&bundle));
    for damaged in [&b""[..], b"{", b"{\"installed\": 1}", &[0xff; 9000]] {
        std::fs::write(installed_path(&bundle), damaged).unwrap();
        assert!(matches!(place.check_earlier(), Err(LearnError::NoEarlier { .. })));
    }
}
