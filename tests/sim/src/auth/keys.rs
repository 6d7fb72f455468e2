//! Access keys: who signed, and the lock that follows from wrong signatures.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::signature::Claim;
use super::{Denied, Identity, Scope, Signed, X_SECURITY_TOKEN, text};
use crate::accounts::AccessKey;
use crate::clock::later;
use crate::times;

/// How far a signature's date may lie from the service's clock, either way (signing guide).
const TOLERANCE: Duration = Duration::from_mins(15);
/// More than this many failures in a row block a key (signing guide).
const FAILURES_ALLOWED: u32 = 5;
/// For how long (signing guide).
const BLOCKED_FOR: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub(crate) struct Keys(BTreeMap<String, Entry>);

#[derive(Debug)]
struct Entry {
    key: AccessKey,
    failures: u32,
    blocked_until: Option<Timestamp>,
    /// When a temporary key ends.
    expires: Option<Timestamp>,
}

impl Keys {
    pub(super) fn new(keys: &[AccessKey], now: Timestamp) -> Self {
        let mut known = Self(BTreeMap::new());
        for key in keys {
            known.add(key.clone());
            if let Some(time) = key.blocked_for {
                known.block(&key.id, time, now);
            }
        }
        known
    }

    /// Adds a key, or gives a known one another secret and a clean sheet.
    pub(crate) fn add(&mut self, key: AccessKey) {
        self.0.insert(
            key.id.clone(),
            Entry {
                key,
                failures: 0,
                blocked_until: None,
                expires: None,
            },
        );
    }

    /// Adds a key that is good until then.
    pub(crate) fn issue(&mut self, key: AccessKey, expires: Timestamp) {
        let id = key.id.clone();
        self.add(key);
        if let Some(entry) = self.0.get_mut(&id) {
            entry.expires = Some(expires);
        }
    }

    /// Forgets a key; false if it wasn't known.
    pub(crate) fn remove(&mut self, id: &str) -> bool {
        self.0.remove(id).is_some()
    }

    /// Blocks a key for a while, as its wrong signatures would; false if it isn't known.
    pub(crate) fn block(&mut self, id: &str, time: Duration, now: Timestamp) -> bool {
        let entry = self.0.get_mut(id);
        entry
            .map(|entry| entry.blocked_until = Some(later(now, time)))
            .is_some()
    }

    /// Until when a key is blocked, if it is.
    pub(crate) fn blocked_until(&self, id: &str, now: Timestamp) -> Option<Timestamp> {
        self.0.get(id)?.blocked_until.filter(|until| now < *until)
    }

    /// Verifies a signature; `service_clock` is the real time as the service has it.
    pub(super) fn admit(
        &mut self,
        signed: &Signed<'_>,
        now: Timestamp,
        service_clock: Timestamp,
    ) -> Result<Identity, Denied> {
        let claim = text(signed.headers, "authorization").and_then(Claim::parse);
        let claim = claim.ok_or_else(|| {
            Denied::new(
                None,
                "the Authorization header is not of the form SDK-HMAC-SHA256",
            )
        })?;
        let entry = self.0.get_mut(&claim.access_key);
        let entry = entry.ok_or_else(|| Denied::new(None, "no such access key"))?;
        let credential = entry.key.id.clone();
        if entry.blocked_until.is_some_and(|until| now < until) {
            return Err(Denied::new(
                Some(&credential),
                "too many failures, access is forbidden for a while",
            ));
        }
        if entry.expires.is_some_and(|expires| expires <= now) {
            return Err(Denied::new(
                Some(&credential),
                "the temporary key has expired, get a new one",
            ));
        }
        match entry.check(signed, &claim, service_clock) {
            Ok(()) => {
                entry.failures = 0;
                Ok(Identity {
                    credential,
                    account: entry.key.account.clone(),
                    scope: Scope::Everything,
                })
            }
            Err(reason) => {
                entry.failures += 1;
                if entry.failures > FAILURES_ALLOWED {
                    entry.failures = 0;
                    entry.blocked_until = Some(later(now, BLOCKED_FOR));
                }
                Err(Denied::new(Some(&credential), reason))
            }
        }
    }
}

impl Entry {
    fn check(
        &self,
        signed: &Signed<'_>,
        claim: &Claim,
        service_clock: Timestamp,
    ) -> Result<(), String> {
        let date = text(signed.headers, "x-sdk-date").and_then(times::parse_sdk_date);
        let date = date.ok_or("X-Sdk-Date is missing or not of the form 20060102T150405Z")?;
        let off = service_clock.duration_since(date).unsigned_abs();
        if off > TOLERANCE {
            return Err(format!(
                "the signature has expired: its date is {} s away from the service's clock",
                off.as_secs()
            ));
        }
        signed
            .verify(claim, self.key.secret.expose_secret())
            .map_err(|mismatch| mismatch.to_string())?;
        let wanted = self
            .key
            .security_token
            .as_ref()
            .map(ExposeSecret::expose_secret);
        if text(signed.headers, X_SECURITY_TOKEN) == wanted {
            Ok(())
        } else {
            Err("X-Security-Token does not belong to this access key".to_owned())
        }
    }
}
