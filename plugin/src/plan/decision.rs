//! What the operator would decide, by its own code, on what is known in the cluster.
//!
//! The proxy is taken to be as it was last read, and nothing else to be at work on its instance: whether that is so, the operator looks
//! up before it changes anything. What it would wait for by itself counts as a change that comes later.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use taurus_port_operator::{
    calendar::Calendar,
    cloud::{Proxy, ProxyStatus},
    crd::{ManagementPolicy, TaurusProxyPort},
    desired::{self, Desired},
    fleet::lengths,
    model::{Class, Moment, Reason},
    pace::Pace,
    plan::{
        self,
        admitting::{self, Admission},
        facts::{Facts, Observed, Seen},
        message,
        record::{Change, Record},
        session::Session,
        step::{Cause, Step},
        timing,
    },
};

use super::proposal::Proposal;
use crate::lint::judge::forget_nulls;
use crate::resource::{conditions, text_at};

/// For how long the operator is taken to have run: longer than anything that it waits for after a start.
const RUNNING_FOR: Duration = Duration::from_hours(48);

/// As the operator looks by default.
const RESYNC: Duration = Duration::from_mins(10);

/// What would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Action {
    /// The port would be changed, and connections be cut.
    Change,
    /// It would be changed, but not at once.
    Wait,
    /// Nothing is known of the proxy yet, so it may be changed.
    Unknown,
    /// The API server or the operator would refuse the resource.
    Refused,
    /// A change is at work already.
    UnderWay,
    /// Nothing.
    Nothing,
}

/// An action, with the ports and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What would be done.
    pub action: Action,
    /// The port last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u16>,
    /// The wanted port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u16>,
    /// When it may start at the earliest, by windows and freezes; absent where that is now, or not known.
    #[serde(rename = "notBefore", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The operator's reason, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The same for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl Verdict {
    fn of(action: Action, message: impl Into<String>) -> Self {
        Self {
            action,
            from: None,
            to: None,
            not_before: None,
            reason: None,
            message: message.into(),
        }
    }

    /// For people.
    pub fn shown(&self) -> String {
        let ports = match (self.from, self.to) {
            (Some(from), Some(to)) if from != to => format!("port {from} to {to}"),
            (_, Some(to)) => format!("port {to}"),
            _ => "port unknown".to_owned(),
        };
        let message = match self.message.as_str() {
            "" => String::new(),
            message => format!(": {message}"),
        };
        match self.action {
            Action::Change => format!("{ports}, which cuts the connections once{message}"),
            Action::Wait => {
                let when = self.not_before.map(|at| format!(", not before {at}"));
                format!("{ports}, later{}{message}", when.unwrap_or_default())
            }
            Action::Unknown => format!("{ports}, if the proxy has another{message}"),
            Action::Refused => format!("is refused{message}"),
            Action::UnderWay => format!("{ports}, a change is at work{message}"),
            Action::Nothing => format!("stays{message}"),
        }
    }
}

