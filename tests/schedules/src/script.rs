//! How the events of a schedule come about, and how all faults end.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use taurus_port_operator::{
    clock::Shift,
    cloud::Meaning,
    crd::{REQUESTED_AT, TaurusProxyPort},
};
use tokio::time::Duration;

use crate::{
    gate::GateEdit,
    keys::{self, Keys},
    publishing::Act,
    resource::{credentials, write_condition_of_others},
    schedule::{Event, Plan},
    server::Trouble,
    sky::{Course, End, Fate, PROXIES},
    world::Shared,
};

mod people;

use people::{abandon, new};

/// How many requests people have given reasons for, of each proxy.
pub type Wishes = [usize; PROXIES.len()];

/// The stage that a schedule is played on.
pub struct Script {
    pub shared: Shared,
    pub shifts: [&'static Shift; 2],
    /// Those that people have made so far.
    pub resources: Vec<Plan>,
    pub wishes: Wishes,
}

pub fn name_of(resource: usize) -> String {
    format!("tpp-{resource}")
}

impl Script {
    /// Creates the resources.
    pub fn begin(&mut self) {
        for number in 0..self.resources.len() {
            self.create(number, new(number, self.resources[number]));
        }
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each event")]
    pub fn happen(&mut self, event: &Event) {
        let shared = self.shared.clone();
        let mut world = shared.lock();
        let now = world.now();
        world.say(|| format!("* {event:?}"));
        match event {
            Event::Want(resource, port) => {
                if world.edit(*resource, |object| object.spec.port = (*port).into()) {
                    self.wish(*resource);
                }
            }
            Event::Newcomer(plan) => {
                drop(world);
                let number = self.resources.len();
                self.resources.push(*plan);
                self.create(number, new(number, *plan));
            }
            Event::Credentials(resource, number) => {
                let named = credentials(keys::NAMES[*number]);
                world.edit(*resource, |object| {
                    object.spec.credentials_ref = Some(named);
                });
            }
            Event::EditTimeout(resource, minutes) => {
                let timeout = format!("{minutes}m");
                world.edit(*resource, |object| {
                    object.spec.change_timeout = Some(timeout);
                });
            }
            Event::Policy(resource, policy) => {
                if world.edit(*resource, |object| {
                    object.spec.management_policy = Some(*policy);
                }) {
                    self.wish(*resource);
                }
            }
            Event::Suspend(resource, suspend) => {
                world.edit(*resource, |object| object.spec.suspend = Some(*suspend));
            }
            Event::Request(resource, value) => {
                world.edit(*resource, |object| {
                    object
                        .annotations_mut()
                        .insert(REQUESTED_AT.to_owned(), value.to_string());
                });
            }
            Event::Touch(resource, value) => {
                world.edit(*resource, |object| {
                    object
                        .labels_mut()
                        .insert("team".to_owned(), value.to_string());
                    write_condition_of_others(object, &format!("Seen{value}"));
                });
            }
            Event::Abandon(resource, right) => {
                let stuck = world.stuck_job(self.resources[*resource].proxy);
                let job = stuck.filter(|_| *right).unwrap_or("job-0".to_owned());
                world.edit(*resource, |object| abandon(object, job));
            }
            Event::Stranger(proxy) => world.annotate_as_stranger(*proxy),
            Event::Delete(resource) => {
                if !world.left_no_trace() && world.delete(*resource).is_some() {
                    self.wish(*resource);
                }
            }
            Event::Recreate(resource, with_status) => {
                drop(world);
                self.recreate(*resource, *with_status);
            }
            Event::Drift(proxy, port) => world.sky.drift(*proxy, *port),
            Event::NextFate(fate) => world.sky.fates.push_back(*fate),
            Event::NextCourse(course) => world.sky.courses.push_back(*course),
            Event::ReadsFail(long, meaning) => {
                world.sky.reads_fail = Some((now + long, *meaning));
                if *meaning == Meaning::NotFound {
                    world.note_absence(None, *long);
                }
            }
            Event::TasksFail(long, meaning) => world.sky.tasks_fail = Some((now + long, *meaning)),
            Event::Status(status) => world.sky.status.clone_from(status),
            Event::Gone(proxy, long) => {
                world.sky.gone_until[*proxy] = now + long;
                world.note_absence(Some(*proxy), *long);
            }
            Event::Foreign(instance, long) => world.sky.foreign_until[*instance] = now + long,
            Event::ListLag(lag) => world.sky.lag = *lag,
            Event::ReadsTake(long) => world.sky.read_takes = *long,
            Event::OpeningTakes(long) => world.sky.opening_takes = *long,
            Event::HoldUp(long) => world.sky.hold_ups.push_back(*long),
            Event::ListsWaver(age) => world.sky.wavers = *age,
            Event::FallBack(resource, lag) => {
                world.sky.lag = *lag;
                let before = world.sky.port_before(self.resources[*resource].proxy);
                if let Some(port) = before
                    && world.edit(*resource, |object| object.spec.port = port.into())
                {
                    self.wish(*resource);
                }
            }
            Event::Latest(resource, port) => {
                let sky = &mut world.sky;
                sky.opening_takes = 29_500;
                sky.fates.push_back(Fate::Lost(Some(29_900)));
                sky.courses.push_back(Course {
                    visible_after: 119_900,
                    takes: 600_000,
                    end: End::Moves,
                    sticks: false,
                });
                if world.edit(*resource, |object| object.spec.port = (*port).into()) {
                    self.wish(*resource);
                }
            }
            Event::WritesTake(machine, long) => world.trouble[*machine].writes_take = *long,
            Event::Prune(field) => world.prune(*field),
            Event::Erase => world.erase(),
            Event::Rotate(keys, grace) => world.keys[*keys].rotate(now + grace),
            Event::Spoil(keys, fault, long) => world.keys[*keys].spoil(*fault, now + long),
            Event::Refuses(machine, calls, code) => {
                world.trouble[*machine].refusals = (*calls, *code);
            }
            Event::WriteFails(machine, fault) => world.trouble[*machine].writes.push_back(*fault),
            Event::Silent(machine, long) => world.trouble[*machine].silent_until = now + long,
            Event::Failing(machine, long) => world.trouble[*machine].failing_until = now + long,
            Event::WatchLag(machine, lag) => {
                world.cluster.lag[*machine] = Duration::from_millis(*lag);
            }
            Event::WatchDown(machine, long) => {
                drop(world);
                self.take_watch_down(*machine, *long);
            }
            Event::Crash(machine) => {
                if let Some(life) = &world.lives[*machine] {
                    life.end();
                }
            }
            Event::Stop(machine) => {
                if let Some(life) = &world.lives[*machine] {
                    life.stop();
                }
            }
            Event::CrashAt(machine, call, after) => {
                if let Some(life) = &world.lives[*machine] {
                    life.end_at(*call, *after);
                }
            }
            Event::Clock(machine, seconds) => {
                self.shifts[*machine].set_wall(*seconds);
                world.ahead[*machine] = *seconds;
            }
            Event::Gate(resource, edit) => {
                world.gate(*resource, *edit);
                // What was tried in vain is forgotten with the status.
                if matches!(edit, GateEdit::Rewind) {
                    self.wish(*resource);
                }
            }
            Event::Calendar(edit) => world.edit_calendar(*edit),
            Event::Publishing(Act::Rename(resource)) => {
                drop(world);
                self.rename(*resource);
            }
            Event::Publishing(act) => world.act(act),
        }
    }

    /// As after a rename in Git: one of another name wishes for the same.
    fn rename(&mut self, resource: usize) {
        let (number, plan) = (self.resources.len(), self.resources[resource]);
        self.resources.push(plan);
        let mut renamed = new(number, plan);
        let old = self.shared.lock().cluster.get(&name_of(resource)).cloned();
        if let Some(old) = old {
            renamed.spec = old.spec;
        }
        self.create(number, renamed);
    }

    fn recreate(&mut self, resource: usize, with_status: bool) {
        let deleted = {
            let mut world = self.shared.lock();
            if world.left_no_trace() {
                return;
            }
            world.delete(resource)
        };
        let plan = self.resources[resource];
        let mut object = deleted.unwrap_or_else(|| new(resource, plan));
        if !with_status {
            object.status = None;
        }
        self.create(resource, object);
    }

    fn take_watch_down(&self, machine: usize, long: u64) {
        let shared = self.shared.clone();
        let mut world = self.shared.lock();
        world.cluster.down_until[machine] = world.now() + long;
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(long)).await;
            let mut world = shared.lock();
            let now = world.now();
            world.cluster.mend_watches(now);
        });
    }

    fn create(&mut self, number: usize, object: TaurusProxyPort) {
        let object = TaurusProxyPort {
            metadata: ObjectMeta {
                name: object.metadata.name,
                namespace: object.metadata.namespace,
                ..ObjectMeta::default()
            },
            ..object
        };
        self.wish(number);
        let mut world = self.shared.lock();
        let now = world.now();
        world.cluster.create(object, now);
        world.stored(&name_of(number));
    }

    fn wish(&mut self, resource: usize) {
        self.wishes[self.resources[resource].proxy] += 1;
    }

    /// All faults end; what people wish stays.
    pub fn heal(&self) {
        let mut world = self.shared.lock();
        world.say(|| "* all faults end".to_owned());
        let now = world.now();
        world.trouble = <[Trouble; 2]>::default();
        world.cluster.down_until = [now; 2];
        world.cluster.lag = [Duration::ZERO; 2];
        world.cluster.mend_watches(now);
        world.keys.iter_mut().for_each(Keys::heal);
        world.prune(None);
        world.abandon_what_is_stuck();
        world.open_the_gate();
        let sky = &mut world.sky;
        (sky.reads_fail, sky.tasks_fail, sky.status) = (None, None, None);
        sky.fates.clear();
        sky.courses.clear();
        sky.loosen();
        sky.read_takes = 0;
        sky.opening_takes = 0;
        sky.hold_ups.clear();
        sky.wavers = 0;
        sky.gone_until = [now; PROXIES.len()];
        sky.foreign_until = [now; 2];
        for life in world.lives.iter().flatten() {
            life.end_at(0, false);
        }
    }
}
