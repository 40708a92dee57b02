//! The port's thread: opens the device, serves it, and reopens it when it is gone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::outgoing::Outgoing;
use super::port::Port;
use super::state::PortState;
use crate::clock::Moment;
use crate::line_file::SerialConfig;
use crate::link::LinkReceiver;
use crate::log::limited;
use crate::realtime::Waiter;

/// Pause between attempts to open the device; doubled each time.
const FIRST_RETRY_PAUSE: Duration = Duration::from_millis(100);
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(5);
/// If the device was open for this long, the pauses start over when it is gone; one that comes and goes keeps the long
/// pauses.
const STABLE_TIME: Duration = Duration::from_secs(5);
/// How long the device is given, at the end, to take what still waits to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// Maximum bytes per read.
const READ_SIZE: usize = 512;

pub(super) struct PortThread {
    serial: SerialConfig,
    receiver: Box<dyn LinkReceiver>,
    shared: Arc<PortState>,
    waiter: Waiter,
}

impl PortThread {
    pub(super) fn new(
        serial: SerialConfig,
        receiver: Box<dyn LinkReceiver>,
        shared: Arc<PortState>,
        waiter: Waiter,
    ) -> Self {
        Self { serial, receiver, shared, waiter }
    }

    pub(super) fn run(mut self) {
        let device = self.serial.device.display().to_string();
        let mut pause = FIRST_RETRY_PAUSE;
        // The warning is logged only once each time the device is gone.
        let mut warned = false;
        while !self.is_ending() {
            let opened = Moment::now();
            let gone = match Port::open(&self.serial) {
                Ok(port) => {
                    limited!(info, "the serial device {device} is open");
                    warned = false;
                    self.serve_until_gone(&port)
                }
                Err(e) => Err(e),
            };
            if Moment::now().since(opened) >= STABLE_TIME {
                pause = FIRST_RETRY_PAUSE;
            }
            if let Err(e) = gone
                && !std::mem::replace(&mut warned, true)
            {
                limited!(
                    warn,
                    "the serial device {device} can't be used: {e}; plug it in, or check serial.device"
                );
            }
            self.sleep(pause);
            pause = (pause * 2).min(MAX_RETRY_PAUSE);
        }
        while self.shared.queue.pop().is_some() {
            self.shared.queue.count_dropped();
        }
    }

    fn serve_until_gone(&mut self, port: &Port) -> io::Result<()> {
        self.shared.opened.fetch_add(1, Ordering::Relaxed);
        self.shared.connected.store(true, Ordering::Relaxed);
        self.receiver.connected(true);
        let mut outgoing = Outgoing::new(self.serial.format);
        let result = self.serve(port, &mut outgoing);
        if outgoing.is_torn() {
            self.shared.queue.count_dropped();
        }
        self.receiver.connected(false);
        self.shared.connected.store(false, Ordering::Relaxed);
        result
    }

    /// Reads and writes until the device is gone or the link ends.
    fn serve(&mut self, port: &Port, outgoing: &mut Outgoing) -> io::Result<()> {
        let mut bytes = [0; READ_SIZE];
        let mut end = None;
        loop {
            if end.is_none() && self.is_ending() {
                end = Some(Moment::now() + FLUSH_TIMEOUT);
            }
            let all_sent = outgoing.send(port, &self.shared.queue)?;
            if end.is_some_and(|end| all_sent || end <= Moment::now()) {
                return Ok(());
            }
            let wanted = if all_sent { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
            let device = PollFd::from_borrowed_fd(port.fd(), wanted);
            self.waiter.wait_for(end, std::iter::once(device))?;
            let now = Moment::now();
            let read = port.read(&mut bytes)?;
            let read = bytes.get(..read).unwrap_or_default();
            self.receiver.receive(read, now, &mut |answer| outgoing.answer(answer));
        }
    }

    fn sleep(&mut self, pause: Duration) {
        let until = Moment::now() + pause;
        // Each report wakes the thread too.
        while !self.is_ending() && Moment::now() < until {
            if self.waiter.wait(Some(until), &[]).is_err() {
                std::thread::sleep(pause);
            }
        }
    }

    fn is_ending(&self) -> bool {
        self.shared.ending.load(Ordering::Acquire)
    }
}