/// What would be done about a resource. The calendar is that of the operator, if it was given; where it was not, the operator's own word
/// stands for it.
pub fn decide(proposal: &Proposal, calendar: Option<&Calendar>, now: Timestamp) -> Verdict {
    if let Some(verdict) = unjudged(proposal) {
        return verdict;
    }
    let object: TaurusProxyPort = match serde_json::from_value(readable(&proposal.object)) {
        Ok(object) => object,
        Err(error) => {
            return Verdict::of(
                Action::Unknown,
                format!("this release can't read it: {error}"),
            );
        }
    };
    let desired = match desired::read(&object) {
        Ok(desired) => desired,
        Err(error) => return Verdict::of(Action::Refused, error.to_string()),
    };
    let mut record = Record::of(&object);
    // What is watched after a start is none of what the resource asks for.
    record.vetted = true;
    record.restored = false;
    let from = record.port;
    let to = Some(desired.port.get());
    let with_ports = |verdict: Verdict| Verdict {
        from,
        to,
        ..verdict
    };
    if let Some(change) = &record.change {
        let phase = text_at(&proposal.object, "/status/change/phase").unwrap_or_default();
        return beside(&desired, change, from, &phase);
    }
    if desired.policy == ManagementPolicy::Observe {
        return with_ports(Verdict::of(Action::Nothing, "it only observes the proxy"));
    }
    let Some(port) = from else {
        let text = "nobody has read the proxy's port yet; import reads it";
        return with_ports(Verdict::of(Action::Unknown, text));
    };
    let status = object.status.as_ref();
    let status = status.and_then(|status| status.proxy_status.as_deref());
    let status = status.map_or(ProxyStatus::Active, |word| ProxyStatus::of(Some(word)));
    // The operator has the changes of all resources on the instance, and may need a longer window.
    let unknown = Calendar::default();
    let takes = || lengths::on_record(&record.history, record.last.as_ref());
    let observed = Observed {
        proxy: Seen::Known(Some(Proxy {
            id: desired.subject.proxy.clone(),
            name: String::new(),
            status,
            address: None,
            port: Some(port),
        })),
        tasks: Seen::Known(None),
        // Only the operator reads security groups: what it has found stands in its own word.
        admission: Some(Box::new(Admission {
            ports: (port, desired.port.get()),
            verdict: admitting::Verdict::Admitted,
            read_at: RUNNING_FOR,
        })),
        // Only the operator reads the window that the cloud has for an instance.
        terms: timing::terms(
            &object,
            &desired,
            calendar.unwrap_or(&unknown),
            None,
            takes,
            0,
        ),
        ..Observed::default()
    };
    let facts = Facts {
        desired: &desired,
        record: &record,
        observed: &observed,
        session: &Session::default(),
        now: Moment::new(now, RUNNING_FOR),
        leading_for: RUNNING_FOR,
        pace: &Pace::real(),
        resync: RESYNC,
    };
    let step = plan::decide(&facts).step;
    with_ports(match step {
        Step::Change(order) => {
            let put_off = || match calendar {
                Some(_) => None,
                None => put_off(proposal, &record, &desired, now),
            };
            let said = said_otherwise(proposal, &record, &desired).or_else(put_off);
            said.unwrap_or_else(|| {
                Verdict::of(
                    Action::Change,
                    match order.attempt {
                        1 => String::new(),
                        attempt => format!("attempt {attempt}"),
                    },
                )
            })
        }
        Step::Hold(cause, _) => held(proposal, &desired, &cause, Some(port) != to),
        Step::Rest | Step::Keep(_) | Step::LookAtTasks | Step::Advance(_) => {
            Verdict::of(Action::Nothing, "")
        }
    })
}

/// What is said of a manifest that is refused, or that has what only another release knows.
fn unjudged(proposal: &Proposal) -> Option<Verdict> {
    if !proposal.refused.is_empty() {
        return Some(Verdict::of(Action::Refused, proposal.refused.join("; ")));
    }
    if !proposal.strange.is_empty() {
        let text = format!(
            "this release does not know {}, which the cluster's definition has: the plugin of the operator's release knows what it does",
            proposal.strange.join(", ")
        );
        return Some(Verdict::of(Action::Unknown, text));
    }
    None
}

/// What becomes of a resource while a change is at work: another one follows where another port is wanted by now.
fn beside(desired: &Desired, change: &Change, from: Option<u16>, phase: &str) -> Verdict {
    let to = Some(desired.port.get());
    let sets = desired.policy != ManagementPolicy::Observe && !desired.suspended;
    if Some(change.to) == to || !sets || desired.deleting {
        let verdict = Verdict::of(Action::UnderWay, phase);
        return Verdict {
            from,
            to,
            ..verdict
        };
    }
    let text = format!(
        "once the change from {} to {} has ended that is at work ({phase})",
        change.from, change.to
    );
    Verdict {
        from: Some(change.to),
        to,
        ..Verdict::of(Action::Wait, text)
    }
}

