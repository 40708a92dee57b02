//! A program that works beside a running line.

/// Gives way to all other programs: the line that started this one is running. If memory runs out, this program is the first to end, and
/// it ends with its line. A system that refuses changes nothing but that.
pub fn give_way() {
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let _ = rustix::process::nice(19);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}
