//! Wrong tokens, counted by where they came from. Knows nothing of tokens.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// So many wrong ones within the time, then silence until it is over.
const MOST: u32 = 10;
const WITHIN: Duration = Duration::from_secs(60);
/// Addresses remembered at once.
const REMEMBERED: usize = 10_000;

#[derive(Default)]
pub struct Attempts(Mutex<HashMap<IpAddr, Tries>>);

struct Tries {
    since: Instant,
    wrong: u32,
}

impl Tries {
    fn over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= WITHIN
    }
}

impl Attempts {
    /// Whether an address has to wait.
    pub fn blocked(&self, from: IpAddr, now: Instant) -> bool {
        self.lock().get(&network(from)).is_some_and(|tries| tries.wrong >= MOST && !tries.over(now))
    }

    /// Counts a wrong one.
    pub fn failed(&self, from: IpAddr, now: Instant) {
        let mut seen = self.lock();
        if seen.len() >= REMEMBERED {
            seen.retain(|_, tries| !tries.over(now));
        }
        if seen.len() >= REMEMBERED
            && let Some(&any) = seen.keys().next()
        {
            seen.remove(&any);
        }
        let tries = seen.entry(network(from)).or_insert(Tries { since: now, wrong: 0 });
        if tries.over(now) {
            *tries = Tries { since: now, wrong: 0 };
        }
        tries.wrong += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Tries>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// One subscriber's addresses count as one: of IPv6 the first 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_wrong_ones_mean_a_minute_of_silence() {
        let (attempts, begin) = (Attempts::default(), Instant::now());
        let (one, other): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "2001:db8:1::1".parse().unwrap());
        for _ in 0..MOST {
            assert!(!attempts.blocked(one, begin));
            attempts.failed(one, begin);
        }
        assert!(attempts.blocked("2001:db8::2".parse().unwrap(), begin), "a neighbour");
        assert!(!attempts.blocked(other, begin));
        assert!(!attempts.blocked(one, begin + WITHIN));
        attempts.failed(one, begin + WITHIN);
        assert!(!attempts.blocked(one, begin + WITHIN), "counted anew");
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let (attempts, begin) = (Attempts::default(), Instant::now());
        for n in 0..REMEMBERED as u32 + 50 {
            attempts.failed(std::net::Ipv4Addr::from_bits(n).into(), begin);
        }
        assert!(attempts.lock().len() <= REMEMBERED);
    }
}
