//! The cloud as one process reaches it: each call takes its time, and the process can end in it.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use rand::RngExt as _;
use secrecy::ExposeSecret as _;
use taurus_port_operator::{
    cloud::{
        Booked, ChangeAnswer, Cloud, CloudError, Job, LastCheck, Line, Meaning, Proxy, TaskList,
        Urgency, auth::secret::Credential,
    },
    controller::{accounts::Connect, journal::Acknowledged, read::Subject},
    fleet::permits::Permit,
    model::{InstanceId, JobId},
};
use tokio::sync::Semaphore;

use crate::{
    flaw::Flaw,
    life::Life,
    sky::{Fate, PROXIES, Reply, Sky},
    world::Shared,
};

/// A request without an answer is given up after this.
const CALL_TIMEOUT: u64 = 30_000;

/// So many reads are made at once, as by the shipped client to one place.
pub const READS_AT_ONCE: usize = 8;

/// The way to the cloud.
#[derive(Clone)]
pub struct Link {
    pub shared: Shared,
    pub life: Arc<Life>,
    /// What it signs with.
    pub access_key: Arc<str>,
    /// Bounds the reads of its process.
    pub reads: Arc<Semaphore>,
}

impl Connect for Link {
    fn connect(&self, _: &Subject, credential: Credential) -> Result<Arc<dyn Cloud>, CloudError> {
        let Credential::AccessKey { access_key, .. } = credential else {
            return Err(error(Meaning::Unauthenticated));
        };
        Ok(Arc::new(Self {
            access_key: access_key.expose_secret().into(),
            ..self.clone()
        }))
    }
}

impl Link {
    async fn read<T>(
        &self,
        read: impl FnOnce(&Sky) -> Result<T, Meaning>,
    ) -> Result<T, CloudError> {
        // An error means that nobody bounds them any more.
        let _place = self.reads.acquire().await;
        let reading = async {
            let takes = self.shared.lock().sky.read_takes;
            if takes > 0 {
                tokio::time::sleep(Duration::from_millis(takes)).await;
            }
            let mut world = self.shared.lock();
            world.sky.reads += 1;
            if !world.keys.accepts(&self.access_key, world.now()) {
                return Err(error(Meaning::Unauthenticated));
            }
            read(&world.sky).map_err(|meaning| CloudError {
                retry_after: world.sky.retry_after,
                ..error(meaning)
            })
        };
        self.life.call(&self.shared, true, reading).await
    }
}

impl Cloud for Link {
    fn turn(&self, _: Urgency, _: u32) -> BoxFuture<'_, Result<Arc<dyn Cloud>, CloudError>> {
        async { Ok(Arc::new(self.clone()) as Arc<dyn Cloud>) }.boxed()
    }

    fn book(&self, _: Urgency) -> Booked {
        Booked::now()
    }

    fn list_proxies<'a>(
        &'a self,
        instance: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Vec<Proxy>, CloudError>> {
        async {
            let wavers = self.shared.lock().sky.wavers > 0;
            let chance = if wavers {
                self.shared.lock().random.random()
            } else {
                0
            };
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
            Ok(proxies)
        }
        .boxed()
    }

    fn job<'a>(&'a self, id: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>> {
        self.read(|sky| sky.job(id)).boxed()
    }

    fn tasks(&self, since: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        self.read(move |sky| sky.tasks_since(since)).boxed()
    }

    fn running(&self) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        self.read(Sky::tasks).boxed()
    }

    fn open_line(&self) -> BoxFuture<'_, Result<Box<dyn Line>, CloudError>> {
        let opening = async {
            let takes = self.shared.lock().sky.opening_takes;
            if takes > 0 {
                tokio::time::sleep(Duration::from_millis(takes)).await;
            }
            let fates = &mut self.shared.lock().sky.fates;
            match fates.pop_front_if(|fate| *fate == Fate::NotSent) {
                Some(_) => Err(error(Meaning::Transient)),
                None => Ok(Box::new(self.clone()) as Box<dyn Line>),
            }
        };
        self.life.call(&self.shared, true, opening).boxed()
    }
}

impl Line for Link {
    fn change_port<'a>(
        self: Box<Self>,
        intent: Acknowledged,
        _: &'a Permit,
        check: LastCheck<'a>,
    ) -> BoxFuture<'a, ChangeAnswer> {
        async move {
            if !self.life.is_alive() {
                std::future::pending::<()>().await;
            }
            let checks_early = self.shared.lock().flaw == Some(Flaw::ChecksEarly);
            let early = checks_early.then(|| check.refuses());
            // Its thread is held up, by whatever it is.
            let held_up = self.shared.lock().sky.hold_ups.pop_front().unwrap_or(0);
            if held_up > 0 {
                tokio::time::sleep(Duration::from_millis(held_up)).await;
            }
            if let Some(why) = early.unwrap_or_else(|| check.refuses()) {
                self.shared
                    .lock()
                    .say(|| format!("{} withdraws: {why}", self.life.identity));
                return ChangeAnswer::Withdrawn(why);
            }
            // What is checked right before is checked at this moment: the request is under way from here on.
            self.shared.lock().change_sent(&intent, &self.life);
            let answer = self
                .life
                .call(&self.shared, true, self.serve(&intent))
                .await;
            if let ChangeAnswer::Accepted(job) = &answer {
                let id = intent.change_id().as_str();
                self.shared.lock().job_received(id, job, &self.life);
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
            let accepted = world.keys.accepts(&self.access_key, world.now());
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
                if let Some(after) = arrives {
                    self.shared.lock().sky.send_on(proxy, port, after);
                }
                tokio::time::sleep(Duration::from_millis(CALL_TIMEOUT)).await;
                ChangeAnswer::Unknown(error(Meaning::Transient))
            }
            Fate::Served(after) => {
                let reply = self.shared.lock().sky.accept(proxy, port);
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

fn error(meaning: Meaning) -> CloudError {
    CloudError::local(meaning, "so says the cloud")
}
