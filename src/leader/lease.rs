//! What a Lease says, whoever wrote it, and what is written into it. No I/O, no clock.
//!
//! Times in a lease are of other machines' clocks: they are compared with each other, never with ours.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};

use crate::model::Moment;

/// For how long a lease that is not renewed is still its holder's.
pub const TERM: Duration = Duration::from_secs(15);

/// A lease that asks for more is not believed: whoever wrote it is none of ours, and would keep everybody waiting.
pub const LONGEST_TERM: Duration = Duration::from_mins(1);

/// Whose a lease is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// This process wrote it last.
    Ours,
    /// Nobody holds it, or its holder has not renewed it in time.
    Free,
    /// Somebody else holds it, and it runs out after this unless it is renewed.
    Held { by: String, left: Duration },
}

/// What was seen of a lease that others hold, and since when it has stood unchanged.
#[derive(Debug, Default)]
pub(super) struct Observation(Option<(LeaseSpec, Duration)>);

impl Observation {
    /// Takes in a lease that was read, and judges it at this uptime. One that is seen for the first time may have been
    /// written just now.
    pub(super) fn judge(&mut self, lease: &Lease, identity: &str, uptime: Duration) -> Standing {
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder == identity {
            return Standing::Ours;
        }
        if holder.is_empty() {
            return Standing::Free;
        }
        let term = term_of(&spec);
        let since = match &self.0 {
            Some((seen, since)) if *seen == spec => *since,
            _ => uptime,
        };
        self.0 = Some((spec, since));
        match (since + term).checked_sub(uptime) {
            Some(left) if !left.is_zero() => Standing::Held { by: holder, left },
            _ => Standing::Free,
        }
    }
}

/// Absent, null, zero and negative durations stand for the usual one.
fn term_of(spec: &LeaseSpec) -> Duration {
    spec.lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0)
        .map_or(TERM, Duration::from_secs)
        .min(LONGEST_TERM)
}

/// The lease as `identity` holds it from now on, or still does; `current` is what stands there.
///
/// Its time differs from that of every other renewal: an unchanged lease counts as one that was not renewed.
pub(super) fn held(current: Lease, identity: &str, now: Moment) -> Lease {
    let before = current.spec.unwrap_or_default();
    let fraction = Duration::from_micros(now.uptime.subsec_micros().into());
    let time = MicroTime(now.wall.saturating_add(fraction).unwrap_or(now.wall));
    let goes_on = before.holder_identity.as_deref() == Some(identity);
    let transitions = before.lease_transitions.unwrap_or_default().max(0);
    let spec = LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: i32::try_from(TERM.as_secs()).ok(),
        acquire_time: before
            .acquire_time
            .filter(|_| goes_on)
            .or_else(|| Some(time.clone())),
        renew_time: Some(time),
        lease_transitions: Some(transitions.saturating_add(i32::from(!goes_on))),
        ..LeaseSpec::default()
    };
    Lease {
        metadata: current.metadata,
        spec: Some(spec),
    }
}

/// The lease as nobody holds it; how often it changed hands is kept.
pub(super) fn given_back(current: Lease) -> Lease {
    let before = current.spec.unwrap_or_default();
    Lease {
        metadata: current.metadata,
        spec: Some(LeaseSpec {
            lease_transitions: before.lease_transitions,
            ..LeaseSpec::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    fn lease(spec: &Value) -> Lease {
        serde_json::from_value(json!({"metadata": {"name": "operator"}, "spec": spec})).unwrap()
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_lease_of_another_is_free_once_it_was_seen_unchanged_for_its_term() {
        let written = lease(
            &json!({"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}),
        );
        let mut seen = Observation::default();
        let held = |left| Standing::Held {
            by: "a".to_owned(),
            left: seconds(left),
        };
        assert_eq!(seen.judge(&written, "b", seconds(1000)), held(15));
        assert_eq!(seen.judge(&written, "b", seconds(1014)), held(1));
        assert_eq!(seen.judge(&written, "b", seconds(1015)), Standing::Free);
        let renewed = lease(
            &json!({"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2020-01-01T00:00:00.000000Z"}),
        );
        let wait = seen.judge(&renewed, "b", seconds(1016));
        assert_eq!(wait, held(15), "by a clock that is years behind");
        assert_eq!(seen.judge(&written, "a", seconds(1016)), Standing::Ours);
    }

    #[test]
    fn what_others_touch_beside_the_term_prolongs_nothing() {
        let mut written = lease(&json!({"holderIdentity": "a", "leaseDurationSeconds": 15}));
        let mut seen = Observation::default();
        seen.judge(&written, "b", seconds(0));
        written.metadata.resource_version = Some("7".to_owned());
        let labels = [("touched".to_owned(), "yes".to_owned())];
        written.metadata.labels = Some(labels.into());
        assert_eq!(seen.judge(&written, "b", seconds(15)), Standing::Free);
    }

    #[test]
    fn odd_contents_keep_nobody_waiting_for_long() {
        let free = [
            json!({}),
            Value::Null,
            json!({"holderIdentity": null, "renewTime": "2099-01-01T00:00:00.000000Z"}),
            json!({"holderIdentity": ""}),
        ];
        for spec in free {
            let mut seen = Observation::default();
            let lease = lease(&spec);
            assert_eq!(seen.judge(&lease, "b", seconds(0)), Standing::Free);
        }
        let terms = [
            (json!(null), 15),
            (json!(0), 15),
            (json!(-3), 15),
            (json!(1), 1),
            (json!(2_000_000_000), 60),
        ];
        for (term, wait) in terms {
            let lease = lease(
                &json!({"holderIdentity": "a", "leaseDurationSeconds": term, "leaseTransitions": -1}),
            );
            let mut seen = Observation::default();
            seen.judge(&lease, "b", seconds(0));
            let before = seen.judge(&lease, "b", seconds(wait - 1));
            assert!(matches!(before, Standing::Held { .. }), "{term}");
            let then = seen.judge(&lease, "b", seconds(wait));
            assert_eq!(then, Standing::Free, "{term}");
        }
    }

    #[test]
    fn a_term_that_goes_on_keeps_its_beginning_and_a_new_one_is_counted() {
        let wall = |second| Timestamp::from_second(second).unwrap();
        let at = |second| Moment::new(wall(second), Duration::from_millis(250));
        let shown = |second| MicroTime(wall(second) + Duration::from_millis(250));
        let first = held(lease(&json!({"leaseTransitions": 4})), "a", at(100));
        let spec = first.spec.clone().unwrap();
        assert_eq!(
            (spec.lease_transitions, spec.lease_duration_seconds),
            (Some(5), Some(15))
        );
        let again = held(first, "a", at(105)).spec.unwrap();
        assert_eq!(again.acquire_time, Some(shown(100)));
        assert_eq!(again.renew_time, Some(shown(105)));
        assert_eq!(again.lease_transitions, Some(5));
        let free = given_back(lease(
            &json!({"holderIdentity": "a", "leaseTransitions": 5}),
        ));
        let mut seen = Observation::default();
        assert_eq!(seen.judge(&free, "b", seconds(0)), Standing::Free);
        assert_eq!(free.spec.unwrap().lease_transitions, Some(5));
    }
}
