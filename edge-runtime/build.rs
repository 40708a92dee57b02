//! Asks the linker for a smaller program: identical functions folded into one, relocations packed.

use std::env;

/// Returns whether one of rustc's flags is about linking. A path that it replaces may have any name.
fn names_linker(flag: &str) -> bool {
    !flag.starts_with("--remap-path-prefix") && flag.contains("link")
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // Rust's own default linker for this target understands the flags; the GNU linker that cross builds use doesn't know
    // the first. A linker that someone chose by flags is left alone.
    let own_linker = env::var_os("RUSTC_LINKER").is_none()
        && env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| !flags.split('\u{1f}').any(names_linker));
    if is("TARGET", "x86_64-unknown-linux-gnu") && is("PROFILE", "release") && own_linker {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
