//! Slows guessing down: whoever fails to log in waits longer before the next try is even looked at.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use turncoat_core::id::UserId;

/// The wait after the first failure; it doubles with each one after.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait. An account is slowed down and never closed: a stranger must not be able to
/// keep its owner out.
const LONGEST: Duration = Duration::from_secs(3);
/// After this long without a failure all is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);
/// Users who are remembered at most. Beyond, those who failed longest ago are forgotten.
const USERS_MAX: usize = 4096;

/// Who failed to log in lately. Users who do not exist are treated like those who do.
#[derive(Debug, Default)]
pub struct Door {
    failures: BTreeMap<UserId, (u32, Instant)>,
}

impl Door {
    /// How long a login of this user waits.
    #[must_use]
    pub fn wait(&self, user: &UserId, now: Instant) -> Duration {
        let recent = self.failures.get(user);
        let recent = recent.filter(|(_, last)| now.saturating_duration_since(*last) < FORGOTTEN);
        match recent {
            None => Duration::ZERO,
            Some((count, _)) => {
                let doubled = 1_u32
                    .checked_shl(count.saturating_sub(1))
                    .unwrap_or(u32::MAX);
                FIRST.saturating_mul(doubled).min(LONGEST)
            }
        }
    }

    /// Notes how a login ended.
    pub fn note(&mut self, user: UserId, failed: bool, now: Instant) {
        if !failed {
            self.failures.remove(&user);
            return;
        }
        if self.failures.len() >= USERS_MAX && !self.failures.contains_key(&user) {
            let oldest = self.failures.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(oldest) = oldest.map(|(user, _)| *user) {
                self.failures.remove(&oldest);
            }
        }
        let entry = self.failures.entry(user).or_insert((0, now));
        *entry = (entry.0.saturating_add(1).min(16), now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use turncoat_core::id::UserId;

    use super::{Door, FORGOTTEN, LONGEST, USERS_MAX};

    fn user(number: usize) -> UserId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        UserId(id)
    }

    #[test]
    fn a_guesser_waits_longer_each_time_and_a_login_ends_it() {
        let mut door = Door::default();
        let now = Instant::now();
        assert_eq!(door.wait(&user(1), now), Duration::ZERO);
        let mut before = Duration::ZERO;
        for _ in 0..5 {
            door.note(user(1), true, now);
            let wait = door.wait(&user(1), now);
            assert!(wait > before);
            before = wait;
        }
        for _ in 0..100 {
            door.note(user(1), true, now);
        }
        assert_eq!(door.wait(&user(1), now), LONGEST);
        assert_eq!(door.wait(&user(2), now), Duration::ZERO);
        assert_eq!(door.wait(&user(1), now + FORGOTTEN), Duration::ZERO);
        door.note(user(1), false, now);
        assert_eq!(door.wait(&user(1), now), Duration::ZERO);
    }

    #[test]
    fn a_crowd_of_names_is_bounded() {
        let mut door = Door::default();
        let now = Instant::now();
        for number in 0..USERS_MAX + 100 {
            door.note(
                user(number),
                true,
                now + Duration::from_micros(number as u64),
            );
        }
        assert_eq!(door.failures.len(), USERS_MAX);
        assert!(door.wait(&user(USERS_MAX + 99), now + FORGOTTEN / 2) > Duration::ZERO);
    }
}
