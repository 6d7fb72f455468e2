//! What applications reach the proxy by, written before the status says that the port is in place.
//!
//! Relies on the record for the port: it stands still while a change is at work, and follows no list that has fallen back. Promises no
//! call for a resource that wishes for nothing, and none where the same was published a short while ago.

use std::time::Duration;

use kube::{Resource as _, ResourceExt as _};

use super::Pass;
use crate::{
    controller::{events, read::Desired},
    crd::TaurusProxyPort,
    model::Class,
    plan::{
        Decision,
        facts::{Observed, Seen},
        step::{Cause, Step},
        summary,
    },
    publish::{
        Wish,
        order::{Known, Names, Order, Published},
        said::Said,
        standing::Owner,
        wanted::{Address, Place},
    },
};

/// What was published, and when.
#[derive(Debug)]
pub struct Kept {
    order: Order,
    /// The request of a person that was seen then: a new one asks for another look at all.
    request: Option<String>,
    at: Duration,
    /// What came of it.
    pub published: Published,
}

impl Pass<'_> {
    /// Publishes what is wished for. Says when to try again, where that is before the next look.
    pub(super) async fn publish(
        &mut self,
        desired: &Desired,
        observed: &Observed,
        decision: &Decision,
    ) -> Option<Duration> {
        let order = self.order(desired, observed, decision)?;
        let uptime = self.context.clock.now().uptime;
        let pace = &self.context.pace;
        let again = |published: &Published| {
            if published.is_unfinished() {
                Some(pace.secret_check)
            } else {
                published.is_forbidden().then_some(pace.denied_check)
            }
        };
        if let Some(kept) = self.memory.published.as_deref()
            && kept.order == order
            && kept.request == desired.request
            // Looks come about as often as that: half of it skips none.
            && let good_for = again(&kept.published).unwrap_or(self.context.resync / 2)
            && let Some(left) = good_for.checked_sub(uptime.saturating_sub(kept.at))
            && !left.is_zero()
        {
            return again(&kept.published).map(|_| left);
        }
        let published = self.context.publications.publish(&order).await;
        self.tell_of_publication(&published);
        let again = again(&published);
        self.memory.published = Some(Box::new(Kept {
            order,
            request: desired.request.clone(),
            at: uptime,
            published,
        }));
        again
    }

    /// What is to be published; nothing where nothing is wished for and nothing was published.
    fn order(&self, desired: &Desired, observed: &Observed, decision: &Decision) -> Option<Order> {
        let wish = desired.publication.as_deref().cloned().unwrap_or_default();
        let before = names_left(self.object, &wish);
        if desired.deleting || wish.is_empty() && before == Names::default() {
            return None;
        }
        let owner = Owner {
            namespace: self.object.namespace()?,
            name: self.object.name_any(),
            uid: self.object.uid()?,
            api_version: TaurusProxyPort::api_version(&()).into_owned(),
            proxy: desired.subject.proxy.as_str().to_owned(),
        };
        let waits = matches!(
            &decision.step,
            Step::Hold(
                Cause::ProxyClaimed(_) | Cause::ProxyContested(_) | Cause::TakingOver,
                _
            )
        );
        let known = self.known(observed, decision);
        let status = self.object.status.as_ref();
        let is_published =
            status.is_some_and(|status| status.service.is_some() || status.config_map.is_some());
        // What was published stays as it is while nothing is known.
        if known == Known::Nothing && is_published && before == Names::default() {
            return None;
        }
        Some(Order {
            owner,
            wish,
            before,
            known,
            waits,
        })
    }

    /// Where the proxy is: as it was seen, or else as the status of this very object says.
    fn known(&self, observed: &Observed, decision: &Decision) -> Known {
        if matches!(&decision.step, Step::Hold(Cause::ProxyNotFound, _)) {
            return Known::Gone;
        }
        let record = &decision.record;
        let status = self.object.status.as_ref();
        let address = match &observed.proxy {
            // A record from a backup may name another port than the proxy has.
            Seen::Known(Some(proxy)) if record.restored && proxy.port != record.port => None,
            Seen::Known(Some(proxy)) => proxy.address.clone(),
            _ if record.vetted => status.and_then(|status| status.address.clone()),
            _ => None,
        };
        let (Some(address), Some(port)) = (address, record.port) else {
            return Known::Nothing;
        };
        match Address::parse(&address) {
            Ok(address) => Known::At(Place { address, port }),
            Err(why) => Known::Unusable(address, why),
        }
    }

    /// What there is to say of what is published.
    pub(super) fn published_words(&self, desired: &Desired) -> summary::Publication {
        let wish = desired.publication.as_deref().cloned().unwrap_or_default();
        // What came of another wish says nothing of this one.
        let kept = self.memory.published.as_deref();
        let kept = kept.filter(|kept| kept.order.wish == wish);
        summary::Publication {
            wish,
            published: kept.map(|kept| kept.published.clone()),
            generation: desired.generation,
        }
    }

    /// People hear of what stands in the way when the status has not said so yet.
    fn tell_of_publication(&self, published: &Published) {
        let status = self.object.status.as_ref();
        let news = [
            (&published.service, "ServicePublished"),
            (&published.config_map, "ConfigMapPublished"),
        ];
        for (said, kind) in news {
            let Some(said) = said else {
                continue;
            };
            let mut conditions = status.iter().flat_map(|status| &status.conditions);
            let reason = said.reason().name();
            let is_old = conditions.any(|one| one.type_ == kind && one.reason == reason);
            let class = match said {
                _ if is_old => continue,
                Said::NothingRead | Said::NotManaging => continue,
                Said::Published => Class::Ready,
                _ => Class::Stalled,
            };
            let text = summary::words(said).to_string();
            let about = self.object.object_ref(&());
            events::publish(self.context, about, class, reason, &text);
        }
    }
}

/// What the status says was made, and is wished for under this name no longer.
fn names_left(object: &TaurusProxyPort, wish: &Wish) -> Names {
    let status = object.status.as_ref();
    let service = status.and_then(|status| status.service.as_ref());
    let service = service.map(|service| &service.name);
    let wished = wish.service.as_ref().map(|service| &service.name);
    let map = status.and_then(|status| status.config_map.as_ref());
    let map = map.map(|map| &map.name);
    Names {
        service: service.filter(|name| Some(*name) != wished).cloned(),
        config_map: map
            .filter(|name| Some(*name) != wish.config_map.as_ref())
            .cloned(),
    }
}
