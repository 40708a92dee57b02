//! Requests for priority, timers and memory, each with the system's answer.

use std::fmt;
use std::io;
use std::thread::Builder;

use rustix::mm::{MlockAllFlags, mlockall};

/// The gate's priority among `SCHED_FIFO` threads, 1 to 99: just below the kernel's own interrupt threads (50), which
/// deliver the edges that the gate waits for.
pub const PRIORITY: i32 = 49;
/// Nanoseconds by which a sleep may last longer than requested. The system's default is 50 µs.
const TIMER_SLACK: libc::c_ulong = 1;

/// Stack size of a side thread in bytes; the default is 2 MiB.
const SIDE_STACK: usize = 512 << 10;

/// A request to the system and its result.
#[derive(Debug)]
pub struct Grant {
    what: &'static str,
    consequence: &'static str,
    refused: Option<io::Error>,
}

impl Grant {
    fn new(what: &'static str, consequence: &'static str, result: io::Result<()>) -> Self {
        Self { what, consequence, refused: result.err() }
    }

    /// Returns whether it was granted.
    #[must_use]
    pub const fn is_granted(&self) -> bool {
        self.refused.is_none()
    }
}

/// A sentence for the log.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refused {
            None => write!(f, "{}: granted", self.what),
            Some(reason) => write!(f, "{}: refused ({reason}); {}", self.what, self.consequence),
        }
    }
}

/// Requests real-time priority and exact timers for the calling thread. A refusal changes nothing: the line works, but a
/// busy machine delays its gate.
#[must_use]
pub fn request_realtime() -> [Grant; 2] {
    [
        Grant::new(
            "real-time priority for the gate (SCHED_FIFO)",
            "a busy machine may delay the gate; give the service LimitRTPRIO=49 or the capability CAP_SYS_NICE",
            set_realtime_priority(),
        ),
        Grant::new(
            "exact timers for the gate (timer slack of 1 ns)",
            "the gate may wake 50 µs late; no action is needed if the real-time priority is granted",
            set_timer_slack(),
        ),
    ]
}

/// Keeps the process's current memory from being paged out, and pages in what isn't resident yet: program, libraries,
/// bundles, stacks. Call it once, when all bundles are open.
///
/// It doesn't cover later allocations (`MCL_FUTURE`): under a limit, each of them would then fail instead of being
/// pageable, and without one, every passing frame would be pinned.
#[must_use]
pub fn lock_memory() -> Grant {
    Grant::new(
        "memory that is never paged out",
        "the first part after a pause may be late; give the service LimitMEMLOCK=infinity or the capability CAP_IPC_LOCK",
        mlockall(MlockAllFlags::CURRENT).map_err(io::Error::from),
    )
}

/// Prepares a thread off the parts' path. [`lock_memory`] pages in whole stacks, so a thread with shallow calls gets a
/// small one.
pub fn side_thread(name: &str) -> Builder {
    Builder::new().name(name.to_owned()).stack_size(SIDE_STACK)
}

fn set_realtime_priority() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    // A thread started by this one must not inherit the priority.
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the pointer is to a local value that outlives the call, which only reads it; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set_timer_slack() -> io::Result<()> {
    // SAFETY: this option takes one number and no pointer, and changes nothing but the calling thread's timers.
    let result = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_is_in_force_and_what_is_refused_is_said() {
        // In a separate thread, so that no other test gets the priority.
        let check = || {
            let [priority, timers] = request_realtime();
            // SAFETY: 0 is the calling thread, and no pointer is given.
            let policy = || unsafe { libc::sched_getscheduler(0) } & !libc::SCHED_RESET_ON_FORK;
            assert_eq!(policy() == libc::SCHED_FIFO, priority.is_granted(), "{priority}");
            assert_eq!(std::thread::spawn(policy).join().unwrap(), libc::SCHED_OTHER);
            // SAFETY: this option takes no pointer.
            let slack = unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) };
            // The system reports no slack for a real-time thread, which has none anyway.
            assert!(!timers.is_granted() || slack <= 1, "{timers}, slack {slack}");
        };
        std::thread::spawn(check).join().unwrap();
    }

    #[test]
    fn memory_is_locked_where_that_is_granted() {
        let grant = lock_memory();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        let kib: u64 = locked.split_whitespace().next().unwrap().parse().unwrap();
        assert_eq!(kib > 0, grant.is_granted(), "{grant}, {kib} KiB");
        rustix::mm::munlockall().unwrap();
    }

    #[test]
    fn a_refusal_names_the_reason_and_the_next_action() {
        let refused = Grant::new("x", "give y", Err(io::Error::from(io::ErrorKind::PermissionDenied)));
        assert!(!refused.is_granted());
        assert_eq!(refused.to_string(), "x: refused (permission denied); give y");
        assert_eq!(Grant::new("x", "give y", Ok(())).to_string(), "x: granted");
    }
}
