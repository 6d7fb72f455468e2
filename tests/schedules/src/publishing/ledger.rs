//! What must hold of every version of what is published that a process makes, and of everything that it withdraws.
//!
//! Relies on the cloud's own history of ports, and on every version of every resource. Judges a write by what was known when it was sent.
//! Promises no opinion on what an operator can't know: a list may lag behind what others have set in the cloud, and its watch behind what
//! people have edited.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;
use serde_json::Value;
use taurus_port_operator::crd::{Outcome, Phase, TaurusProxyPort};

use crate::{
    NAMESPACE,
    flaw::Flaw,
    life::Life,
    rest::ready,
    sky::PROXIES,
    stock::{Kind, Maker, Object},
    world::World,
};

/// A process goes by what it has heard of a resource: its watch is down for five minutes at most, and lags by less than half a minute.
const HEARD_OF_WITHIN: u64 = 400_000;

/// What was read of a Service is acted on within this.
const ACTED_ON_WITHIN: u64 = 15_000;

/// A proxy is gone for sure when it was not shown for so long, but for the time of a call.
const GONE_AFTER: u64 = 598_000;

/// The address of all proxies.
const ADDRESS: &str = "192.0.2.7";

/// What was published so far, as far as it is checked.
#[derive(Default)]
pub struct Ledger {
    /// How often processes wrote or deleted something.
    pub writes: usize,
    /// What was replaced by somebody else while a process wrote it.
    pub conflicts: BTreeSet<(Kind, String)>,
    /// What each resource has wished for, by its UID.
    pasts: BTreeMap<String, Past>,
    /// The last verified change of each proxy: when it was put on record, and since when its port was in place.
    verified: BTreeMap<usize, (u64, u64)>,
    /// What was led to a port after a verified change may lead to none from before it.
    floors: BTreeMap<Whose, Vec<(u64, u64)>>,
    /// When each slice was led somewhere last by a process, and to which port.
    led: BTreeMap<String, (u64, u16)>,
    /// Where a proxy has greeted while a job was setting this very port, and when.
    pub greeted: Vec<(usize, u16, u64)>,
    /// When the cloud has not shown each proxy: from and until.
    pub absences: Vec<(Option<usize>, u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Resource(String),
    Object(Kind, String),
}

/// What a resource has wished for.
struct Past {
    proxy: usize,
    /// Since when it wishes for a Service and a ConfigMap of these names; for nothing, once it is gone.
    wishes: Vec<(u64, Wishes)>,
}

type Wishes = [Option<String>; 2];

fn wishes(object: &TaurusProxyPort) -> Wishes {
    let spec = &object.spec;
    [
        spec.service.as_ref().map(|service| service.name.clone()),
        spec.config_map.as_ref().map(|map| map.name.clone()),
    ]
}

impl Past {
    fn always_wished(&self, kind: Kind, name: &str, since: u64) -> bool {
        let place = usize::from(kind == Kind::Map);
        let wanted = service_of(kind, name);
        let mut counted = self.wishes.iter().enumerate().filter(|(number, _)| {
            let next = self.wishes.get(number + 1);
            next.is_none_or(|(until, _)| *until > since)
        });
        self.wishes[0].0 <= since
            && counted.all(|(_, (_, wishes))| wishes[place].as_deref() == Some(wanted))
    }
}

/// The name that resources wish for, of an object.
pub fn service_of(kind: Kind, name: &str) -> &str {
    match kind {
        Kind::Slice => name.strip_suffix("-ipv4").unwrap_or(name),
        Kind::Service | Kind::Map => name,
    }
}

impl World {
    /// A version of a resource stands there, or none any more.
    pub fn note_wishes(&mut self, object: &TaurusProxyPort, is_there: bool) {
        let now = self.now();
        let mut proxies = PROXIES.iter();
        let Some(proxy) = proxies.position(|(id, _)| *id == object.spec.proxy_id) else {
            return;
        };
        let wished = if is_there {
            wishes(object)
        } else {
            [None, None]
        };
        let past = Past {
            proxy,
            wishes: Vec::new(),
        };
        let uid = object.uid().unwrap_or_default();
        let past = self.stock.ledger.pasts.entry(uid).or_insert(past);
        if past.wishes.last().is_none_or(|(_, last)| *last != wished) {
            past.wishes.push((now, wished));
        }
        if !is_there {
            self.stock.changed.send_modify(|version| *version += 1);
        }
    }

