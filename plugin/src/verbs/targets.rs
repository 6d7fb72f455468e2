//! The resources that a verb is for, and whose connections it may cut.

use std::{collections::BTreeSet, fmt::Write as _};

use jiff::Timestamp;
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::Value;
use taurus_port_operator::{crd::REQUESTED_AT, model::Reason};

use super::Outcome;
use crate::{
    cli::Targets,
    cluster::Cluster,
    confirm::agreed,
    failure::Failure,
    format::tame,
    plan::{Action, Proposal, decide},
    resource::Summary,
    surroundings::Surroundings,
};

/// So many are named in a question.
const NAMED: usize = 10;

/// A resource that a verb is for.
pub struct Target {
    /// The object.
    pub object: DynamicObject,
    /// The same in a line.
    pub summary: Summary,
}

impl Target {
    /// An object.
    pub fn of(object: DynamicObject) -> Self {
        let summary = Summary::of(&object);
        Self { object, summary }
    }

    /// Those that the command line names. One that is missing fails all, before anything is done; so does `--all` where there is none.
    pub async fn all(cluster: &Cluster, arguments: &Targets) -> Result<Vec<Self>, Failure> {
        let mut targets = Vec::new();
        if arguments.all {
            cluster
                .each(None, |object| targets.push(Self::of(object)))
                .await?;
            if targets.is_empty() {
                return Err(cluster.nothing());
            }
            return Ok(targets);
        }
        let mut named = BTreeSet::new();
        for name in &arguments.names {
            if named.insert(name) {
                targets.push(Self::of(cluster.get(name).await?));
            }
        }
        Ok(targets)
    }

    /// `namespace/name`.
    pub fn named(&self) -> String {
        format!("{}/{}", self.summary.namespace, self.summary.name)
    }

    /// What became of it.
    pub fn outcome(&self, done: Result<String, String>) -> Outcome {
        let failed = done.is_err();
        Outcome {
            namespace: self.summary.namespace.clone(),
            name: self.summary.name.clone(),
            message: done.unwrap_or_else(|why| why),
            failed,
        }
    }

    /// Whether a change of its port may follow.
    fn may_be_cut(&self, after: After) -> bool {
        let one = &self.summary;
        let at_rest = one.wanted == one.actual || one.policy == "Observe";
        !at_rest && (after == After::Resume || !one.suspended)
    }

    /// The change that may follow, for people: from which port to which, and what it waits for. Nothing where none starts without
    /// another word of a person.
    pub fn change_after(&self, after: After, now: Timestamp) -> Option<String> {
        if !self.may_be_cut(after) {
            return None;
        }
        let forecast = decide(
            &Proposal::as_it_stands(&after.of(&self.object, now)),
            None,
            now,
        );
        if forecast.reason == Some(Reason::WaitingForApproval.name()) {
            return None;
        }
        let or_unknown = |port: &Option<String>| port.clone().unwrap_or_else(|| "?".to_owned());
        let (from, to) = (
            or_unknown(&self.summary.actual),
            or_unknown(&self.summary.wanted),
        );
        let later = match (forecast.action, forecast.not_before) {
            (Action::Wait, Some(at)) => format!(", not before {at}"),
            (Action::Wait, None) => format!(", later: {}", tame(&forecast.message)),
            _ => String::new(),
        };
        Some(format!("{} from {from} to {to}{later}", self.named()))
    }
}

/// What a change may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// A look is asked for.
    Retry,
    /// What was suspended is not any more.
    Resume,
}

impl After {
    /// The object as it will be then.
    fn of(self, object: &DynamicObject, now: Timestamp) -> DynamicObject {
        let mut object = object.clone();
        match self {
            Self::Retry => {
                let annotations = object.annotations_mut();
                annotations.insert(REQUESTED_AT.to_owned(), now.to_string());
            }
            Self::Resume => {
                let spec = object.data.get_mut("spec").and_then(Value::as_object_mut);
                if let Some(spec) = spec {
                    spec.remove("suspend");
                }
            }
        }
        object
    }
}

/// Asks where connections may be cut.
pub fn ask_where_cut(
    after: After,
    targets: &[&Target],
    yes: bool,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let now = (around.now)();
    let changes = targets.iter();
    let changes: Vec<String> = changes
        .filter_map(|target| target.change_after(after, now))
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let mut question =
        "The operator may set these ports, which cuts the connections of each proxy once:\n"
            .to_owned();
    for change in changes.iter().take(NAMED) {
        let _ = writeln!(question, "  {change}");
    }
    if changes.len() > NAMED {
        let _ = writeln!(question, "  and {} more", changes.len() - NAMED);
    }
    agreed(question.trim_end(), yes, around)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::kind;

    fn target(spec: &Value, actual: Option<u16>) -> Target {
        let data = json!({"spec": spec, "status": {"port": actual}});
        Target::of(DynamicObject::new("orders", &kind()).data(data))
    }

    #[test]
    fn only_what_may_be_cut_is_asked_about() {
        for (spec, actual, now, resumed) in [
            (json!({"port": 3307}), Some(3307), false, false),
            (json!({"port": 3307}), Some(3306), true, true),
            (json!({"port": 3307}), None, true, true),
            (
                json!({"port": 3307, "suspend": true}),
                Some(3306),
                false,
                true,
            ),
            (
                json!({"port": 3307, "managementPolicy": "Observe"}),
                Some(3306),
                false,
                false,
            ),
            // A policy that this release does not know may be any.
            (
                json!({"port": 3307, "managementPolicy": "Later"}),
                Some(3306),
                true,
                true,
            ),
        ] {
            let target = target(&spec, actual);
            assert_eq!(target.may_be_cut(After::Retry), now, "{spec}");
            assert_eq!(target.may_be_cut(After::Resume), resumed, "{spec}");
        }
    }

    #[test]
    fn the_question_says_when_a_change_starts_and_is_not_asked_where_none_does() {
        let now = "2026-03-02T12:00:00Z".parse().unwrap();
        let change = |field: &str, value: Value| {
            let mut spec = json!({
                "region": "ap-southeast-1", "projectID": "0483b6b16e954cb88930a360d2c4e663",
                "instanceID": "e80a4b6f13c2457d9ab05c7712f4d3e6in07",
                "proxyID": "4d1f0a77c2b94e5f8a6031d7be92c405po01", "port": 3307, "suspend": true,
            });
            spec[field] = value;
            let data = json!({"spec": spec, "status": {"observedGeneration": 1, "subjectUID": "u", "port": 3306, "appliedPort": 3306, "proxyStatus": "ACTIVE"}});
            let mut object = DynamicObject::new("orders", &kind())
                .within("shop")
                .data(data);
            object.metadata.uid = Some("u".to_owned());
            object.metadata.generation = Some(2);
            Target::of(object).change_after(After::Resume, now)
        };
        let at_once = change("suspend", json!(true)).unwrap();
        assert_eq!(at_once, "shop/orders from 3306 to 3307");
        let windows = json!([{"start": "02:00", "duration": "3h"}]);
        let later = change("maintenanceWindows", windows).unwrap();
        assert_eq!(
            later,
            "shop/orders from 3306 to 3307, not before 2026-03-03T02:00:00Z"
        );
        assert_eq!(change("approval", json!("Manual")), None);
    }
}
