//! Frames: none is lost or doubled unnoticed.

use crate::support::{Capture, camera, frame, moved_by, now, number, turn, wanted};

#[test]
fn no_frame_is_lost_or_doubled_unnoticed() {
    let Some(_turn) = turn() else { return };
    let frames = number("NOMINAL_ARAVIS_FRAMES", 500);
    let _camera = camera(0);
    let capture = Capture::start();
    let (mut receiver, first, bytes) = capture.open_as(&wanted(100));
    let before = first.sequence;
    let offset = (first.sequence + 255 - moved_by(&bytes)) % 255;
    let (mut last, mut received, mut lost, mut damaged) = (first, 0, 0, 0);
    let mut latencies = vec![];
    while last.sequence < before + frames {
        let (info, bytes) = frame(&mut receiver).unwrap();
        let told = now();
        assert!(info.captured_at <= told && info.captured_at > last.captured_at, "{info:?} {last:?}");
        assert!(info.sequence > last.sequence, "{info:?} {last:?}");
        received += 1;
        lost += info.sequence - last.sequence - 1;
        if info.damage.is_some() {
            damaged += 1;
        } else {
            // The picture is that of the number: none was left out, none came twice.
            assert_eq!((moved_by(&bytes) + offset) % 255, info.sequence % 255, "{info:?}");
            latencies.push(told - info.captured_at);
        }
        last = info;
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1e6;
    println!(
        "{received} frames, {lost} lost and {damaged} damaged, all noticed; begin of exposure to line p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    assert_eq!(received + lost, last.sequence - before, "{received} {lost} {last:?}");
    assert!(received - damaged > frames / 2, "{received} {damaged}");
}
