//! A scenario file: in YAML, all that a simulator starts with.
//!
//! Promises that nothing in it is passed over: unknown fields, ids of wrong form and names of what isn't there are
//! errors that tell file, line and field, and never a secret.

mod accounts;
mod fleet;
mod names;

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use crate::{Accounts, Behaviour, Chaos, Fault, Fleet, JobPlan, Maintenance, Options, Time};
use accounts::AccountNode;
use fleet::ProjectNode;
use names::Names;

/// Why a scenario can't be.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file can't be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// Which.
        file: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{file}:{line}:{column}: {field}: {what}")]
    Wrong {
        /// In which file.
        file: String,
        /// In which line, from 1.
        line: u64,
        /// At which character of the line, from 1.
        column: u64,
        /// In which field, such as `faults[0].effect`; `.` is the whole.
        field: String,
        /// What is wrong.
        what: String,
    },
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ScenarioFile {
    time: Time,
    seed: Option<u64>,
    projects: Vec<ProjectNode>,
    accounts: Vec<AccountNode>,
    behaviour: Behaviour,
    jobs: JobsNode,
    maintenance: Vec<Spanned<Maintenance>>,
    faults: Vec<Spanned<Fault>>,
    chaos: Option<Spanned<Chaos>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct JobsNode {
    default: JobPlan,
    next: Vec<Spanned<NextNode>>,
}

/// The course of a coming job.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NextNode {
    /// Whose; without it, of whichever proxy comes first.
    proxy: Option<String>,
    plan: JobPlan,
}

/// What is wrong, where.
#[derive(Debug)]
struct Wrong {
    at: Location,
    field: String,
    what: String,
}

impl Options {
    /// What a scenario file says; where it names no projects or no accounts, they are those of the sample.
    pub fn from_scenario(file: &Path) -> Result<Self, ScenarioError> {
        let name = file.display().to_string();
        match std::fs::read_to_string(file) {
            Ok(text) => Self::from_scenario_text(&name, &text),
            Err(source) => Err(ScenarioError::Unreadable { file: name, source }),
        }
    }

    /// As [`Options::from_scenario`], for a text; errors call it by this name.
    pub fn from_scenario_text(name: &str, text: &str) -> Result<Self, ScenarioError> {
        parse(text)
            .and_then(ScenarioFile::options)
            .map_err(|Wrong { at, field, what }| ScenarioError::Wrong {
                file: name.to_owned(),
                line: at.line(),
                column: at.column(),
                field,
                what,
            })
    }
}

fn parse(text: &str) -> Result<ScenarioFile, Wrong> {
    // Snippets would show secrets that stand near what is wrong.
    let options = serde_saphyr::options! { with_snippet: false };
    let mut field = ".".to_owned();
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options, |yaml| {
        serde_path_to_error::deserialize(yaml).map_err(|error| {
            // Values that know their place are read as the field `value` of something; nothing of ours is called so.
            field = error.path().to_string().replace(".value", "");
            error.into_inner()
        })
    });
    read.map_err(|error| {
        let at = error.location().unwrap_or(Location::UNKNOWN);
        let place = format!(" at line {}, column {}", at.line(), at.column());
        let what = error.to_string();
        Wrong {
            at,
            what: what.strip_suffix(&place).unwrap_or(&what).to_owned(),
            field: field.replace('?', "."),
        }
    })
}

impl ScenarioFile {
    fn options(self) -> Result<Options, Wrong> {
        let names = Names::of(&self.projects)?;
        let fleet = if self.projects.is_empty() {
            Fleet::sample()
        } else {
            fleet::build(&self.projects)
        };
        let accounts = if self.accounts.is_empty() {
            Accounts::sample()
        } else {
            accounts::build(&self.accounts)?
        };
        for (number, rule) in self.faults.iter().enumerate() {
            names.check_fault(number, rule)?;
        }
        for (number, one) in self.maintenance.iter().enumerate() {
            let field = format!("maintenance[{number}].of");
            names.check(&one.value.of, one.referenced, &field)?;
        }
        for (number, next) in self.jobs.next.iter().enumerate() {
            if let Some(proxy) = &next.value.proxy {
                let field = format!("jobs.next[{number}].proxy");
                names.check(proxy, next.referenced, &field)?;
            }
        }
        if let Some(chaos) = &self.chaos {
            chaos.value.check().map_err(|error| Wrong {
                at: chaos.referenced,
                field: "chaos".to_owned(),
                what: error.to_string(),
            })?;
        }
        let next = self.jobs.next.into_iter().map(|next| next.value);
        let defaults = Options::default();
        Ok(Options {
            time: self.time,
            fleet,
            accounts,
            behaviour: self.behaviour,
            job: self.jobs.default,
            next_jobs: next.map(|next| (next.proxy, next.plan)).collect(),
            maintenance: self.maintenance.into_iter().map(|one| one.value).collect(),
            faults: self.faults.into_iter().map(|rule| rule.value).collect(),
            chaos: self.chaos.map(|chaos| chaos.value),
            seed: self.seed.unwrap_or(defaults.seed),
            ..defaults
        })
    }
}
