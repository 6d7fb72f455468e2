//! The names of what is published, as the status has them.

use super::{CONFIG_MAP, SERVICE};
use crate::{crd::TaurusProxyPort, desired::Wish, model::Reason, publish::order::Names};

/// The names that the status shows.
pub(super) fn names_on_record(object: &TaurusProxyPort) -> Names {
    let status = object.status.as_ref();
    let service = status.and_then(|status| status.service.as_ref());
    let map = status.and_then(|status| status.config_map.as_ref());
    Names {
        service: service.map(|service| service.name.clone()),
        config_map: map.map(|map| map.name.clone()),
    }
}

/// The reason of a condition.
pub(in crate::controller::reconcile) fn reason_of(
    object: &TaurusProxyPort,
    kind: &str,
) -> Option<Reason> {
    let status = object.status.as_ref()?;
    let mut conditions = status.conditions.iter();
    let condition = conditions.find(|condition| condition.type_ == kind)?;
    condition.reason.parse().ok()
}

/// Whether nothing was said yet of something that is wished for.
pub(super) fn is_unpublished(object: &TaurusProxyPort, wish: &Wish) -> bool {
    let is_silent = |kind| matches!(reason_of(object, kind), None | Some(Reason::Publishing));
    wish.service.is_some() && is_silent(SERVICE)
        || wish.config_map.is_some() && is_silent(CONFIG_MAP)
}

/// Those of them that the resource has itself, rather than waits for.
pub(super) fn names_had(object: &TaurusProxyPort) -> Names {
    let has = |kind| {
        matches!(
            reason_of(object, kind),
            Some(
                Reason::Published
                    | Reason::EditContested
                    | Reason::EndpointWithdrawn
                    | Reason::AddressUnusable
            )
        )
    };
    let names = names_on_record(object);
    Names {
        service: names.service.filter(|_| has(SERVICE)),
        config_map: names.config_map.filter(|_| has(CONFIG_MAP)),
    }
}

/// Whether the resource has its Service, by what was said of it last: what fails in passing changes nothing of that.
pub(in crate::controller::reconcile) fn has_service(object: &TaurusProxyPort) -> bool {
    let reason = reason_of(object, SERVICE);
    names_had(object).service.is_some() || reason == Some(Reason::PublishFailed)
}

/// What the status says was made, and is wished for under this name no longer.
pub(super) fn names_left(object: &TaurusProxyPort, wish: &Wish) -> Names {
    let names = names_on_record(object);
    let wished = wish.service.as_ref().map(|service| &service.name);
    Names {
        service: names.service.filter(|name| Some(name) != wished),
        config_map: names
            .config_map
            .filter(|name| Some(name) != wish.config_map.as_ref()),
    }
}
