//! `history`: the last changes of a resource, as the operator has kept them.
//!
//! Promises to show the entries of any release as they are; of an operator that keeps none, the last change.

use jiff::Timestamp;
use kube::{ResourceExt as _, api::DynamicObject};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Ending,
    cli::{Format, Global, HistoryArguments},
    cluster::Cluster,
    failure::Failure,
    format::{self, age, span},
    resource::{text_at, time_at},
    surroundings::{Surroundings, Terminal},
    table::{Cell, Tone, table},
};

/// What is printed for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct History {
    namespace: String,
    name: String,
    /// Newest first.
    #[serde(rename = "history")]
    entries: Vec<Value>,
    /// Whether the operator keeps no history, so that there is one change at the most.
    #[serde(rename = "lastChangeOnly", skip_serializing_if = "std::ops::Not::not")]
    last_only: bool,
}

/// Prints the history of a resource.
pub async fn run(
    global: &Global,
    arguments: &HistoryArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    let cluster = Cluster::find(global).await?;
    let history = History::of(&cluster.get(&arguments.name).await?);
    let text = match global.output {
        Some(Format::Json) => format::json(&history)?,
        Some(Format::Yaml) => format::yaml(&history)?,
        Some(Format::Name) => format::resource_line(&history.name),
        None | Some(Format::Wide) => {
            let wide = global.output.is_some();
            history.shown(wide, around.terminal, (around.now)())
        }
    };
    around.out.write_all(text.as_bytes())?;
    Ok(Ending::Done)
}

/// The entries of an object, newest first; of an operator that keeps none, how the last change ended.
pub fn entries(status: &Value) -> Vec<Value> {
    let list = status.get("history").and_then(Value::as_array);
    let list = list.filter(|list| !list.is_empty()).cloned();
    list.unwrap_or_else(|| status.get("lastChange").cloned().into_iter().collect())
}

impl History {
    fn of(object: &DynamicObject) -> Self {
        let nothing = json!({});
        let status = object.data.get("status").unwrap_or(&nothing);
        let entries = entries(status);
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            last_only: status.get("history").is_none() && !entries.is_empty(),
            entries,
        }
    }

    fn shown(&self, wide: bool, terminal: Terminal, now: Timestamp) -> String {
        if self.entries.is_empty() {
            return format!(
                "{}/{}: no change has ended yet\n",
                self.namespace, self.name
            );
        }
        let mut head = vec!["ENDED", "FROM", "TO", "OUTCOME", "TOOK", "TRIGGER"];
        if wide {
            head.extend(["BEGAN", "CHANGE", "PLAN"]);
        }
        head.push("JOB");
        let rows = self.entries.iter().map(|entry| row(entry, wide, now));
        let rows: Vec<Vec<Cell>> = rows.collect();
        let terminal = Terminal {
            columns: terminal.columns.filter(|_| !wide),
            ..terminal
        };
        let mut text = table(&head, &rows, terminal);
        if self.last_only {
            text.push_str("\nonly the last change is known: the operator keeps no history yet\n");
        }
        text
    }
}

fn row(entry: &Value, wide: bool, now: Timestamp) -> Vec<Cell> {
    let of = |name: &str| text_at(entry, &format!("/{name}")).unwrap_or_else(|| "-".to_owned());
    let (began, ended) = (time_at(entry, "/startedAt"), time_at(entry, "/finishedAt"));
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let ended_at = ended.map(|at| {
        if wide {
            of("finishedAt")
        } else {
            format!("{} ago", age(at, now))
        }
    });
    let took = began.zip(ended);
    let took = took.map(|(began, ended)| span(ended.duration_since(began).as_secs()));
    let outcome = of("outcome");
    let tone = match outcome.as_str() {
        "Succeeded" => Tone::Good,
        "Failed" => Tone::Bad,
        _ => Tone::Busy,
    };
    let mut row: Vec<Cell> = vec![
        or_none(ended_at).into(),
        of("fromPort").into(),
        of("toPort").into(),
        Cell::of(outcome, tone),
        or_none(took).into(),
        of("trigger").into(),
    ];
    if wide {
        row.extend(["startedAt", "id", "plan"].map(|name| of(name).into()));
    }
    row.push(of("jobID").into());
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kind;

    fn history(status: Value) -> History {
        let object = DynamicObject::new("orders", &kind()).within("shop");
        let mut data = json!({"spec": {}});
        data["status"] = status;
        History::of(&object.data(data))
    }

    fn shown(status: Value, wide: bool) -> String {
        let now = "2026-03-02T12:00:00Z".parse().unwrap();
        history(status).shown(wide, Terminal::default(), now)
    }

    #[test]
    fn changes_are_listed_as_they_stand() {
        let status = json!({"history": [
            {"id": "b", "fromPort": 3307, "toPort": 3308, "trigger": "Moon", "outcome": "Failed", "jobID": "job-2",
                "startedAt": "2026-03-02T11:50:00Z", "finishedAt": "2026-03-02T11:55:00Z"},
            {"id": "a", "fromPort": 3306, "toPort": 3307, "trigger": "Edit", "outcome": "Succeeded", "plan": "00112233aabbccdd",
                "startedAt": "2026-03-01T10:00:00Z", "finishedAt": "2026-03-01T10:01:40Z"},
        ]});
        assert_eq!(
            shown(status.clone(), false),
            "ENDED    FROM  TO    OUTCOME    TOOK  TRIGGER  JOB\n\
             5m ago   3307  3308  Failed     5m    Moon     job-2\n\
             25h ago  3306  3307  Succeeded  100s  Edit     -\n"
        );
        let wide = shown(status, true);
        for part in ["2026-03-01T10:01:40Z", "PLAN", "00112233aabbccdd"] {
            assert!(wide.contains(part), "{wide}");
        }
    }

    #[test]
    fn of_an_operator_that_keeps_none_the_last_change_is_told() {
        let last = json!({"id": "a", "fromPort": 3306, "toPort": 3307, "outcome": "Succeeded",
            "startedAt": "2026-03-01T10:00:00Z", "finishedAt": "2026-03-01T10:01:40Z"});
        let text = shown(json!({"lastChange": last}), false);
        assert!(text.contains("only the last change is known"), "{text}");
        assert!(history(json!({"lastChange": last})).last_only);
        assert!(shown(json!({}), false).contains("no change has ended yet"));
        let odd = shown(
            json!({"history": ["x", {"toPort": {"a": 1}}], "lastChange": 7}),
            false,
        );
        assert_eq!(odd.lines().count(), 3, "{odd}");
    }
}
