//! What people want to be published, and what strangers do to it.
//!
//! Events of schedules of their own, put between those of other schedules. What must hold of it is in `ledger` and `rest`.

use kube::ResourceExt;
use rand::{RngExt as _, rngs::SmallRng, seq::IndexedRandom as _};
use serde_json::json;
use taurus_port_operator::crd::{ConfigMapSpec, ServiceSpec};
use tokio::time::Duration;

use crate::{
    schedule::{Event, PORTS},
    server::{Refused, WriteFault},
    stock::{Kind, Maker, Object},
    world::{Shared, World},
};

pub mod ledger;
mod rest;

/// The names that resources wish for: few, so that they meet.
const NAMES: [&str; 3] = ["orders-db", "billing-db", "sql"];

/// The ports at which Services answer.
const FRONTS: [i32; 3] = [3306, 3306, 5000];

/// What people and strangers do; resources and names by their numbers.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// A resource wishes for a Service with this name and port, and for a ConfigMap, or for none.
    Wish(usize, Option<(usize, i32)>, Option<usize>),
    /// A resource of another name is made that wishes for the same of the same proxy.
    Rename(usize),
    /// Somebody makes an object of a wished name, in the place of one that is there or not.
    Foreign(Kind, usize, bool),
    /// Somebody deletes an object of this name, whose ever it is.
    Delete(Kind, usize),
    /// Somebody edits one.
    Edit(Kind, usize, Edit),
    /// The next write of what is published goes wrong.
    WriteFails(usize, WriteFault),
    /// Calls about what is published are refused for so long.
    Refused(usize, Refused, u64),
    /// Writes of what is published take so long.
    WritesTake(usize, u64),
    /// Whether operators may watch what is published.
    MayWatch(bool),
}

/// What somebody edits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Edit {
    /// Where it leads.
    Port(u16),
    /// Something that is nobody's business.
    Note(u64),
    /// The labels are taken away.
    Labels,
    /// The owners are taken away.
    Owners,
    /// The endpoint of a slice is taken away, a Service gets a selector, a ConfigMap becomes immutable.
    Odd,
}

/// Puts what people and strangers do between other events.
pub(crate) fn interleave(
    mut random: SmallRng,
    mut resources: usize,
    operators: usize,
    events: Vec<(u64, Event)>,
) -> Vec<(u64, Event)> {
    let mut all = Vec::new();
    let may_watch = random.random_bool(0.8);
    all.push((0, Event::Publishing(Act::MayWatch(may_watch))));
    if random.random_bool(0.2) {
        let act = Act::Foreign(kind(&mut random), 0, true);
        all.push((0, Event::Publishing(act)));
    }
    for resource in 0..resources {
        let act = wish(&mut random, resource, 0.9);
        all.push((0, Event::Publishing(act)));
    }
    for (pause, event) in events {
        let is_newcomer = matches!(event, Event::Newcomer(_));
        all.push((pause, event));
        if is_newcomer {
            resources += 1;
            let act = wish(&mut random, resources - 1, 0.8);
            all.push((0, Event::Publishing(act)));
        }
        for _ in 0..random.random_range(0..4) {
            let pauses = [0, 20, 200, 3_000, 40_000, 700_000];
            let pause = *pauses.choose(&mut random).unwrap();
            if random.random_range(0..12) == 0 {
                let resource = random.random_range(0..resources);
                all.push((pause, Event::Publishing(Act::Rename(resource))));
                resources += 1;
                let pause = *[20, 500, 5_000, 60_000, 900_000]
                    .choose(&mut random)
                    .unwrap();
                all.push((pause, Event::Delete(resource)));
                continue;
            }
            all.push((pause, any(&mut random, resources, operators)));
        }
    }
    all
}

fn wish(random: &mut SmallRng, resource: usize, often: f64) -> Act {
    let name = *[0, 0, 1, 2].choose(random).unwrap();
    let front = *FRONTS.choose(random).unwrap();
    let service = random.random_bool(often).then_some((name, front));
    let map = *[0, 0, 1, 2].choose(random).unwrap();
    let map = random.random_bool(0.5).then_some(map);
    Act::Wish(resource, service, map)
}

fn kind(random: &mut SmallRng) -> Kind {
    *[Kind::Service, Kind::Slice, Kind::Slice, Kind::Map]
        .choose(random)
        .unwrap()
}

fn any(random: &mut SmallRng, resources: usize, operators: usize) -> Event {
    let resource = random.random_range(0..resources);
    let machine = random.random_range(0..operators);
    let name = *[0, 0, 1, 2].choose(random).unwrap();
    let kind = kind(random);
    let act = match random.random_range(0..40) {
        0..=4 => wish(random, resource, 0.7),
        5..=6 => Act::Foreign(kind, name, random.random_bool(0.5)),
        7..=11 => Act::Delete(kind, name),
        12..=18 => {
            let port = *PORTS.choose(random).unwrap();
            let note = random.random_range(0..1000);
            let edits = [
                Edit::Port(port),
                Edit::Note(note),
                Edit::Labels,
                Edit::Owners,
                Edit::Odd,
            ];
            Act::Edit(kind, name, *edits.choose(random).unwrap())
        }
        19..=27 => {
            let late = WriteFault::Late(random.random_range(0..90_000));
            let faults = [
                WriteFault::Lost,
                WriteFault::AnswerLost,
                WriteFault::Repeated,
                WriteFault::Overtaken,
                late,
            ];
            Act::WriteFails(machine, *faults.choose(random).unwrap())
        }
        28..=30 => {
            let refusals = [
                Refused::Right,
                Refused::Right,
                Refused::Admission,
                Refused::Failing,
            ];
            let refused = *refusals.choose(random).unwrap();
            Act::Refused(machine, refused, random.random_range(0..900_000))
        }
        31..=32 => {
            let long = *[0, 0, 800, 3_000, 4_900, 6_000].choose(random).unwrap();
            Act::WritesTake(machine, long)
        }
        33 => Act::MayWatch(random.random_bool(0.5)),
        _ => {
            let call = random.random_range(1..25);
            return Event::CrashAt(machine, call, random.random_bool(0.5));
        }
    };
    Event::Publishing(act)
}

