//! `plan`: what the operator would do about resources as they stand, or as manifests would make them, and what that touches.
//!
//! Relies on the operator's own decision (`plan::decide`), fed with what the status holds of the last look at the cloud; nothing is
//! called there. Only reads. Exit code 2 says that something would change.

mod decision;
mod definition;
mod group;
mod proposal;
mod reading;
pub mod touched;

use std::{fmt::Write as _, path::Path};

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde::Serialize;
use taurus_port_operator::{
    calendar::{Calendar, check},
    preflight::Touched,
};

use crate::{
    Ending,
    cli::{Format, Global, PlanArguments},
    cluster::Cluster,
    failure::Failure,
    format,
    resource::looked_after,
    surroundings::Surroundings,
    table::wrapped,
};
pub use decision::{Action, Verdict, decide};
pub use proposal::Proposal;
use proposal::Read;
use touched::Surrounding;

/// Said where the calendar was not given.
const NO_CALENDAR: &str = "the operator's calendar (--calendar FILE): a window or a freeze in it may put these changes off";

/// Before each further line of a text that takes several.
const HANGING: &str = "    ";

/// What would become of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What would be done.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// When the last look was asked for that the operator has made.
    #[serde(rename = "lookedAfter", skip_serializing_if = "Option::is_none")]
    pub looked_after: Option<Timestamp>,
    /// What in the cluster has to do with the port that goes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<Touched>,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Plan {
    changes: Vec<Change>,
    /// What was not looked at: for want of rights, or since it was not given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<String>,
    /// Whether something of the manifests could not be read.
    #[serde(skip)]
    has_faults: bool,
}

/// Plans.
pub async fn run(
    global: &Global,
    arguments: &PlanArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    let cluster = Cluster::find(global).await?;
    let Read {
        proposals,
        faults,
        unseen,
    } = proposals(&cluster, global, arguments, around).await?;
    for fault in &faults {
        let line = format!("{}:{}: {}", fault.file, fault.line, fault.message);
        writeln!(around.err, "{}", format::tame(&line))?;
    }
    let mut surrounding = Surrounding::default();
    let calendar = match &arguments.calendar {
        Some(file) => Some(read_calendar(file)?),
        None => None,
    };
    let now = (around.now)();
    let mut plan = Plan {
        has_faults: !faults.is_empty(),
        ..Plan::default()
    };
    for proposal in &proposals {
        let verdict = decide(proposal, calendar.as_ref(), now);
        let verdict = match arguments.max_age {
            Some(limit) => reading::within(limit, verdict, &proposal.object, now),
            None => verdict,
        };
        let touches = match (verdict.action, verdict.from, verdict.to) {
            (Action::Change | Action::Wait, Some(from), Some(to)) => {
                // What is read there is large.
                Box::pin(surrounding.look(&cluster, &proposal.namespace)).await;
                let mut touches = surrounding.touched(&proposal.moved(from, to));
                touches.extend(group::shutting(&proposal.object, (from, to)));
                touches
            }
            _ => Vec::new(),
        };
        plan.changes.push(Change {
            namespace: proposal.namespace.clone(),
            name: proposal.name.clone(),
            verdict,
            looked_after: looked_after(&proposal.object),
            touches,
        });
    }
    plan.unseen = surrounding.unseen();
    plan.unseen.extend(unseen);
    if calendar.is_none() && plan.ending() == Ending::Changes {
        plan.unseen.push(NO_CALENDAR.to_owned());
    }
    let text = match global.output {
        Some(Format::Json) => format::json(&plan)?,
        Some(Format::Yaml) => format::yaml(&plan)?,
        Some(Format::Name) => plan.names(),
        None | Some(Format::Wide) => {
            let is_wide = global.output.is_some();
            plan.shown(is_wide, around.terminal.columns.filter(|_| !is_wide))
        }
    };
    around.out.write_all(text.as_bytes())?;
    Ok(plan.ending())
}

fn read_calendar(file: &Path) -> Result<Calendar, Failure> {
    check::read(file)
        .map_err(|error| Failure::Usage(format!("--calendar {}: {error}", file.display())))
}

async fn proposals(
    cluster: &Cluster,
    global: &Global,
    arguments: &PlanArguments,
    around: &mut Surroundings<'_>,
) -> Result<Read, Failure> {
    if !arguments.files.is_empty() {
        if cluster.everywhere() {
            let text = "a manifest says its namespace itself: leave -A out";
            return Err(Failure::Usage(text.to_owned()));
        }
        let namespace = global.namespace.as_deref();
        return proposal::of_files(cluster, &arguments.files, namespace, around).await;
    }
    let mut found: Vec<DynamicObject> = Vec::new();
    if arguments.names.is_empty() {
        cluster.each(None, |object| found.push(object)).await?;
        if found.is_empty() {
            return Err(cluster.nothing());
        }
    } else {
        for name in &arguments.names {
            found.push(cluster.get(name).await?);
        }
    }
    Ok(Read {
        proposals: found.iter().map(Proposal::as_it_stands).collect(),
        ..Read::default()
    })
}

impl Plan {
    fn ending(&self) -> Ending {
        let any = |wanted: &[Action]| {
            self.changes
                .iter()
                .any(|change| wanted.contains(&change.verdict.action))
        };
        if self.has_faults || any(&[Action::Refused]) {
            Ending::Faults
        } else if any(&[Action::Change, Action::Wait, Action::Unknown]) {
            Ending::Changes
        } else {
            Ending::Done
        }
    }

