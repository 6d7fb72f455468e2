//! One resource on one screen: what is wanted, what is, what comes next, and what a person can do.

use std::fmt::Write as _;

use jiff::Timestamp;
use kube::{ResourceExt as _, api::DynamicObject};
use serde::Serialize;
use serde_json::{Map, Value};
use taurus_port_operator::crd;

use super::fleet::tone_of;
use crate::{
    cluster::Cluster,
    format::{age, plain, span},
    resource::{Summary, annotated, conditions, meaning, text_at, time_at},
    surroundings::Terminal,
    table::{Tone, cut, wrapped},
};

/// So many changes before the last one are told; `history` has all.
const EARLIER: usize = 2;

/// So many neighbours are named.
const NEIGHBOURS: usize = 4;

/// The conditions that have a place of their own, or say the same as another.
const PLACED: [&str; 5] = [
    "Ready",
    "Reconciling",
    "Stalled",
    "PortInSync",
    "JobSucceeded",
];

/// One resource.
#[derive(Debug, Clone, Serialize)]
pub struct One {
    #[serde(flatten)]
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
    #[serde(skip_serializing_if = "Neighbours::is_unseen")]
    neighbours: Neighbours,
    spec: Value,
    status: Value,
    /// Plans that a person has approved or hurried by an annotation.
    #[serde(skip)]
    said: Said,
}

/// The ids in the annotations `approve` and `applyNow`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Said {
    approve: Option<String>,
    apply_now: Option<String>,
}

/// Other resources on the same instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Neighbours {
    /// They were not looked for, or may not be read.
    #[default]
    Unseen,
    /// `namespace/name` of each.
    Seen(Vec<String>),
}

impl Neighbours {
    fn is_unseen(&self) -> bool {
        *self == Self::Unseen
    }
}

impl One {
    /// Reads an object.
    pub fn of(object: &DynamicObject) -> Self {
        let part = |name: &str| object.data.get(name).cloned().unwrap_or_default();
        let summary = Summary::of(object);
        Self {
            advice: summary.advice(),
            summary,
            neighbours: Neighbours::Unseen,
            spec: part("spec"),
            status: part("status"),
            said: Said {
                approve: annotated(object, crd::APPROVE),
                apply_now: annotated(object, crd::APPLY_NOW),
            },
        }
    }

    /// With those that share its instance.
    #[must_use]
    pub fn with_neighbours(self, neighbours: Neighbours) -> Self {
        Self { neighbours, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.summary.name
    }

    /// For people.
    pub fn shown(&self, terminal: Terminal, now: Timestamp) -> String {
        let mut page = Page {
            text: String::new(),
            terminal,
        };
        self.head(&mut page, now);
        self.ports(&mut page, now);
        self.plan(&mut page);
        self.changes(&mut page, now);
        self.place(&mut page);
        self.rest(&mut page);
        page.text
    }

    fn head(&self, page: &mut Page, now: Timestamp) {
        let one = &self.summary;
        let reason = one.reason.as_deref();
        let reason = reason.map_or(String::new(), |reason| format!(", {reason}"));
        let since = one.since.map(|since| format!(" for {}", age(since, now)));
        let since = since.unwrap_or_default();
        let state = one.state.word();
        let state = format!("{}/{}: {state}{since}{reason}", one.namespace, one.name);
        page.line(&state, tone_of(one.state));
        if let Some(message) = &one.message {
            page.paragraph(message);
        }
        if one.state == crate::resource::State::Unknown {
            page.paragraph(
                "The operator has not written a status yet, or none that this release can read.",
            );
        }
        if one.edited {
            page.paragraph("The spec was edited since the operator looked; the rest is about the version before.");
        }
        if let Some((_, meaning)) = one.reason.as_deref().and_then(meaning) {
            page.field("meaning", &plain(&meaning));
        }
        if let Some(advice) = self.advice {
            page.field("to do", &plain(advice));
        }
    }

    fn ports(&self, page: &mut Page, now: Timestamp) {
        let one = &self.summary;
        let or_none =
            |text: &Option<String>| text.clone().unwrap_or_else(|| "not read yet".to_owned());
        let suspended = if one.suspended { ", suspended" } else { "" };
        let wanted = one.wanted.as_deref().unwrap_or("none");
        page.field("wanted", &format!("{wanted} ({}{suspended})", one.policy));
        page.field("actual", &or_none(&one.actual));
        if let Some(change) = self.status.get("change") {
            let of =
                |name: &str| text_at(change, &format!("/{name}")).unwrap_or_else(|| "-".to_owned());
            let begun = time_at(change, "/intendedAt")
                .map(|then| format!(", begun {} ago", age(then, now)));
            let job = text_at(change, "/jobID").map(|job| format!(", job {job}"));
            page.field(
                "change",
                &format!(
                    "{} to {}, {}, attempt {}{}{}",
                    of("fromPort"),
                    of("toPort"),
                    of("phase"),
                    of("attempt"),
                    begun.unwrap_or_default(),
                    job.unwrap_or_default()
                ),
            );
        }
    }

    /// The change that is due and has not begun, and what applications reach the proxy by.
    fn plan(&self, page: &mut Page) {
        let of = |part: &Value, name: &str| text_at(part, &format!("/{name}"));
        if let Some(plan) = self.status.get("plan") {
            let said = |name: &str| of(plan, name).unwrap_or_else(|| "-".to_owned());
            let mut text = format!("{} to {}", said("fromPort"), said("toPort"));
            for (before, name) in [
                ("not before", "notBefore"),
                ("waits for", "waitsFor"),
                ("plan", "id"),
            ] {
                if let Some(value) = plan.get(name).and_then(words) {
                    let _ = write!(text, ", {before} {value}");
                }
            }
            for word in self.granted(&said("id")) {
                let _ = write!(text, ", {word}");
            }
            page.field("next", &text);
            let warnings = plan.get("warnings").and_then(Value::as_array);
            for warning in warnings.into_iter().flatten() {
                page.field("warning", &text_at(warning, "").unwrap_or_default());
            }
        }
        if let Some(service) = self.status.get("service") {
            let said = |name: &str| of(service, name).unwrap_or_else(|| "-".to_owned());
            let (name, address) = (said("name"), said("clusterIP"));
            let (port, endpoint) = (said("port"), said("endpoint"));
            let text = format!("{name} {address}:{port}, leads to {endpoint}");
            page.field("service", &text);
        }
    }

    /// What people have said of a plan, and where.
    fn granted(&self, plan: &str) -> impl Iterator<Item = &'static str> {
        let is_it = |said: Option<&str>| said.map(str::trim) == Some(plan);
        let by_field = self.spec.get("approvedPlan").and_then(Value::as_str);
        [
            (by_field, "approved by spec.approvedPlan"),
            (
                self.said.approve.as_deref(),
                "approved by the annotation approve",
            ),
            (
                self.said.apply_now.as_deref(),
                "may start outside windows by the annotation applyNow",
            ),
        ]
        .into_iter()
        .filter_map(move |(said, word)| is_it(said).then_some(word))
    }

