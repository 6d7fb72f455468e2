//! The fleet: counts, what is not settled, and with it the operator.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::Timestamp;
use serde::Serialize;

use super::Installed;
use crate::{
    format::{age, grouped, resource_line},
    resource::{State, Summary},
    surroundings::Terminal,
    table::{Cell, Tone, cut, table},
};

/// Of more than these, those that are in order are counted and not listed.
const LISTED: usize = 50;

/// So many reasons are counted in a line.
const REASONS: usize = 6;

/// All resources that are looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Fleet {
    counts: Counts,
    operator: Installed,
    resources: Vec<Summary>,
}

/// How many are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All.
    pub total: usize,
    /// A person has to act.
    pub stalled: usize,
    /// Nothing is known.
    pub unknown: usize,
    /// At work or waiting.
    pub reconciling: usize,
    /// Settled.
    pub ready: usize,
    /// Of those, such whose proxy has another port than the wanted one, as where it is only observed.
    pub differing: usize,
    /// Of all, those that may start no change.
    pub suspended: usize,
    /// Of all, those with a change in progress.
    pub changing: usize,
    /// Of all, those with a plan that waits for its moment.
    pub planned: usize,
}

/// How it is shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Whether resources of several namespaces are shown.
    pub everywhere: bool,
    /// Whether those that are in order are listed, however many there are.
    pub all: bool,
    /// Whether there are more columns.
    pub wide: bool,
    /// Where.
    pub terminal: Terminal,
    /// When.
    pub now: Timestamp,
}

impl Fleet {
    /// These resources, in the order in which people want to see them.
    pub fn new(mut resources: Vec<Summary>, operator: Installed) -> Self {
        resources.sort_by(|one, other| one.rank().cmp(&other.rank()));
        let mut counts = Counts {
            total: resources.len(),
            ..Counts::default()
        };
        for resource in &resources {
            match resource.state {
                State::Stalled => counts.stalled += 1,
                State::Unknown => counts.unknown += 1,
                State::Reconciling => counts.reconciling += 1,
                State::Ready => counts.ready += 1,
            }
            let is_ready = resource.state == State::Ready;
            counts.differing += usize::from(is_ready && resource.differs());
            counts.suspended += usize::from(resource.suspended);
            counts.changing += usize::from(resource.changing_to.is_some());
            counts.planned += usize::from(resource.plan.is_some());
        }
        Self {
            counts,
            operator,
            resources,
        }
    }

    /// The counts.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The names, as kubectl takes them.
    pub fn names(&self) -> String {
        self.resources
            .iter()
            .map(|resource| resource_line(&resource.name))
            .collect()
    }

    /// For people.
    pub fn shown(&self, view: &View) -> String {
        let columns = view.terminal.columns.filter(|_| !view.wide);
        let terminal = Terminal {
            columns,
            ..view.terminal
        };
        let fit = |text: String| columns.map_or(text.clone(), |columns| cut(&text, columns));
        let mut text = String::new();
        let mut line = |words: String, tone: Tone| {
            text.push_str(&tone.paint(&fit(words), terminal));
            text.push('\n');
        };
        line(self.counted(), Tone::Strong);
        for part in self.reasons() {
            line(part, Tone::Plain);
        }
        if let Some(part) = self.plans() {
            line(part, Tone::Plain);
        }
        line(self.operator.line(view.now), Tone::Faint);
        for part in self.operator.calendar() {
            let is_in_force = part.starts_with("freeze in force");
            line(part, if is_in_force { Tone::Busy } else { Tone::Faint });
        }
        if self.resources.is_empty() {
            return text;
        }
        let hides = !view.all && !view.wide && self.resources.len() > LISTED;
        let listed: Vec<&Summary> = self
            .resources
            .iter()
            .filter(|resource| !hides || !resource.is_in_order())
            .collect();
        if !listed.is_empty() {
            let rows: Vec<Vec<Cell>> = listed.iter().map(|one| row(one, view)).collect();
            text.push('\n');
            text.push_str(&table(&head(view), &rows, terminal));
        }
        let hidden = self.resources.len() - listed.len();
        if hidden > 0 {
            let hidden = format!("{} more are in order; --all lists them", grouped(hidden));
            let _ = writeln!(text, "\n{}", Tone::Faint.paint(&fit(hidden), terminal));
        }
        text
    }

