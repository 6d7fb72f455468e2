//! What a status says of whether the proxy answers: the condition `Reachable`.
//!
//! It is added to a status that says all else. Promises that nothing is said where no probe is wished for, and that the time of a probe
//! alone causes no write.

use super::{Statement, publication};
use crate::{
    crd::{ProbeMode, REQUESTED_AT, TaurusProxyPortStatus},
    model::{Moment, Reason},
    plan::{
        message::{self, Message},
        probing::{NO_ADDRESS, Said, UNTOLD},
    },
    probe::Outcome,
};

/// The condition.
pub const REACHABLE: &str = "Reachable";

/// What there is to say.
#[derive(Debug, Clone)]
pub struct Reach {
    /// What is wished for.
    pub mode: ProbeMode,
    /// What came of it; nothing where what was said before stands.
    pub said: Option<Said>,
    /// The generation that wishes for it.
    pub generation: i64,
}

/// Adds what came of probes to a status.
pub fn reachable(
    mut status: TaurusProxyPortStatus,
    reach: &Reach,
    now: Moment,
) -> TaurusProxyPortStatus {
    let conditions = &mut status.conditions;
    let place = conditions.iter().position(|one| one.type_ == REACHABLE);
    if reach.mode == ProbeMode::Never {
        if let Some(place) = place {
            conditions.remove(place);
        }
        return status;
    }
    let Some(said) = &reach.said else {
        return as_it_was(status, reach.generation);
    };
    let (status_word, reason) = standing(said);
    let new = Statement {
        kind: REACHABLE,
        status: status_word,
        reason,
        message: words(said, reach.mode),
    };
    publication::put(conditions, &new, reach.generation, now);
    status
}

/// A status in which what was said stands: it is about the generation that is judged, as all else is.
pub(super) fn as_it_was(
    mut status: TaurusProxyPortStatus,
    generation: i64,
) -> TaurusProxyPortStatus {
    let mut conditions = status.conditions.iter_mut();
    if let Some(condition) = conditions.find(|one| one.type_ == REACHABLE) {
        condition.observed_generation = Some(generation);
    }
    status
}

fn standing(said: &Said) -> (&'static str, Reason) {
    match said {
        Said::NotProbed => ("Unknown", Reason::NotProbed),
        Said::Moving(..) | Said::Waiting(..) | Said::NoAddress(_) => ("Unknown", Reason::Probing),
        Said::Told(_, Outcome::Greeted, _) => ("True", Reason::GreetingRead),
        Said::Told(_, outcome, _) => ("False", outcome.reason()),
        Said::Unusable(..) => ("False", Reason::AddressUnusable),
    }
}

fn words(said: &Said, mode: ProbeMode) -> Message {
    match said {
        Said::NotProbed => Message::plain(
            "the port that is in place is not probed, since it was not set by the operator's last change, or spec.probe was added after that \
             change: it is probed after the next change that sets one",
        ),
        Said::Moving(port, None) => Message::plain(format!(
            "port {port} is being set; it is probed at the latest when that is done"
        )),
        Said::Moving(port, Some(place)) => Message::plain(format!(
            "port {port} is being set, and a MySQL greeting was read at {place} meanwhile; it is probed once more when that is done"
        )),
        Said::Waiting(place, last) => {
            let so_far = last.as_ref().map_or("", |_| "; none was read so far");
            Message::plain(format!("a MySQL greeting is waited for at {place}{so_far}"))
        }
        Said::NoAddress(port) => Message::plain(format!(
            "a MySQL greeting is waited for at port {port}, but {NO_ADDRESS}: it is connected to once a list has one"
        )),
        Said::Told(place, Outcome::Greeted, at) => Message::quoting(
            format!("a MySQL greeting was read at {place}"),
            format!("at {}", message::shown(*at)),
        ),
        Said::Told(place, _, at) => {
            let again = match mode {
                ProbeMode::Require => {
                    "it is tried again at each resync while Ready waits for it, or each hour if connections are taken without a greeting"
                        .to_owned()
                }
                ProbeMode::Never | ProbeMode::Report => format!(
                    "it is tried again after the next change, or when the annotation {REQUESTED_AT} has a new value"
                ),
            };
            Message::quoting(
                format!("no MySQL greeting was read at {place}; {UNTOLD}; {again}"),
                format!("last tried at {}", message::shown(*at)),
            )
        }
        Said::Unusable(address, why) => Message::plain(format!(
            "the cloud gives the proxy the address {address:?}, which is not connected to: {why}"
        )),
    }
}
