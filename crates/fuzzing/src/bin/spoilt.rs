//! A program for tests that mishandles its inputs: it panics, hangs or fills the memory, depending on its argument.

use std::time::Duration;

use fuzzing::Fuzz;

#[global_allocator]
static MEMORY: fuzzing::Memory = fuzzing::Memory;

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    let fuzz = Fuzz::new("spoilt", 50).timeout(Duration::from_secs(1)).memory_mib(8);
    let mut inputs = 0;
    let stats = fuzz.run(&[b"some bytes".to_vec()], |bytes| {
        inputs += 1;
        let is_spoilt = inputs == 20 || bytes == b"spoilt";
        match what.as_str() {
            "panics" => assert!(!is_spoilt, "no"),
            "hangs" if is_spoilt => std::thread::sleep(Duration::from_secs(3600)),
            // On another thread, as in an engine.
            "fills" if is_spoilt => {
                let filled = std::thread::spawn(|| vec![1_u8; 64 << 20].len());
                assert!(filled.join().is_ok());
            }
            _ => {}
        }
        bytes.len() > 3
    });
    println!("{} inputs", stats.inputs);
}
