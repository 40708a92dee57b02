//! Measures how much memory is available on this machine and in this container.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Assumed if the system doesn't report it.
const UNKNOWN: usize = 6 << 30;

/// The files with the limits of this process's control groups: each line of `/proc/self/cgroup` is
/// `hierarchy:controllers:path`, and version 2 has no controllers.
struct Version {
    folder: &'static str,
    limit: &'static str,
    used: &'static str,
    /// The part of the used memory that the kernel reclaims by itself: file contents not accessed recently.
    reclaimable: &'static str,
}

const V1: Version = Version {
    folder: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};
const V2: Version = Version {
    folder: "sys/fs/cgroup",
    limit: "memory.max",
    used: "memory.current",
    reclaimable: "inactive_file",
};

/// Returns the memory in bytes that this process can still allocate: the machine's, or less if a control group (a
/// container) limits it.
#[must_use]
pub fn available() -> usize {
    available_below(Path::new("/")).unwrap_or(UNKNOWN)
}

fn available_below(root: &Path) -> Option<usize> {
    let machine = read_to_string(root.join("proc/meminfo"))
        .ok()
        .and_then(|text| number_after(&text, "MemAvailable:"))
        .map(|kib| kib.saturating_mul(1024));
    let groups = read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| in_group(root, line));
    machine.into_iter().chain(limits).min()
}

/// Returns the least free memory in the group that a line names and in all groups above it, since each has a limit.
fn in_group(root: &Path, line: &str) -> Option<usize> {
    let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
    let version = match controllers {
        "" => V2,
        _ if controllers.split(',').any(|name| name == "memory") => V1,
        _ => return None,
    };
    let top = root.join(version.folder);
    // Inside a container the path can be the host's, of which only the topmost folder is visible.
    let group: PathBuf = top.join(path.trim_start_matches('/'));
    group.ancestors().take_while(|folder| folder.starts_with(&top)).filter_map(|g| free(g, &version)).min()
}

fn free(group: &Path, version: &Version) -> Option<usize> {
    let read = |file: &str| read_to_string(group.join(file)).ok();
    // If there is no limit, the file contains `max` or is missing.
    let limit: usize = read(version.limit)?.trim().parse().ok()?;
    let used: usize = read(version.used)?.trim().parse().ok()?;
    let reclaimable = read("memory.stat").and_then(|text| number_after(&text, version.reclaimable));
    Some(limit.saturating_sub(used.saturating_sub(reclaimable.unwrap_or(0))))
}

/// Returns the number in the line whose first word is `name`.
fn number_after(text: &str, name: &str) -> Option<usize> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| if words.next() == Some(name) { words.next()?.parse().ok() } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> Option<usize> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        available_below(root.path())
    }

    const MEMINFO: (&str, &str) =
        ("proc/meminfo", "MemTotal: 900 kB\nMemFree: 1 kB\nMemAvailable:     800 kB\n");

    #[test]
    fn without_limits_it_is_what_the_machine_has() {
        assert_eq!(machine(&[]), None);
        assert_eq!(machine(&[MEMINFO]), Some(800 * 1024));
        let unlimited = [MEMINFO, ("proc/self/cgroup", "0::/a\n"), ("sys/fs/cgroup/a/memory.max", "max\n")];
        assert_eq!(machine(&unlimited), Some(800 * 1024));
    }

    #[test]
    fn version_2_takes_the_tightest_group_and_counts_file_contents_as_free() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/outer/inner\n"),
            ("sys/fs/cgroup/outer/inner/memory.max", "700000\n"),
            ("sys/fs/cgroup/outer/inner/memory.current", "100000\n"),
            ("sys/fs/cgroup/outer/memory.max", "300000\n"),
            ("sys/fs/cgroup/outer/memory.current", "200000\n"),
            ("sys/fs/cgroup/outer/memory.stat", "anon 1\nfile 60000\ninactive_file 50000\n"),
        ];
        assert_eq!(machine(&files), Some(150_000));
    }

    #[test]
    fn version_1_in_a_container_sees_the_topmost_group_only() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/0123\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "500000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "600000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 200000\n"),
        ];
        assert_eq!(machine(&files), Some(100_000));
        // A limit can leave nothing.
        assert_eq!(machine(&files[..4]), Some(0));
    }
}
