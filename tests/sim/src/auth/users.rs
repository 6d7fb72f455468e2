//! Users that sign in with a password, and the lock that follows from wrong ones.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::accounts::User;
use crate::clock::{earlier, later};

/// This many wrong passwords ... (IAM's default policy)
const FAILURES_ALLOWED: usize = 5;
/// ... within this time ...
const FAILURES_COUNT_FOR: Duration = Duration::from_mins(15);
/// ... lock the user for this long.
const LOCKED_FOR: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(crate) struct Users(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    user: User,
    failures: Vec<Timestamp>,
    locked_until: Option<Timestamp>,
}

/// Why nobody was signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInError {
    /// No such user, or not this password; IAM doesn't tell which.
    Wrong,
    /// Too many wrong passwords.
    Locked,
}

impl Users {
    pub(super) fn new(users: &[User], now: Timestamp) -> Self {
        let entry = |user: &User| Entry {
            user: user.clone(),
            failures: Vec::new(),
            locked_until: user.locked_for.map(|time| later(now, time)),
        };
        Self(users.iter().map(entry).collect())
    }

    /// Checks a password and keeps count of the wrong ones.
    pub(crate) fn sign_in(
        &mut self,
        domain: &str,
        name: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<(), SignInError> {
        let entry = self.find(domain, name).ok_or(SignInError::Wrong)?;
        if entry.locked_until.is_some_and(|until| now < until) {
            return Err(SignInError::Locked);
        }
        if entry.user.password.expose_secret() == password {
            entry.failures.clear();
            return Ok(());
        }
        entry
            .failures
            .retain(|at| earlier(now, FAILURES_COUNT_FOR) < *at);
        entry.failures.push(now);
        if entry.failures.len() >= FAILURES_ALLOWED {
            entry.failures.clear();
            entry.locked_until = Some(later(now, LOCKED_FOR));
        }
        Err(SignInError::Wrong)
    }

    /// Gives a user another password; false if there is no such user.
    pub(crate) fn set_password(
        &mut self,
        domain: &str,
        name: &str,
        password: SecretString,
    ) -> bool {
        self.find(domain, name)
            .map(|entry| entry.user.password = password)
            .is_some()
    }

    /// Locks a user for a while, as wrong passwords would; false if there is no such user.
    pub(crate) fn lock(
        &mut self,
        domain: &str,
        name: &str,
        time: Duration,
        now: Timestamp,
    ) -> bool {
        self.find(domain, name)
            .map(|entry| entry.locked_until = Some(later(now, time)))
            .is_some()
    }

    /// The names of an account's users, in the order in which they were made.
    pub(crate) fn of(&self, domain: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |entry| entry.user.domain == domain)
            .map(|entry| &*entry.user.name)
    }

    fn find(&mut self, domain: &str, name: &str) -> Option<&mut Entry> {
        self.0
            .iter_mut()
            .find(|entry| entry.user.domain == domain && entry.user.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        let user = User {
            domain: "d".to_owned(),
            name: "u".to_owned(),
            password: "right".into(),
            locked_for: None,
        };
        Users::new(&[user], minute(0))
    }

    fn minute(count: i64) -> Timestamp {
        Timestamp::from_second(count * 60).unwrap()
    }

    #[test]
    fn five_wrong_passwords_within_fifteen_minutes_lock_the_right_one_out_for_fifteen() {
        let mut users = users();
        for _ in 0..5 {
            assert_eq!(
                users.sign_in("d", "u", "wrong", minute(0)),
                Err(SignInError::Wrong)
            );
        }
        assert_eq!(
            users.sign_in("d", "u", "right", minute(14)),
            Err(SignInError::Locked)
        );
        assert_eq!(users.sign_in("d", "u", "right", minute(15)), Ok(()));
    }

    #[test]
    fn failures_are_forgotten_after_a_success_and_with_time() {
        let mut users = users();
        for time in [0, 0, 0, 0, 15] {
            assert_eq!(
                users.sign_in("d", "u", "wrong", minute(time)),
                Err(SignInError::Wrong)
            );
        }
        assert_eq!(users.sign_in("d", "u", "right", minute(15)), Ok(()));
        for _ in 0..4 {
            assert_eq!(
                users.sign_in("d", "u", "wrong", minute(16)),
                Err(SignInError::Wrong)
            );
        }
        assert_eq!(users.sign_in("d", "u", "right", minute(16)), Ok(()));
    }

    #[test]
    fn strangers_are_just_wrong() {
        assert_eq!(
            users().sign_in("d", "v", "right", minute(0)),
            Err(SignInError::Wrong)
        );
        assert_eq!(
            users().sign_in("e", "u", "right", minute(0)),
            Err(SignInError::Wrong)
        );
    }
}
