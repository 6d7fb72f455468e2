//! The shipped client of a fleet, with a fault put back.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use taurus_port_operator::{
    cloud::{
        Booked, Cloud, CloudError, Connect, Job, Line, Meaning, Proxies, TaskList, Urgency,
        auth::secret::Credential,
    },
    model::{InstanceId, JobId},
    place::Subject,
};
use tokio::sync::Mutex;

use crate::flaw::Flaw;

/// Makes clients with a fault.
pub struct Flawed {
    pub connect: Arc<dyn Connect>,
    pub flaw: Flaw,
}

impl Connect for Flawed {
    fn connect(
        &self,
        subject: &Subject,
        credential: Credential,
    ) -> Result<Arc<dyn Cloud>, CloudError> {
        Ok(Arc::new(Client {
            cloud: self.connect.connect(subject, credential)?,
            flaw: self.flaw,
            one_by_one: Arc::default(),
        }))
    }
}

/// A client with a fault.
struct Client {
    cloud: Arc<dyn Cloud>,
    flaw: Flaw,
    one_by_one: Arc<Mutex<()>>,
}

impl Client {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }
}

impl Cloud for Client {
    fn turn(
        &self,
        urgency: Urgency,
        calls: u32,
    ) -> BoxFuture<'_, Result<Arc<dyn Cloud>, CloudError>> {
        async move {
            let is_new = urgency == Urgency::FirstLook;
            let urgency = if is_new && self.has(Flaw::HurriesNewcomers) {
                Urgency::Change
            } else {
                urgency
            };
            let cloud = loop {
                match self.cloud.turn(urgency, calls).await {
                    Err(error)
                        if error.meaning == Meaning::OutOfCalls
                            && self.has(Flaw::WaitsOnItsSeat) =>
                    {
                        tokio::time::sleep(error.retry_after.unwrap_or_default()).await;
                    }
                    turn => break turn?,
                }
            };
            Ok(Arc::new(Self {
                cloud,
                flaw: self.flaw,
                one_by_one: Arc::clone(&self.one_by_one),
            }) as Arc<dyn Cloud>)
        }
        .boxed()
    }

    fn book(&self, urgency: Urgency) -> Booked {
        match self.flaw {
            Flaw::WaitsOnItsSeat | Flaw::HurriesNewcomers => Booked::now(),
            _ => self.cloud.book(urgency),
        }
    }

    fn spare_call_in(&self, job: &JobId) -> Option<Duration> {
        self.cloud.spare_call_in(job)
    }

    fn list_proxies<'a>(
        &'a self,
        instance: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Proxies, CloudError>> {
        async {
            if self.has(Flaw::LooksOneByOne) {
                let _place = self.one_by_one.lock().await;
                return self.cloud.list_proxies(instance).await;
            }
            self.cloud.list_proxies(instance).await
        }
        .boxed()
    }

    fn job<'a>(&'a self, id: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>> {
        self.cloud.job(id)
    }

    fn tasks(&self, since: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        async move {
            if self.has(Flaw::LooksOneByOne) {
                let _place = self.one_by_one.lock().await;
                let list = self.cloud.tasks(since).await?;
                return Ok(TaskList {
                    begun: None,
                    ..list
                });
            }
            loop {
                match self.cloud.tasks(since).await {
                    Err(error)
                        if self.has(Flaw::WalksForEver) && error.text.contains("more tasks") => {}
                    list => return list,
                }
            }
        }
        .boxed()
    }

    fn running(&self) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        self.cloud.running()
    }

    fn open_line(&self) -> BoxFuture<'_, Result<Box<dyn Line>, CloudError>> {
        self.cloud.open_line()
    }
}
