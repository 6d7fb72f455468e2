//! The cloud as one process reaches it: each call is waited for and bounded as in the shipped client, takes its time, and the process
//! can end in it.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use rand::RngExt as _;
use secrecy::ExposeSecret as _;
use taurus_port_operator::{
    clock::Clock,
    cloud::{
        Acknowledged, Booked, ChangeAnswer, Cloud, CloudError, Connect, Job, LastCheck, Line,
        Meaning, Proxies, Task, TaskList, Urgency,
        auth::{Access, Keys, Means, Pass, entrance::Turn, secret::Credential},
        budget::{Allowance, CallLimit},
        entrances::{Bounds, Entrances},
        http::since_by_the_cloud,
    },
    model::{InstanceId, JobId, JobState},
    pace::Pace,
    permits::Permit,
    place::Subject,
};

use crate::{
    flaw::Flaw,
    life::Life,
    sky::{Fate, PROXIES, Reply, Sky},
    world::Shared,
};

/// A request without an answer is given up after this.
const CALL_TIMEOUT: u64 = 30_000;

/// So many calls are under way at once, as by the shipped client to one place.
const CALLS_AT_ONCE: usize = 8;

/// The one place that is called.
const ENDPOINT: &str = "https://gaussdb.ap-southeast-3.myhuaweicloud.com";

/// Makes the ways to the cloud of one process.
pub struct Links {
    shared: Shared,
    life: Arc<Life>,
    clock: Clock,
    entrances: Entrances,
}

impl Links {
    /// Those of a process that may make so many calls with each credential.
    pub fn new(
        shared: Shared,
        life: Arc<Life>,
        clock: Clock,
        pace: &Pace,
        call_limit: CallLimit,
    ) -> Self {
        let bounds = Bounds {
            call_timeout: pace.call_timeout,
            lock_out: pace.lock_out(),
            throttle_pause: pace.throttled,
            call_limit,
            calls_at_once: CALLS_AT_ONCE,
        };
        Self {
            shared,
            life,
            clock,
            entrances: Entrances::new(bounds, clock, Arc::new(())),
        }
    }

    /// What all calls pass.
    pub fn entrances(&self) -> &Entrances {
        &self.entrances
    }
}

impl Connect for Links {
    fn connect(
        &self,
        subject: &Subject,
        credential: Credential,
    ) -> Result<Arc<dyn Cloud>, CloudError> {
        let project = subject.project.as_str();
        let (entrance, allowance) =
            self.entrances
                .entrance(&credential, (ENDPOINT, ENDPOINT), project);
        let Credential::AccessKey {
            access_key,
            secret_key,
            security_token,
        } = credential
        else {
            return Err(error(Meaning::Unauthenticated));
        };
        let signer = access_key.expose_secret().into();
        let means = Means::Keys(Keys {
            access_key,
            secret_key,
            security_token,
        });
        Ok(Arc::new(Link {
            shared: self.shared.clone(),
            life: Arc::clone(&self.life),
            clock: self.clock,
            access_key: signer,
            access: Arc::new(Access::new(means, entrance)),
            allowance,
        }))
    }
}

/// A way to the cloud.
#[derive(Clone)]
pub struct Link {
    shared: Shared,
    life: Arc<Life>,
    clock: Clock,
    /// What it signs with.
    access_key: Arc<str>,
    access: Arc<Access>,
    allowance: Arc<Allowance>,
}

/// An open connection for a change, and the turn of its call.
struct Open {
    link: Link,
    pass: Pass,
    _turn: Turn,
}

impl Link {
    /// How old a list is, where lists waver.
    fn chance(&self) -> u64 {
        let mut world = self.shared.lock();
        if world.sky.wavers > 0 {
            world.random.random()
        } else {
            0
        }
    }

    /// Waits for the turn of a call.
    async fn enter(&self) -> Result<(Turn, Pass), CloudError> {
        let entered = self.access.pass(&self.allowance).await;
        self.note(entered)
    }

    /// What came of a call.
    fn note<T>(&self, answer: Result<T, CloudError>) -> Result<T, CloudError> {
        if answer.is_err() {
            self.shared.lock().call_failed(&self.life);
        }
        answer
    }

    async fn read<T>(
        &self,
        read: impl FnOnce(&Sky) -> Result<T, Meaning>,
    ) -> Result<T, CloudError> {
        let (_turn, pass) = self.enter().await?;
        let reading = async {
            let takes = self.shared.lock().sky.read_takes;
            if takes > 0 {
                tokio::time::sleep(Duration::from_millis(takes)).await;
            }
            let mut world = self.shared.lock();
            world.sky.reads += 1;
            if !world.accepts(&self.access_key) {
                return Err(error(Meaning::Unauthenticated));
            }
            let retry_after = world.sky.retry_after;
            let hears = world.flaw != Some(Flaw::IgnoresRetryAfter);
            read(&world.sky).map_err(|meaning| CloudError {
                retry_after: retry_after.filter(|_| hears),
                ..error(meaning)
            })
        };
        let answer = self.life.call(&self.shared, true, reading).await;
        let answer = self.note(answer);
        match &answer {
            Ok(_) => self.access.accepted(),
            Err(error) => {
                self.access.failed(&pass, error);
            }
        }
        answer
    }
}