    fn counted(&self) -> String {
        let counts = self.counts;
        if counts.total == 0 {
            return "no resources".to_owned();
        }
        let parts = [
            (counts.stalled, "stalled"),
            (counts.unknown, "unknown"),
            (counts.reconciling, "reconciling"),
            (counts.ready, "ready"),
            (counts.differing, "of these with another port"),
            (counts.changing, "changing"),
            (counts.planned, "planned"),
            (counts.suspended, "suspended"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{} {word}", grouped(*count)))
            .collect();
        let noun = if counts.total == 1 {
            "resource"
        } else {
            "resources"
        };
        format!("{} {noun}: {}", grouped(counts.total), parts.join(", "))
    }

    /// What the plans wait for that have not begun, and when the first of them may start.
    fn plans(&self) -> Option<String> {
        let plans = || self.resources.iter().filter_map(|one| one.plan.as_ref());
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for plan in plans() {
            let word = match plan.waits_for.as_slice() {
                [] => "-".to_owned(),
                words => words.join("+"),
            };
            *counted.entry(word).or_default() += 1;
        }
        let mut counted: Vec<(String, usize)> = counted.into_iter().collect();
        counted.sort_by_key(|(word, count)| (std::cmp::Reverse(*count), word.clone()));
        let parts: Vec<String> = counted
            .iter()
            .take(REASONS)
            .map(|(word, count)| format!("{word} {}", grouped(*count)))
            .collect();
        let first = plans().filter_map(|plan| plan.not_before).min();
        let first = first.map(|first| format!("; the first not before {first}"));
        (!parts.is_empty()).then(|| {
            format!(
                "  Plans wait for: {}{}",
                parts.join(", "),
                first.unwrap_or_default()
            )
        })
    }

    /// What those that are not settled wait for, the most frequent first; a line for each state.
    fn reasons(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for state in [State::Stalled, State::Reconciling] {
            let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
            for resource in self
                .resources
                .iter()
                .filter(|resource| resource.state == state)
            {
                *counted
                    .entry(resource.reason.as_deref().unwrap_or("-"))
                    .or_default() += 1;
            }
            let mut counted: Vec<(&str, usize)> = counted.into_iter().collect();
            counted.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
            let more = counted.len().saturating_sub(REASONS);
            let mut parts: Vec<String> = counted
                .iter()
                .take(REASONS)
                .map(|(reason, count)| format!("{reason} {}", grouped(*count)))
                .collect();
            if more > 0 {
                parts.push(format!("{more} other reasons"));
            }
            if !parts.is_empty() {
                lines.push(format!("  {}: {}", state.word(), parts.join(", ")));
            }
        }
        lines
    }
}

/// The titles of the columns.
pub fn head(view: &View) -> Vec<&'static str> {
    let mut head = Vec::new();
    if view.everywhere {
        head.push("NAMESPACE");
    }
    head.extend(["NAME", "WANTED", "ACTUAL", "STATE", "SINCE", "REASON"]);
    if view.wide {
        head.extend(["NEXT", "POLICY", "ADDRESS", "INSTANCE"]);
    }
    head.push("MESSAGE");
    head
}

/// A resource's line.
pub fn row(one: &Summary, view: &View) -> Vec<Cell> {
    let tone = tone_of(one.state);
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut row: Vec<Cell> = Vec::new();
    if view.everywhere {
        row.push(one.namespace.clone().into());
    }
    let actual = match &one.changing_to {
        Some(port) => format!("{}>{port}", text(&one.actual)),
        None => text(&one.actual),
    };
    let reason = if one.edited {
        format!("{} (edited)", text(&one.reason))
    } else {
        text(&one.reason)
    };
    row.extend([
        one.name.clone().into(),
        text(&one.wanted).into(),
        if one.differs() {
            Cell::of(actual, Tone::Busy)
        } else {
            actual.into()
        },
        Cell::of(one.state.word(), tone),
        one.since
            .map_or_else(|| "-".to_owned(), |since| age(since, view.now))
            .into(),
        reason.into(),
    ]);
    if view.wide {
        let next = one.plan.as_ref().and_then(|plan| plan.not_before);
        row.extend([
            next.map_or_else(|| "-".to_owned(), |at| at.to_string())
                .into(),
            one.policy.clone().into(),
            text(&one.address).into(),
            text(&one.instance).into(),
        ]);
    }
    row.push(text(&one.message).into());
    row
}

/// How a state looks.
pub fn tone_of(state: State) -> Tone {
    match state {
        State::Stalled => Tone::Bad,
        State::Unknown | State::Reconciling => Tone::Busy,
        State::Ready => Tone::Good,
    }
}

#[cfg(test)]
mod tests;