    /// Those for which the exit code is 2: what would change now or later, or may.
    fn names(&self) -> String {
        let changes = self.changes.iter();
        let changes = changes.filter(|change| {
            let action = change.verdict.action;
            matches!(action, Action::Change | Action::Wait | Action::Unknown)
        });
        changes
            .map(|change| format::resource_line(&change.name))
            .collect()
    }

    /// For people: what would change, and on request the rest; in lines that fit so many columns.
    fn shown(&self, all: bool, columns: Option<usize>) -> String {
        let mut text = String::new();
        let mut line = |first: &str, said: &str| {
            let said = wrapped(&format::tame(said), HANGING, columns);
            let said = said.strip_prefix(HANGING).unwrap_or(&said);
            let _ = writeln!(text, "{first}{said}");
        };
        let quiet = [Action::Nothing, Action::UnderWay];
        for change in self
            .changes
            .iter()
            .filter(|change| all || !quiet.contains(&change.verdict.action))
        {
            let said = change.verdict.shown();
            line("", &format!("{}/{}: {said}", change.namespace, change.name));
            if let Some(at) = change.looked_after.filter(|_| all) {
                line("  ", &format!("looked at {at:.0} or later"));
            }
            for touched in &change.touches {
                line("  ", &format!("touches {}", touched.shown()));
            }
        }
        for unseen in &self.unseen {
            line("", &format!("not looked at: {unseen}"));
        }
        let count = |wanted: Action| {
            let these = self
                .changes
                .iter()
                .filter(|change| change.verdict.action == wanted);
            format::grouped(these.count())
        };
        let counts = format!(
            "{} would change, {} would change later, {} are not known, {} are refused, {} are under way, {} stay as they are",
            count(Action::Change),
            count(Action::Wait),
            count(Action::Unknown),
            count(Action::Refused),
            count(Action::UnderWay),
            count(Action::Nothing),
        );
        line("", &counts);
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use taurus_port_operator::preflight::Fate;

    use super::*;
    use crate::described::describes;

    fn is_valid(value: &Value) -> bool {
        describes(include_str!("../schemas/plan.json"), value)
    }

    fn plan() -> Plan {
        let actions = [
            Action::Change,
            Action::Wait,
            Action::Unknown,
            Action::Refused,
            Action::UnderWay,
            Action::Nothing,
        ];
        let changes = actions.map(|action| Change {
            namespace: "shop".to_owned(),
            name: "orders".to_owned(),
            verdict: Verdict {
                action,
                from: Some(3306),
                to: Some(3307),
                not_before: Some("2026-03-03T02:00:00Z".parse().unwrap()),
                reason: Some("WaitingForWindow"),
                message: "it waits".to_owned(),
            },
            looked_after: Some("2026-03-02T11:00:00.25Z".parse().unwrap()),
            touches: vec![Touched::of(
                "EndpointSlice",
                "db-1",
                "which leads to it",
                Fate::Stale,
            )],
        });
        Plan {
            changes: changes.into(),
            unseen: vec!["ConfigMaps of shop".to_owned()],
            has_faults: false,
        }
    }

    #[test]
    fn the_schema_takes_what_is_printed_and_nothing_else() {
        let whole = serde_json::to_value(plan()).unwrap();
        assert!(is_valid(&whole));
        assert!(is_valid(&serde_json::to_value(Plan::default()).unwrap()));
        let mut more = whole.clone();
        more["changes"][0]["surprise"] = json!(1);
        assert!(!is_valid(&more), "a field that nobody has described");
        for (place, value) in [
            ("/changes/0/action", json!("Perhaps")),
            ("/changes/0/from", json!("3306")),
            ("/changes/0/notBefore", json!("tomorrow")),
            ("/changes/0/touches/0/kind", json!("Moon")),
            ("/unseen", json!([1])),
        ] {
            let mut wrong = whole.clone();
            *wrong.pointer_mut(place).unwrap() = value;
            assert!(!is_valid(&wrong), "{place}");
        }
    }

    #[test]
    fn all_that_would_change_is_named_and_faults_of_files_count() {
        let mut plan = plan();
        assert_eq!(plan.names().lines().count(), 3);
        plan.changes
            .retain(|change| change.verdict.action == Action::Wait);
        assert_eq!(
            (plan.names().lines().count(), plan.ending()),
            (1, Ending::Changes)
        );
        plan.has_faults = true;
        assert_eq!(plan.ending(), Ending::Faults);
    }

    #[test]
    fn people_see_what_would_change_and_what_it_touches() {
        let text = plan().shown(false, None);
        assert!(
            text.contains("shop/orders: port 3306 to 3307, later, not before 2026-03-03T02:00:00Z: it waits\n  touches EndpointSlice db-1, which leads to it\n"),
            "{text}"
        );
        assert!(text.contains("not looked at: ConfigMaps of shop"), "{text}");
        assert!(!text.contains("--calendar"), "{text}");
        let age = "looked at 2026-03-02T11:00:00Z or later";
        assert!(!text.contains(age), "{text}");
        assert!(plan().shown(true, None).contains(age));
        let narrow = plan().shown(false, Some(80));
        for line in narrow.lines() {
            assert!(line.chars().count() <= 80, "{line:?}");
        }
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&narrow), words(&text), "nothing is cut");
        assert!(narrow.contains("\n    "), "{narrow}");
    }
}
