//! What people read: each message says who refused or what is waited for, and what can be done.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{super::facts::Trouble, *};
use crate::{
    cloud::{CloudError, Meaning, error::failure},
    crd::{TaurusProxyPort, WorkloadIdentity},
    desired::Named,
    fleet::claims::{Opening, Other},
    model::{Moment, Reason},
    permits::limits::Limit,
};

mod ends;

fn desired() -> Desired {
    let object: TaurusProxyPort = serde_json::from_value(serde_json::json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1",
        "kind": "TaurusProxyPort",
        "metadata": {"name": "orders", "namespace": "shop", "generation": 1},
        "spec": {
            "region": "ap-southeast-3",
            "projectID": "a".repeat(32),
            "instanceID": format!("{}in07", "b".repeat(32)),
            "proxyID": format!("{}po01", "c".repeat(32)),
            "port": 3307,
            "credentialsRef": {"name": "cloud"},
        },
    }))
    .unwrap();
    crate::desired::read(&object).unwrap()
}

fn said(cause: &Cause) -> String {
    of(cause, &desired()).to_string()
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn answered(meaning: Meaning, code: &str, text: &str) -> CloudError {
    CloudError {
        code: Some(code.to_owned()),
        status: Some(400),
        ..CloudError::local(meaning, text)
    }
}

#[test]
fn a_message_is_bounded_whatever_it_names() {
    for letter in ["x", "é", "错", "z\u{1f600}"] {
        let long = letter.repeat(1024 * 1024);
        let end = Some(End::Until(at("2026-03-02T16:40:05Z")));
        let invalid = Cause::Blocked(Trouble::CredentialsInvalid(long.clone()), None);
        for message in [
            Message::plain(&*long),
            Message::quoting(&*long, &*long).ending(end),
            Message::quoting("short", &*long),
            of(&invalid, &desired()),
        ] {
            let shown = message.to_string();
            assert!(
                shown.len() <= 2200 && shown.ends_with('…'),
                "{}",
                shown.len()
            );
            assert!(message.is_said_by(&shown));
        }
    }
}

#[test]
fn n06_only_who_was_asked_refuses() {
    for (meaning, code, who) in [
        (Meaning::Unauthenticated, "IAM.0062", "; IAM "),
        (Meaning::Denied, "APIGW.0302", "; the cloud's API gateway "),
        (Meaning::Blocked, "DBS.200316", "; the database service "),
    ] {
        let trouble = Trouble::Cloud(answered(meaning, code, "no"));
        let text = said(&Cause::Blocked(trouble, None));
        assert!(text.contains(who) && text.contains(code), "{text}");
    }
    for meaning in [
        Meaning::EndpointNotAllowed,
        Meaning::RegionUnknown,
        Meaning::TlsFailed,
        Meaning::Unauthenticated,
        Meaning::Locked,
    ] {
        let text = "the operator knows better";
        let trouble = Trouble::Cloud(CloudError::local(meaning, text));
        let text = said(&Cause::Blocked(trouble, None));
        assert!(text.starts_with("the operator"), "{text}");
        assert!(!text.contains("refuses"), "{text}");
    }
}

#[test]
fn n06_what_is_wrong_with_credentials_names_their_secret() {
    for meaning in [Meaning::Unauthenticated, Meaning::Locked, Meaning::Denied] {
        let trouble = Trouble::Cloud(answered(meaning, "APIGW.0301", "no"));
        let text = said(&Cause::Blocked(trouble, None));
        assert!(text.contains("Secret cloud"), "{text}");
    }
}

#[test]
fn n06_nobody_is_told_to_change_what_cannot_be_changed() {
    let gone = Trouble::Cloud(answered(Meaning::NotFound, "DBS.200002", "no"));
    for cause in [Cause::ProxyNotFound, Cause::Blocked(gone, None)] {
        let text = said(&cause);
        assert!(text.contains("create it anew"), "{text}");
        assert!(!text.contains("correct "), "{text}");
    }
}

#[test]
fn n06_a_text_that_was_a_secret_leaves_no_colon() {
    let trouble = Trouble::Cloud(answered(Meaning::Denied, "APIGW.0302", "[redacted]"));
    let failed = Cause::GivenUp {
        cause: FailureCause::JobFailed,
        said: Some("[redacted]".to_owned()),
        at: None,
        made: 4,
    };
    let failing = answered(Meaning::Transient, "DBS.200005", "[redacted]");
    let failing = Cause::Passing(failing, None);
    for cause in [Cause::Blocked(trouble, None), failed, failing] {
        let text = said(&cause);
        assert!(!text.contains("[redacted]"), "{text}");
    }
}

#[test]
fn n07_a_wait_names_attempt_and_time() {
    let retry = Retry {
        cause: FailureCause::JobFailed,
        said: Some("the disk is full".to_owned()),
        attempt: 2,
        most: Some(4),
        at: at("2026-03-02T08:41:05Z"),
    };
    assert_eq!(
        said(&Cause::BackingOff(retry)),
        "attempt 2 of 4 is due at 2026-03-02T08:41:05Z, and also needs an open window (if any are set), an approval (if Manual) and a free \
         place under the limits; the change job failed: the disk is full"
    );
    let damped = Cause::Damped {
        port: 3399,
        at: at("2026-03-02T09:00:00Z"),
    };
    let text = said(&damped);
    for word in ["3399", "3307", "2026-03-02T09:00:00Z"] {
        assert!(text.contains(word), "{text}");
    }
    let halted = Cause::WaitingForLimit(Limit::Halted {
        failed: 3,
        own: vec!["orders".to_owned()],
        until: at("2026-03-02T09:10:30Z"),
    });
    let text = said(&halted);
    assert!(text.ends_with("until 2026-03-02T09:10:30Z"), "{text}");
    for word in ["orders", "--halt-after-failures", "--halt-for"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn b29_an_overdue_job_is_named_with_its_age() {
    let job = JobId::parse("2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541").unwrap();
    let text = said(&Cause::JobOverdue {
        job: Some(job.clone()),
        since: Some(at("2026-03-02T08:00:00Z")),
    });
    for word in [
        job.as_str(),
        "since 2026-03-02T08:00:00Z",
        "30 min",
        ABANDON_JOB,
    ] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn n07_a_port_is_changed_only_when_that_begins() {
    let order = Order {
        from: 3306,
        to: Port::new(3307).unwrap(),
        attempt: 1,
    };
    assert_eq!(
        said(&Cause::Starting(order)),
        "changing the port from 3306 to 3307"
    );
    assert!(!said(&Cause::Next(order)).contains("changing"));
}

#[test]
fn n07_no_call_is_said_to_have_failed_where_none_was_made() {
    let waits = failure::unasked("the first call with this credential was not answered yet");
    let waits = Cause::Passing(waits, None);
    assert_eq!(
        said(&waits),
        "waiting for calls of the cloud that are under way: the first call with this credential was not answered yet"
    );
    assert_eq!(waits.reason(), Reason::WaitingForBudget);
    let withdrawn = CloudError::local(Meaning::Withdrawn, "the look at the cloud is too old");
    assert_eq!(
        said(&Cause::Passing(withdrawn, None)),
        "the change was not sent, since the look at the cloud is too old; it is tried again"
    );
    let used_up = CloudError::local(Meaning::OutOfCalls, "the calls are used up");
    let used_up = Cause::Passing(used_up, None);
    assert_eq!(said(&used_up), "the calls are used up");
}

#[test]
fn a_lock_says_until_when_where_that_is_known() {
    let answered = answered(Meaning::Locked, "IAM.0061", "too many attempts");
    let (now, left) = (at("2026-03-02T08:40:00Z"), Duration::from_secs(90));
    let held = CloudError {
        retry_after: Some(left),
        ..answered.clone()
    };
    for (error, until) in [(answered, None), (held, Some(left))] {
        let cause = Cause::Blocked(Trouble::Cloud(error), None);
        let end = cause.end(Moment::new(now, Duration::ZERO), Duration::from_secs(15));
        assert_eq!(end, until.map(|left| End::NotBefore(now + left)));
        let waits = said(&cause).contains("the operator waits before the next try");
        assert_eq!(waits, until.is_some());
    }
}

#[test]
fn a_port_that_differs_is_ascribed_to_nobody() {
    let at = at("2026-03-02T09:00:00Z");
    for cause in [
        Cause::DriftDetected(3399),
        Cause::Damped { port: 3399, at },
        Cause::DriftContested {
            port: 3399,
            until: at,
        },
    ] {
        let text = said(&cause);
        assert!(text.contains("the proxy listens on port 3399"), "{text}");
        assert!(text.contains("port 3307"), "{text}");
    }
}

#[test]
fn r05_a_wait_for_changes_of_deleted_resources_says_so() {
    for (deleted, of_deleted) in [
        (0, ""),
        (1, " (1 of a resource that was deleted meanwhile)"),
        (2, " (2 of resources that were deleted meanwhile)"),
    ] {
        let text = said(&Cause::WaitingForLimit(Limit::Concurrent {
            most: 5,
            deleted,
        }));
        assert_eq!(
            text,
            format!(
                "5 changes are under way or about to begin{of_deleted}, the most that the operator's --max-concurrent-changes \
                 allows; this one begins when its turn has come"
            )
        );
    }
}

#[test]
fn who_waits_for_another_resource_is_told_which_one_where_that_is_its_business() {
    let others = [
        (
            Some(Other::Named("orders-b".to_owned())),
            "resource orders-b of this namespace",
        ),
        (Some(Other::Foreign), "a resource of another namespace"),
        (
            Some(Other::Deleted),
            "a resource that was deleted meanwhile",
        ),
        (None, "another resource"),
    ];
    for (other, named) in others {
        let text = said(&Cause::WaitingForInstance(other));
        assert!(text.starts_with(&format!("{named} goes first")), "{text}");
    }
    for opening in [
        Opening::Gone(Other::Named("orders-b".to_owned())),
        Opening::Unchecked(Other::Named("orders-b".to_owned())),
    ] {
        let text = said(&Cause::TakingOver(opening));
        assert!(
            text.contains("resource orders-b of this namespace"),
            "{text}"
        );
    }
    let text = said(&Cause::TakingOver(Opening::Before));
    assert!(text.contains("before the operator's last start"), "{text}");
}

#[test]
fn an_identity_that_iam_refuses_is_named_with_what_to_compare() {
    let mut desired = desired();
    desired.credentials = Some(Named::Workload(Box::new(WorkloadIdentity {
        service_account_name: "taurus-ports".to_owned(),
        idp_id: "cce".to_owned(),
        audience: "iam".to_owned(),
    })));
    let error = answered(Meaning::Unauthenticated, "IAM.0001", "not accepted");
    let cause = Cause::Blocked(Trouble::Cloud(error), None);
    let said = of(&cause, &desired).to_string();
    for part in [
        "spec.workloadIdentity",
        "identity provider",
        "IAM does not accept ServiceAccount taurus-ports (IAM.0001)",
    ] {
        assert!(said.contains(part), "{said}");
    }
}
