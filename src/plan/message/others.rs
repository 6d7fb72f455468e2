//! What is said of other resources that name the same proxy or instance, without naming those of other namespaces.

use super::Message;
use crate::{
    crd::ABANDON_JOB,
    fleet::claims::{Opening, Other, Rival},
    model::{JobId, Port, ProxyId},
};

/// Who says that a job was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUpBy<'a> {
    /// The resource itself.
    Itself,
    /// This one of the same namespace.
    Neighbour(&'a str),
    /// One of another namespace.
    Foreign,
}

/// What is said where a job is no longer waited for.
pub fn job_given_up(job: &JobId, by: GivenUpBy<'_>) -> Message {
    let by = match by {
        GivenUpBy::Itself => "this resource".to_owned(),
        GivenUpBy::Neighbour(name) => format!("resource {name} of this namespace"),
        GivenUpBy::Foreign => {
            "a resource of another namespace, whose credentials can read the instance,".to_owned()
        }
    };
    Message::plain(format!(
        "job {job} is no longer waited for, as long as {by} has the annotation {ABANDON_JOB}: {job}"
    ))
}

/// What is said where a job is not given up for others.
pub fn job_not_given_up(job: &JobId, proxy: &ProxyId) -> Message {
    Message::plain(format!(
        "the annotation {ABANDON_JOB}: {job} counts for no other namespace: with the credentials of this resource proxy {proxy} \
         can't be seen; set it on a resource whose credentials can see its proxy"
    ))
}

/// Another resource manages the proxy.
pub(super) fn claimed(rival: &Rival, port: Port) -> Message {
    let other = named(rival);
    Message::plain(if rival.is_predecessor() {
        format!(
            "{other} manages the same proxy and wants the same port; this one takes over once that one is deleted"
        )
    } else {
        format!(
            "{other} manages the same proxy, so this one changes nothing. To leave the port to that one, delete this resource or set its \
             managementPolicy to Observe. If you delete that one, or set it to Observe, this one takes over, and then manages the port by \
             its own spec ({port}), which may cut connections"
        )
    })
}

/// Two want different ports, and neither has a better right.
pub(super) fn contested(rival: &Rival) -> Message {
    Message::plain(format!(
        "{} wants another port for the same proxy, neither port is in place, and it is not on record which of the two manages it: \
         nothing is changed until one of the two is deleted, has managementPolicy Observe, or wants the port of the other",
        named(rival)
    ))
}

/// Another resource's change on the instance goes first.
pub(super) fn goes_first(first: Option<&Other>) -> Message {
    let first = first.map_or_else(|| "another resource".to_owned(), other);
    Message::plain(format!(
        "{first} goes first with its change on the same database instance; this one begins after it"
    ))
}

/// It waits before it takes over.
pub(super) fn taking_over(whom: &Opening) -> Message {
    Message::plain(match whom {
        Opening::Gone(whom) => format!(
            "{} managed this proxy until a short while ago and is deleted, or no longer manages it; this one waits before it takes over, in \
             case that one is created again",
            other(whom)
        ),
        Opening::Unchecked(whom) => format!(
            "{} names the same proxy, and the operator has not found out yet which of the two manages it; this one waits before it begins",
            other(whom)
        ),
        Opening::Before => "before the operator's last start another resource managed this proxy, and that one is gone; this one waits \
                            before it takes over, in case that one is created again"
            .to_owned(),
    })
}

fn other(other: &Other) -> String {
    match other {
        Other::Named(name) => format!("resource {name} of this namespace"),
        Other::Foreign => "a resource of another namespace".to_owned(),
        Other::Deleted => "a resource that was deleted meanwhile".to_owned(),
    }
}

/// A resource of another namespace is not named: it may be none of the reader's business.
fn named(rival: &Rival) -> String {
    rival.name.as_ref().map_or_else(
        || "a resource of another namespace".to_owned(),
        |name| format!("resource {name} of this namespace"),
    )
}
