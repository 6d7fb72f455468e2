//! What the operator would decide, by its own code, on what is known in the cluster.
//!
//! The proxy is taken to be as it was last read, and nothing else to be at work on its instance: whether that is so, the operator looks
//! up before it changes anything. What it would wait for by itself counts as a change that comes later.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use taurus_port_operator::{
    cloud::{Proxy, ProxyStatus},
    controller::read::{self, Desired},
    crd::{ManagementPolicy, TaurusProxyPort},
    model::{Class, Moment},
    pace::Pace,
    plan::{
        self,
        facts::{Facts, Observed, Seen},
        message,
        record::Record,
        session::Session,
        step::Step,
    },
};

use super::proposal::Proposal;
use crate::resource::text_at;

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
            Action::Wait => format!("{ports}, later{message}"),
            Action::Unknown => format!("{ports}, if the proxy has another{message}"),
            Action::Refused => format!("is refused{message}"),
            Action::UnderWay => format!("{ports}, a change is at work{message}"),
            Action::Nothing => format!("stays{message}"),
        }
    }
}

/// What would be done about a resource.
pub fn decide(proposal: &Proposal, now: Timestamp) -> Verdict {
    if !proposal.refused.is_empty() {
        return Verdict::of(Action::Refused, proposal.refused.join("; "));
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
    let desired = match read::read(&object) {
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
    if record.change.is_some() {
        let text = text_at(&proposal.object, "/status/change/phase").unwrap_or_default();
        return with_ports(Verdict::of(Action::UnderWay, text));
    }
    if desired.policy == ManagementPolicy::Observe {
        return with_ports(Verdict::of(Action::Nothing, "it only observes the proxy"));
    }
    let Some(port) = from else {
        let text = "nobody has read the proxy's port yet; import reads it";
        return with_ports(Verdict::of(Action::Unknown, text));
    };
    let status = proxy_status(
        object
            .status
            .as_ref()
            .and_then(|status| status.proxy_status.as_deref()),
    );
    let observed = Observed {
        proxy: Seen::Known(Some(Proxy {
            id: desired.subject.proxy.clone(),
            name: String::new(),
            status,
            address: None,
            port: Some(port),
        })),
        tasks: Seen::Known(None),
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
        Step::Change(_) if has_its_time(&desired) => Verdict::of(
            Action::Wait,
            "its windows and its approval say when; the column NEXT has the time once it is known",
        ),
        Step::Change(order) => Verdict::of(
            Action::Change,
            match order.attempt {
                1 => String::new(),
                attempt => format!("attempt {attempt}"),
            },
        ),
        Step::Hold(cause, _) => {
            let reason = cause.reason();
            let differs = Some(port) != to;
            // A person has to lift what is stalled, or has asked for it to wait: nothing follows by itself.
            let waits = differs
                && reason.class() == Class::Reconciling
                && !desired.suspended
                && !desired.deleting;
            let action = if waits { Action::Wait } else { Action::Nothing };
            Verdict {
                reason: Some(reason.name()),
                ..Verdict::of(action, message::of(&cause, &desired).to_string())
            }
        }
        Step::Rest | Step::Keep(_) | Step::LookAtTasks | Step::Advance(_) => {
            Verdict::of(Action::Nothing, "")
        }
    })
}

/// Whether windows or approvals of its own say when a change may start.
fn has_its_time(desired: &Desired) -> bool {
    let timing = desired.timing.as_ref();
    timing.is_some_and(|timing| !timing.windows.is_empty() || timing.needs_approval)
}

/// The object without words that this release does not know: what they ask for is not planned, and the rest still is.
fn readable(object: &Value) -> Value {
    let mut object = object.clone();
    let policy = object.pointer("/spec/managementPolicy").cloned();
    let known =
        policy.is_none_or(|policy| serde_json::from_value::<ManagementPolicy>(policy).is_ok());
    if !known && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("managementPolicy");
    }
    object
}

fn proxy_status(word: Option<&str>) -> ProxyStatus {
    match word.map(str::to_ascii_uppercase).as_deref() {
        None | Some("ACTIVE") => ProxyStatus::Active,
        Some("ABNORMAL" | "FAILED" | "DELETED" | "FROZEN" | "NO STATUS") => {
            ProxyStatus::Unhealthy(word.unwrap_or_default().to_owned())
        }
        Some(_) => ProxyStatus::Changing(word.unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(change: impl FnOnce(&mut Value)) -> Verdict {
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
        };
        decide(&proposal, "2026-03-02T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn each_wish_has_the_verdict_that_the_operator_would_come_to() {
        type Edit = fn(&mut Value);
        let cases: [(&str, Edit, Action, Option<&str>); 13] = [
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
                None,
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
    fn a_change_is_told_with_its_ports() {
        let change = verdict(|_| ());
        assert_eq!((change.from, change.to), (Some(3307), Some(3308)));
        assert_eq!(
            change.shown(),
            "port 3307 to 3308, which cuts the connections once"
        );
    }
}
