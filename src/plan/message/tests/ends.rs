//! Each wait says until when it lasts, or it is known why nobody can say.
//!
//! Promises that no cause is left out: they stand in a `match` over all of them.

use strum::IntoEnumIterator as _;

use super::*;
use crate::{
    fleet::claims::{Opening, Rival},
    model::Moment,
    plan::{
        admitting::{Unchecked, Verdict},
        step::{CauseDiscriminants as Kind, End},
    },
};

const TIME: &str = "2026-03-02T08:41:05Z";

/// What is said of when a wait ends.
enum Says {
    /// It ends then.
    Until,
    /// It ends then or later.
    NotBefore,
    /// It ends about then.
    TurnAt,
    /// The change starts then or later.
    Starts,
    /// So it does once it is approved.
    StartsApproved,
    /// It is decided then or later.
    Decides,
    /// The time stands in the text of its own.
    InItsText,
    /// Nothing, for this reason.
    Nothing(&'static str),
}

const PERSON: &str = "it ends when a person has acted";
const AT_ONCE: &str = "it is no wait: the next step is being taken";
const THE_CLOUD: &str = "it ends when the cloud has finished, which tells nobody when that is";
const THE_API_SERVER: &str = "it ends when the API server takes what it refused in passing";
const ANSWER: &str = "it ends with the answer to a call that is under way or due";

/// A cause of each kind as it waits, and what is said of its end.
#[expect(clippy::too_many_lines, reason = "a row for each cause")]
fn sample(kind: Kind) -> (Cause, Says) {
    let time = at(TIME);
    let job = || JobId::parse("job-1").unwrap();
    let order = Order {
        from: 3306,
        to: Port::new(3307).unwrap(),
        attempt: 1,
    };
    let throttled = CloudError {
        retry_after: Some(Duration::from_secs(65)),
        ..answered(Meaning::Throttled, "APIGW.0308", "too many")
    };
    let retry = Retry {
        cause: FailureCause::JobFailed,
        said: None,
        attempt: 2,
        most: Some(4),
        at: time,
    };
    match kind {
        Kind::Verifying => {
            let until = Some(time);
            let has_job = true;
            (Cause::Verifying { until, has_job }, Says::Until)
        }
        Kind::WatchingOutcome => (Cause::WatchingOutcome(time), Says::Until),
        Kind::ListBehind => {
            let cause = Cause::ListBehind {
                shown: 3306,
                changed: 3307,
                until: time,
            };
            (cause, Says::Until)
        }
        Kind::Newcomer => (Cause::Newcomer(Doubt::Start), Says::Until),
        Kind::ListsLag => (Cause::ListsLag(Some(job()), By::Others), Says::Until),
        Kind::GivenUpLately => (Cause::GivenUpLately(job()), Says::Until),
        Kind::FailedLately => (Cause::FailedLately, Says::Until),
        Kind::TakingOver => (Cause::TakingOver(Opening::Before), Says::Until),
        // Unless a task of the instance is at work: that ends when it ends.
        Kind::OutcomeUnknown => (Cause::OutcomeUnknown(Some(time)), Says::Decides),
        Kind::JobLost => (Cause::JobLost(job(), Some(time)), Says::Until),
        Kind::JobAbandoned => (Cause::JobAbandoned(job(), Some(time)), Says::NotBefore),
        Kind::WaitingForCalls => (Cause::WaitingForCalls(time), Says::TurnAt),
        Kind::ConfirmingAbsence => (Cause::ConfirmingAbsence(time), Says::NotBefore),
        // What merely fails is tried again ever more slowly: its time would cost a write with each try.
        Kind::Passing => (Cause::Passing(throttled, Some(time)), Says::NotBefore),
        // What is read is looked at again and again; a person has to act. A change that was refused is tried again then.
        Kind::Blocked => {
            let error = answered(Meaning::Blocked, "DBS.200316", "frozen");
            let cause = Cause::Blocked(Trouble::Cloud(error), Some(time));
            (cause, Says::NotBefore)
        }
        Kind::BackingOff => (Cause::BackingOff(retry), Says::InItsText),
        Kind::JustFailed => {
            let cause = Cause::JustFailed {
                said: None,
                believed_at: time,
            };
            (cause, Says::InItsText)
        }
        Kind::Damped => (
            Cause::Damped {
                port: 3399,
                at: time,
            },
            Says::InItsText,
        ),
        Kind::DriftContested => {
            let cause = Cause::DriftContested {
                port: 3399,
                until: time,
            };
            (cause, Says::InItsText)
        }
        Kind::WaitingForCredentials => {
            let cause = Cause::WaitingForCredentials("no such Secret".to_owned(), time);
            (cause, Says::InItsText)
        }
        Kind::GivenUp => {
            let cause = Cause::GivenUp {
                cause: FailureCause::OutcomeUnknown,
                said: None,
                at: Some(time),
                made: 3,
            };
            (cause, Says::InItsText)
        }
        // How long the changes of others take is not known; of all limits those with a time say it.
        Kind::WaitingForLimit => {
            let limit = Limit::Hourly {
                most: 9,
                next: Some(time),
            };
            (Cause::WaitingForLimit(limit), Says::InItsText)
        }
        Kind::Publishing => (Cause::Publishing(None), Says::Nothing(THE_API_SERVER)),
        Kind::Probing => {
            let cause = Cause::Probing {
                place: "10.20.0.1:3307".to_owned(),
                until: Some(time),
            };
            (cause, Says::Until)
        }
        Kind::NotReachable => {
            let cause = Cause::NotReachable {
                place: "10.20.0.1:3307".to_owned(),
                said: "the connection was refused".to_owned(),
            };
            (cause, Says::Nothing(PERSON))
        }
        Kind::WaitingForInstance => (Cause::WaitingForInstance(None), Says::Nothing(THE_CLOUD)),
        Kind::ProxyBusy => (
            Cause::ProxyBusy("RESTARTING".to_owned()),
            Says::Nothing(THE_CLOUD),
        ),
        Kind::JobRunning => (Cause::JobRunning(job(), None), Says::Nothing(THE_CLOUD)),
        Kind::Starting => (Cause::Starting(order), Says::Nothing(AT_ONCE)),
        Kind::Next => (Cause::Next(order), Says::Nothing(AT_ONCE)),
        Kind::FirstLook => (Cause::FirstLook, Says::Nothing(ANSWER)),
        Kind::Looking => (Cause::Looking, Says::Nothing(ANSWER)),
        Kind::WaitingForWindow => {
            let cause = Cause::WaitingForWindow {
                unread: false,
                takes: Duration::from_mins(10),
                next: Some(time),
                frozen: None,
            };
            (cause, Says::Starts)
        }
        // When the freeze ends is another thing than when the change may start.
        Kind::Frozen => {
            let cause = Cause::Frozen {
                reason: "year-end".to_owned(),
                from: at("2026-03-01T00:00:00Z"),
                until: at("2026-03-02T08:40:30Z"),
                next: Some(time),
            };
            (cause, Says::Starts)
        }
        Kind::NotAdmitted => {
            let cause = Cause::NotAdmitted {
                ports: (3306, 3307),
                verdict: Box::new(Verdict::Unchecked(Unchecked::NoGroup)),
                at: time,
            };
            (cause, Says::InItsText)
        }
        Kind::WithoutCalendar => (
            Cause::WithoutCalendar("gone".to_owned()),
            Says::Nothing(PERSON),
        ),
        Kind::WindowUnknown => (
            Cause::WindowUnknown("denied".to_owned()),
            Says::Nothing(PERSON),
        ),
        // Also a person has to act.
        Kind::WaitingForApproval => {
            let cause = Cause::WaitingForApproval {
                plan: "0123456789abcdef".to_owned(),
                order,
                next: Some(time),
            };
            (cause, Says::StartsApproved)
        }
        Kind::Suspended => (Cause::Suspended, Says::Nothing(PERSON)),
        Kind::Deleting => (Cause::Deleting, Says::Nothing(PERSON)),
        Kind::JobOverdue => {
            let cause = Cause::JobOverdue {
                job: Some(job()),
                since: None,
            };
            (cause, Says::Nothing(PERSON))
        }
        Kind::JobUnauthorized => (Cause::JobUnauthorized(job()), Says::Nothing(PERSON)),
        Kind::DriftDetected => (Cause::DriftDetected(3399), Says::Nothing(PERSON)),
        Kind::ProxyUnhealthy => (
            Cause::ProxyUnhealthy("ABNORMAL".to_owned()),
            Says::Nothing(PERSON),
        ),
        Kind::NotActive => (
            Cause::NotActive("ABNORMAL".to_owned()),
            Says::Nothing(PERSON),
        ),
        Kind::SpecFault => (
            Cause::SpecFault("no such zone".to_owned()),
            Says::Nothing(PERSON),
        ),
        Kind::ProxyNotFound => (Cause::ProxyNotFound, Says::Nothing(PERSON)),
        Kind::ProxyClaimed => (Cause::ProxyClaimed(Rival::default()), Says::Nothing(PERSON)),
        Kind::ProxyContested => (
            Cause::ProxyContested(Rival::default()),
            Says::Nothing(PERSON),
        ),
        Kind::CrdOutdated => (Cause::CrdOutdated, Says::Nothing(PERSON)),
    }
}

#[test]
fn n04_each_wait_says_until_when_or_it_is_known_why_nobody_can() {
    let now = Moment::new(at("2026-03-02T08:40:00Z"), Duration::from_hours(9));
    let delay = Duration::from_secs(65);
    for kind in Kind::iter() {
        let (cause, says) = sample(kind);
        let message = of(&cause, &desired()).ending(cause.end(now, delay));
        let text = message.to_string();
        let expected = match says {
            Says::Until => format!("; until {TIME}"),
            Says::NotBefore => format!("; not before {TIME}"),
            Says::TurnAt => format!("; its turn comes at about {TIME}"),
            Says::Starts => format!("; the change starts at {TIME} at the earliest"),
            Says::StartsApproved => {
                format!("at any time; even when approved, the change does not start before {TIME}")
            }
            Says::Decides => format!("; the operator decides at {TIME} at the earliest"),
            Says::InItsText => {
                assert_eq!(message.end, None, "said twice: {text}");
                // What comes in turn comes when others have had theirs.
                let in_turn = matches!(cause, Cause::WaitingForLimit(Limit::Hourly { .. }));
                let follows = (!in_turn).then(|| at(TIME));
                assert_eq!(cause.follows(), follows, "the operator looks then: {text}");
                TIME.to_owned()
            }
            Says::Nothing(why) => {
                assert!(
                    !text.contains("2026-"),
                    "{text}: it has a time, though {why}"
                );
                continue;
            }
        };
        assert_eq!(text.matches(&expected).count(), 1, "{kind:?}: {text}");
        assert!(message.is_said_by(&text), "{text}");
    }
}

#[test]
fn n04_a_time_that_is_read_anew_is_the_same_time_and_another_one_is_not() {
    let messages: [fn(&str) -> Message; 4] = [
        |time| Message::plain(format!("the operator does so again at {time}, once")),
        |time| Message::plain("it waits").ending(Some(End::Until(at(time)))),
        |time| Message::plain("it waits").ending(Some(End::NotBefore(at(time)))),
        |time| Message::plain("it waits").ending(Some(End::StartsFrom(at(time)))),
    ];
    for message in messages {
        let stored = message(TIME).to_string();
        for (time, same) in [
            ("2026-03-02T08:41:06Z", true),
            ("2026-03-02T08:40:56Z", true),
            ("2026-03-02T08:41:16Z", false),
            ("2026-03-03T08:41:05Z", false),
        ] {
            assert_eq!(message(time).is_said_by(&stored), same, "{time}: {stored}");
        }
        let other = stored.replace("it ", "she ").replace("once", "twice");
        assert!(!message(TIME).is_said_by(&other), "{other}");
        assert!(!message(TIME).is_said_by(TIME));
    }
    let until = Message::plain("it waits").ending(Some(End::Until(at(TIME))));
    assert!(!until.is_said_by(&format!("it waits; not before {TIME}")));
}
