//! One operator, one resource, and a person at every switch: for stories that are told step by step.
//!
//! The cloud accepts a second change while the first is at work, and a list shows the old port until the end: whoever errs is not
//! held up.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::ResourceExt as _;
use rand::{SeedableRng as _, rngs::SmallRng};
use taurus_port_operator::{
    calendar::{file, store::FileFault},
    clock::Shift,
    cloud::{Meaning, ProxyStatus},
    crd::{ABANDON_JOB, TaurusProxyPort},
};

use crate::{
    cluster::UNDECODABLE,
    flaw::Flaw,
    machine::{Machine, RESYNC},
    resource::{self, resource},
    rest::ready,
    server::Refused,
    sky::{Course, End, Fate, Mode, PROXIES, Sky},
    stock::Kind,
    world::{Shared, World, wall},
};

const NAME: &str = "tpp-0";

/// The Service that the resource may wish for, and its slice.
const SERVICE: &str = "orders";
const SLICE: &str = "orders-ipv4";

/// Another resource, for another proxy on the same instance.
const NEIGHBOUR: &str = "tpp-1";

/// The stage.
pub struct Stage {
    shared: Shared,
    shift: &'static Shift,
    /// Where there were times of the future on record when the clock was last set.
    future: Mutex<Vec<String>>,
}

impl Stage {
    /// A resource that is in order with port 3306, under a process that has led for long.
    pub async fn set(seed: u64) -> Self {
        Self::set_with(seed, RESYNC, None).await
    }

    /// The same with a fault put back.
    pub async fn flawed(seed: u64, flaw: Option<Flaw>) -> Self {
        Self::set_with(seed, RESYNC, flaw).await
    }

    /// The same where a settled resource is looked at so often.
    pub async fn set_with(seed: u64, resync: Duration, flaw: Option<Flaw>) -> Self {
        Self::set_in(seed, resync, flaw, |_| ()).await
    }

    /// The same where what is published may be watched, and the resource wishes for a Service.
    pub async fn set_publishing(seed: u64, resync: Duration) -> Self {
        let stage = Self::set_in(seed, resync, None, |world| {
            world.publishing = true;
            world.stock.may_watch = true;
        })
        .await;
        stage.edit(|object| {
            let service = serde_json::json!({"name": SERVICE});
            object.spec.service = serde_json::from_value(service).unwrap();
        });
        stage.pass(60).await;
        assert_eq!(stage.publication(), "Published", "{}", stage.told());
        stage
    }

    async fn set_in(
        seed: u64,
        resync: Duration,
        flaw: Option<Flaw>,
        set: impl FnOnce(&mut World),
    ) -> Self {
        let sky = Sky::new(Mode::Doubling, 3306);
        let mut world = World::new(SmallRng::seed_from_u64(seed), flaw, sky, false, true);
        world.metrics = Some(Arc::default());
        world.sky.listening.only = Some(0);
        set(&mut world);
        let shared = Shared::new(world);
        let shift = Shift::forever();
        let machine = Machine {
            number: 0,
            shared: shared.clone(),
            resync,
            shift,
        };
        tokio::spawn(machine.run(Duration::from_hours(1)));
        let future = Mutex::default();
        let stage = Self {
            shared,
            shift,
            future,
        };
        stage.create(None);
        stage.pass(30).await;
        assert!(stage.is_ready(), "{}", stage.told());
        stage
    }