/// The name of an object of this kind for a wished name.
fn name_of(kind: Kind, number: usize) -> String {
    match kind {
        Kind::Service | Kind::Map => NAMES[number].to_owned(),
        Kind::Slice => format!("{}-ipv4", NAMES[number]),
    }
}

impl World {
    /// All but the making of resources.
    pub(crate) fn act(&mut self, act: &Act) {
        let now = self.now();
        match act {
            Act::Wish(resource, service, map) => {
                let service = service.map(|(name, port)| ServiceSpec {
                    name: NAMES[name].to_owned(),
                    port: (port != 3306).then_some(port),
                });
                let map = map.map(|name| ConfigMapSpec {
                    name: NAMES[name].to_owned(),
                });
                self.edit(*resource, |object| {
                    object.spec.service = service;
                    object.spec.config_map = map;
                });
            }
            Act::Rename(_) => {}
            Act::Foreign(kind, number, replaces) => {
                let name = name_of(*kind, *number);
                if *replaces {
                    self.stock.remove(*kind, &name, now);
                }
                if self.stock.get(*kind, &name).is_none() {
                    self.stock
                        .store(*kind, &name, foreign(*kind, NAMES[*number]), now);
                }
            }
            Act::Delete(kind, number) => {
                self.stock.remove(*kind, &name_of(*kind, *number), now);
            }
            Act::Edit(kind, number, edit) => {
                let name = name_of(*kind, *number);
                if let Some(mut object) = self.stock.get(*kind, &name).cloned() {
                    edited(*kind, &mut object, *edit);
                    self.stock.store(*kind, &name, object, now);
                }
            }
            Act::WriteFails(machine, fault) => {
                self.trouble[*machine].published.writes.push_back(*fault);
            }
            Act::Refused(machine, refused, long) => {
                self.trouble[*machine].published.refused = Some((*refused, now + long));
            }
            Act::WritesTake(machine, long) => self.trouble[*machine].published.writes_take = *long,
            Act::MayWatch(may) => self.stock.may_watch = *may,
        }
    }

    /// The cloud does not show a proxy, or none, for so long from now on.
    pub(crate) fn note_absence(&mut self, proxy: Option<usize>, long: u64) {
        let now = self.now();
        let absences = &mut self.stock.ledger.absences;
        absences.push((proxy, now, now + long));
    }

    /// Somebody else writes the object that a call is about, right before.
    pub fn overtake_published(&mut self, kind: Kind, name: &str) {
        let now = self.now();
        if let Some(mut object) = self.stock.get(kind, name).cloned() {
            edited(kind, &mut object, Edit::Note(now));
            self.stock.store(kind, name, object, now);
        }
    }
}

/// The garbage collector of what is published. Never ends.
pub async fn collect(shared: Shared) {
    let mut changes = shared.lock().stock.changed.subscribe();
    while changes.changed().await.is_ok() {
        let pause = shared.lock().random.random_range(20..3_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let mut world = shared.lock();
        changes.borrow_and_update();
        let living = world.cluster.all().filter_map(ResourceExt::uid);
        let (living, now) = (living.collect(), world.now());
        for said in world.stock.collect(&living, now) {
            world.say(|| said);
        }
    }
}

/// As somebody makes it who has nothing to do with the operator.
fn foreign(kind: Kind, name: &str) -> Object {
    let value = match kind {
        Kind::Service => json!({
            "metadata": {}, "spec": {"selector": {"app": "other"}, "ports": [{"port": 5432}]},
        }),
        Kind::Slice => json!({
            "metadata": {"labels": {
                "kubernetes.io/service-name": name,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            }},
            "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 5432}],
        }),
        Kind::Map => json!({"metadata": {}, "data": {"host": "elsewhere"}}),
    };
    Object {
        value,
        maker: Maker::Somebody,
        is_orphaned: false,
        is_late: false,
    }
}

fn edited(kind: Kind, object: &mut Object, edit: Edit) {
    let value = &mut object.value;
    match edit {
        Edit::Port(port) => match kind {
            Kind::Service => value["spec"]["ports"][0]["port"] = json!(port),
            Kind::Slice => value["ports"][0]["port"] = json!(port),
            Kind::Map => value["data"]["proxyPort"] = json!(port.to_string()),
        },
        Edit::Note(note) => value["metadata"]["annotations"]["note"] = json!(note.to_string()),
        Edit::Labels => {
            value["metadata"]["labels"] = json!({"team": "shop"});
        }
        Edit::Owners => {
            value["metadata"]["ownerReferences"] = json!([]);
            object.is_orphaned = true;
        }
        Edit::Odd => match kind {
            Kind::Service => value["spec"]["selector"] = json!({"app": "evil"}),
            Kind::Slice => value["endpoints"] = json!([]),
            Kind::Map => value["immutable"] = json!(true),
        },
    }
    // Nothing but its name tells now whose it was.
    let has_labels = object.label("taurusdb.huaweicloud.com/proxy").is_some();
    if !has_labels && object.owners().is_empty() {
        object.maker = Maker::Somebody;
    }
}
