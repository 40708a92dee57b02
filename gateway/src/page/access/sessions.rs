//! Who is logged in. Sessions are kept in memory: a restart ends them all.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::crypto::ring;

use super::Role;

/// The most sessions at once; the oldest ends when there is one more.
const MAX_SESSIONS: usize = 256;
/// Changes that a person may ask for at once, and how many more each second.
const BURST: f64 = 20.0;
const PER_SECOND: f64 = 5.0;

/// A person who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What they may do.
    pub role: Role,
    /// The name that they gave.
    pub name: String,
    /// What requests that change something must repeat: other sites can't read it.
    pub csrf: String,
}

#[derive(Debug)]
struct Stored {
    session: Session,
    /// The hash of the password that opened it.
    password_hash: String,
    since: Instant,
    allowance: f64,
    counted: Instant,
}

/// All sessions, by the SHA-256 of their tokens: comparing these tells nothing about a token, whatever time it takes.
#[derive(Debug)]
pub struct Sessions {
    lifetime: Duration,
    by_token: Mutex<HashMap<[u8; 32], Stored>>,
}

impl Sessions {
    /// Creates an empty set of sessions that last for these hours.
    pub fn new(hours: u32) -> Self {
        Self { lifetime: Duration::from_secs(3600 * u64::from(hours)), by_token: Mutex::default() }
    }

    /// Returns how long a session lasts.
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Opens a session and returns its token; `None` if the system has no random numbers.
    pub fn open(
        &self,
        role: Role,
        name: String,
        password_hash: String,
        now: Instant,
    ) -> Option<(String, Session)> {
        let (token, csrf) = (random()?, random()?);
        let session = Session { role, name, csrf };
        let stored =
            Stored { session: session.clone(), password_hash, since: now, allowance: BURST, counted: now };
        let mut sessions = self.live(now);
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, stored)| stored.since).map(|(key, _)| *key);
            oldest.and_then(|key| sessions.remove(&key));
        }
        sessions.insert(key(&token), stored);
        Some((token, session))
    }

    /// Returns the session of a token, if it has not ended.
    pub fn find(&self, token: &str, now: Instant) -> Option<Session> {
        self.live(now).get(&key(token)).map(|stored| stored.session.clone())
    }

    /// Whether the session of a token may ask for one more change now.
    pub fn may_change(&self, token: &str, now: Instant) -> bool {
        let mut sessions = self.live(now);
        let Some(stored) = sessions.get_mut(&key(token)) else { return false };
        let passed = now.saturating_duration_since(stored.counted).as_secs_f64();
        stored.allowance = (stored.allowance + passed * PER_SECOND).min(BURST);
        stored.counted = now;
        let may = stored.allowance >= 1.0;
        if may {
            stored.allowance -= 1.0;
        }
        may
    }

    /// Ends a session.
    pub fn close(&self, token: &str) {
        self.lock().remove(&key(token));
    }

    /// Ends the sessions whose password is no longer that of their role.
    pub fn end_outdated(&self, hash_of: impl Fn(Role) -> Option<String>) {
        let hashes = [Role::Operator, Role::Engineer].map(|role| (role, hash_of(role)));
        self.lock().retain(|_, stored| {
            let now = hashes.iter().find(|(role, _)| *role == stored.session.role);
            now.and_then(|(_, hash)| hash.as_ref()) == Some(&stored.password_hash)
        });
    }

    fn live(&self, now: Instant) -> MutexGuard<'_, HashMap<[u8; 32], Stored>> {
        let mut sessions = self.lock();
        sessions.retain(|_, stored| now.saturating_duration_since(stored.since) < self.lifetime);
        sessions
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Stored>> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Whether a request repeats this session's value.
    pub fn is_own(&self, csrf: Option<&str>) -> bool {
        csrf.is_some_and(|given| key(given) == key(&self.csrf))
    }
}

fn key(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Returns 256 random bits in hex digits.
fn random() -> Option<String> {
    let mut bytes = [0; 32];
    ring::default_provider().secure_random.fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(sessions: &Sessions, role: Role, now: Instant) -> (String, Session) {
        sessions.open(role, "anna".to_owned(), format!("hash of {role:?}"), now).unwrap()
    }

    #[test]
    fn a_session_is_found_by_its_token_until_it_ends() {
        let (sessions, start) = (Sessions::new(1), Instant::now());
        let (token, session) = open(&sessions, Role::Operator, start);
        let (other, _) = open(&sessions, Role::Engineer, start);
        assert!(token.len() == 64 && token != other && token != session.csrf);
        assert_eq!(sessions.find(&token, start + Duration::from_secs(3599)), Some(session.clone()));
        for wrong in ["", &token[1..], &token.to_uppercase(), &session.csrf] {
            assert_eq!(sessions.find(wrong, start), None, "{wrong}");
        }
        assert!(
            session.is_own(Some(&session.csrf)) && !session.is_own(None) && !session.is_own(Some(&token))
        );
        sessions.close(&other);
        assert_eq!(sessions.find(&other, start), None);
        assert_eq!(sessions.find(&token, start + Duration::from_secs(3600)), None);
    }

    #[test]
    fn a_changed_password_ends_the_sessions_of_its_role() {
        let (sessions, now) = (Sessions::new(1), Instant::now());
        let (operator, engineer) =
            (open(&sessions, Role::Operator, now).0, open(&sessions, Role::Engineer, now).0);
        sessions.end_outdated(|role| (role == Role::Operator).then(|| "hash of Operator".to_owned()));
        assert!(sessions.find(&operator, now).is_some() && sessions.find(&engineer, now).is_none());
    }

    #[test]
    fn there_are_only_so_many_sessions_and_only_so_many_changes_a_second() {
        let (sessions, now) = (Sessions::new(1), Instant::now());
        let (first, _) = open(&sessions, Role::Operator, now);
        let later = now + Duration::from_secs(1);
        let tokens: Vec<_> = (0..MAX_SESSIONS).map(|_| open(&sessions, Role::Operator, later).0).collect();
        assert!(sessions.find(&first, later).is_none());
        assert!(tokens.iter().all(|token| sessions.find(token, later).is_some()));
        let changes = |at| (0..100).filter(|_| sessions.may_change(&tokens[0], at)).count();
        assert_eq!((changes(later), changes(later + Duration::from_secs(2))), (20, 10));
        assert!(!sessions.may_change("x", later));
    }
}