    /// Lets so many seconds pass.
    pub async fn pass(&self, seconds: u64) {
        let flaw = self.shared.lock().flaw;
        if flaw != Some(Flaw::MovesTheFuture) {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            return;
        }
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.move_the_future();
        }
    }

    /// What was in the future when the clock was set right is of now, in what is on record.
    fn move_the_future(&self) {
        let mut world = self.shared.lock();
        let now = world.now();
        world.cluster.show_otherwise(NAME, now, |object| {
            resource::set_times(object, &self.future.lock().unwrap(), wall(now));
        });
    }

    /// A person makes the resource, with this status if there is one.
    pub fn create(&self, status: Option<serde_json::Value>) {
        let mut world = self.shared.lock();
        let now = world.now();
        let mut object = resource(NAME, PROXIES[0].1, PROXIES[0].0, 3306);
        object.status = status.map(|status| serde_json::from_value(status).unwrap());
        world.cluster.create(object, now);
        world.stored(NAME);
    }

    /// A person deletes the resource.
    pub fn delete(&self) {
        let mut world = self.shared.lock();
        let now = world.now();
        world.cluster.delete(NAME, now);
    }

    /// A person deletes the resource, and it stays for as long as somebody else's finalizer stands on it.
    pub fn mark_deleted(&self) {
        self.edit(|object| {
            let now = object.metadata.creation_timestamp.clone();
            object.metadata.deletion_timestamp = now;
            next_generation(object);
        });
    }

    /// A person writes what processes can't decode.
    pub fn make_undecodable(&self) {
        self.edit(|object| {
            let labels = object.labels_mut();
            labels.insert(UNDECODABLE.to_owned(), String::new());
            next_generation(object);
        });
    }

    /// A person makes a resource for another proxy on the same instance.
    pub fn create_neighbour(&self) {
        let mut world = self.shared.lock();
        let now = world.now();
        let object = resource(NEIGHBOUR, PROXIES[1].1, PROXIES[1].0, 3306);
        world.cluster.create(object, now);
        world.stored(NEIGHBOUR);
    }

    /// A person wants another port for the other proxy.
    pub fn want_of_neighbour(&self, port: u16) {
        let mut world = self.shared.lock();
        let now = world.now();
        let want = |object: &mut TaurusProxyPort| object.spec.port = port.into();
        world.cluster.edit(NEIGHBOUR, now, want);
        world.stored(NEIGHBOUR);
    }

    /// A person allows the changes of the other proxy so much time, and each write of its status takes so many milliseconds from now
    /// on.
    pub fn allow_neighbour(&self, timeout: &str, writes_take: u64) {
        let mut world = self.shared.lock();
        let now = world.now();
        world.trouble[0].writes_of_one_take = Some((NEIGHBOUR, writes_take));
        let allow = |object: &mut TaurusProxyPort| {
            object.spec.change_timeout = Some(timeout.to_owned());
        };
        world.cluster.edit(NEIGHBOUR, now, allow);
        world.stored(NEIGHBOUR);
    }

    /// A person gives up a job with an annotation of the other proxy's resource.
    pub fn abandon_of_neighbour(&self, job: &str) {
        let mut world = self.shared.lock();
        let now = world.now();
        let abandon = |object: &mut TaurusProxyPort| {
            let annotations = object.annotations_mut();
            annotations.insert(ABANDON_JOB.to_owned(), job.to_owned());
        };
        world.cluster.edit(NEIGHBOUR, now, abandon);
        world.stored(NEIGHBOUR);
    }

    /// A person makes a resource with the id of the same proxy, in another project and with a Secret that is not there, which wishes for
    /// a Service of this name and port.
    pub fn create_impostor(&self, name: &str, port: u16) {
        let mut world = self.shared.lock();
        let now = world.now();
        let mut object = resource(NEIGHBOUR, PROXIES[0].1, PROXIES[0].0, 3306);
        object.spec.project_id = "a".repeat(32);
        object.spec.credentials_ref = Some(resource::credentials("no-such-secret"));
        let service = serde_json::json!({"name": name, "port": port});
        object.spec.service = serde_json::from_value(service).unwrap();
        world.cluster.create(object, now);
        world.stored(NEIGHBOUR);
    }

    /// The port of the Service of this name, and the UID of the resource that has it.
    pub fn service(&self, name: &str) -> Option<(u64, String)> {
        let world = self.shared.lock();
        let service = world.stock.get(Kind::Service, name)?;
        let port = service.value["spec"]["ports"][0]["port"].as_u64()?;
        Some((port, service.controller()?.to_owned()))
    }

    /// A person wants a Service of this name for the other proxy, too.
    pub fn publish_of_neighbour(&self, name: &str) {
        let mut world = self.shared.lock();
        let now = world.now();
        let service = serde_json::json!({"name": name});
        let publish = |object: &mut TaurusProxyPort| {
            object.spec.service = serde_json::from_value(service).unwrap();
        };
        world.cluster.edit(NEIGHBOUR, now, publish);
        world.stored(NEIGHBOUR);
    }

    /// The API server answers no read of the Secret for so many seconds.
    pub fn hide_secrets(&self, seconds: u64) {
        let mut world = self.shared.lock();
        world.secrets_fail_until = world.now() + seconds * 1000;
    }

    /// The port that the other proxy has.
    pub fn port_of_neighbour(&self) -> u16 {
        self.shared.lock().sky.port(1)
    }

    /// Each read of the cloud takes so many milliseconds.
    pub fn reads_take(&self, milliseconds: u64) {
        self.shared.lock().sky.read_takes = milliseconds;
    }

    /// Each read of the cloud is answered with 503 for so many seconds, and each of them names this wait.
    pub fn reads_are_put_off(&self, seconds: u64, retry_after: Duration) {
        let mut world = self.shared.lock();
        let until = world.now() + seconds * 1000;
        world.sky.reads_fail = Some((until, Meaning::Transient));
        world.sky.retry_after = Some(retry_after);
    }

    /// Another calendar is in force.
    pub fn set_calendar(&self, text: &str) {
        let calendar = file::parse(text).unwrap();
        self.shared.lock().calendar.take_in(Ok(calendar));
    }

    /// The file of the operator's calendar is gone, or holds this, which is no calendar.
    pub fn break_calendar(&self, text: Option<&str>) {
        let path = "/calendar".to_owned();
        let fault = match text.map(file::parse) {
            None => FileFault::Unreadable {
                path,
                why: "no such file".to_owned(),
            },
            Some(Err(fault)) => FileFault::NoCalendar { path, fault },
            Some(Ok(_)) => panic!("it is a calendar"),
        };
        self.shared.lock().calendar.take_in(Err(fault));
    }

    /// A person wants another port.
    pub fn want(&self, port: u16) {
        self.edit(|object| object.spec.port = port.into());
    }

    /// A person lets changes start in these windows alone.
    pub fn keep_to(&self, windows: serde_json::Value) {
        self.edit(|object| {
            object.spec.maintenance_windows = serde_json::from_value(windows).unwrap();
        });
    }

    /// Somebody else writes something that is nobody's business.
    pub fn touch(&self, value: u64) {
        self.edit(|object| {
            object
                .labels_mut()
                .insert("touched".to_owned(), value.to_string());
        });
    }

    /// Somebody else writes a condition of their own.
    pub fn write_condition_of_others(&self, reason: &str) {
        self.edit(|object| resource::write_condition_of_others(object, reason));
    }

    /// What was broken.
    pub fn breaches(&self) -> Vec<String> {
        self.shared.lock().breaches.clone()
    }

    /// Somebody writes a status by hand.
    pub fn edit(&self, change: impl FnOnce(&mut TaurusProxyPort)) {
        let mut world = self.shared.lock();
        let now = world.now();
        world.cluster.edit(NAME, now, change);
        world.stored(NAME);
    }

    /// A connection for a change takes so many milliseconds to open.
    pub fn opening_takes(&self, milliseconds: u64) {
        self.shared.lock().sky.opening_takes = milliseconds;
    }

    /// The thread that sends the next change is held up for so many milliseconds right before.
    pub fn hold_up(&self, milliseconds: u64) {
        self.shared.lock().sky.hold_ups.push_back(milliseconds);
    }

    /// The answer to the next request is lost, and the request arrives after so many milliseconds.
    pub fn lose_answer(&self, arrives: u64) {
        let fate = Fate::Lost(Some(arrives));
        self.shared.lock().sky.fates.push_back(fate);
    }

    /// The next so many requests are refused, since the instance is busy.
    pub fn refuse_next(&self, requests: usize) {
        let mut world = self.shared.lock();
        let refusals = std::iter::repeat_n(Fate::Refused(Meaning::Busy), requests);
        world.sky.fates.extend(refusals);
    }

    /// The next job is visible after so many milliseconds, takes so many seconds, and moves the port or fails.
    pub fn next_job(&self, visible_after: u64, takes: u64, moves: bool) {
        self.shared.lock().sky.courses.push_back(Course {
            visible_after,
            takes: takes * 1000,
            end: if moves { End::Moves } else { End::Fails },
            sticks: false,
        });
    }

    /// The next job takes so many seconds, moves the port, and says that it has failed.
    pub fn next_job_moves_and_fails(&self, takes: u64) {
        self.shared.lock().sky.courses.push_back(Course {
            visible_after: 1_000,
            takes: takes * 1000,
            end: End::MovesAndFails,
            sticks: false,
        });
    }

    /// Lists show what was so many milliseconds ago.
    pub fn list_lags(&self, milliseconds: u64) {
        self.shared.lock().sky.lag = milliseconds;
    }

    /// Somebody else sets the port in the cloud.
    pub fn set_elsewhere(&self, port: u16) {
        self.shared.lock().sky.drift(0, port);
    }

    /// The machine's clock is ahead by so many seconds.
    pub fn clock_is_ahead(&self, seconds: i64) {
        self.shift.set_wall(seconds);
        let object = self.object();
        let now = wall(self.shared.lock().now());
        *self.future.lock().unwrap() = resource::times_that(&object, |time| time > now);
    }

    /// An older definition is installed, which has no approval, no windows and no plan: it hides them.
    pub fn install_older_definition(&self) {
        let mut world = self.shared.lock();
        let now = world.now();
        world.prune(Some("plan"));
        world.cluster.show_otherwise(NAME, now, |object| {
            object.spec.approval = None;
            object.spec.maintenance_windows.clear();
        });
        world.stored(NAME);
    }

    /// The cloud forgets its last job, and goes on with it.
    pub fn erase(&self) {
        self.shared.lock().erase();
    }

    /// The cloud shows this status of all proxies, or the usual one.
    pub fn proxies_are(&self, status: Option<ProxyStatus>) {
        self.shared.lock().sky.status = status;
    }

    /// The definition lacks a field of the status, or none.
    pub fn prune(&self, field: Option<&'static str>) {
        self.shared.lock().prune(field);
    }

    /// Writes of a status take so long, as behind a slow webhook.
    pub fn writes_take(&self, milliseconds: u64) {
        self.shared.lock().trouble[0].writes_take = milliseconds;
    }

    /// Writes of a status are refused for so many seconds.
    pub fn refuse_writes(&self, seconds: u64) {
        let mut world = self.shared.lock();
        let until = world.now() + seconds * 1000;
        world.trouble[0].writes_refused_until = until;
    }

    /// The API server refuses all calls about Services, slices and ConfigMaps for so many seconds, for want of a right or since it fails.
    pub fn refuse_publications(&self, seconds: u64, for_want_of_a_right: bool) {
        let mut world = self.shared.lock();
        world.publishing = true;
        let until = world.now() + seconds * 1000;
        let refused = if for_want_of_a_right {
            Refused::Right
        } else {
            Refused::Failing
        };
        world.trouble[0].published.refused = Some((refused, until));
    }

    /// Somebody else leads the slice of the resource elsewhere.
    pub fn edit_slice(&self, port: u16) {
        let mut world = self.shared.lock();
        let now = world.now();
        if let Some(mut slice) = world.stock.get(Kind::Slice, SLICE).cloned() {
            slice.value["ports"][0]["port"] = port.into();
            world.stock.store(Kind::Slice, SLICE, slice, now);
        }
    }

    /// Somebody else deletes the slice of the resource.
    pub fn delete_slice(&self) {
        let mut world = self.shared.lock();
        let now = world.now();
        world.stock.remove(Kind::Slice, SLICE, now);
    }

    /// Where the slice of the resource leads.
    pub fn slice_port(&self) -> Option<u16> {
        let world = self.shared.lock();
        world.stock.get(Kind::Slice, SLICE)?.port(Kind::Slice)
    }

    /// The reason of `ServicePublished`.
    pub fn publication(&self) -> String {
        let object = self.object();
        let mut conditions = object.status.iter().flat_map(|status| &status.conditions);
        let of_service = conditions.find(|condition| condition.type_ == "ServicePublished");
        of_service.map_or_else(String::new, |condition| condition.reason.clone())
    }

    /// Each proxy listens at its new port for so many milliseconds before its job ends, and at its old one no longer.
    pub fn listens_early(&self, early: u64) {
        self.shared.lock().sky.listening.early = early;
    }

    /// In so many seconds the proxy whose job is at work listens at its new port, for so many seconds, and then at its old one again.
    pub fn listens_ahead(&self, after: u64, long: u64) {
        let mut world = self.shared.lock();
        let from = world.now() + after * 1000;
        world.sky.listening.ahead = Some((from, from + long * 1000));
    }

    /// Somebody else greets at this port of the same address.
    pub fn somebody_listens(&self, port: u16) {
        self.shared.lock().sky.listening.strangers.push(port);
    }

    /// No proxy listens for so many seconds.
    pub fn is_deaf(&self, seconds: u64) {
        let mut world = self.shared.lock();
        let until = world.now() + seconds * 1000;
        world.sky.listening.deaf_until = until;
    }

    /// When somebody has connected to a proxy, in milliseconds, and to which port.
    pub fn probes(&self) -> Vec<(u64, u16)> {
        self.shared.lock().sky.listening.probes.clone()
    }

    /// From now on a Service of this name is wished for, and what leads to it is watched.
    pub fn publish(&self, name: &str) {
        let mut world = self.shared.lock();
        world.publishing = true;
        world.stock.may_watch = true;
        drop(world);
        self.edit(|object| {
            let service = serde_json::json!({"name": name});
            object.spec.service = serde_json::from_value(service).unwrap();
        });
    }

    /// The port to which the Service of this name leads.
    pub fn led_to(&self, name: &str) -> Option<u16> {
        let world = self.shared.lock();
        let slice = world.stock.get(Kind::Slice, &format!("{name}-ipv4"))?;
        slice.port(Kind::Slice)
    }

    /// The condition of this type: its status, reason and message.
    pub fn condition(&self, kind: &str) -> Option<[String; 3]> {
        let status = self.object().status?;
        let mut conditions = status.conditions.into_iter();
        let condition = conditions.find(|condition| condition.type_ == kind)?;
        Some([condition.status, condition.reason, condition.message])
    }

    /// An admission policy refuses all writes of the resource's status, and none of the other one's.
    pub fn refuse_writes_of_it(&self) {
        self.shared.lock().trouble[0].refused = Some(NAME);
    }

    /// The process dies, and another one takes its place within twenty seconds.
    pub fn crash(&self) {
        if let Some(life) = &self.shared.lock().lives[0] {
            life.end();
        }
    }

    /// How often the cloud was asked for a change.
    pub fn requests(&self) -> usize {
        self.shared.lock().sky.tally[0].requests
    }

    /// How often the list of proxies and jobs were read.
    pub fn reads(&self) -> u64 {
        self.shared.lock().sky.reads
    }

    /// Changes that met another one at work.
    pub fn collisions(&self) -> Vec<String> {
        self.shared.lock().sky.collisions.clone()
    }

    /// The port that the proxy has.
    pub fn port(&self) -> u16 {
        self.shared.lock().sky.port(0)
    }

    /// How often a status was written.
    pub fn writes(&self) -> usize {
        self.shared.lock().book.writes
    }

    /// The resource.
    pub fn object(&self) -> TaurusProxyPort {
        let world = self.shared.lock();
        world.cluster.get(NAME).cloned().unwrap()
    }

    /// Whether the status says that the newest wish is fulfilled.
    pub fn is_ready(&self) -> bool {
        let object = self.object();
        let current = object
            .status
            .as_ref()
            .is_some_and(|status| status.observed_generation == object.metadata.generation);
        current && ready(&object).is_some_and(|ready| ready.status == "True")
    }

    /// The reason that the status gives.
    pub fn reason(&self) -> String {
        ready(&self.object()).map_or_else(String::new, |ready| ready.reason.clone())
    }

    /// A figure of the process, by the name and labels with which it is exported.
    pub fn figure(&self, series: &str) -> Option<i64> {
        let text = self.shared.lock().metrics.as_ref()?.text().ok()?;
        let of_series = |line: &str| line.strip_prefix(series)?.trim().parse().ok();
        text.lines().find_map(of_series)
    }

    /// What happened so far.
    pub fn told(&self) -> String {
        let world = self.shared.lock();
        world.trace.as_ref().unwrap().join("\n")
    }
}

/// As the API server counts what is no change of a known field of the spec.
pub(crate) fn next_generation(object: &mut TaurusProxyPort) {
    let generation = object.metadata.generation.unwrap_or_default();
    object.metadata.generation = Some(generation + 1);
}
