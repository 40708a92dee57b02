//! How long tests take.

/// Returns the factor on the usual number of files, parts or kills; `cargo xtask nightly` sets more than one.
///
/// # Panics
/// If `NOMINAL_TEST_TIMES` is no number.
#[must_use]
pub fn times() -> u64 {
    let Ok(times) = std::env::var("NOMINAL_TEST_TIMES") else { return 1 };
    times.parse().unwrap_or_else(|_| panic!("NOMINAL_TEST_TIMES is {times:?}; set it to a number"))
}
