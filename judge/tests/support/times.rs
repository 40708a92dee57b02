/// Returns the factor on the usual number of files; `cargo xtask nightly` sets more than one.
pub fn times() -> u64 {
    let Ok(times) = std::env::var("NOMINAL_TEST_TIMES") else { return 1 };
    times.parse().unwrap_or_else(|_| panic!("NOMINAL_TEST_TIMES is {times:?}; set it to a number"))
}
