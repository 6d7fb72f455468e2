//! Whether everything is published that is wanted, and nothing else, once all faults have ended.

use std::collections::BTreeSet;

use kube::ResourceExt as _;
use serde_json::{Value, json};
use taurus_port_operator::crd::TaurusProxyPort;

use super::ledger::{is_whole, service_of};
use crate::{
    NAMESPACE,
    rest::ready,
    sky::PROXIES,
    stock::{Kind, Object},
    world::World,
};

/// A resource, by what is compared.
struct Own<'a> {
    object: &'a TaurusProxyPort,
    uid: String,
    port: u16,
}

impl World {
    /// What is not published as it should be; nothing if all is.
    pub fn unpublished(&self) -> Vec<String> {
        if !self.publishing {
            return Vec::new();
        }
        let own = self
            .cluster
            .all()
            .filter(|object| object.namespace().as_deref() == Some(NAMESPACE));
        let wrong = own.flat_map(|object| {
            let mut proxies = PROXIES.iter();
            let proxy = proxies.position(|(id, _)| *id == object.spec.proxy_id);
            let own = Own {
                object,
                uid: object.uid().unwrap_or_default(),
                port: self.sky.port(proxy.unwrap_or_default()),
            };
            [self.wrong_service(&own), self.wrong_map(&own)]
        });
        let wrong: Vec<String> = wrong.flatten().collect();
        let left = self
            .stock
            .all()
            .filter_map(|(kind, name, object)| self.left(kind, name, object));
        wrong.into_iter().chain(left).collect()
    }

    fn wrong_service(&self, own: &Own<'_>) -> Option<String> {
        let wish = own.object.spec.service.as_ref()?;
        let name = &wish.name;
        let slice_name = format!("{name}-ipv4");
        let service = self.stock.get(Kind::Service, name);
        let slice = self.stock.get(Kind::Slice, &slice_name);
        let reason = reason(own.object, "ServicePublished");
        let say = |what: &str| {
            let name = own.object.name_any();
            Some(format!("{name} Service {}, {reason}: {what}", wish.name))
        };
        match reason.as_str() {
            "Published" => {
                let Some(service) = service.filter(|service| is_of(service, own)) else {
                    return say("the Service is not there");
                };
                let spec = &service.value["spec"];
                let port = wish.port.unwrap_or(3306);
                if spec["ports"][0]["port"] != port || !spec["selector"].is_null() {
                    return say("the Service is another one");
                }
                let Some(slice) = slice.filter(|slice| is_of(slice, own)) else {
                    return say("the slice is not there");
                };
                if !leads(slice, own.port, name) {
                    return say("the slice leads elsewhere");
                }
                let status = own.object.status.as_ref();
                let shown = status.and_then(|status| status.service.clone())?;
                let endpoint = format!("192.0.2.7:{}", own.port);
                if shown.name != *name || shown.endpoint != Some(endpoint) {
                    return say("the status shows another endpoint");
                }
                None
            }
            "NameTaken" => {
                let by_name = [service, slice]
                    .into_iter()
                    .flatten()
                    .any(|one| is_anothers(one, own));
                let beside = self.stock.all().any(|(kind, _, one)| {
                    kind == Kind::Slice
                        && !one.is_made_here()
                        && one.label("kubernetes.io/service-name") == Some(name)
                });
                if !by_name && !beside {
                    return say("nobody has the name");
                }
                let is_anothers = service.is_some_and(|one| is_anothers(one, own));
                if is_anothers && slice.is_some_and(|slice| is_of(slice, own)) {
                    return say("its slice leads from the Service of another one to its proxy");
                }
                None
            }
            "NothingToPublish" if waits(own.object) => None,
            _ => say("it is not published"),
        }
    }

