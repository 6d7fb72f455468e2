//! The resources that a verb is for, and whose connections it may cut.

use std::fmt::Write as _;

use kube::api::DynamicObject;

use super::Outcome;
use crate::{
    cli::Targets, cluster::Cluster, confirm::agreed, failure::Failure, resource::Summary,
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

    /// Those that the command line names. One that is missing fails all, before anything is done.
    pub async fn all(cluster: &Cluster, arguments: &Targets) -> Result<Vec<Self>, Failure> {
        let mut targets = Vec::new();
        if arguments.all {
            cluster
                .each(None, |object| targets.push(Self::of(object)))
                .await?;
            return Ok(targets);
        }
        if cluster.everywhere() {
            let text = "a name is of one namespace: leave -A out, or give --all in place of names";
            return Err(Failure::Usage(text.to_owned()));
        }
        for name in &arguments.names {
            targets.push(Self::of(cluster.get(name).await?));
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

    /// Whether a change of its port may follow. `resumed`: also where it is suspended now.
    fn may_be_cut(&self, resumed: bool) -> bool {
        let one = &self.summary;
        let at_rest = one.wanted == one.actual || one.policy == "Observe";
        !at_rest && (resumed || !one.suspended)
    }
}

/// Asks where connections may be cut.
pub fn ask_where_cut(
    what: &str,
    targets: &[Target],
    resumed: bool,
    yes: bool,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let cut: Vec<&Target> = targets
        .iter()
        .filter(|target| target.may_be_cut(resumed))
        .collect();
    if cut.is_empty() {
        return Ok(());
    }
    let mut question = format!("{what}, which cuts the connections of each proxy once:\n");
    for target in cut.iter().take(NAMED) {
        let or_unknown = |port: &Option<String>| port.clone().unwrap_or_else(|| "?".to_owned());
        let (from, to) = (
            or_unknown(&target.summary.actual),
            or_unknown(&target.summary.wanted),
        );
        let _ = writeln!(question, "  {} from {from} to {to}", target.named());
    }
    if cut.len() > NAMED {
        let _ = writeln!(question, "  and {} more", cut.len() - NAMED);
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
            assert_eq!(target.may_be_cut(false), now, "{spec}");
            assert_eq!(target.may_be_cut(true), resumed, "{spec}");
        }
    }
}