    fn changes(&self, page: &mut Page, now: Timestamp) {
        if let Some(last) = self.status.get("lastChange") {
            page.field("last", &ended(last, now));
        }
        let id = self.status.pointer("/lastChange/id");
        let earlier = crate::history::entries(&self.status).into_iter();
        let earlier = earlier.filter(|entry| entry.get("id") != id);
        for entry in earlier.take(EARLIER) {
            page.field("before", &ended(&entry, now));
        }
        let list = |name: &str| self.status.get(name).and_then(Value::as_array).cloned();
        for failure in list("failures").into_iter().flatten() {
            let of = |name: &str| {
                text_at(&failure, &format!("/{name}")).unwrap_or_else(|| "0".to_owned())
            };
            let at = time_at(&failure, "/lastAt").map(|at| format!(", {} ago", age(at, now)));
            let said = text_at(&failure, "/message").map(|said| format!(": {said}"));
            let text = format!(
                "port {}: {} failed, {} never arrived, {}{}{}",
                of("port"),
                of("failed"),
                of("void"),
                of("cause"),
                at.unwrap_or_default(),
                said.unwrap_or_default()
            );
            page.field("failures", &text);
        }
        let corrections = self
            .status
            .pointer("/corrections/times")
            .and_then(Value::as_array);
        if let Some(times) = corrections.filter(|times| !times.is_empty()) {
            page.field("drift", &format!("corrected within a day: {}", times.len()));
        }
    }

