//! The guards against lock-outs, one for each pair of an access key (or user) and a secret.
//!
//! Whoever sends a pair sends it through the same guard: resources, Secrets, namespaces and projects alike. What is kept is
//! bounded: a guard goes when nobody uses its pair any longer and its refusals no longer count. No secret is kept.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    fingerprint::Fingerprint,
    ledger::{Arrival, Leave, Ledger, Limits},
    secret::{Credential, Identity},
};
use crate::{
    clock::Clock,
    cloud::{
        CloudError,
        lanes::{Lane, Lanes},
    },
    pace::LockOut,
};

/// All guards of a process.
#[derive(Debug)]
pub struct Guards {
    lock_out: LockOut,
    patience: Duration,
    clock: Clock,
    keys: Mutex<HashMap<Fingerprint, Arc<Key>>>,
}

#[derive(Debug)]
struct Key {
    ledger: Mutex<Ledger>,
    probe: Arc<Lanes>,
}

/// The guard of one pair, as one of its users holds it.
#[derive(Debug)]
pub struct Guard {
    key: Arc<Key>,
    pair: Fingerprint,
    clock: Clock,
}

/// A call that is under way; it ends when this is dropped.
#[derive(Debug)]
pub struct Call {
    key: Arc<Key>,
    pair: Fingerprint,
}

impl Guards {
    /// Nobody waits for the try of another pair longer than `patience`.
    pub fn new(lock_out: LockOut, patience: Duration, clock: Clock) -> Self {
        Self {
            lock_out,
            patience,
            clock,
            keys: Mutex::default(),
        }
    }

    /// The guard of a credential that is sent to `realm`: the place that knows its users.
    pub fn guard(&self, credential: &Credential, realm: &str) -> Guard {
        let Identity { kind, name, secret } = credential.identity();
        let named = [realm, kind]
            .into_iter()
            .chain(name.iter().map(|part| &**part));
        let named: Vec<&[u8]> = named.map(str::as_bytes).collect();
        let key = Fingerprint::of(named.iter().copied());
        let secret = secret.iter().map(|part| part.as_bytes());
        let pair = Fingerprint::of(named.into_iter().chain(secret));
        let window = match credential {
            Credential::Password { .. } => self.lock_out.user_window,
            Credential::AccessKey { .. }
            | Credential::Token(_)
            | Credential::Workload(_)
            | Credential::Machine(_) => self.lock_out.key_window,
        };
        let uptime = self.clock.now().uptime;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, key| Arc::strong_count(key) > 1 || !key.ledger().is_empty(uptime));
        let limits = Limits {
            window,
            pause: self.lock_out.pause,
        };
        let key = keys.entry(key).or_insert_with(|| {
            Arc::new(Key {
                ledger: Mutex::new(Ledger::new(limits)),
                probe: Lanes::new(1, self.patience, self.clock),
            })
        });
        key.ledger().join(pair);
        Guard {
            key: Arc::clone(key),
            pair,
            clock: self.clock,
        }
    }

    /// How many keys and users are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.keys.lock().unwrap().len()
    }
}

impl Key {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let uptime = self.uptime();
        self.key.ledger().leave(self.pair, uptime);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.key.ledger().ended(self.pair);
    }
}

impl Guard {
    /// A caller comes, and may have to wait for another's call.
    pub fn arrive(&self) -> Arrival {
        self.key.ledger().arrive(self.pair)
    }

    /// Whether the pair was believed, and not refused twice since.
    pub fn is_proven(&self) -> bool {
        self.key.ledger().is_proven(self.pair)
    }

    /// Waits for the turn to try a pair that was not believed yet: one at a time for all of one key.
    pub async fn probe(&self) -> Result<Lane, CloudError> {
        let what = "the first call with this credential was not answered yet";
        self.key.probe.enter(what).await
    }

    /// How many lanes a call has to take.
    pub fn lanes(&self) -> u32 {
        self.key.ledger().lanes(self.pair, self.uptime())
    }

    /// Leave for a call that has taken so many lanes; nothing if it has to come again ([`Ledger::admit`]).
    pub fn admit(
        &self,
        arrival: Arrival,
        lanes: u32,
        alone: bool,
    ) -> Result<Option<Call>, CloudError> {
        let uptime = self.uptime();
        let leave = self
            .key
            .ledger()
            .admit(self.pair, arrival, (lanes, alone), uptime)?;
        Ok((leave == Leave::Go).then(|| Call {
            key: Arc::clone(&self.key),
            pair: self.pair,
        }))
    }

    /// The pair was refused.
    pub fn refused(&self, error: &CloudError) {
        let uptime = self.uptime();
        self.key.ledger().pair_refused(self.pair, error, uptime);
    }

    /// A token was refused that can be had anew.
    pub fn token_refused(&self, error: &CloudError) {
        let uptime = self.uptime();
        self.key.ledger().token_refused(self.pair, error, uptime);
    }

    /// The pair was believed.
    pub fn accepted(&self) {
        self.key.ledger().accepted(self.pair);
    }

    /// Stands for the pair where something is kept by pair.
    pub fn pair(&self) -> Fingerprint {
        self.pair
    }

    fn uptime(&self) -> Duration {
        self.clock.now().uptime
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Shift, cloud::Meaning};

    fn key(access_key: &str, secret: &str) -> Credential {
        Credential::AccessKey {
            access_key: access_key.into(),
            secret_key: secret.into(),
            security_token: None,
        }
    }

    fn guards(clock: Clock) -> Guards {
        let minutes = Duration::from_mins;
        let lock_out = LockOut {
            key_window: minutes(5),
            user_window: minutes(15),
            pause: minutes(16),
        };
        Guards::new(lock_out, Duration::ZERO, clock)
    }

    #[test]
    fn one_pair_has_one_guard_whoever_uses_it_and_another_realm_has_its_own() {
        let guards = guards(Clock::start());
        let mine = guards.guard(&key("AK", "SK"), "https://a");
        let yours = guards.guard(&key("AK", "SK"), "https://a");
        let elsewhere = guards.guard(&key("AK", "SK"), "https://b");
        let other = guards.guard(&key("AK", "guess"), "https://a");
        mine.accepted();
        assert!(yours.is_proven() && !elsewhere.is_proven() && !other.is_proven());
        assert_eq!(guards.len(), 2);
    }

    #[test]
    fn guards_are_forgotten_when_nobody_uses_them_and_their_refusals_no_longer_count() {
        let shift = Shift::forever();
        let guards = guards(Clock::start().shifted(shift));
        let refusal = CloudError::local(Meaning::Unauthenticated, "no");
        for number in 0..1000 {
            let guard = guards.guard(&key(&format!("AK{number}"), "SK"), "https://a");
            let arrival = guard.arrive();
            assert!(guard.admit(arrival, 1, true).unwrap().is_some());
            guard.refused(&refusal);
        }
        // Whoever comes back is remembered.
        let back = guards.guard(&key("AK0", "SK"), "https://a");
        assert!(back.admit(back.arrive(), 1, true).is_err());
        drop(back);
        assert_eq!(guards.len(), 1000);
        shift.pass(Duration::from_mins(17));
        let _last = guards.guard(&key("AK", "SK"), "https://a");
        assert_eq!(guards.len(), 1);
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let guards = guards(Clock::start());
        let guard = guards.guard(&key("CANARY1", "CANARY2"), "https://a");
        assert!(!format!("{guards:?} {guard:?}").contains("CANARY"));
    }
}
