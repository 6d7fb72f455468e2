//! Which requests a rule picks, and how often.

use serde::{Deserialize, Serialize};

use super::{Effect, FaultId};
use crate::Operation;

/// A rule: which requests, how often, what happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests; every one without conditions.
    #[serde(default, rename = "match")]
    pub matches: Matcher,
    /// How many of them are let pass first.
    #[serde(default)]
    pub skip: u32,
    /// How many of them; without a number all.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens to them.
    pub effect: Effect,
}

/// Conditions that a request has to meet, all of those that are there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matcher {
    /// What it asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// The instance in its path, or that of the job it asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The proxy in its path, or that of the job it asks for. Lists name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Whose it is, as the journal writes it: an access key's id, `domain/name` of a user, `token 1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// A rule and what has become of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultView {
    /// Its number.
    pub id: FaultId,
    /// How many requests it was applied to.
    pub applied: u32,
    /// How many more it will be applied to; none for all.
    pub left: Option<u32>,
    /// The rule.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) operation: Operation,
    pub(crate) instance: &'a str,
    pub(crate) proxy: &'a str,
    pub(crate) credential: Option<&'a str>,
}

impl Fault {
    /// Happens to every request.
    pub fn everywhere(effect: Effect) -> Self {
        Self {
            matches: Matcher::default(),
            skip: 0,
            times: None,
            effect,
        }
    }

    /// Happens to every request that asks for this.
    pub fn on(operation: Operation, effect: Effect) -> Self {
        Self {
            matches: Matcher {
                operation: Some(operation),
                ..Matcher::default()
            },
            skip: 0,
            times: None,
            effect,
        }
    }

    /// Happens this many times only.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// Happens to the next such request only.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Happens to the `nth` such request only, counted from 1.
    #[must_use]
    pub fn nth(self, nth: u32) -> Self {
        Self {
            skip: nth.saturating_sub(1),
            ..self.once()
        }
    }

    /// Only where it is about this instance.
    #[must_use]
    pub fn instance(mut self, id: &str) -> Self {
        self.matches.instance = Some(id.to_owned());
        self
    }

    /// Only where it is about this proxy: changes of its port and reads of its jobs.
    #[must_use]
    pub fn proxy(mut self, id: &str) -> Self {
        self.matches.proxy = Some(id.to_owned());
        self
    }

    /// Only for this credential.
    #[must_use]
    pub fn credential(mut self, credential: &str) -> Self {
        self.matches.credential = Some(credential.to_owned());
        self
    }
}

impl Matcher {
    pub(super) fn fits(&self, request: &Request<'_>) -> bool {
        self.operation
            .is_none_or(|operation| operation == request.operation)
            && self
                .instance
                .as_deref()
                .is_none_or(|instance| instance == request.instance)
            && self
                .proxy
                .as_deref()
                .is_none_or(|proxy| proxy == request.proxy)
            && self
                .credential
                .as_deref()
                .is_none_or(|credential| Some(credential) == request.credential)
    }
}
