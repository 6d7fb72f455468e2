//! One request.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Operation;
use crate::faults::{Effect, FaultId};

/// A request and what became of it. Secrets are replaced by `***`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Counted from 1 in the order of arrival.
    pub number: u64,
    /// When it arrived, by the simulator's time.
    pub at: Timestamp,
    /// Real time since the simulator's start (seconds in JSON).
    #[serde(with = "crate::seconds")]
    pub after: Duration,
    /// The connection that it came on, counted from 1.
    pub connection: u64,
    /// Its method.
    pub method: String,
    /// Its path as it came over the wire.
    pub path: String,
    /// Its query, decoded, in its order.
    pub query: Vec<(String, String)>,
    /// Its headers by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
    /// What it asked for.
    pub operation: Operation,
    /// The project in its path.
    pub project: Option<String>,
    /// The instance in its path, or that of the job it asked for.
    pub instance: Option<String>,
    /// The proxy in its path, or that of the job it asked for.
    pub proxy: Option<String>,
    /// Whose it is, when that could be told: an access key's id, `domain/name` of a user, `token 1`.
    pub credential: Option<String>,
    /// The rules that were applied to it.
    pub faults: Vec<FaultId>,
    /// What chaos did to it.
    pub chaos: Vec<Effect>,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether the service did what was asked; false too when it refused.
    pub work_done: bool,
    /// The job that it started.
    pub job_id: Option<String>,
    /// The answer, also when it got lost on its way.
    pub answer: Option<Reply>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No answer yet.
    Open,
    /// The answer was sent.
    Answered,
    /// An answer was ready, but the caller had gone.
    Unheard,
    /// The connection was reset without an answer.
    Reset,
    /// The connection was closed without an answer.
    Closed,
    /// There will be no answer, and the connection stays open.
    Silent,
    /// A part of the answer was sent, then the connection was reset.
    Cut,
    /// The caller broke off within the body; nothing was done.
    Incomplete,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body, without secrets.
    pub body: String,
}

impl Entry {
    /// The body as JSON; `Null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The port that a change asked for.
    pub fn port(&self) -> Option<u16> {
        let port = self.json().get("port")?.as_u64()?;
        port.try_into().ok()
    }

    /// The status of the answer.
    pub fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }
}

/// One line, for failure messages and logs.
impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            method,
            path,
            ..
        } = self;
        write!(formatter, "#{number} {method} {path}")?;
        for (place, (key, value)) in self.query.iter().enumerate() {
            write!(
                formatter,
                "{}{key}={value}",
                if place == 0 { '?' } else { '&' }
            )?;
        }
        if !self.body.is_empty() {
            write!(formatter, " {}", self.body.trim_end())?;
        }
        match self.status() {
            Some(status) => write!(formatter, " -> {:?} {status}", self.outcome),
            None => write!(formatter, " -> {:?}", self.outcome),
        }
    }
}

#[cfg(test)]
impl Entry {
    pub(super) fn example(number: u64) -> Self {
        Self {
            number,
            at: Timestamp::UNIX_EPOCH,
            after: Duration::ZERO,
            connection: 1,
            method: "PUT".to_owned(),
            path: "/v3/p/instances/i/proxy/x/port".to_owned(),
            query: vec![
                ("a".to_owned(), "1".to_owned()),
                ("b".to_owned(), String::new()),
            ],
            headers: BTreeMap::new(),
            body: "{\"port\":3307}\n".to_owned(),
            operation: Operation::Change,
            project: Some("p".to_owned()),
            instance: Some("i".to_owned()),
            proxy: Some("x".to_owned()),
            credential: Some("key".to_owned()),
            faults: Vec::new(),
            chaos: Vec::new(),
            outcome: Outcome::Answered,
            work_done: true,
            job_id: None,
            answer: Some(Reply {
                status: 200,
                body: "{}".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_one_line() {
        let entry = Entry::example(7);
        assert_eq!(
            entry.to_string(),
            r#"#7 PUT /v3/p/instances/i/proxy/x/port?a=1&b= {"port":3307} -> Answered 200"#
        );
        assert_eq!(entry.port(), Some(3307));
        let open = Entry {
            outcome: Outcome::Open,
            answer: None,
            body: String::new(),
            query: Vec::new(),
            ..entry
        };
        assert_eq!(
            open.to_string(),
            "#7 PUT /v3/p/instances/i/proxy/x/port -> Open"
        );
        assert_eq!(open.port(), None);
    }
}
