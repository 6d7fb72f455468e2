//! What a status says of what is published for applications.
//!
//! It is added to a status that says all else. Promises that what is not known in this process stays as it was said before, and that
//! nothing is said of what is not wished for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::Statement;
use crate::{
    crd::{PublishedConfigMap, TaurusProxyPortStatus},
    model::Moment,
    plan::message::Message,
    publish::{Wish, order::Published, said::Said},
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
    // A name that is wished for no longer stays until what it names is gone.
    let is_removed = published.is_some_and(|published| published.left.is_none());
    let shown = published.and_then(|published| published.shown.clone());
    if let Some(shown) = shown.filter(|_| is_removed) {
        status.service = Some(shown);
    }
    let wished = wish.service.as_ref().map(|wish| &wish.name);
    let named = |name: &String| Some(name) == wished;
    status
        .service
        .take_if(|shown| is_removed && !named(&shown.name));
    let map_said = published.and_then(|published| published.config_map.as_ref());
    if let (Some(Said::Published), Some(name), true) = (map_said, &wish.config_map, is_removed) {
        status.config_map = Some(PublishedConfigMap { name: name.clone() });
    }
    let map = wish.config_map.as_ref();
    status
        .config_map
        .take_if(|shown| is_removed && Some(&shown.name) != map);
    let service_said = published.and_then(|published| published.service.as_ref());
    let all = [
        (SERVICE, wish.service.is_some(), service_said),
        (CONFIG_MAP, map.is_some(), map_said),
    ];
    for (kind, is_wished, said) in all {
        say(
            &mut status.conditions,
            kind,
            is_wished,
            said,
            publication.generation,
            now,
        );
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
    if !is_wished {
        if let Some(place) = place {
            conditions.remove(place);
        }
        return;
    }
    let Some(said) = said else {
        return;
    };
    let new = Statement {
        kind,
        status: said.status(),
        reason: said.reason(),
        message: words(said),
    };
    let old = place.and_then(|place| conditions.get(place));
    let new = super::condition(old, &new, generation, now);
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
        let own = super::OWN.iter().chain(&[SERVICE, CONFIG_MAP]);
        !own.into_iter().any(|own| *own == condition.type_)
    };
    if conditions.len() >= super::others::MOST
        && let Some(place) = conditions.iter().rposition(is_foreign)
    {
        conditions.remove(place);
    }
}

/// These conditions judge the generation that all others judge.
pub(super) fn of_generation(mut conditions: Vec<Condition>, generation: i64) -> Vec<Condition> {
    let own = conditions
        .iter_mut()
        .filter(|condition| [SERVICE, CONFIG_MAP].contains(&condition.type_.as_str()));
    for condition in own {
        condition.observed_generation = Some(generation);
    }
    conditions
}
