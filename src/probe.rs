//! Whether a proxy answers as a database does: a connection that reads the greeting of a MySQL server.
//!
//! `greeting` and `leave` are pure: what was read, and what is said to it. `tcp` alone connects. Relies on `publish::wanted` for which
//! addresses may be connected to: there is no way to name another one. Promises that a probe ends in bounded time, reads a bounded number
//! of bytes, and keeps nothing of what it read but a verdict.

use futures::future::BoxFuture;
use strum::VariantNames as _;

use crate::{model::Reason, publish::wanted::Place};

pub mod greeting;
pub mod leave;
pub mod tcp;

/// Probes proxies.
pub trait Probe: Send + Sync {
    /// Connects to the proxy at this place and reads its greeting.
    fn probe(&self, place: Place) -> BoxFuture<'static, Outcome>;
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// A greeting was read.
    Greeted,
    /// Nobody listens there.
    Refused,
    /// The connection was not established in time.
    TimedOut,
    /// There is no way there; what the system says.
    NoWay(String),
    /// There was a connection, and no greeting in time.
    Silent,
    /// There was a connection, and it was closed before there was a greeting.
    Closed,
    /// The server said this error of MySQL in place of a greeting.
    Error(u16),
    /// What was said is no greeting that MySQL clients understand.
    Foreign,
}

impl Outcome {
    /// Whether nobody listens there, as far as that can be known.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Refused | Self::TimedOut)
    }

    /// Whether somebody took the connection and did not greet: a server may count that, and shut the client out after too many.
    pub fn is_counted(&self) -> bool {
        matches!(
            self,
            Self::Silent | Self::Closed | Self::Error(_) | Self::Foreign
        )
    }

    /// The reason of the condition. It tells whether there was a greeting and nothing else: who may write a resource would learn from it
    /// who listens where.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Greeted => Reason::GreetingRead,
            _ => Reason::NoGreeting,
        }
    }

    /// What it is called in metrics.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// All of these names.
    pub fn names() -> &'static [&'static str] {
        Self::VARIANTS
    }

    /// What happened, for who runs the operator.
    pub fn text(&self) -> String {
        match self {
            Self::Greeted => "a MySQL greeting was read".to_owned(),
            Self::Refused => "the connection was refused: nobody listens there".to_owned(),
            Self::TimedOut => format!(
                "the connection was not established within {} seconds",
                tcp::CONNECTS_WITHIN.as_secs()
            ),
            Self::NoWay(said) => format!("the connection failed: {said}"),
            Self::Silent => format!(
                "it was connected, and nothing was said for {} seconds",
                tcp::GREETS_WITHIN.as_secs()
            ),
            Self::Closed => "it was connected, and closed before there was a greeting".to_owned(),
            Self::Error(BLOCKED) => format!(
                "it was connected, and said error {BLOCKED} of MySQL: the address of the operator is blocked after too many failed \
                 handshakes"
            ),
            Self::Error(code) => {
                format!("it was connected, and said error {code} of MySQL in place of a greeting")
            }
            Self::Foreign => {
                "it was connected, and what was said is no greeting of a MySQL server".to_owned()
            }
        }
    }
}

/// `ER_HOST_IS_BLOCKED`.
const BLOCKED: u16 = 1129;