impl Cloud for Link {
    fn turn(
        &self,
        urgency: Urgency,
        calls: u32,
    ) -> BoxFuture<'_, Result<Arc<dyn Cloud>, CloudError>> {
        async move {
            let allowance = self.access.budget().allow(urgency, calls).await?;
            Ok(Arc::new(Self {
                allowance,
                ..self.clone()
            }) as Arc<dyn Cloud>)
        }
        .boxed()
    }

    fn book(&self, urgency: Urgency) -> Booked {
        self.access.budget().book(urgency)
    }

    fn spare_call_in(&self, job: &JobId) -> Option<Duration> {
        self.access.budget().spare_in(job)
    }

    fn list_proxies<'a>(
        &'a self,
        instance: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Proxies, CloudError>> {
        async {
            let chance = self.chance();
            let proxies = self.read(|sky| sky.proxies(instance, chance)).await?;
            let listed = &mut self.shared.lock().book.listed;
            for proxy in &proxies {
                let port = proxy.port.unwrap_or_default();
                if !listed
                    .iter()
                    .any(|(id, seen)| id == proxy.id.as_str() && *seen == port)
                {
                    listed.push((proxy.id.as_str().to_owned(), port));
                }
            }
            Ok(Proxies::from(proxies))
        }
        .boxed()
    }

    fn job<'a>(&'a self, id: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>> {
        async {
            let follows = self.shared.lock().follows(id);
            if !follows {
                return Err(error(Meaning::Transient));
            }
            self.read(|sky| sky.job(id)).await
        }
        .boxed()
    }

    fn tasks(&self, since: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        async move {
            // The three walks of the shipped client, of a page each.
            let chance = self.chance();
            let mut list = self.read(move |sky| sky.tasks(chance)).await?;
            list.tasks
                .retain(|task| matches!(task.state, JobState::Pending));
            let after_pending = self.clock.now();
            list.begun = Some(after_pending);
            let since = since_by_the_cloud(since, list.cloud_time, after_pending);
            let chances = (self.chance(), self.chance());
            let (running, recent) = futures::try_join!(
                self.read(move |sky| sky.running(chances.0)),
                self.read(move |sky| sky.tasks_since(since, chances.1)),
            )?;
            let overlooks = self.shared.lock().flaw == Some(Flaw::OverlooksLaterTasks);
            let recent = if overlooks {
                TaskList::default()
            } else {
                recent
            };
            list.cloud_time = recent.cloud_time;
            for task in running.tasks.into_iter().chain(recent.tasks) {
                merge(&mut list.tasks, task);
            }
            Ok(list)
        }
        .boxed()
    }

    fn running(&self) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        let chance = self.chance();
        self.read(move |sky| sky.running(chance)).boxed()
    }

    fn open_line(&self) -> BoxFuture<'_, Result<Box<dyn Line>, CloudError>> {
        async {
            let (turn, pass) = self.enter().await?;
            let opening = async {
                let takes = self.shared.lock().sky.opening_takes;
                if takes > 0 {
                    tokio::time::sleep(Duration::from_millis(takes)).await;
                }
                let fates = &mut self.shared.lock().sky.fates;
                match fates.pop_front_if(|fate| *fate == Fate::NotSent) {
                    Some(_) => Err(error(Meaning::Transient)),
                    None => Ok(()),
                }
            };
            let opened = self.life.call(&self.shared, true, opening).await;
            self.note(opened)?;
            Ok(Box::new(Open {
                link: self.clone(),
                pass,
                _turn: turn,
            }) as Box<dyn Line>)
        }
        .boxed()
    }
}

