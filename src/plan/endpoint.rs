//! Where applications may be led: the verified place of a proxy, as far as one look and the record tell.
//!
//! Pure. Promises that a port counts only if a list showed it in this look while no change of ours was at work on the proxy, by a
//! resource that is vetted, or that follows what is there and knows of the changes of others; or if the proxy has greeted at it while our
//! own job was setting it; that no list leads back from there while it may lag; that all else leaves what was published as it is; and that
//! what was withdrawn comes back by a read alone. Who
//! else is at work on the instance does not matter: what is listed there may stay for long, and applications must reach the port that is
//! in place.

use crate::{
    cloud::Proxy,
    crd::Outcome,
    fleet::moves::Others,
    plan::{
        facts::{Observed, Seen},
        record::Record,
        step::{Cause, Step},
    },
    publish::{
        networks::Networks,
        order::{Ahead, Known},
        wanted::Place,
    },
};

/// What it is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The record as it was decided.
    pub record: &'a Record,
    /// What was seen.
    pub observed: &'a Observed,
    /// What follows.
    pub step: &'a Step,
    /// Whether the resource only observes its proxy.
    pub observes: bool,
    /// Where proxies may lie.
    pub networks: &'a Networks,
    /// The address of the proxy that is on record.
    pub address: Option<&'a str>,
    /// Where the Service leads, as far as that is on record.
    pub endpoint: Option<&'a str>,
    /// Where greetings lead, which were read while the job of the change on record was at work, or since the last one has failed: to its
    /// new port, or back.
    pub greeted: Option<Place>,
    /// Whether it is on record that the endpoint was withdrawn.
    pub is_withdrawn: bool,
    /// Whether it is sure by now that the proxy is gone.
    pub is_gone: bool,
    /// The port that the last change of the resource has left, where it ended so lately that lists may lag behind it.
    pub left_lately: Option<u16>,
    /// What other changes there are, of resources for the same proxy.
    pub others: Others,
}

/// Whether the resource waits for another one that manages its proxy, by what was decided.
pub fn waits(step: &Step) -> bool {
    matches!(
        step,
        Step::Hold(
            Cause::ProxyClaimed(_) | Cause::ProxyContested(_) | Cause::TakingOver(_),
            _
        )
    )
}

/// Where the proxy is, for those who are led there.
pub fn known(ground: &Ground<'_>) -> Known {
    if ground.is_gone {
        return Known::Gone;
    }
    match judge(ground) {
        Known::Keep(_) if ground.is_withdrawn => Known::Withdrawn,
        known => known,
    }
}

fn judge(ground: &Ground<'_>) -> Known {
    let record = ground.record;
    let read = read(ground.observed);
    let kept = Known::Keep(on_record(ground, read.is_some()));
    // One that was just sent is on record, and so is one whose end was not.
    if record.change.is_some() {
        return ground.greeted.map_or(kept, Known::At);
    }
    // What a list shows may be from before the end of the last change, and a greeting at the old port is not.
    let ahead = waits_for_proof(ground);
    let heard = ground.greeted.filter(|_| ahead.is_some());
    let Some((proxy, port)) = read else {
        return heard.map_or(kept, Known::At);
    };
    if ahead.is_some_and(|ahead| ahead.port != port) {
        return heard.map_or(kept, Known::At);
    }
    // What a greeting and a list tell is so.
    if ahead.is_none() && is_behind(ground) {
        return kept;
    }
    let follows = record.vetted || ground.observes || waits(ground.step);
    // A list that has fallen back is not believed, nor a port that was never seen by a resource whose record came from elsewhere.
    if !follows || record.port != Some(port) {
        return kept;
    }
    if !record.vetted {
        match ground.others {
            Others::AtWork => return kept,
            Others::Lately(left) if left != Some(port) => return kept,
            Others::None | Others::Lately(_) => {}
        }
    }
    // A row may lack the address after a change: it was not moved.
    let Some(address) = proxy.address.as_deref().or(ground.address) else {
        return kept;
    };
    match ground.networks.address(address) {
        Ok(address) => Known::At(Place { address, port }),
        Err(why) => Known::Unusable(address.to_owned(), why),
    }
}

/// Whether the port on record may be from before the last change: its end was taken from a list that showed neither port of it. Not where
/// the resource is about to say that this very port is in place.
fn is_behind(ground: &Ground<'_>) -> bool {
    let left = ground.left_lately;
    let is_other = left.is_some_and(|left| ground.record.port != Some(left));
    is_other && *ground.step != Step::Rest
}

