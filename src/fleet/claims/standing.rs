//! Who may move a proxy that several resources name: the decision, without locks and clocks.
//!
//! Who manages it keeps it, and gets it back if it is made anew soon, however often it is deleted and created, and also while its
//! credentials are not accepted: neither the time of creation nor the UID of a resource says whose proxy it is. Among those who never managed it, or are all on record as managing
//! it, the one counts that wants what is there. Promises that of those who have seen the proxy at most one may move it.

use std::time::Duration;

use super::entry::{Entry, Past, Proof};
use crate::model::ResourceName;

/// For how long the first look of a resource that wants the port in place is waited for at most.
const FIRST_LOOK_WITHIN: Duration = Duration::from_hours(1);

/// How a resource stands to its proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    /// It may act.
    #[default]
    Owner,
    /// Another one manages the proxy.
    Claimed(Rival),
    /// It is not known that one of them has managed the proxy; they want different ports for it, and none of these is in place:
    /// nobody may act.
    Contested(Rival),
    /// Another one may still prove that it owns the proxy, or did until a short while ago: to be waited for this long.
    Open(Duration),
}

/// Another resource, as far as who is told of it may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Other {
    /// This one of the same namespace.
    Named(String),
    /// One of another namespace, which is none of the reader's business.
    Foreign,
    /// One that was deleted meanwhile.
    Deleted,
}

impl Other {
    /// One with a name, as a resource of `namespace` is told of it.
    pub fn of(name: &ResourceName, namespace: &str) -> Self {
        if name.namespace() == namespace {
            Self::Named(name.name().to_owned())
        } else {
            Self::Foreign
        }
    }
}

/// For whom a resource waits whose standing is open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Opening {
    /// One that managed the proxy is gone, and may be made anew.
    Gone(Other),
    /// One that names the proxy was not checked yet.
    Unchecked(Other),
    /// One that managed the proxy when a process before this one looked; it is gone.
    #[default]
    Before,
}

/// Another resource for the same proxy, as far as its owner may be told of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rival {
    /// Its name, if it is of the same namespace.
    pub name: Option<String>,
    /// Whether it wants the same port.
    pub same_port: bool,
}

impl Rival {
    /// Whether the one that waits only comes after this one: both are of one namespace and want the same port, as where a
    /// resource is renamed.
    pub fn is_predecessor(&self) -> bool {
        self.name.is_some() && self.same_port
    }
}

/// The end of an owner.
#[derive(Debug, Clone)]
pub(super) struct Late {
    /// Its uptime.
    pub(super) at: Duration,
    pub(super) name: ResourceName,
}

/// What a judgement rests on besides the resources themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// The owner that is gone, if there was one lately.
    pub(super) late: Option<&'a Late>,
    /// The port that the proxy has, where that is known.
    pub(super) in_place: Option<u16>,
    /// Now.
    pub(super) uptime: Duration,
    /// For how long somebody is waited for.
    pub(super) patience: Duration,
}

/// How `own` stands to its proxy beside `others`, who contend for it, the oldest first; `older` of them are older than it.
pub(super) fn judge(own: &Entry, others: &[&Entry], older: usize, view: View<'_>) -> Standing {
    if own.owns || !own.contends {
        return Standing::Owner;
    }
    if let Some(owner) = others.iter().find(|other| other.owns) {
        return Standing::Claimed(rival(own, owner));
    }
    let mut open = Duration::ZERO;
    if let Some(late) = view.late {
        if late.name == own.name {
            return Standing::Owner;
        }
        // It has the right to it, as one that was not made anew has, whose credentials are no longer accepted.
        let is_back = |other: &&&Entry| other.name == late.name;
        if let Some(back) = others.iter().find(is_back) {
            return Standing::Claimed(rival(own, back));
        }
        open = view.left(late.at);
    }
    let managers: Vec<&Entry> = managed(others).collect();
    let stands = if own.managed() {
        // Of several on record one manages it, and the others have let go of it: which ones is not on record.
        let older = others
            .get(..older)
            .map_or(0, |older| managed(older).count());
        among_equals(own, &managers, older, view)
    } else if let Some(manager) = managers.first() {
        return Standing::Claimed(rival(own, manager));
    } else {
        among_equals(own, others, older, view)
    };
    match stands {
        Standing::Owner => {}
        Standing::Open(left) => open = open.max(left),
        decided => return decided,
    }
    if open.is_zero() {
        Standing::Owner
    } else {
        Standing::Open(open)
    }
}

/// Those who are on record as managing the proxy.
fn managed<'a>(others: &[&'a Entry]) -> impl Iterator<Item = &'a Entry> {
    others.iter().copied().filter(|other| other.managed())
}

/// How `own` stands among those of whom none, or all, are on record as managing the proxy.
fn among_equals(own: &Entry, others: &[&Entry], older: usize, view: View<'_>) -> Standing {
    // Whoever it waited for may be made anew.
    let mut open = if own.past == Past::Waited {
        view.left(own.since)
    } else {
        Duration::ZERO
    };
    let wants_what_is_there = view.in_place == Some(own.port);
    let mut contested = None;
    for (place, other) in others.iter().enumerate() {
        let is_older = place < older;
        match other.proof {
            Proof::Given if other.port == own.port => {
                if is_older {
                    return Standing::Claimed(rival(own, other));
                }
            }
            // It would leave it to this one.
            Proof::Open | Proof::Unclear(_) if other.port == own.port && !is_older => {}
            Proof::Given | Proof::Open | Proof::Unclear(_) if wants_what_is_there => {}
            Proof::Given if view.in_place == Some(other.port) => {
                return Standing::Claimed(rival(own, other));
            }
            Proof::Given => contested = contested.or_else(|| Some(rival(own, other))),
            // One that comes long after it does not hold it up: there could always be another one.
            Proof::Open | Proof::Unclear(_)
                if !is_older && other.since >= own.since.saturating_add(view.patience) => {}
            // Its first look is still to come, and it wants what is there: a long queue for calls costs it nothing.
            Proof::Open if view.in_place == Some(other.port) => {
                open = open.max(view.left_of(FIRST_LOOK_WITHIN, other.since));
            }
            Proof::Unclear(failed) if view.in_place == Some(other.port) => {
                open = open.max(view.left(failed));
            }
            Proof::Open | Proof::Unclear(_) => open = open.max(view.left(other.since)),
            Proof::Failed => {}
        }
    }
    contested.map_or(Standing::Open(open), Standing::Contested)
}

fn rival(own: &Entry, other: &Entry) -> Rival {
    let same_namespace = own.name.namespace() == other.name.namespace();
    Rival {
        name: same_namespace.then(|| other.name.name().to_owned()),
        same_port: own.port == other.port,
    }
}

impl View<'_> {
    /// How much is left of the patience that began then.
    fn left(&self, since: Duration) -> Duration {
        self.left_of(self.patience, since)
    }

    fn left_of(&self, patience: Duration, since: Duration) -> Duration {
        patience.saturating_sub(self.uptime.saturating_sub(since))
    }
}
