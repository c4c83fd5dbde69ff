//! Browsers that have logged in. Kept in memory alone: a restart ends them all. Knows nothing of tokens or cookies.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::types::Secret;

/// How long one lasts.
pub const LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many there may be; the oldest goes first.
const MOST: usize = 256;

/// When each ends, by the hash of its id: looking one up by guessing tells nothing by its time.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<blake3::Hash, Instant>>);

impl Sessions {
    pub fn begin(&self, now: Instant) -> Secret {
        let id = Secret::random();
        let mut open = self.lock();
        open.retain(|_, end| *end > now);
        while open.len() >= MOST {
            let oldest = *open.iter().min_by_key(|(_, end)| **end).expect("it is full").0;
            open.remove(&oldest);
        }
        open.insert(hash(id.expose()), now + LIFE);
        id
    }

    pub fn knows(&self, id: &str, now: Instant) -> bool {
        self.lock().get(&hash(id)).is_some_and(|end| *end > now)
    }

    pub fn end(&self, id: &str) {
        self.lock().remove(&hash(id));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<blake3::Hash, Instant>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

fn hash(id: &str) -> blake3::Hash {
    blake3::hash(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_time_by_wish_and_when_there_are_too_many() {
        let (sessions, begin) = (Sessions::default(), Instant::now());
        let first = sessions.begin(begin);
        assert!(sessions.knows(first.expose(), begin));
        assert!(!sessions.knows(first.expose(), begin + LIFE));
        let second = sessions.begin(begin + Duration::from_secs(1));
        sessions.end(second.expose());
        assert!(!sessions.knows(second.expose(), begin));
        let newest =
            (0..MOST as u64).map(|n| sessions.begin(begin + Duration::from_secs(2 + n))).last().unwrap();
        assert!(!sessions.knows(first.expose(), begin));
        assert!(sessions.knows(newest.expose(), begin));
    }
}