/// What becomes of a change that is held back by `cause`; `differs` says whether one would follow.
fn held(proposal: &Proposal, desired: &Desired, cause: &Cause, differs: bool) -> Verdict {
    let reason = cause.reason();
    // A person has to lift what is stalled, or has asked for it to wait: nothing follows by itself.
    let waits =
        differs && reason.class() == Class::Reconciling && !desired.suspended && !desired.deleting;
    let action = match cause {
        Cause::SpecFault(_) => Action::Refused,
        _ if waits => Action::Wait,
        _ => Action::Nothing,
    };
    Verdict {
        reason: Some(reason.name()),
        // It may start earlier, inside a window that only the operator reads.
        not_before: next(cause).filter(|_| !desired.follows_instance()),
        ..Verdict::of(action, told(proposal, cause, desired))
    }
}

/// Until when the operator holds back the very change by windows and freezes: it knows its calendar, and the changes of other resources on
/// the instance. Not where `applyNow` leads through windows.
fn put_off(
    proposal: &Proposal,
    record: &Record,
    desired: &Desired,
    now: Timestamp,
) -> Option<Verdict> {
    let reason = record.reason.filter(|reason| {
        matches!(reason, Reason::WaitingForWindow | Reason::ChangeFreeze)
            && record.generation == Some(desired.generation)
    })?;
    let plan = record.plan.as_ref()?;
    let timing = desired.timing.as_deref();
    let at_once = timing.is_some_and(|timing| timing.apply_now.as_ref() == Some(&plan.id));
    if at_once && reason == Reason::WaitingForWindow {
        return None;
    }
    let not_before = plan.not_before.as_ref().map(|time| time.0);
    if not_before.is_some_and(|at| at <= now) {
        return None;
    }
    Some(Verdict {
        reason: Some(reason.name()),
        not_before,
        ..Verdict::of(Action::Wait, said(&proposal.object).unwrap_or_default())
    })
}

/// What the operator says of a resource that is not ready.
fn said(object: &Value) -> Option<String> {
    let condition = conditions(object).find(|condition| {
        text_at(condition, "/type").as_deref() == Some("Ready")
            && text_at(condition, "/status").as_deref() != Some("True")
    })?;
    Some(text_at(condition, "/message").unwrap_or_default())
}

/// What the operator has said that holds the change back, of what can't be seen here: its credentials, its limits, other resources and
/// what the cloud answers. What it decides by windows, the calendar and the record of attempts is decided here anew.
fn said_otherwise(proposal: &Proposal, record: &Record, desired: &Desired) -> Option<Verdict> {
    let reason = record.reason?;
    let said = said(&proposal.object)?;
    let is_seen_here = matches!(
        reason,
        Reason::WaitingForWindow
            | Reason::ChangeFreeze
            | Reason::WaitingForApproval
            | Reason::Suspended
            | Reason::BackingOff
            | Reason::JobFailed
            | Reason::VerificationFailed
            | Reason::AttemptsVoid
            | Reason::PortRejected
            | Reason::DriftDetected
            | Reason::DriftContested
            | Reason::ProxyUnhealthy
            | Reason::ProxyBusy
            | Reason::SpecInvalid
            | Reason::JobRunning
            | Reason::Verifying
            | Reason::OutcomeUnknown
            | Reason::JobOverdue
            | Reason::JobUnauthorized
            | Reason::ReadingCloud
            | Reason::CheckingEarlierChanges
    );
    if is_seen_here {
        return None;
    }
    let is_same_spec = record.generation == Some(desired.generation);
    let (action, message) = match (reason.class(), is_same_spec) {
        (Class::Reconciling, _) => (Action::Wait, said),
        (Class::Stalled, true) => (Action::Nothing, said),
        // The edit may be what puts it right.
        (Class::Stalled, false) => {
            let text = format!("before this edit the operator said: {said}");
            (Action::Unknown, text)
        }
        (Class::Ready | Class::Detail, _) => return None,
    };
    Some(Verdict {
        reason: Some(reason.name()),
        ..Verdict::of(action, message)
    })
}

