//! What each figure is called and means, and what it is good for: the one list that figures are registered by and that
//! `docs/metrics.md` is written from.
//!
//! Promises that no figure can be registered that is not in the list: registering takes a [`Figure`].

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, MetricEncoder},
    metrics::MetricType,
    registry::{self, Metric, Registry},
};
use strum::IntoEnumIterator as _;

use crate::{
    cloud::{Meaning, Urgency, observer::Operation},
    crd::WaitsFor,
    model::Reason,
    probe::Outcome,
    seats::Lane,
    telemetry::metrics::requests::{Answer, Request},
};

mod list;

pub use list::FIGURES;
pub(super) use list::*;

/// What kind of figure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// Only ever grows, until the process ends.
    Counter,
    /// How something stands now.
    Gauge,
    /// How often something took how long.
    Histogram,
    /// Always 1; what is told are its labels.
    Info,
}

/// What it is measured in; where there is none, it is a number of things, or yes (1) and no (0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Unit {
    /// Seconds; those of a point in time are counted from 1970 in UTC.
    Seconds,
    /// Bytes.
    Bytes,
}

static SECONDS: registry::Unit = registry::Unit::Seconds;
static BYTES: registry::Unit = registry::Unit::Bytes;

/// A label and what it can be.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What it can be.
    pub values: Values,
}

/// What a label can be: always a closed set, never a name or an id of anything.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// These words.
    Words(fn() -> Vec<&'static str>),
    /// One word a process; what it is.
    OneOfProcess(&'static str),
}

/// A figure.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name without prefix, unit and what its kind adds.
    pub stem: &'static str,
    /// Whether it is about the process as such, and has the name that all programs give it.
    pub of_any_process: bool,
    /// Its kind.
    pub kind: Kind,
    /// Its unit.
    pub unit: Option<Unit>,
    /// Its labels.
    pub labels: &'static [Label],
    /// What it says, without a full stop.
    pub meaning: &'static str,
    /// What to do with it.
    pub advice: &'static str,
}

impl Label {
    /// The words that it can be; none where they are not words of the program.
    pub fn words(&self) -> Vec<&'static str> {
        match self.values {
            Values::Words(words) => words(),
            Values::OneOfProcess(_) => Vec::new(),
        }
    }
}

impl Figure {
    /// The name that it is asked for by; a histogram's has `_bucket`, `_sum` and `_count` behind it.
    pub fn name(&self) -> String {
        let prefix = if self.of_any_process {
            "process"
        } else {
            "taurus"
        };
        let unit = self.unit.map(|unit| format!("_{unit}")).unwrap_or_default();
        let kind = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{prefix}_{}{unit}{kind}", self.stem)
    }

    /// Registers what counts it with the registry of its prefix.
    pub(super) fn register(&self, registry: &mut Registry, metric: impl Metric) {
        match self.unit() {
            Some(unit) => {
                registry.register_with_unit(self.stem, self.meaning, unit.clone(), metric);
            }
            None => registry.register(self.stem, self.meaning, metric),
        }
    }

    /// Begins to write it down as a registry does, for what is counted only then.
    pub(super) fn begin<'e>(
        &self,
        encoder: &'e mut DescriptorEncoder<'_>,
    ) -> Result<MetricEncoder<'e>, fmt::Error> {
        let kind = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
            Kind::Info => MetricType::Info,
        };
        let meaning = format!("{}.", self.meaning);
        encoder.encode_descriptor(self.stem, &meaning, self.unit(), kind)
    }

    /// The unit, in the words of the library.
    fn unit(&self) -> Option<&'static registry::Unit> {
        self.unit.map(|unit| match unit {
            Unit::Seconds => &SECONDS,
            Unit::Bytes => &BYTES,
        })
    }
}

const fn words(name: &'static str, values: fn() -> Vec<&'static str>) -> Label {
    Label {
        name,
        values: Values::Words(values),
    }
}

fn operations() -> Vec<&'static str> {
    Operation::iter().map(Into::into).collect()
}

fn meanings() -> Vec<&'static str> {
    let errors = Meaning::iter().map(Into::into);
    std::iter::once("success").chain(errors).collect()
}

fn urgencies() -> Vec<&'static str> {
    Urgency::iter().map(Into::into).collect()
}

fn requests() -> Vec<&'static str> {
    Request::iter().map(Into::into).collect()
}

fn answers() -> Vec<&'static str> {
    Answer::iter().map(Into::into).collect()
}

fn waits() -> Vec<&'static str> {
    WaitsFor::iter().map(Into::into).collect()
}

pub(super) fn publications() -> Vec<&'static str> {
    let reasons = Reason::iter().filter(|reason| reason.is_of_publication());
    reasons.map(Reason::name).collect()
}

/// How a resource may be called for.
pub(super) fn calls() -> Vec<&'static str> {
    [Lane::Stop, Lane::People, Lane::Usual]
        .map(Lane::name)
        .to_vec()
}

/// Whether something was waited for.
pub(super) fn held() -> Vec<&'static str> {
    vec!["no", "yes"]
}

pub(super) fn probes() -> Vec<&'static str> {
    Outcome::names().to_vec()
}

fn reasons() -> Vec<&'static str> {
    let reasons = Reason::iter().map(Reason::name);
    reasons.chain(["unknown"]).collect()
}