/// The proxy with its port, where it was read in this look.
fn read(observed: &Observed) -> Option<(&Proxy, u16)> {
    match &observed.proxy {
        Seen::Known(Some(proxy)) if !observed.is_recalled => Some((proxy, proxy.port?)),
        Seen::Known(_) | Seen::NotRead | Seen::Unknown(_) => None,
    }
}

/// Where the Service leads, as far as that is on record.
fn published(ground: &Ground<'_>) -> Option<Place> {
    ground.networks.place(ground.endpoint?)
}

/// Where the Service leads since a greeting was read there during the change on record: also after a restart it does not lead to the old
/// port again.
fn ahead(ground: &Ground<'_>) -> Option<Place> {
    let change = ground.record.change.as_ref()?;
    let place = published(ground)?;
    let is_ahead = change.job.is_some() && place.port == change.to && change.to != change.from;
    (is_ahead && ground.record.vetted).then_some(place)
}

/// Where applications were led ahead of a change that has not succeeded, as far as the cloud said: the proxy has greeted there, and the
/// port may have been set all the same.
pub fn unproven(record: &Record, endpoint: Option<&str>) -> Option<Place> {
    let last = record.last.as_ref();
    let failed = last.filter(|last| last.outcome != Outcome::Succeeded)?;
    let place = endpoint.and_then(Place::parse)?;
    let is_ahead = failed.to_port == i32::from(place.port) && failed.to_port != failed.from_port;
    (is_ahead && record.vetted && record.change.is_none()).then_some(place)
}

/// The same while lists may lag behind the end of that change: none of them leads back.
fn waits_for_proof(ground: &Ground<'_>) -> Option<Place> {
    let is_lately = ground.left_lately.is_some();
    let place = unproven(ground.record, ground.endpoint).filter(|_| is_lately)?;
    ground.networks.has(place.address).then_some(place)
}

/// Whether a place is no verified one: applications were led there by a greeting.
pub fn is_by_greeting(ground: &Ground<'_>, known: &Known) -> bool {
    let change = ground.record.change.as_ref();
    match (known, change) {
        (Known::At(place) | Known::Keep(Some(place)), Some(change)) => {
            place.port == change.to && ground.record.port != Some(change.to)
        }
        (Known::At(place) | Known::Keep(Some(place)), None) => {
            waits_for_proof(ground) == Some(*place) && ground.record.port != Some(place.port)
        }
        _ => false,
    }
}

/// The place that is kept where nothing was read, if it is the verified one of a resource that manages its proxy and is at rest.
pub fn firm(record: &Record, known: &Known) -> Option<Place> {
    let is_at_rest = record.vetted && !record.restored && record.change.is_none();
    match known {
        Known::Keep(kept) => kept.filter(|kept| is_at_rest && record.port == Some(kept.port)),
        Known::Gone | Known::Withdrawn | Known::At(_) | Known::Unusable(..) => None,
    }
}

/// What has led applications to such a place.
pub fn led_by(record: &Record) -> Option<Ahead> {
    record
        .change
        .as_ref()
        .map_or(Some(Ahead::Unproven), |change| {
            change.job.clone().map(Ahead::During)
        })
}

/// The place that is on record, for where nothing is published: the verified one of a vetted resource; else where its Service led, unless
/// that could not be led to what the last change has left.
fn on_record(ground: &Ground<'_>, is_read: bool) -> Option<Place> {
    let record = ground.record;
    let last = record.last.as_ref();
    let left = last.filter(|last| last.outcome == Outcome::Succeeded);
    let stands = || {
        let place = published(ground);
        place.filter(|place| left.is_none_or(|left| left.to_port == i32::from(place.port)))
    };
    if record.restored {
        return None;
    }
    if let Some(ahead) = ahead(ground).or_else(|| waits_for_proof(ground)) {
        return Some(ahead);
    }
    if !record.vetted || is_behind(ground) {
        return stands();
    }
    // Nothing is published for the first time by what was read long ago.
    let counts = is_read || record.change.is_some() || ground.endpoint.is_some();
    let address = ground.address.filter(|_| counts)?;
    Some(Place {
        address: ground.networks.address(address).ok()?,
        port: record.port?,
    })
}

#[cfg(test)]
mod tests;
