//! `lint`: what the API server would say of manifests, without one.
//!
//! Relies on the definition that the operator prints: its schema and its rules are run, there is no second set. What no API server
//! can know of a single object stands beside it: two resources for one proxy, and values that the operator can't use.

pub mod duplicates;
pub mod fault;
mod files;
pub mod judge;
mod metadata;
mod rules;
pub mod schema;
pub mod yaml;

use serde::Serialize;

use crate::{
    Ending,
    cli::{Format, Global, LintArguments},
    failure::Failure,
    format,
    surroundings::Surroundings,
};
use fault::Fault;
pub use files::{Manifest, Source, manifests, nothing, read};
use judge::Judge;

/// A fault, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, or `-`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// `namespace/name` of the resource, or what is known of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The field, such as `spec.port`; empty where it is about the whole.
    pub field: String,
    /// What is wrong, as the API server says it.
    pub message: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many resources were looked at.
    pub resources: usize,
    /// How many documents of other kinds were passed over.
    pub others: usize,
    /// What the API server would refuse, and what would not work.
    pub faults: Vec<Finding>,
    /// What is taken, and may not be what is wanted.
    pub warnings: Vec<Finding>,
}

impl Report {
    fn sort(&mut self) {
        self.faults
            .sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    }

    /// Whether there was nothing to look at.
    fn is_empty(&self) -> bool {
        self.resources + self.others == 0 && self.faults.is_empty()
    }
}

/// Looks at files.
pub fn run(
    global: &Global,
    arguments: &LintArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    if matches!(global.output, Some(Format::Name | Format::Wide)) {
        let text = "lint prints a line for each fault: leave -o out, or give -o json or -o yaml";
        return Err(Failure::Usage(text.to_owned()));
    }
    let (sources, unread) = read(&arguments.files, around.input)?;
    let mut report = check(&sources)?;
    report.faults.extend(unread);
    report.sort();
    if report.is_empty() {
        return Err(nothing());
    }
    match global.output {
        Some(Format::Json) => around.out.write_all(format::json(&report)?.as_bytes())?,
        Some(Format::Yaml) => around.out.write_all(format::yaml(&report)?.as_bytes())?,
        // It was refused before anything was read.
        Some(Format::Name | Format::Wide) | None => print(&report, around)?,
    }
    Ok(if report.faults.is_empty() {
        Ending::Done
    } else {
        Ending::Faults
    })
}

/// What is to be said of these sources.
pub fn check(sources: &[Source]) -> Result<Report, Failure> {
    let judge = Judge::new()?;
    let mut report = Report::default();
    let mut all = Vec::new();
    for source in sources {
        let (found, unreadable) = manifests(source);
        report.faults.extend(unreadable);
        all.extend(found);
    }
    let (ours, others): (Vec<Manifest>, Vec<Manifest>) = all
        .into_iter()
        .partition(|manifest| judge::is_ours(&manifest.value));
    report.resources = ours.len();
    report.others = others.len();
    for manifest in &ours {
        let finding = |fault: Fault| manifest.finding(fault);
        let mut faults = judge.faults(&manifest.value, None);
        if faults.is_empty() {
            let warnings = judge::warnings(&manifest.value);
            let warnings = manifest.zeros().into_iter().chain(warnings);
            report.warnings.extend(warnings.map(finding));
            faults.extend(judge::refused_by_the_operator(&manifest.value));
        }
        report.faults.extend(faults.into_iter().map(finding));
    }
    report.faults.extend(duplicates::found(&ours));
    report.sort();
    Ok(report)
}

fn print(report: &Report, around: &mut Surroundings<'_>) -> Result<(), Failure> {
    let line = |kind: &str, finding: &Finding| {
        let mut parts = vec![format!("{}:{}", finding.file, finding.line)];
        parts.extend(
            [&finding.resource, &finding.field]
                .into_iter()
                .filter(|part| !part.is_empty())
                .cloned(),
        );
        parts.push(format!("{kind}{}", finding.message));
        format!("{}\n", format::tame(&parts.join(": ")))
    };
    for finding in &report.faults {
        around.out.write_all(line("", finding).as_bytes())?;
    }
    for finding in &report.warnings {
        around
            .out
            .write_all(line("warning: ", finding).as_bytes())?;
    }
    let (faults, warnings) = (report.faults.len(), report.warnings.len());
    let others = match report.others {
        0 => String::new(),
        others => format!("; {others} documents of other kinds were passed over"),
    };
    writeln!(
        around.err,
        "{} resources, {faults} faults, {warnings} warnings{others}",
        format::grouped(report.resources)
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
