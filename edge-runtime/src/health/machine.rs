//! The machine and its resources.

use serde::Serialize;

/// The properties of the machine that matter for judging.
#[derive(Debug, Serialize)]
pub struct System {
    /// Operating system.
    pub os: &'static str,
    /// Processor architecture.
    pub arch: &'static str,
    /// Instruction sets of this processor that the engine can use.
    pub cpu_features: Vec<&'static str>,
    /// Number of threads that can run at the same time.
    pub cores: usize,
    /// Memory in MiB; `None` if the system doesn't say.
    pub memory_mib: Option<u64>,
    /// The part of it that is free for programs, in MiB.
    pub available_mib: Option<u64>,
}

impl System {
    /// Probes the machine.
    pub fn probe() -> Self {
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cpu_features: cpu_features(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            memory_mib: kib_field(&memory, "MemTotal").map(|kib| kib / 1024),
            available_mib: kib_field(&memory, "MemAvailable").map(|kib| kib / 1024),
        }
    }
}

/// Returns the most memory that this process has held so far, in MiB; `None` if the system doesn't say.
pub fn peak_rss_mib() -> Option<f64> {
    status_mib("VmHWM")
}

/// Returns the memory that this process holds now, in MiB; `None` if the system doesn't say.
pub fn rss_mib() -> Option<f64> {
    status_mib("VmRSS")
}

fn status_mib(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    kib_field(&status, field).map(|kib| kib as f64 / 1024.0)
}

/// Returns the number in a line like `MemTotal:   16384 kB`.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    let features = [
        ("sse4.1", has!("sse4.1")),
        ("avx", has!("avx")),
        ("fma", has!("fma")),
        ("avx2", has!("avx2")),
        ("avx512f", has!("avx512f")),
        ("avx512vnni", has!("avx512vnni")),
    ];
    features.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(target_arch = "aarch64")]
fn cpu_features() -> Vec<&'static str> {
    use std::arch::is_aarch64_feature_detected as has;
    let features = [
        ("neon", has!("neon")),
        ("fp16", has!("fp16")),
        ("dotprod", has!("dotprod")),
        ("i8mm", has!("i8mm")),
        ("sve", has!("sve")),
    ];
    features.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::kib_field;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "MemTotalX:  1 kB\nMemTotal:       16384 kB\nMemFree: x\n";
        assert_eq!(kib_field(text, "MemTotal"), Some(16384));
        assert_eq!(kib_field(text, "MemFree"), None);
        assert_eq!(kib_field(text, "Swap"), None);
    }
}