    /// The resource with this UID, if it is there.
    pub fn resource_of(&self, uid: &str) -> Option<&TaurusProxyPort> {
        let mut all = self.cluster.all();
        all.find(|object| object.uid().as_deref() == Some(uid))
    }

    /// Whether a resource wishes for an object.
    pub fn does_wish(object: &TaurusProxyPort, kind: Kind, name: &str) -> bool {
        wishes(object)[usize::from(kind == Kind::Map)].as_deref() == Some(service_of(kind, name))
    }

    /// The proxy of the first resource that wishes for an object.
    pub fn proxy_of_who_wishes(&self, kind: Kind, name: &str) -> Option<String> {
        let mut all = self.cluster.all();
        let wishing = all.find(|object| Self::does_wish(object, kind, name))?;
        Some(wishing.spec.proxy_id.clone())
    }

    /// A process makes or replaces an object.
    pub fn check_published(
        &mut self,
        life: &Life,
        (kind, name): (Kind, &str),
        before: Option<&Object>,
        after: &Object,
        sent: u64,
    ) {
        let now = self.now();
        self.stock.ledger.writes += 1;
        let what = format!("{} {}/{name}", life.identity, kind.plural());
        if before.is_some_and(|before| !before.is_made_here()) {
            self.broken(format!("{what}: it writes what is somebody else's"));
            return;
        }
        let Some((uid, proxy)) = self.has_it(after) else {
            // Whoever waits for it may come and go while nobody has it.
            if !before.is_some_and(|before| leads_as(before, after)) {
                self.broken(format!("{what}: it is of no resource"));
            }
            return;
        };
        if let Maker::Operator(made_for) = &after.maker
            && made_for != PROXIES[proxy].0
        {
            self.broken(format!("{what}: it was made for another proxy"));
        }
        let had = before
            .and_then(Object::controller)
            .filter(|had| *had != uid);
        // A slice goes with its Service.
        let service = self.stock.get(Kind::Service, service_of(kind, name));
        let has_service =
            |had: &&str| service.is_some_and(|service| service.controller() == Some(*had));
        let had = had.filter(|had| kind != Kind::Slice || has_service(had));
        if let Some(past) = had.and_then(|had| self.stock.ledger.pasts.get(had))
            && past.always_wished(kind, name, now.saturating_sub(HEARD_OF_WITHIN))
        {
            self.broken(format!(
                "{what}: it is taken from a resource that wishes for it"
            ));
        }
        if kind == Kind::Service {
            return;
        }
        // What somebody else has edited may stay as it is until the proxy is read again.
        if before.is_some_and(|before| leads_as(before, after)) {
            return;
        }
        if kind == Kind::Slice && !is_whole(&after.value) {
            self.broken(format!("{what}: a slice without an endpoint"));
            return;
        }
        let Some(port) = after.port(kind) else {
            self.broken(format!("{what}: it has no port"));
            return;
        };
        if kind == Kind::Slice {
            let led = &mut self.stock.ledger.led;
            led.insert(name.to_owned(), (now, port));
        }
        self.check_port(
            &what,
            [Whose::Resource(uid), Whose::Object(kind, name.to_owned())],
            proxy,
            port,
            sent,
        );
    }

    fn check_port(&mut self, what: &str, whose: [Whose; 2], proxy: usize, port: u16, sent: u64) {
        let ledger = &self.stock.ledger;
        let floors = whose.iter().filter_map(|whose| ledger.floors.get(whose));
        let floors = floors.flatten().filter(|(at, _)| *at <= sent);
        let floor = floors.map(|(_, since)| *since).max().unwrap_or(0);
        let verified = ledger.verified.get(&proxy).copied();
        // Ahead of the end of our job a port counts that the proxy has greeted at; for what follows verified ports alone it does not.
        let is_slice = matches!(&whose[1], Whose::Object(Kind::Slice, _));
        let mut greeted = ledger.greeted.iter();
        let is_greeted = greeted
            .any(|(of, at, when)| (*of, *at) == (proxy, port) && (floor..=sent).contains(when));
        if !(is_slice && is_greeted || self.sky.was_in_place(proxy, port, floor, sent)) {
            let text = if self.sky.was_in_place(proxy, port, 0, sent) {
                "is the old one: another was verified since"
            } else {
                "was never in place"
            };
            self.broken(format!("{what}: port {port} {text}"));
            return;
        }
        let verified = verified.filter(|(at, _)| *at <= sent);
        if let Some((_, since)) =
            verified.filter(|(_, since)| self.sky.was_in_place(proxy, port, *since, sent))
        {
            for whose in whose {
                let floors = self.stock.ledger.floors.entry(whose).or_default();
                floors.push((sent, since));
            }
        }
    }

