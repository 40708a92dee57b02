//! Waiting for a deadline, for messages and for devices at the same time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, read, write};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use crate::clock::Moment;

/// Maximum number of devices that can be waited for at once.
pub const MAX_FDS: usize = 4;

/// What ended the wait; all fields are unset if it was a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WakeReason {
    /// The deadline has passed.
    pub due: bool,
    /// [`Waker::wake`] was called.
    pub messages: bool,
    /// Devices that have something to read or are gone; one bit each, lowest first.
    fds: u8,
}

impl WakeReason {
    /// Returns whether the device at `index` of the list has something to read or is gone.
    #[must_use]
    pub const fn fd(&self, index: usize) -> bool {
        index < MAX_FDS && self.fds & (1 << index) != 0
    }
}

/// Waits for whichever event comes first. One thread waits, others wake it.
///
/// The deadline is a kernel timer (`timerfd`): the timeout of `ppoll` starts at the call and may be lengthened by the
/// thread's timer slack.
#[derive(Debug)]
pub struct Waiter {
    timer: OwnedFd,
    messages: Arc<OwnedFd>,
}

/// Wakes a [`Waiter`] from any thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Wakes the waiter, or makes its next wait return at once. Never blocks.
    pub fn wake(&self) {
        // This fails only if the counter is full, and then the waiter has already been woken.
        let _ = write(&*self.0, &1u64.to_ne_bytes());
    }
}

impl Waiter {
    /// Creates a waiter that has not been woken yet.
    ///
    /// # Errors
    /// If the system has no more file descriptors.
    pub fn new() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let messages = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { timer, messages: Arc::new(messages) })
    }

    /// Returns a handle that wakes it.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.messages))
    }

    /// Waits for `deadline`, a message, or something to read on one of `fds`; only the first [`MAX_FDS`] count.
    ///
    /// # Errors
    /// If the system can't wait; later calls would fail too.
    pub fn wait(&mut self, deadline: Option<Moment>, fds: &[BorrowedFd<'_>]) -> io::Result<WakeReason> {
        let devices = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN));
        self.wait_for(deadline, devices)
    }

    /// Like [`Self::wait`], with the events to wait for chosen by the caller.
    pub(crate) fn wait_for<'f>(
        &'f self,
        deadline: Option<Moment>,
        devices: impl Iterator<Item = PollFd<'f>>,
    ) -> io::Result<WakeReason> {
        self.set_timer(deadline)?;
        // Unused entries request no events.
        let absent = || PollFd::new(&*self.messages, PollFlags::empty());
        let mut polled: [PollFd<'_>; 2 + MAX_FDS] = std::array::from_fn(|_| absent());
        let own = [PollFd::new(&self.timer, PollFlags::IN), PollFd::new(&*self.messages, PollFlags::IN)];
        let mut used = 0;
        for (slot, fd) in polled.iter_mut().zip(own.into_iter().chain(devices)) {
            *slot = fd;
            used += 1;
        }
        match poll(polled.get_mut(..used).unwrap_or_default(), None) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(WakeReason::default()),
            Err(e) => return Err(e.into()),
        }
        let mut woken = WakeReason::default();
        for (index, fd) in polled.iter().enumerate() {
            let ready = !fd.revents().is_empty();
            match index {
                0 => woken.due = ready,
                1 => woken.messages = ready,
                _ => woken.fds |= u8::from(ready) << (index - 2),
            }
        }
        if woken.messages {
            clear(self.messages.as_fd());
        }
        Ok(woken)
    }

    fn set_timer(&self, deadline: Option<Moment>) -> io::Result<()> {
        // Zero would disarm it; a deadline in the past is due at once.
        let at = deadline.map_or(0, |deadline| deadline.0.max(1));
        let it_value = Timespec { tv_sec: seconds(at), tv_nsec: nanoseconds(at) };
        let timer = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &timer)?;
        Ok(())
    }
}

fn seconds(at: u64) -> i64 {
    // At most 584 years.
    i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX)
}

fn nanoseconds(at: u64) -> rustix::time::Nsecs {
    (at % 1_000_000_000) as rustix::time::Nsecs
}

/// Clears the counter of messages: the woken thread looks at all of them.
fn clear(fd: BorrowedFd<'_>) {
    let _ = read(fd, &mut [0u8; 8]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(60);

    fn in_a_minute() -> Option<Moment> {
        Some(Moment::now() + LONG)
    }

    #[test]
    fn a_deadline_ends_the_wait_and_not_before() {
        let mut waiter = Waiter::new().unwrap();
        for ms in [0, 1, 20] {
            let deadline = Moment::now() + Duration::from_millis(ms);
            let woken = waiter.wait(Some(deadline), &[]).unwrap();
            assert_eq!(woken, WakeReason { due: true, ..WakeReason::default() });
            assert!(Moment::now() >= deadline);
        }
        // The past is due at once, however long ago.
        assert!(waiter.wait(Some(Moment(0)), &[]).unwrap().due);
        assert!(waiter.wait(Some(Moment(5)), &[]).unwrap().due);
    }

    #[test]
    fn a_message_before_or_during_the_wait_ends_it_once() {
        let mut waiter = Waiter::new().unwrap();
        let waker = waiter.waker();
        waker.wake();
        waker.wake();
        let messages = WakeReason { messages: true, ..WakeReason::default() };
        assert_eq!(waiter.wait(None, &[]).unwrap(), messages);
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            waker.wake();
        });
        assert_eq!(waiter.wait(in_a_minute(), &[]).unwrap(), messages);
        other.join().unwrap();
        // All messages have been consumed.
        let soon = Some(Moment::now() + Duration::from_millis(5));
        assert!(!waiter.wait(soon, &[]).unwrap().messages);
    }

    #[test]
    fn devices_are_told_apart_and_a_gone_one_is_noticed() {
        let mut waiter = Waiter::new().unwrap();
        let (silent, _keep) = std::io::pipe().unwrap();
        let (speaking, mut writer) = std::io::pipe().unwrap();
        let (gone, _) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, b"x").unwrap();
        let woken = waiter.wait(in_a_minute(), &[silent.as_fd(), speaking.as_fd(), gone.as_fd()]).unwrap();
        assert!(!woken.due && !woken.messages);
        assert_eq!([0, 1, 2, 3, 99].map(|index| woken.fd(index)), [false, true, true, false, false]);
    }

    #[test]
    fn many_wakers_lose_nothing() {
        let mut waiter = Waiter::new().unwrap();
        let count = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let others: Vec<_> = (0..4)
            .map(|_| {
                let (waker, count) = (waiter.waker(), Arc::clone(&count));
                std::thread::spawn(move || {
                    for _ in 0..1000 {
                        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        waker.wake();
                    }
                })
            })
            .collect();
        let mut seen = 0;
        while seen < 4000 {
            assert!(!waiter.wait(in_a_minute(), &[]).unwrap().due, "{seen} of 4000 after a minute");
            seen = count.load(std::sync::atomic::Ordering::SeqCst);
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    }
}
