//! When a proxy counts as gone, so that its endpoint is withdrawn: applications lose it then, whatever the proxy does.
//!
//! Relies on the monotonic clock. Promises that a list with gaps proves nothing, nor does one that was read with a credential
//! which has never shown this proxy: it may see less.

use std::time::Duration;

use crate::{
    cloud::auth::fingerprint::Fingerprint,
    plan::facts::{Observed, Seen},
};

/// What was seen of an absence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Absence {
    /// The credential that has shown the proxy last.
    witness: Option<Fingerprint>,
    /// Uptimes of the first and the last look in a row that did not show it.
    missing: Option<(Duration, Duration)>,
}

impl Absence {
    /// Takes in a look with this credential, at this uptime.
    pub fn note(&mut self, observed: &Observed, credential: Option<Fingerprint>, uptime: Duration) {
        let is_missing = match &observed.proxy {
            _ if observed.is_recalled => return,
            Seen::Known(Some(_)) => {
                self.witness = credential;
                false
            }
            Seen::Known(None) => !observed.list_has_gaps,
            Seen::Unknown(trouble) if trouble.is_not_found() => true,
            Seen::NotRead | Seen::Unknown(_) => return,
        };
        // A task of the instance may be what hides it.
        let is_busy = matches!(observed.tasks, Seen::Known(Some(_)));
        let counts = is_missing && !is_busy && credential.is_some() && credential == self.witness;
        self.missing = counts.then(|| {
            let first = self.missing.map_or(uptime, |(first, _)| first);
            (first, uptime)
        });
    }

    /// Whether it was missing for as long as this, as far as the lists of proxies tell. That no task hides it has still to be seen.
    pub fn lasted(&self, long: Duration) -> bool {
        self.missing
            .is_some_and(|(first, last)| last.saturating_sub(first) >= long)
    }

    /// A task of the instance is at work, which may hide the proxy: what was seen until now proves nothing.
    pub fn is_explained(&mut self) {
        self.missing = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cloud::{CloudError, Meaning, Proxy, ProxyStatus, Task},
        model::{JobState, ProxyId},
        plan::facts::Trouble,
    };

    const LONG: Duration = Duration::from_mins(10);

    fn key(text: &str) -> Fingerprint {
        Fingerprint::of([text.as_bytes()])
    }

    fn there() -> Observed {
        let proxy = Proxy {
            id: ProxyId::parse(&format!("{}po01", "a".repeat(32))).unwrap(),
            name: String::new(),
            status: ProxyStatus::Active,
            address: None,
            port: Some(3306),
        };
        Observed {
            proxy: Seen::Known(Some(proxy)),
            ..Observed::default()
        }
    }

    fn missing() -> Observed {
        Observed {
            proxy: Seen::Known(None),
            ..Observed::default()
        }
    }

    /// Whether looks, one each five minutes, prove that the proxy is gone.
    fn proven(looks: &[(Observed, &str)]) -> bool {
        let mut absence = Absence::default();
        for (number, (observed, credential)) in (0..).zip(looks) {
            absence.note(
                observed,
                Some(key(credential)),
                Duration::from_mins(5) * number,
            );
        }
        absence.lasted(LONG)
    }

    #[test]
    fn two_lists_half_a_minute_apart_prove_nothing_and_ten_minutes_do() {
        let (there, gone) = (there(), missing());
        let mut absence = Absence::default();
        let at = Duration::from_secs;
        absence.note(&there, Some(key("a")), at(0));
        absence.note(&gone, Some(key("a")), at(30));
        absence.note(&gone, Some(key("a")), at(60));
        assert!(!absence.lasted(LONG));
        absence.note(&gone, Some(key("a")), at(629));
        assert!(!absence.lasted(LONG));
        absence.note(&gone, Some(key("a")), at(630));
        assert!(absence.lasted(LONG));
        absence.is_explained();
        assert!(!absence.lasted(LONG));
    }

    #[test]
    fn a_credential_that_never_showed_the_proxy_proves_nothing() {
        let gone = |credential| (missing(), credential);
        let seen = (there(), "a");
        assert!(proven(&[seen.clone(), gone("a"), gone("a"), gone("a")]));
        assert!(!proven(&[seen.clone(), gone("b"), gone("b"), gone("b")]));
        assert!(!proven(&[seen, gone("a"), gone("b"), gone("a")]));
        assert!(!proven(&[gone("a"), gone("a"), gone("a"), gone("a")]));
    }

    #[test]
    fn gaps_tasks_and_failures_prove_nothing_and_an_instance_that_is_gone_does() {
        let with = |odd: Observed| {
            let gone = || (missing(), "a");
            proven(&[(there(), "a"), gone(), (odd, "a"), gone()])
        };
        assert!(with(missing()));
        assert!(!with(Observed {
            list_has_gaps: true,
            ..missing()
        }));
        let task = Task {
            job: None,
            instance: None,
            state: JobState::Running("Running".to_owned()),
            created: None,
            ended: None,
        };
        assert!(!with(Observed {
            tasks: Seen::Known(Some(task)),
            ..missing()
        }));
        let failed = |meaning| Observed {
            proxy: Seen::Unknown(Trouble::Cloud(CloudError::local(meaning, "no"))),
            ..Observed::default()
        };
        assert!(with(failed(Meaning::Transient)), "it says nothing");
        let gone = || (failed(Meaning::NotFound), "a");
        assert!(proven(&[(there(), "a"), gone(), gone(), gone()]));
        assert!(!proven(&[(there(), "a"), gone(), (there(), "a"), gone()]));
    }
}