    /// A process deletes an object.
    pub fn check_withdrawn(
        &mut self,
        life: &Life,
        (kind, name): (Kind, &str),
        stands: &Object,
        sent: u64,
    ) {
        self.stock.ledger.writes += 1;
        let what = format!("{} {}/{name}", life.identity, kind.plural());
        if !stands.is_made_here() {
            self.broken(format!("{what}: it deletes what is somebody else's"));
            return;
        }
        let Some((uid, proxy)) = self.has_it(stands) else {
            return;
        };
        let since = sent.saturating_sub(HEARD_OF_WITHIN);
        let past = self.stock.ledger.pasts.get(&uid);
        if past.is_none_or(|past| !past.always_wished(kind, name, since)) {
            return;
        }
        let may_be = match kind {
            Kind::Service => false,
            // Only a new one can be written.
            Kind::Map => stands.value["immutable"] == true,
            Kind::Slice => {
                let recent = sent.saturating_sub(ACTED_ON_WITHIN);
                self.was_anothers(service_of(kind, name), &uid, recent)
                    || self.is_gone_for_sure(name, proxy, sent)
            }
        };
        if !may_be {
            self.broken(format!(
                "{what}: it withdraws what {} wishes for",
                self.name_of_uid(&uid)
            ));
        }
    }

    fn name_of_uid(&self, uid: &str) -> String {
        self.resource_of(uid)
            .map(kube::ResourceExt::name_any)
            .unwrap_or_default()
    }

    /// The resource that has an object, and its proxy.
    fn has_it(&self, object: &Object) -> Option<(String, usize)> {
        let uid = object.controller()?;
        let past = self.stock.ledger.pasts.get(uid)?;
        Some((uid.to_owned(), past.proxy))
    }

    /// Whether the Service of this name was another's at some moment since then.
    fn was_anothers(&self, name: &str, uid: &str, since: u64) -> bool {
        let is_anothers =
            |object: &Object| !object.is_made_here() || object.controller() != Some(uid);
        let now = self.stock.get(Kind::Service, name);
        let log = self.stock.log.iter().rev();
        let log = log.take_while(|line| line.at >= since);
        let mut recent = log.filter(|line| line.kind == Kind::Service && line.name == name);
        now.is_some_and(is_anothers)
            || recent.any(|line| {
                let versions = [&line.before, &line.after];
                versions.into_iter().flatten().any(is_anothers)
            })
    }

    /// Whether the cloud has not shown a proxy for long enough, also since its slice was led somewhere.
    fn is_gone_for_sure(&self, slice: &str, proxy: usize, sent: u64) -> bool {
        let ledger = &self.stock.ledger;
        let led = ledger.led.get(slice).map_or(0, |(at, _)| *at);
        let of_it = ledger
            .absences
            .iter()
            .filter(|(of, from, _)| of.is_none_or(|of| of == proxy) && *from <= sent);
        let first = of_it.clone().map(|(_, from, _)| *from).min();
        let last = of_it.map(|(_, _, until)| (*until).min(sent)).max();
        first
            .zip(last)
            .is_some_and(|(first, last)| last >= led && last - first >= GONE_AFTER)
    }

