//! What a status says of what is published for applications.
//!
//! It is added to a status that says all else. Promises that what is not known in this process stays as it was said before, and that
//! nothing is said of what is not wished for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Statement, reachable::REACHABLE};
use crate::{
    crd::{PublishedConfigMap, PublishedService, TaurusProxyPortStatus},
    desired::Wish,
    model::Moment,
    plan::message::Message,
    publish::{
        order::{Published, Slot},
        said::Said,
    },
};

const SERVICE: &str = "ServicePublished";
const CONFIG_MAP: &str = "ConfigMapPublished";

/// What there is to say.
#[derive(Debug, Clone)]
pub struct Publication {
    /// What is wished for.
    pub wish: Wish,
    /// What came of it; nothing where nothing was tried yet.
    pub published: Option<Published>,
    /// The generation that wishes for it.
    pub generation: i64,
}

/// Adds what is published to a status.
pub fn published(
    mut status: TaurusProxyPortStatus,
    publication: &Publication,
    now: Moment,
) -> TaurusProxyPortStatus {
    let wish = &publication.wish;
    let published = publication.published.as_ref();
    if let Some(published) = published {
        match &published.service_slot {
            Slot::AsBefore => {}
            Slot::Is(service) => status.service = Some(service.clone()),
            Slot::Empty => status.service = None,
        }
        match &published.map_slot {
            Slot::AsBefore => {}
            Slot::Is(name) => status.config_map = Some(PublishedConfigMap { name: name.clone() }),
            Slot::Empty => status.config_map = None,
        }
    }
    let map = wish.config_map.as_ref();
    let all = [
        (
            SERVICE,
            wish.service.is_some(),
            published.and_then(|published| published.service.as_ref()),
        ),
        (
            CONFIG_MAP,
            map.is_some(),
            published.and_then(|published| published.config_map.as_ref()),
        ),
    ];
    for (kind, is_wished, said) in all {
        say(
            &mut status.conditions,
            kind,
            is_wished,
            said.filter(|said| **said != Said::NotLeading),
            publication.generation,
            now,
        );
    }
    with_names(status, wish)
}

/// A status of a spec that can't be acted on: what was said of what is published is not about it.
pub(super) fn unpublished(
    mut status: TaurusProxyPortStatus,
    generation: i64,
    now: Moment,
) -> TaurusProxyPortStatus {
    for kind in [SERVICE, CONFIG_MAP] {
        let mut conditions = status.conditions.iter();
        if conditions.any(|condition| condition.type_ == kind) {
            say(&mut status.conditions, kind, true, None, generation, now);
        }
    }
    status
}

/// A status with the names of what is wished for, where it has none yet: so that what is made under them is found again.
pub fn with_names(mut status: TaurusProxyPortStatus, wish: &Wish) -> TaurusProxyPortStatus {
    if let (Some(wish), None) = (&wish.service, &status.service) {
        status.service = Some(PublishedService {
            name: wish.name.clone(),
            cluster_ip: None,
            port: wish.port.into(),
            endpoint: None,
        });
    }
    if let (Some(name), None) = (&wish.config_map, &status.config_map) {
        status.config_map = Some(PublishedConfigMap { name: name.clone() });
    }
    status
}

/// What is said of one object, in words.
pub fn words(said: &Said) -> Message {
    let (own, upstream) = said.text();
    Message::quoting_option(own, upstream)
}

fn say(
    conditions: &mut Vec<Condition>,
    kind: &'static str,
    is_wished: bool,
    said: Option<&Said>,
    generation: i64,
    now: Moment,
) {
    let place = conditions
        .iter()
        .position(|condition| condition.type_ == kind);
    let old = place.and_then(|place| conditions.get(place));
    let is_new = old.is_none_or(|old| old.observed_generation != Some(generation));
    let said = match said {
        Some(said) => said,
        // What was said of what was wished for before says nothing of this.
        None if is_wished && is_new => &Said::Pending,
        None if is_wished => return,
        None => {
            if let Some(place) = place {
                conditions.remove(place);
            }
            return;
        }
    };
    let new = Statement {
        kind,
        status: said.status(),
        reason: said.reason(),
        message: words(said),
    };
    put(conditions, &new, generation, now);
}

/// Puts a statement in its place among the conditions.
pub(super) fn put(conditions: &mut Vec<Condition>, new: &Statement, generation: i64, now: Moment) {
    let place = conditions
        .iter()
        .position(|condition| condition.type_ == new.kind);
    let old = place.and_then(|place| conditions.get(place));
    let new = super::condition(old, new, generation, now);
    if let Some(condition) = place.and_then(|place| conditions.get_mut(place)) {
        *condition = new;
    } else {
        make_room(conditions);
        conditions.push(new);
    }
}

/// The API server takes no more conditions than this: the last one of somebody else makes room.
fn make_room(conditions: &mut Vec<Condition>) {
    let is_foreign = |condition: &Condition| {
        let own = super::OWN.iter().chain(&[SERVICE, CONFIG_MAP, REACHABLE]);
        !own.into_iter().any(|own| *own == condition.type_)
    };
    if conditions.len() >= super::others::MOST
        && let Some(place) = conditions.iter().rposition(is_foreign)
    {
        conditions.remove(place);
    }
}