    fn place(&self, page: &mut Page) {
        let status = |name: &str| text_at(&self.status, &format!("/{name}"));
        let spec =
            |name: &str| text_at(&self.spec, &format!("/{name}")).unwrap_or_else(|| "-".to_owned());
        let seen: Vec<String> = ["proxyName", "proxyStatus", "address"]
            .iter()
            .filter_map(|name| status(name))
            .collect();
        page.field("proxy", &format!("{} {}", spec("proxyID"), seen.join(" ")));
        let region = text_at(&self.spec, "/endpoint").unwrap_or_else(|| spec("region"));
        page.field("instance", &format!("{} in {region}", spec("instanceID")));
        if let Neighbours::Seen(names) = &self.neighbours {
            let mut text = match names.len() {
                0 => "no other resource".to_owned(),
                _ => names
                    .iter()
                    .take(NEIGHBOURS)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            if names.len() > NEIGHBOURS {
                let _ = write!(text, " and {} more", names.len() - NEIGHBOURS);
            }
            page.field("others", &text);
        }
        let secret = text_at(&self.spec, "/credentialsRef/name");
        let account = text_at(&self.spec, "/workloadIdentity/serviceAccountName");
        let access = match (secret, account) {
            (Some(name), _) => format!("Secret {name}"),
            (None, Some(name)) => format!("ServiceAccount {name}"),
            (None, None) => "the operator's default".to_owned(),
        };
        page.field("access", &access);
    }

    /// Conditions and fields that this release does not know.
    fn rest(&self, page: &mut Page) {
        let data = serde_json::json!({"status": self.status});
        for condition in conditions(&data) {
            let of = |name: &str| text_at(condition, &format!("/{name}")).unwrap_or_default();
            let kind = of("type");
            let told = kind == "PortInSync" && of("status") == "True";
            if !PLACED.contains(&kind.as_str()) || (kind == "PortInSync" && !told) {
                page.field(
                    &kind,
                    &format!("{} {} {}", of("status"), of("reason"), of("message")),
                );
            }
        }
        for (part, value) in [("spec", &self.spec), ("status", &self.status)] {
            for (name, value) in unknown_fields(part, value) {
                page.field(&format!("{part}.{name}"), &value.to_string());
            }
        }
    }
}

/// A text, or the texts of a list.
fn words(value: &Value) -> Option<String> {
    let Value::Array(words) = value else {
        return text_at(value, "");
    };
    let words: Vec<String> = words.iter().filter_map(|word| text_at(word, "")).collect();
    (!words.is_empty()).then(|| words.join(" and "))
}

/// How a change ended.
fn ended(last: &Value, now: Timestamp) -> String {
    let of = |name: &str| text_at(last, &format!("/{name}")).unwrap_or_else(|| "-".to_owned());
    let finished = time_at(last, "/finishedAt");
    let took = time_at(last, "/startedAt").zip(finished);
    let took =
        took.map(|(began, ended)| format!(" in {}", span(ended.duration_since(began).as_secs())));
    let ago = finished.map(|ended| format!(", {} ago", age(ended, now)));
    let job = text_at(last, "/jobID").map(|job| format!(", job {job}"));
    let said = text_at(last, "/message").map(|said| format!(": {said}"));
    let trigger = text_at(last, "/trigger").map(|word| format!(" ({word})"));
    format!(
        "{} to {}, {}{}{}{}{}{}",
        of("fromPort"),
        of("toPort"),
        of("outcome"),
        trigger.unwrap_or_default(),
        took.unwrap_or_default(),
        ago.unwrap_or_default(),
        job.unwrap_or_default(),
        said.unwrap_or_default()
    )
}

/// The fields of a part that the definition of this release lacks.
fn unknown_fields<'a>(part: &str, value: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let definition = serde_json::to_value(crd::definition()).unwrap_or_default();
    let known = format!("/spec/versions/0/schema/openAPIV3Schema/properties/{part}/properties");
    let known = definition.pointer(&known).and_then(Value::as_object);
    let nothing = Map::new();
    let known = known.unwrap_or(&nothing);
    let fields = value.as_object().into_iter().flatten();
    fields
        .filter(|(name, _)| !known.contains_key(*name))
        .collect()
}

/// Other resources on the instance of this one: of all namespaces where that may be read, else of its own.
pub async fn neighbours(cluster: &Cluster, object: &DynamicObject) -> Neighbours {
    let instance = |object: &DynamicObject| {
        let id = text_at(&object.data, "/spec/instanceID")?;
        Some(id.to_ascii_lowercase())
    };
    let Some(wanted) = instance(object) else {
        return Neighbours::Unseen;
    };
    let own = (object.namespace().unwrap_or_default(), object.name_any());
    for cluster in [cluster.clone().on_all_namespaces(), cluster.clone()] {
        let Ok(others) = cluster.summaries(None).await else {
            continue;
        };
        let others = others.into_iter().filter(|other| {
            let instance = other.instance.as_ref().map(|id| id.to_ascii_lowercase());
            let is_own = (&other.namespace, &other.name) == (&own.0, &own.1);
            instance.as_ref() == Some(&wanted) && !is_own
        });
        let names = others.map(|other| format!("{}/{}", other.namespace, other.name));
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        return Neighbours::Seen(names);
    }
    Neighbours::Unseen
}

struct Page {
    text: String,
    terminal: Terminal,
}

impl Page {
    /// The width of the names of fields.
    const NAMES: usize = 10;

    fn line(&mut self, text: &str, tone: Tone) {
        let text = self
            .terminal
            .columns
            .map_or(text.to_owned(), |columns| cut(text, columns));
        let text = tone.paint(&text, self.terminal);
        let _ = writeln!(self.text, "{text}");
    }

    fn paragraph(&mut self, text: &str) {
        let text = wrapped(text, "  ", self.terminal.columns);
        let _ = writeln!(self.text, "{text}");
    }

    fn field(&mut self, name: &str, text: &str) {
        let indent = " ".repeat(Self::NAMES + 2);
        let text = wrapped(text, &indent, self.terminal.columns);
        let text = text.strip_prefix(&indent).unwrap_or(&text);
        let name = format!("{name:<width$} ", width = Self::NAMES - 1);
        let name = Tone::Faint.paint(&name, self.terminal);
        let _ = writeln!(self.text, "  {name}{text}");
    }
}

#[cfg(test)]
mod tests;