    /// A process has replaced a status: what it says of a change that has ended, and of what applications reach.
    pub fn check_said(&mut self, before: &TaurusProxyPort, after: &TaurusProxyPort, life: &Life) {
        if !self.publishing || after.namespace().as_deref() != Some(NAMESPACE) {
            return;
        }
        self.note_verified(before, after);
        // Who only observes follows later where something else is at work on the instance.
        let is_ready = |object: &TaurusProxyPort| {
            ready(object).is_some_and(|ready| ready.status == "True" && ready.reason == "Settled")
        };
        let status = after.status.as_ref();
        let conditions = status.iter().flat_map(|status| &status.conditions);
        let is_published = conditions
            .filter(|condition| condition.type_ == "ServicePublished")
            .any(|condition| condition.status == "True");
        if is_ready(after) && !is_ready(before) && is_published {
            // The status may name an older one that could not be removed yet.
            let service = after.spec.service.as_ref();
            let slice = service.map(|service| format!("{}-ipv4", service.name));
            let slice = slice.unwrap_or_default();
            let led = self.stock.ledger.led.get(&slice);
            let led = led.map(|(_, port)| i32::from(*port));
            // Somebody else may have led it there, so that nothing had to be written.
            let stands = self.stock.get(Kind::Slice, &slice);
            let stands = stands
                .and_then(|stands| stands.port(Kind::Slice))
                .map(i32::from);
            let port = status.and_then(|status| status.port);
            if led != port && stands != port {
                let text = format!(
                    "{} says Ready with port {port:?} before applications are led there: {led:?}",
                    life.identity
                );
                self.broken(text);
            }
        }
        self.publish_early(before, after, life);
    }

    fn note_verified(&mut self, before: &TaurusProxyPort, after: &TaurusProxyPort) {
        let last = |object: &TaurusProxyPort| object.status.as_ref()?.last_change.clone();
        let Some(new) = last(after).filter(|new| last(before).is_none_or(|old| old.id != new.id))
        else {
            return;
        };
        let uid = after.uid().unwrap_or_default();
        let proxy = self.stock.ledger.pasts.get(&uid).map(|past| past.proxy);
        let (Outcome::Succeeded, Some(proxy)) = (new.outcome, proxy) else {
            return;
        };
        let now = self.now();
        let port = u16::try_from(new.to_port).unwrap_or_default();
        if let Some(since) = self.sky.in_place_since(proxy, port) {
            let ledger = &mut self.stock.ledger;
            ledger.verified.insert(proxy, (now, since));
            let floors = ledger.floors.entry(Whose::Resource(uid)).or_default();
            floors.push((now, since));
        }
    }

    /// An operator that does not wait for the end of its change, where it is broken on purpose.
    fn publish_early(&mut self, before: &TaurusProxyPort, after: &TaurusProxyPort, life: &Life) {
        let change = |object: &TaurusProxyPort| object.status.as_ref()?.change.clone();
        let is_sent = |object: &TaurusProxyPort| {
            change(object).filter(|change| change.phase != Phase::Intended)
        };
        let (Some(Flaw::PublishesEarly), None, Some(change)) =
            (self.flaw, is_sent(before), is_sent(after))
        else {
            return;
        };
        let (now, uid) = (self.now(), after.uid().unwrap_or_default());
        let own = self
            .stock
            .all()
            .filter(|(kind, _, object)| *kind == Kind::Slice && object.controller() == Some(&uid));
        let own: Vec<(String, Object)> = own
            .map(|(_, name, object)| (name.to_owned(), object.clone()))
            .collect();
        for (name, mut object) in own {
            object.value["ports"][0]["port"] = change.to_port.into();
            self.write_published(life, Kind::Slice, &name, object, now);
        }
    }
}

/// Whether both lead to the same place.
fn leads_as(before: &Object, after: &Object) -> bool {
    let place = |object: &Object| {
        let value = &object.value;
        let data = &value["data"];
        ["spec", "endpoints", "ports"]
            .map(|part| value[part].clone())
            .into_iter()
            .chain([data["proxyHost"].clone(), data["proxyPort"].clone()])
            .collect::<Vec<Value>>()
    };
    place(before) == place(after)
}

/// Whether a slice leads to one endpoint of the right address that is ready.
pub fn is_whole(slice: &Value) -> bool {
    let endpoint = &slice["endpoints"][0];
    let is_one = |list: &Value| list.as_array().is_some_and(|list| list.len() == 1);
    is_one(&slice["endpoints"])
        && is_one(&slice["ports"])
        && endpoint["addresses"] == serde_json::json!([ADDRESS])
        && endpoint["conditions"]["ready"] == true
}