    fn wrong_map(&self, own: &Own<'_>) -> Option<String> {
        let name = &own.object.spec.config_map.as_ref()?.name;
        let map = self.stock.get(Kind::Map, name);
        let reason = reason(own.object, "ConfigMapPublished");
        let say = |what: &str| {
            Some(format!(
                "{} ConfigMap {name}, {reason}: {what}",
                own.object.name_any()
            ))
        };
        match reason.as_str() {
            "Published" => {
                let Some(map) = map.filter(|map| is_of(map, own)) else {
                    return say("it is not there");
                };
                let data = &map.value["data"];
                let port = own.port.to_string();
                if data["proxyHost"] != "192.0.2.7" || data["proxyPort"] != json!(port) {
                    return say("it says another place");
                }
                let service = own.object.spec.service.as_ref();
                let through = service.map(|wish| {
                    (
                        format!("{}.shop.svc", wish.name),
                        wish.port.unwrap_or(3306).to_string(),
                    )
                });
                let itself = ("192.0.2.7".to_owned(), port);
                let says = |place: &(String, String)| {
                    data["host"] == json!(place.0) && data["port"] == json!(place.1)
                };
                let is_right = match self::reason(own.object, "ServicePublished").as_str() {
                    "Published" => through.as_ref().is_some_and(says),
                    // Through that of another resource for the same proxy, where there is one.
                    "NameTaken" => {
                        says(&itself)
                            || through.is_some_and(|(host, _)| data["host"] == json!(host))
                    }
                    _ => says(&itself),
                };
                if is_right {
                    None
                } else {
                    say("it says another host or port")
                }
            }
            "NameTaken" if map.is_some_and(|map| is_anothers(map, own)) => None,
            "NothingToPublish" if waits(own.object) => None,
            _ => say("it is not published"),
        }
    }

    /// What nobody wishes for, and is there.
    fn left(&self, kind: Kind, name: &str, object: &Object) -> Option<String> {
        let say = |what: &str| Some(format!("{}/{name} is left: {what}", kind.plural()));
        if !object.is_made_here() || object.is_late {
            return None;
        }
        let owners = object.owners();
        if owners.is_empty() {
            return if object.is_orphaned {
                None
            } else {
                say("it has no owner")
            };
        }
        for owner in owners {
            let Some(resource) = self.resource_of(owner) else {
                return say("an owner is gone");
            };
            if Self::does_wish(resource, kind, name) {
                continue;
            }
            // It is kept until what takes its place is there, and kept true.
            let condition = match kind {
                Kind::Map => "ConfigMapPublished",
                Kind::Service | Kind::Slice => "ServicePublished",
            };
            let reason = reason(resource, condition);
            let is_kept = matches!(reason.as_str(), "NameTaken" | "NothingToPublish");
            if !is_kept {
                return say(&format!(
                    "{} wishes for it no longer, {reason}",
                    resource.name_any()
                ));
            }
            let proxy = PROXIES
                .iter()
                .position(|(id, _)| *id == resource.spec.proxy_id);
            let port = self.sky.port(proxy.unwrap_or_default());
            if kind != Kind::Service && object.port(kind) != Some(port) {
                return say("it leads elsewhere");
            }
        }
        None
    }

    /// How often processes wrote or deleted what is published.
    pub fn publications(&self) -> usize {
        self.stock.ledger.writes
    }

    /// When all rests: somebody deletes one slice and leads the others elsewhere. Says what was done.
    pub fn disturb(&mut self) -> usize {
        if !self.publishing || !self.stock.may_watch {
            return 0;
        }
        let now = self.now();
        let wished: BTreeSet<String> = self
            .cluster
            .all()
            .filter(|object| reason(object, "ServicePublished") == "Published")
            .filter_map(|object| Some(object.spec.service.as_ref()?.name.clone()))
            .collect();
        for (number, name) in wished.iter().enumerate() {
            let slice = format!("{name}-ipv4");
            self.say(|| format!("* somebody disturbs {slice}"));
            if number == 0 {
                self.stock.remove(Kind::Slice, &slice, now);
            } else if let Some(mut object) = self.stock.get(Kind::Slice, &slice).cloned() {
                object.value["ports"][0]["port"] = json!(9999);
                self.stock.store(Kind::Slice, &slice, object, now);
            }
        }
        wished.len()
    }
}

fn reason(object: &TaurusProxyPort, kind: &str) -> String {
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    let mut conditions = conditions.filter(|condition| condition.type_ == kind);
    conditions
        .next()
        .map(|condition| condition.reason.clone())
        .unwrap_or_default()
}

/// Whether it says that it waits for another resource.
fn waits(object: &TaurusProxyPort) -> bool {
    let reason = ready(object).map(|ready| ready.reason.as_str());
    matches!(
        reason,
        Some("ProxyClaimed" | "ProxyContested" | "TakingOver")
    )
}

fn is_of(one: &Object, own: &Own<'_>) -> bool {
    one.is_made_here() && one.controller() == Some(&own.uid)
}

fn is_anothers(one: &Object, own: &Own<'_>) -> bool {
    !is_of(one, own)
}

fn leads(slice: &Object, port: u16, service: &str) -> bool {
    let value: &Value = &slice.value;
    is_whole(value)
        && value["ports"][0]["port"] == port
        && slice.label("kubernetes.io/service-name") == Some(service_of(Kind::Service, service))
}
