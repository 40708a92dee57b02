//! The gate thread's intake: events, verdicts, losses of either, and holds.

use std::sync::atomic::Ordering;

use super::{GateLoop, Gatekeeper};
use crate::clock::Moment;
use crate::gate::Hold;
use crate::input::{Event, EventKind};
use crate::run::mailbox::{CAPACITY, LostMessages, Message};
use crate::run::problems::add;

impl GateLoop {
    pub(super) fn take_events(&mut self) {
        let problems = &self.keeper.shared.problems;
        if let Some(inputs) = &mut self.keeper.inputs {
            let read = inputs.read(&mut self.events);
            problems.lost_edges.store(inputs.lost_edges(), Ordering::Relaxed);
            if read.is_err() {
                // A missing chip would wake this thread forever. Without inputs, parts pass unseen, so the line is held.
                self.keeper.inputs = None;
                self.inputs_lost = true;
                problems.inputs_lost.store(true, Ordering::Relaxed);
            }
        }
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            self.handle(event);
        }
        self.events = events;
    }

    pub(super) fn take_messages(&mut self) {
        // Read before the messages: whatever is lost by now was sent after those in the queue.
        let lost = self.keeper.mailbox.lost();
        // At most as many as fit in, so that a constant stream of messages can't hold up the gate.
        for _ in 0..CAPACITY {
            let Some((lost, message)) = self.keeper.mailbox.take() else { break };
            self.unpublished = true;
            match message {
                Message::Event(event) => {
                    self.account_for_losses(lost, event.at);
                    self.handle(event);
                }
                Message::Verdict(verdict) => {
                    self.account_for_losses(lost, Moment::now());
                    self.verdict(verdict);
                }
            }
        }
        self.account_for_losses(lost, Moment::now());
    }

    /// Accounts for messages that were lost up to `at`: their parts go to the safe side.
    fn account_for_losses(&mut self, lost: LostMessages, at: Moment) {
        let triggers = lost.triggers.saturating_sub(self.lost.triggers);
        self.lose_triggers(triggers, at);
        if lost.movements > self.lost.movements {
            self.keeper.gate.lose_tracking(at);
            self.unpublished = true;
        }
        // Other threads may have seen smaller counts when they sent.
        self.lost.triggers = self.lost.triggers.max(lost.triggers);
        self.lost.movements = self.lost.movements.max(lost.movements);
    }

    /// Accounts for parts that passed unseen up to `at`: they get numbers, but nothing else is known of them.
    pub(super) fn lose_triggers(&mut self, parts: u64, at: Moment) {
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        self.keeper.gate.lose_triggers(self.part + 1, parts, self.product, at);
        self.part += u64::from(parts);
        add(&self.keeper.shared.problems.lost_triggers, parts.into());
        self.unpublished |= parts > 0;
    }

    pub(super) fn hold(&mut self, now: Moment) {
        let Gatekeeper { gate, mailbox, encoder, outputs, shared, .. } = &mut self.keeper;
        // In this order: sight must be up to date before the line becomes ready.
        let not_ready = mailbox.is_held(Hold::NotReady);
        let unseen = self.unseen_parts.update(mailbox.is_held(Hold::Blind), !not_ready, now);
        let silent = encoder.check(gate.under_way() > 0, now);
        let holds = [
            (Hold::NotReady, not_ready, gate.alarms().not_ready),
            (Hold::Blind, unseen || silent || self.inputs_lost, gate.alarms().blind),
            (
                Hold::Output,
                outputs.is_failing() || mailbox.is_held(Hold::Output),
                gate.alarms().output_failed,
            ),
        ];
        for (hold, on, was) in holds {
            self.unpublished |= on != was;
            gate.hold(hold, on);
        }
        let problems = &shared.problems;
        problems.unseen_parts.store(self.unseen_parts.is_draining(), Ordering::Relaxed);
        if problems.encoder_silent.swap(silent, Ordering::Relaxed) != silent && silent {
            add(&problems.encoder_silences, 1);
        }
    }

    fn handle(&mut self, event: Event) {
        self.unpublished = true;
        let Gatekeeper { gate, encoder, shared, challenge, .. } = &mut self.keeper;
        match event.kind {
            EventKind::Trigger => self.trigger(event.at),
            EventKind::TriggersLost { parts } => self.lose_triggers(parts.into(), event.at),
            EventKind::Encoder { ticks } => {
                if encoder.tick(event.at) {
                    gate.lose_tracking(event.at);
                }
                gate.encoder(ticks, event.at);
                self.unseen_parts.encoder(ticks);
            }
            EventKind::EncoderJump => {
                add(&shared.problems.encoder_jumps, 1);
                encoder.tick(event.at);
                gate.lose_tracking(event.at);
            }
            EventKind::Belt { running } => {
                gate.belt(running, event.at);
                encoder.belt(running, event.at);
                self.unseen_parts.belt(running, event.at);
            }
            EventKind::Fell => gate.fell(),
            EventKind::Challenge => gate.challenge(*challenge),
            EventKind::Acknowledge => gate.acknowledge(),
            EventKind::Product(product) => self.set_product(product),
            EventKind::Select(number) => {
                let selected = self.keeper.selected_by.iter().find(|(by, _)| *by == number);
                if let Some((_, product)) = selected {
                    self.set_product(usize::from(*product));
                }
            }
        }
    }
}
