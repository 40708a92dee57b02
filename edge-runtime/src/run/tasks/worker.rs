//! The thread.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use shared_format::gateway::{Answer, Outcome, Task, TaskRequest};

use super::{Message, Worker};
use crate::clock::Moment;
use crate::log::limited;
use crate::tasks::Lesson;

/// How often the thread looks after a process, and writes the board while photos come.
const BUSY_INTERVAL: Duration = Duration::from_millis(200);
const IDLE_INTERVAL: Duration = Duration::from_millis(500);

impl Worker {
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        self.find_photos();
        self.show_thresholds();
        let mut looked = Moment(0);
        while !self.common.ending.load(Ordering::Relaxed) {
            let is_busy = self.learner.is_some() || self.is_changed;
            match messages.recv_timeout(if is_busy { BUSY_INTERVAL } else { IDLE_INTERVAL }) {
                Ok(Message::Request(connection, request)) => {
                    let number = request.number;
                    let outcome = self.carry_out(&request);
                    // Before the answer: whoever gets it looks at the board.
                    self.write_board();
                    let _ = self.answered.send((connection, Answer { number, outcome }));
                }
                Ok(Message::Photo(product, frame)) => {
                    self.common.waiting.fetch_sub(1, Ordering::Relaxed);
                    self.add_photo(product, &frame);
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Photos may come faster than the board needs to be written.
            let now = Moment::now();
            if now.since(looked) >= BUSY_INTERVAL {
                looked = now;
                self.unused.try_iter().for_each(drop);
                self.look_after_learner();
                self.write_board();
            }
        }
    }

    pub(super) fn write_board(&mut self) {
        if !self.is_changed {
            return;
        }
        match self.board.write() {
            Ok(()) => self.is_changed = false,
            Err(e) => {
                limited!(
                    warn,
                    "cannot write the state of tasks below {}: {e}; check the disk",
                    self.records.display()
                );
            }
        }
    }

    pub(super) fn carry_out(&mut self, request: &TaskRequest) -> Outcome {
        let product = usize::from(request.product);
        let Some(name) = self.line.products.get(product).map(|product| product.name.clone()) else {
            return Outcome::Refused;
        };
        let by = request.by.as_str();
        tracing::info!("{by} asks for {:?} of {name}", request.task);
        match request.task {
            Task::SetThreshold { value } => self.set_threshold(product, Some(value), by),
            Task::ResetThreshold => self.set_threshold(product, None, by),
            Task::Stop => self.stop(),
            _ if self.learner.is_some() => Outcome::Busy,
            Task::TakePhotos { parts } => self.take_photos(request.product, parts),
            Task::LeaveOut { photo, out } => self.leave_out(request.product, photo, out),
            Task::DiscardPhotos => self.discard_photos(request.product),
            Task::TryLearning => {
                self.start_learner(request, "try_learning", &Lesson::Decisions { apply: false })
            }
            Task::Learn => self.start_learner(request, "learn", &Lesson::Decisions { apply: true }),
            Task::RollBack => self.start_learner(request, "roll_back", &Lesson::RollBack),
            Task::Install => self.start_learner(request, "install", &Lesson::Install),
            Task::TryTeaching => self.start_teaching(request, false),
            Task::Teach => self.start_teaching(request, true),
        }
    }
}
