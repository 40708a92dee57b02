//! The GPIO inputs of a chip, via the kernel's character device.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use gpiocdev::Request;
use gpiocdev::line::{EdgeDetection, EdgeKind, EventClock, Value, Values};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::edges::{Edge, EdgeReader};
use super::{Event, Inputs};
use crate::clock::Moment;
use crate::line_file::GpioConfig;

/// Edges that the kernel buffers: the maximum it allows, 0.1 s at 10,000 ticks per second.
const KERNEL_EDGES: u32 = 1024;
/// Maximum edges per read.
const BATCH: usize = 64;
/// Maximum batches per call: an input that never rests must not delay the gate.
const MAX_BATCHES: usize = 16;

/// Reason why the input lines can't be requested.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot take the inputs {lines} of {chip}: {source}; check gpio.chip or gpio.input_chip, the line offsets (`gpioinfo` \
     lists them with their users) and that this user may open the chip"
)]
pub struct GpioInputError {
    chip: String,
    lines: String,
    source: gpiocdev::Error,
}

/// The input lines of one chip, and their edges with the kernel's timestamps (`CLOCK_MONOTONIC`).
#[derive(Debug)]
pub struct GpioInputs {
    request: Request,
    reader: EdgeReader,
    buffer: Vec<u64>,
}

impl GpioInputs {
    /// Requests all input lines of the line file at once, and appends the events that follow from their levels to `events`.
    /// Returns `None` if there are no inputs.
    ///
    /// # Errors
    /// [`GpioInputError`].
    pub fn open(gpio: &GpioConfig, events: &mut Vec<Event>) -> Result<Option<Self>, GpioInputError> {
        let mut reader = EdgeReader::new(gpio);
        if reader.lines().len() == 0 {
            return Ok(None);
        }
        let failed = |source| GpioInputError {
            chip: gpio.input_chip().display().to_string(),
            lines: reader.lines().map(|line| line.line.to_string()).collect::<Vec<_>>().join(", "),
            source,
        };
        let request = request_lines(gpio, &reader).map_err(failed)?;
        let mut levels = Values::default();
        request.values(&mut levels).map_err(failed)?;
        let buffer = vec![0; BATCH * request.edge_event_u64_size()];
        reader.start(Moment::now(), |line| levels.get(line) == Some(Value::Active), events);
        Ok(Some(Self { request, reader, buffer }))
    }

    /// Returns whether there are edges to read: otherwise reading would block.
    fn is_readable(&self) -> io::Result<bool> {
        match poll(&mut [PollFd::new(&self.request, PollFlags::IN)], Some(&Timespec::default())) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    fn decode_edges(&mut self, words: usize, events: &mut Vec<Event>) -> io::Result<()> {
        let read = self.buffer.get(..words).unwrap_or_default();
        for one in read.chunks_exact(self.request.edge_event_u64_size()) {
            let edge = self.request.edge_event_from_slice(one).map_err(io::Error::other)?;
            let edge = Edge {
                line: edge.offset,
                active: edge.kind == EdgeKind::Rising,
                at: Moment(edge.timestamp_ns),
                number: edge.line_seqno,
            };
            self.reader.edge(edge, events);
        }
        Ok(())
    }
}

impl Inputs for GpioInputs {
    fn fd(&self) -> BorrowedFd<'_> {
        self.request.as_fd()
    }

    fn read(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        for _ in 0..MAX_BATCHES {
            if !self.is_readable()? {
                break;
            }
            let words =
                self.request.read_edge_events_into_slice(&mut self.buffer).map_err(io::Error::other)?;
            self.decode_edges(words, events)?;
        }
        self.reader.settle(Moment::now(), events);
        Ok(())
    }

    fn next_wake(&self) -> Option<Moment> {
        self.reader.next_wake()
    }

    fn lost_edges(&self) -> u64 {
        self.reader.lost_edges()
    }
}

fn request_lines(gpio: &GpioConfig, reader: &EdgeReader) -> gpiocdev::Result<Request> {
    let mut builder = Request::builder();
    builder.on_chip(gpio.input_chip()).with_consumer("nominal").with_kernel_event_buffer_size(KERNEL_EDGES);
    for line in reader.lines() {
        builder.with_line(line.line).as_input();
        if line.active_low {
            builder.as_active_low();
        }
        // Not debounced by the kernel; see `debouncer`.
        builder.with_event_clock(EventClock::Monotonic).with_edge_detection(if line.both_edges {
            EdgeDetection::BothEdges
        } else {
            EdgeDetection::RisingEdge
        });
    }
    builder.request()
}