impl Line for Open {
    fn change_port<'a>(
        self: Box<Self>,
        intent: Acknowledged,
        _: &'a Permit,
        check: LastCheck<'a>,
    ) -> BoxFuture<'a, ChangeAnswer> {
        async move {
            let link = &self.link;
            if !link.life.is_alive() {
                std::future::pending::<()>().await;
            }
            let checks_early = link.shared.lock().flaw == Some(Flaw::ChecksEarly);
            let early = checks_early.then(|| check.passes().err());
            // Its thread is held up, by whatever it is.
            let held_up = link.shared.lock().sky.hold_ups.pop_front().unwrap_or(0);
            if held_up > 0 {
                tokio::time::sleep(Duration::from_millis(held_up)).await;
            }
            if let Some(why) = early.unwrap_or_else(|| check.passes().err()) {
                if link.shared.lock().flaw == Some(Flaw::BlamesTheCloud) {
                    return ChangeAnswer::NotSent(CloudError::local(Meaning::Transient, why));
                }
                link.shared
                    .lock()
                    .say(|| format!("{} withdraws: {why}", link.life.identity));
                return ChangeAnswer::Withdrawn(why);
            }
            // What is checked right before is checked at this moment: the request is under way from here on.
            link.shared.lock().change_sent(&intent, &link.life);
            let answer = link
                .life
                .call(&link.shared, true, link.serve(&intent))
                .await;
            if let ChangeAnswer::NotSent(_) | ChangeAnswer::Unknown(_) | ChangeAnswer::Refused(_) =
                &answer
            {
                link.shared.lock().call_failed(&link.life);
            }
            match &answer {
                ChangeAnswer::Accepted(_) | ChangeAnswer::NothingToDo => link.access.accepted(),
                ChangeAnswer::Refused(error) => {
                    link.access.failed(&self.pass, error);
                }
                ChangeAnswer::Unknown(error) => link.access.heard(error),
                ChangeAnswer::NotSent(_) | ChangeAnswer::Withdrawn(_) => {}
            }
            if let ChangeAnswer::Accepted(job) = &answer {
                let id = intent.change_id().as_str();
                link.shared.lock().job_received(id, job, &link.life);
            }
            answer
        }
        .boxed()
    }
}

impl Link {
    async fn serve(&self, intent: &Acknowledged) -> ChangeAnswer {
        let id = intent.proxy().as_str();
        let proxy = PROXIES.iter().position(|(known, _)| *known == id).unwrap();
        let port = intent.port().get();
        let (fate, repeats) = {
            let mut world = self.shared.lock();
            let repeats = world.flaw == Some(Flaw::Repeats);
            let accepted = world.accepts(&self.access_key);
            let sky = &mut world.sky;
            let fate = sky.fates.pop_front().unwrap_or(Fate::Served(0));
            let fate = if accepted {
                fate
            } else {
                Fate::Refused(Meaning::Unauthenticated)
            };
            sky.tally[proxy].requests += usize::from(fate != Fate::NotSent);
            sky.tally[proxy].fruitless +=
                usize::from(matches!(fate, Fate::Refused(_) | Fate::Lost(_)));
            if repeats {
                sky.tally[proxy].requests += 1;
                sky.accept(proxy, port);
            }
            (fate, repeats)
        };
        if repeats {
            self.shared.lock().change_sent(intent, &self.life);
        }
        match fate {
            Fate::NotSent => ChangeAnswer::NotSent(error(Meaning::Transient)),
            Fate::Refused(meaning) => {
                let tally = &mut self.shared.lock().sky.tally[proxy];
                tally.rejected += usize::from(meaning == Meaning::Rejected);
                ChangeAnswer::Refused(error(meaning))
            }
            Fate::Lost(arrives) => {
                let change = intent.change_id().as_str();
                self.shared.lock().change_arrived(change);
                if let Some(after) = arrives {
                    self.shared.lock().sky.send_on(proxy, port, after);
                }
                tokio::time::sleep(Duration::from_millis(CALL_TIMEOUT)).await;
                ChangeAnswer::Unknown(error(Meaning::Transient))
            }
            Fate::Served(after) => {
                let reply = {
                    let mut world = self.shared.lock();
                    let reply = world.sky.accept(proxy, port);
                    if reply != Reply::Busy {
                        world.change_arrived(intent.change_id().as_str());
                    }
                    reply
                };
                tokio::time::sleep(Duration::from_millis(after)).await;
                match reply {
                    Reply::Accepted(job) => ChangeAnswer::Accepted(job),
                    Reply::NothingToDo => ChangeAnswer::NothingToDo,
                    Reply::Busy => ChangeAnswer::Refused(error(Meaning::Busy)),
                }
            }
        }
    }
}

/// A task that a later walk shows takes the place of what an earlier one has shown of it.
fn merge(tasks: &mut Vec<Task>, later: Task) {
    let same = |task: &&mut Task| {
        task.job.is_some() && task.job == later.job && task.instance == later.instance
    };
    match tasks.iter_mut().find(same) {
        Some(earlier) => *earlier = later,
        None => tasks.push(later),
    }
}

fn error(meaning: Meaning) -> CloudError {
    let status = match meaning {
        Meaning::Transient => None,
        Meaning::Throttled => Some(429),
        Meaning::Unauthenticated => Some(401),
        Meaning::NotFound => Some(404),
        Meaning::Busy => Some(409),
        Meaning::Malformed => Some(200),
        Meaning::Rejected | Meaning::UnknownRefusal => Some(400),
        _ => Some(403),
    };
    CloudError {
        status,
        ..CloudError::local(meaning, "so says the cloud")
    }
}
