//! Slows down whoever guesses passwords.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Role;
use crate::page::neighbour;

/// Wrong passwords from one address before it has to wait.
const FREE: u32 = 5;
/// How long it then has to wait after each further one.
const WAIT: Duration = Duration::from_secs(60);
/// After this time without a wrong password, an address starts afresh.
const FORGET: Duration = Duration::from_secs(900);
/// The most addresses that are remembered; then the one that was wrong longest ago is forgotten.
const MAX_ADDRESSES: usize = 1024;

/// Wrong passwords by address and role: who has one role's password must not guess the other's for nothing.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<(IpAddr, Role), (u32, Instant)>>);

impl Attempts {
    /// Returns how long an address still has to wait; `None` if it may try.
    pub fn wait(&self, address: IpAddr, role: Role, now: Instant) -> Option<Duration> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (failures, last) = attempts.get(&(neighbour(address), role))?;
        let since = now.saturating_duration_since(*last);
        (*failures >= FREE).then(|| WAIT.saturating_sub(since)).filter(|wait| !wait.is_zero())
    }

    /// Counts a wrong password.
    pub fn failed(&self, address: IpAddr, role: Role, now: Instant) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, (_, last)| now.saturating_duration_since(*last) < FORGET);
        let guesser = (neighbour(address), role);
        if attempts.len() >= MAX_ADDRESSES && !attempts.contains_key(&guesser) {
            let oldest = attempts.iter().min_by_key(|(_, (_, last))| *last).map(|(guesser, _)| *guesser);
            oldest.and_then(|guesser| attempts.remove(&guesser));
        }
        let (failures, last) = attempts.entry(guesser).or_insert((0, now));
        *failures = failures.saturating_add(1);
        *last = now;
    }

    /// Forgets an address that has given the right one.
    pub fn succeeded(&self, address: IpAddr, role: Role) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(neighbour(address), role));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_five_wrong_ones_an_address_waits_a_minute_and_others_do_not() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        let [guesser, neighbour, other]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::ffff:1", "10.0.0.1"].map(|text| text.parse().unwrap());
        for _ in 0..5 {
            assert_eq!(attempts.wait(guesser, Role::Operator, start), None);
            attempts.failed(guesser, Role::Operator, start);
        }
        assert_eq!(attempts.wait(guesser, Role::Operator, start), Some(Duration::from_secs(60)));
        assert!(
            attempts.wait(neighbour, Role::Operator, start).is_some()
                && attempts.wait(other, Role::Operator, start).is_none()
        );
        let later = start + Duration::from_secs(60);
        assert_eq!(attempts.wait(guesser, Role::Operator, later), None);
        attempts.failed(guesser, Role::Operator, later);
        assert!(attempts.wait(guesser, Role::Operator, later + Duration::from_secs(59)).is_some());
        attempts.succeeded(guesser, Role::Engineer);
        assert!(attempts.wait(guesser, Role::Operator, later).is_some(), "another password was right");
        assert!(attempts.wait(guesser, Role::Engineer, later).is_none());
        attempts.succeeded(guesser, Role::Operator);
        assert_eq!(attempts.wait(guesser, Role::Operator, later), None);
    }

    #[test]
    fn many_addresses_do_not_fill_the_memory() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        (0..5000_u32).for_each(|n| {
            attempts.failed(IpAddr::V4(n.into()), Role::Operator, now + Duration::from_millis(n.into()))
        });
        assert_eq!(attempts.0.lock().unwrap().len(), MAX_ADDRESSES);
    }
}
