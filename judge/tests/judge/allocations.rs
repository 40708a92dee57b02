//! Memory that is allocated for a frame after the first.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use judge::{Colour, FrameArea, FrameReader, Judge, Preparer, Recipe, Roi, Size};
use support::{JpegKind, PLAIN, jpeg, recipe, size, write_thresholds, write_usual_bundle};

use crate::support;

/// The system's allocator, which counts.
pub struct Counting;

thread_local! {
    /// What this thread has allocated so far: how often, and the largest block since it was last set to zero.
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn add(bytes: usize) {
    // The variables are gone in a thread that is ending.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: the system's allocator does the work; the counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: upheld by the caller, here and below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Returns how often `work` allocates on this thread, and the largest block.
fn allocated(work: impl FnOnce()) -> (usize, usize) {
    let before = COUNT.get();
    LARGEST.set(0);
    work();
    (COUNT.get() - before, LARGEST.get())
}

#[test]
fn a_frame_after_the_first_is_read_without_allocating() {
    let max = size(200, 200);
    let roi = Some(Roi { x: 13, y: 7, width: 80, height: 60 });
    for (kind, roi, colour) in [
        (PLAIN, None, Colour::Rgb),
        (JpegKind { subsampled: true, restart: 4, ..PLAIN }, roi, Colour::Rgb),
        (JpegKind { subsampled: true, ..PLAIN }, roi, Colour::Grey),
        (JpegKind { grey: true, ..PLAIN }, roi, Colour::Rgb),
    ] {
        let recipe = Recipe { roi, colour, ..recipe() };
        let (mut reader, mut preparer, mut input) = (FrameReader::default(), Preparer::new(recipe), vec![]);
        // Another frame each time: nothing may depend on its bytes.
        let frames = [jpeg(120, 90, kind), jpeg(120, 90, kind), jpeg(110, 90, kind)];
        for (index, bytes) in frames.iter().enumerate() {
            let mut prepared = (0, 0);
            let work = |area: FrameArea<'_>| {
                let before = COUNT.get();
                prepared = allocated(|| {
                    preparer.prepare(area, &mut input).unwrap();
                });
                // What preparing took is not the reader's.
                COUNT.set(before);
                LARGEST.set(0);
            };
            let mut read = Ok(());
            let reading = allocated(|| read = reader.read(bytes, max, &recipe, work));
            read.unwrap();
            if index > 0 {
                assert_eq!(reading, (0, 0), "{kind:?} {roi:?} {colour:?}");
                // The resizer's weights.
                assert!(prepared.0 < 300 && prepared.1 < 8 << 10, "{prepared:?}");
            }
        }
    }
}

/// The engine's plan and the map that is returned do allocate. What they do must stay small beside a frame.
#[test]
fn judging_a_frame_after_the_first_allocates_less_than_the_frame() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = write_usual_bundle(folder.path());
    file.recipe.frames.max = Size { width: 400, height: 400 };
    write_thresholds(folder.path(), &file);
    let mut judge = Judge::open(folder.path(), 1).unwrap();
    let bytes = jpeg(400, 300, PLAIN);
    judge.judge_bytes(&bytes);
    let mut counts = vec![];
    for _ in 0..3 {
        counts.push(allocated(|| assert!(judge.judge_bytes(&bytes).fault.is_none())));
    }
    let (count, largest) = counts[0];
    // Three planes of 64 × 64 floats go into the network: far less than the frame's 360,000 bytes. Many small allocations are the
    // resizer's weights.
    assert!(largest <= 3 * 64 * 64 * 4, "{counts:?}");
    assert!(counts.iter().all(|later| later.0 <= count), "{counts:?}");
}
