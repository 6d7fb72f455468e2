//! How the events of a schedule come about, and how all faults end.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use taurus_port_operator::{
    clock::Shift,
    crd::{CredentialsReference, REQUESTED_AT, TaurusProxyPort, TaurusProxyPortSpec},
};
use tokio::time::Duration;

use crate::{
    NAMESPACE,
    schedule::Event,
    server::Trouble,
    sky::PROXIES,
    world::{Shared, World},
};

/// How many requests people have given reasons for, of each proxy.
pub type Wishes = [usize; PROXIES.len()];

/// The stage that a schedule is played on.
pub struct Script {
    pub shared: Shared,
    pub shifts: [&'static Shift; 2],
    pub resources: Vec<(usize, u16)>,
    pub wishes: Wishes,
}

pub fn name_of(resource: usize) -> String {
    format!("tpp-{resource}")
}

impl Script {
    /// Creates the resources.
    pub fn begin(&mut self) {
        for number in 0..self.resources.len() {
            let (proxy, port) = self.resources[number];
            self.create(number, new(number, proxy, port));
        }
    }

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
                });
            }
            Event::Delete(resource) => {
                if !world.left_no_trace()
                    && world.cluster.delete(&name_of(*resource), now).is_some()
                {
                    self.wish(*resource);
                }
            }
            Event::Recreate(resource, with_status) => {
                if world.left_no_trace() {
                    return;
                }
                let (proxy, port) = self.resources[*resource];
                let deleted = world.cluster.delete(&name_of(*resource), now);
                let mut object = deleted.unwrap_or_else(|| new(*resource, proxy, port));
                if !with_status {
                    object.status = None;
                }
                drop(world);
                self.create(*resource, object);
            }
            Event::Drift(proxy, port) => world.sky.drift(*proxy, *port),
            Event::NextFate(fate) => world.sky.fates.push_back(*fate),
            Event::NextCourse(course) => world.sky.courses.push_back(*course),
            Event::ReadsFail(long, meaning) => world.sky.reads_fail = Some((now + long, *meaning)),
            Event::TasksFail(long, meaning) => world.sky.tasks_fail = Some((now + long, *meaning)),
            Event::Status(status) => world.sky.status.clone_from(status),
            Event::Gone(proxy, long) => world.sky.gone_until[*proxy] = now + long,
            Event::Foreign(instance, long) => world.sky.foreign_until[*instance] = now + long,
            Event::ListLag(lag) => world.sky.lag = *lag,
            Event::ReadsTake(long) => world.sky.read_takes = *long,
            Event::Erase => world.erase(),
            Event::WriteFails(machine, fault) => world.trouble[*machine].writes.push_back(*fault),
            Event::Silent(machine, long) => world.trouble[*machine].silent_until = now + long,
            Event::Failing(machine, long) => world.trouble[*machine].failing_until = now + long,
            Event::WatchLag(machine, lag) => {
                world.cluster.lag[*machine] = Duration::from_millis(*lag);
            }
            Event::WatchDown(machine, long) => {
                world.cluster.down_until[*machine] = now + long;
                drop(world);
                let long = Duration::from_millis(*long);
                tokio::spawn(async move {
                    tokio::time::sleep(long).await;
                    let mut world = shared.lock();
                    let now = world.now();
                    world.cluster.mend_watches(now);
                });
            }
            Event::Crash(machine) => {
                if let Some(life) = &world.lives[*machine] {
                    life.end();
                }
            }
            Event::CrashAt(machine, call, after) => {
                if let Some(life) = &world.lives[*machine] {
                    life.end_at(*call, *after);
                }
            }
            Event::Clock(machine, seconds) => self.shifts[*machine].set_wall(*seconds),
        }
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
        self.wishes[self.resources[resource].0] += 1;
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
        let sky = &mut world.sky;
        (sky.reads_fail, sky.tasks_fail, sky.status) = (None, None, None);
        sky.fates.clear();
        sky.courses.clear();
        sky.read_takes = 0;
        sky.gone_until = [now; PROXIES.len()];
        sky.foreign_until = [now; 2];
        for life in world.lives.iter().flatten() {
            life.end_at(0, false);
        }
    }
}

impl World {
    fn edit(&mut self, resource: usize, change: impl FnOnce(&mut TaurusProxyPort)) -> bool {
        let (name, now) = (name_of(resource), self.now());
        let edited = self.cluster.edit(&name, now, change);
        if edited {
            self.stored(&name);
        }
        edited
    }

    /// The record of a job at work was deleted: without a status there is nothing left to see of it.
    fn left_no_trace(&self) -> bool {
        self.sky.open().any(|work| work.erased)
    }

    /// A job's record is deleted only when its id is on record, in a status that is no copy.
    fn erase(&mut self) {
        let own = self.cluster.all().filter(|object| {
            let status = object.status.as_ref();
            status.is_some_and(|status| status.subject_uid == object.metadata.uid)
        });
        let changes =
            own.filter_map(|object| object.status.as_ref()?.change.as_ref()?.job_id.clone());
        let recorded: Vec<String> = changes.collect();
        if let Some(work) = self.sky.works.last_mut()
            && recorded.iter().any(|job| job == work.id.as_str())
        {
            work.erased = true;
        }
    }
}

fn new(number: usize, proxy: usize, port: u16) -> TaurusProxyPort {
    let mut object = TaurusProxyPort::new(
        &name_of(number),
        TaurusProxyPortSpec {
            region: Some("ap-southeast-3".to_owned()),
            project_id: "0".repeat(32),
            instance_id: PROXIES[proxy].1.to_owned(),
            proxy_id: PROXIES[proxy].0.to_owned(),
            port: port.into(),
            credentials_ref: Some(CredentialsReference {
                name: "keys".to_owned(),
            }),
            endpoint: None,
            iam_endpoint: None,
            management_policy: None,
            suspend: None,
            change_timeout: None,
        },
    );
    object.metadata.namespace = Some(NAMESPACE.to_owned());
    object
}