/// What is said of a cause: the operator's words, but where they would be about what only the operator has.
fn told(proposal: &Proposal, cause: &Cause, desired: &Desired) -> String {
    match cause {
        // The id of a plan that the operator has not made yet approves nothing.
        Cause::WaitingForApproval { plan, .. }
            if text_at(&proposal.object, "/status/plan/id").as_ref() != Some(plan) =>
        {
            "needs an approval, since spec.approval is Manual; the plan has no id yet: approve the id that the operator writes to \
             status.plan"
                .to_owned()
        }
        Cause::WindowUnknown(_) => {
            "may start inside the instance's own window, which only the operator reads".to_owned()
        }
        Cause::WaitingForWindow { .. }
            if desired.follows_instance() =>
        {
            let said = message::of(cause, desired);
            format!("{said}; or inside the instance's own window, which only the operator reads")
        }
        cause => message::of(cause, desired).to_string(),
    }
}

/// When a change may start that waits for its time.
fn next(cause: &Cause) -> Option<Timestamp> {
    match cause {
        Cause::WaitingForWindow { next, .. }
        | Cause::Frozen { next, .. }
        | Cause::WaitingForApproval { next, .. } => *next,
        _ => None,
    }
}

/// The object as the API server keeps it, without words that this release does not know: what they ask for is not planned, and the rest
/// still is.
fn readable(object: &Value) -> Value {
    let mut object = object.clone();
    forget_nulls(&mut object);
    let policy = object.pointer("/spec/managementPolicy").cloned();
    let known =
        policy.is_none_or(|policy| serde_json::from_value::<ManagementPolicy>(policy).is_ok());
    if !known && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("managementPolicy");
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(change: impl FnOnce(&mut Value)) -> Verdict {
        decided(change, None)
    }

    fn with_calendar(change: impl FnOnce(&mut Value), calendar: &Calendar) -> Verdict {
        decided(change, Some(calendar))
    }

    fn decided(change: impl FnOnce(&mut Value), calendar: Option<&Calendar>) -> Verdict {
        let mut object = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": "orders", "namespace": "shop", "uid": "u", "generation": 2},
            "spec": {"region": "ap-southeast-1", "projectID": "0483b6b16e954cb88930a360d2c4e663",
                "instanceID": "e80a4b6f13c2457d9ab05c7712f4d3e6in07", "proxyID": "4d1f0a77c2b94e5f8a6031d7be92c405po01", "port": 3308},
            "status": {"observedGeneration": 1, "subjectUID": "u", "port": 3307, "appliedPort": 3307, "proxyStatus": "ACTIVE"},
        });
        change(&mut object);
        let proposal = Proposal {
            namespace: "shop".to_owned(),
            name: "orders".to_owned(),
            object,
            stands: true,
            refused: Vec::new(),
            strange: Vec::new(),
        };
        decide(&proposal, calendar, "2026-03-02T12:00:00Z".parse().unwrap())
    }

    fn frozen(object: &mut Value) {
        object["metadata"]["generation"] = json!(1);
        object["status"]["conditions"] = json!([{"type": "Ready", "status": "False", "reason": "ChangeFreeze",
            "message": "port 3308 waits: freeze", "lastTransitionTime": "2026-03-01T00:00:00Z"}]);
        object["status"]["plan"] = json!({"id": "5f0c1d9a44e27b83", "fromPort": 3307, "toPort": 3308,
            "madeAt": "2026-03-01T00:00:00Z", "notBefore": "2027-01-04T00:00:00Z", "waitsFor": ["Freeze"]});
    }

    #[test]
    fn a_freeze_that_only_the_operator_knows_puts_the_change_off() {
        let without = verdict(frozen);
        assert_eq!(without.action, Action::Wait, "{without:?}");
        assert_eq!(without.reason, Some("ChangeFreeze"));
        assert!(without.message.ends_with("freeze") && without.not_before.is_some());
        let lifted = with_calendar(frozen, &Calendar::default());
        assert_eq!(lifted.action, Action::Change, "{lifted:?}");
        let edited = verdict(|object| {
            frozen(object);
            object["metadata"]["generation"] = json!(2);
        });
        assert_eq!(edited.action, Action::Change, "another plan: {edited:?}");
        let over = verdict(|object| {
            frozen(object);
            object["status"]["plan"]["notBefore"] = json!("2026-03-02T11:59:00Z");
        });
        assert_eq!(over.action, Action::Change, "{over:?}");
    }

    #[test]
    fn a_change_at_work_to_another_port_is_followed_by_one_unless_the_resource_may_set_none() {
        let at_work = |more: fn(&mut Value)| {
            verdict(|object| {
                object["status"]["change"] = json!({"id": "c", "fromPort": 3306, "toPort": 3307, "generation": 1,
                    "phase": "Submitted", "attempt": 1, "jobID": "j", "intendedAt": "2026-03-02T11:59:00Z"});
                more(object);
            })
        };
        let follows = at_work(|_| ());
        assert_eq!(
            (follows.action, follows.from, follows.to),
            (Action::Wait, Some(3307), Some(3308))
        );
        assert!(
            follows.message.contains("the change from 3306 to 3307"),
            "{follows:?}"
        );
        let suspended = at_work(|object| object["spec"]["suspend"] = json!(true));
        let observes = at_work(|object| object["spec"]["managementPolicy"] = json!("Observe"));
        let same = at_work(|object| object["spec"]["port"] = json!(3307));
        for verdict in [suspended, observes, same] {
            assert_eq!(verdict.action, Action::UnderWay, "{verdict:?}");
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a row for each wish")]
    fn each_wish_has_the_verdict_that_the_operator_would_come_to() {
        type Edit = fn(&mut Value);
        let cases: [(&str, Edit, Action, Option<&str>); 20] = [
            ("another port", |_| (), Action::Change, None),
            (
                "the port that is there",
                |object| object["spec"]["port"] = json!(3307),
                Action::Nothing,
                None,
            ),
            (
                "only observed",
                |object| object["spec"]["managementPolicy"] = json!("Observe"),
                Action::Nothing,
                None,
            ),
            (
                "suspended",
                |object| object["spec"]["suspend"] = json!(true),
                Action::Nothing,
                Some("Suspended"),
            ),
            (
                "nothing known",
                |object| object["status"] = json!({}),
                Action::Unknown,
                None,
            ),
            (
                "ill",
                |object| object["status"]["proxyStatus"] = json!("ABNORMAL"),
                Action::Nothing,
                Some("ProxyUnhealthy"),
            ),
            (
                "busy",
                |object| object["status"]["proxyStatus"] = json!("BACKING UP"),
                Action::Wait,
                Some("ProxyBusy"),
            ),
            (
                "a reserved port",
                |object| object["spec"]["port"] = json!(1033),
                Action::Refused,
                None,
            ),
            (
                "drift that is left alone",
                |object| {
                    object["spec"]["managementPolicy"] = json!("ApplyOnChange");
                    object["status"]["appliedPort"] = json!(3308);
                },
                Action::Nothing,
                Some("DriftDetected"),
            ),
            (
                "a change at work",
                |object| {
                    object["status"]["change"] = json!({"id": "c", "fromPort": 3307, "toPort": 3308, "generation": 2,
                        "phase": "Submitted", "attempt": 1, "jobID": "j", "intendedAt": "2026-03-02T11:59:00Z"});
                },
                Action::UnderWay,
                None,
            ),
            (
                "given up",
                |object| {
                    object["status"]["observedGeneration"] = json!(2);
                    object["status"]["failures"] = json!([{"port": 3308, "failed": 1, "void": 0, "cause": "PortRejected",
                        "lastAt": "2026-03-02T11:50:00Z"}]);
                },
                Action::Nothing,
                Some("PortRejected"),
            ),
            (
                "only in a window",
                |object| {
                    object["spec"]["maintenanceWindows"] =
                        json!([{"start": "02:00", "duration": "3h"}]);
                },
                Action::Wait,
                Some("WaitingForWindow"),
            ),
            (
                "in a window that is open",
                |object| {
                    object["spec"]["maintenanceWindows"] =
                        json!([{"start": "11:00", "duration": "3h"}]);
                },
                Action::Change,
                None,
            ),
            (
                "in a window of which less is left than a change takes",
                |object| {
                    object["spec"]["maintenanceWindows"] =
                        json!([{"start": "11:35", "duration": "30m"}]);
                    object["status"]["lastChange"] = json!({"id": "b", "fromPort": 3306, "toPort": 3307, "outcome": "Succeeded",
                        "jobID": "j", "startedAt": "2026-03-01T10:00:00Z", "finishedAt": "2026-03-01T10:20:00Z"});
                },
                Action::Wait,
                Some("WaitingForWindow"),
            ),
            (
                "in a window of its own or of the instance",
                |object| {
                    object["spec"]["maintenanceWindows"] =
                        json!([{"start": "14:00", "duration": "1h"}]);
                    object["spec"]["instanceWindow"] = json!("Follow");
                },
                Action::Wait,
                Some("WaitingForWindow"),
            ),
            (
                "in a zone that nobody knows",
                |object| {
                    object["spec"]["maintenanceWindows"] =
                        json!([{"start": "11:00", "duration": "3h", "timeZone": "Europe/Berln"}]);
                },
                Action::Refused,
                Some("SpecInvalid"),
            ),
            (
                "with a field that has no value",
                |object| object["spec"]["maintenanceWindows"] = Value::Null,
                Action::Change,
                None,
            ),
            (
                "in a window that is shorter than the last change was measured to be",
                |object| {
                    object["spec"]["maintenanceWindows"] =
                        json!([{"start": "11:35", "duration": "45m"}]);
                    object["status"]["history"] = json!([{"id": "b", "fromPort": 3306, "toPort": 3307, "outcome": "Succeeded",
                        "trigger": "Edit", "startedAt": "2026-03-01T10:00:00Z", "finishedAt": "2026-03-01T10:25:00Z",
                        "tookSeconds": 1500}]);
                },
                Action::Wait,
                Some("WaitingForWindow"),
            ),
            (
                "not approved",
                |object| object["spec"]["approval"] = json!("Manual"),
                Action::Wait,
                Some("WaitingForApproval"),
            ),
            (
                "a policy of a later release",
                |object| object["spec"]["managementPolicy"] = json!("Later"),
                Action::Change,
                None,
            ),
        ];
        for (case, edit, action, reason) in cases {
            let found = verdict(edit);
            assert_eq!(
                (found.action, found.reason),
                (action, reason),
                "{case}: {found:?}"
            );
        }
    }

    #[test]
    fn what_the_operator_has_said_holds_a_change_back_here_too() {
        let say = |reason: &str, generation: i64| {
            verdict(|object| {
                object["status"]["observedGeneration"] = json!(generation);
                object["status"]["conditions"] = json!([{"type": "Ready", "status": "False", "reason": reason,
                    "message": "why", "lastTransitionTime": "2026-03-02T11:00:00Z"}]);
            })
        };
        for (reason, action) in [
            ("ProxyContested", Action::Nothing),
            ("ProxyClaimed", Action::Nothing),
            ("CredentialsInvalid", Action::Nothing),
            ("PermissionDenied", Action::Nothing),
            ("PreflightFailed", Action::Nothing),
            ("RolloutHalted", Action::Wait),
            ("WaitingForBudget", Action::Wait),
            ("WaitingForInstance", Action::Wait),
            ("CloudUnreachable", Action::Wait),
        ] {
            let found = say(reason, 2);
            assert_eq!(
                (found.action, found.reason),
                (action, Some(reason)),
                "{found:?}"
            );
            assert_eq!(found.message, "why");
        }
        // Another spec may put right what a person has to; it ends no halt.
        assert_eq!(say("ProxyContested", 1).action, Action::Unknown);
        assert_eq!(say("RolloutHalted", 1).action, Action::Wait);
        // What is decided here is not taken from what was said.
        assert_eq!(say("WaitingForWindow", 2).action, Action::Change);
        assert_eq!(say("JobFailed", 1).action, Action::Change);
    }

    #[test]
    fn what_only_the_operator_has_is_not_made_up() {
        let manual = |object: &mut Value| object["spec"]["approval"] = json!("Manual");
        let before = verdict(manual);
        assert!(
            before.message.contains("the plan has no id yet"),
            "{before:?}"
        );
        let waiting = verdict(|object| {
            manual(object);
            object["status"]["plan"] = json!({"id": "0011223344556677", "fromPort": 3307, "toPort": 3308,
                "madeAt": "2026-03-02T11:00:00Z", "waitsFor": ["Approval"]});
        });
        let other = !waiting.message.contains("0011223344556677");
        assert!(other, "that is no plan of this spec: {waiting:?}");
        let follows = verdict(|object| object["spec"]["instanceWindow"] = json!("Follow"));
        assert_eq!(follows.reason, Some("WaitingForWindow"));
        assert!(
            follows.message.contains("which only the operator reads"),
            "{follows:?}"
        );
    }

    #[test]
    fn a_change_is_told_with_its_ports() {
        let change = verdict(|_| ());
        assert_eq!((change.from, change.to), (Some(3307), Some(3308)));
        assert_eq!(
            change.shown(),
            "port 3307 to 3308, which cuts the connections once"
        );
    }

    #[test]
    fn the_next_start_is_told_by_windows_and_by_the_calendar() {
        let at = |time: &str| Some(time.parse::<Timestamp>().unwrap());
        let night = |object: &mut Value| {
            object["spec"]["maintenanceWindows"] = json!([{"start": "02:00", "duration": "3h"}]);
        };
        let alone = verdict(night);
        assert_eq!(alone.not_before, at("2026-03-03T02:00:00Z"));
        assert!(
            alone
                .shown()
                .starts_with("port 3307 to 3308, later, not before 2026-03-03T02:00:00Z: "),
            "{}",
            alone.shown()
        );
        let calendar = taurus_port_operator::calendar::file::parse(
            "freezes: [{from: 2026-03-01T00:00:00Z, until: 2026-03-05T12:00:00Z, reason: sale}]",
        )
        .unwrap();
        let frozen = with_calendar(|_| (), &calendar);
        assert_eq!(
            (frozen.action, frozen.reason, frozen.not_before),
            (
                Action::Wait,
                Some("ChangeFreeze"),
                at("2026-03-05T12:00:00Z")
            )
        );
        assert!(frozen.message.contains("sale"), "{frozen:?}");
        let both = with_calendar(night, &calendar);
        assert_eq!(both.not_before, at("2026-03-06T02:00:00Z"));
        let of_others = taurus_port_operator::calendar::file::parse(
            "freezes: [{from: 2026-03-01T00:00:00Z, until: 2026-03-05T12:00:00Z, reason: sale, namespaces: [web]}]",
        );
        assert_eq!(
            with_calendar(|_| (), &of_others.unwrap()).action,
            Action::Change
        );
    }
}
