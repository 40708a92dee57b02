//! Lets every binary and test of this package find libtorch without LD_LIBRARY_PATH.

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    println!("cargo:rerun-if-env-changed=NOMINAL_LIBTORCH_RPATH");
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        // A release finds it beside itself and not where it was on the machine that built it.
        let lib = std::env::var("NOMINAL_LIBTORCH_RPATH").unwrap_or(lib);
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
