//! Other resources that name the same proxy: what is said of them, and what stays on record of who waits for one.
//!
//! Promises that nothing but ownership leaves a resource on record as one that manages its proxy: the reason of its status is
//! overwritten by the next trouble, and tells a later process nothing.

use crate::{
    fleet::claims::Standing,
    model::Reason,
    plan::{
        facts::{Facts, Seen},
        gates,
        step::{Cause, Step},
    },
};

/// What is to be said of a rival. Only who sees the proxy, or is on record as having seen it, is told; and that none of the wanted
/// ports is in place is known only where the port was read, or has been said before.
pub fn claimed(facts: &Facts<'_>) -> Option<Step> {
    if facts.observes() {
        return None;
    }
    let step = gates::claimed(facts)?;
    let record = facts.record;
    let told = match &facts.observed.standing {
        Standing::Claimed(_) => record.vetted || record.waits(),
        Standing::Contested(_) => record.reason == Some(Reason::ProxyContested),
        Standing::Owner | Standing::Open(_) => false,
    };
    let read = matches!(&facts.observed.proxy, Seen::Known(Some(proxy)) if proxy.port.is_some());
    (told || read).then_some(step)
}

/// Whether the resource has no part in its proxy for now. It is then on record as one of which nothing is known: whoever else
/// manages the proxy meanwhile leaves changes at work, and after a restart nobody takes this one for the owner.
pub fn lets_go(facts: &Facts<'_>, step: &Step) -> bool {
    let waits = matches!(
        step,
        Step::Hold(
            Cause::ProxyClaimed(_) | Cause::ProxyContested(_) | Cause::TakingOver(_),
            _
        )
    );
    facts.record.change.is_none() && (waits || facts.observes())
}
