//! Reading query parameters. Parameters that a call doesn't know are ignored.

use jiff::Timestamp;

use super::{Refused, Request};
use crate::times;

impl Request<'_> {
    /// A parameter's value; the first one where it is given twice.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| &**value)
    }

    /// A number that isn't negative.
    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Refused> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| Refused::bad_parameter(format!("{name} is not such a number")))
        };
        self.parameter(name).map(parse).transpose()
    }

    /// An instant such as `2026-03-02T16:40:05+0800`. A plus that isn't encoded arrives as a blank and is read as a plus: the
    /// vendor's own client sends it so.
    pub(super) fn instant(&self, name: &str) -> Result<Option<Timestamp>, Refused> {
        let parse = |text: &str| {
            let wrong = || {
                Refused::bad_parameter(format!(
                    "{name} is not of the form yyyy-mm-ddThh:mm:ss+zzzz"
                ))
            };
            times::parse_job_time(&text.replacen(' ', "+", 1)).ok_or_else(wrong)
        };
        self.parameter(name).map(parse).transpose()
    }
}
