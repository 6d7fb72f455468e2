//! A cloud for tests: it answers what it is given, and nothing else.

use std::sync::Arc;

use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{Booked, Cloud, CloudError, Job, Line, Meaning, Proxies, TaskList, Urgency},
    model::{InstanceId, JobId},
};

/// What a list of proxies gives.
type Lists = dyn Fn() -> BoxFuture<'static, Result<Proxies, CloudError>> + Send + Sync;

/// What is said of the windows of instances.
type Windows = dyn Fn(&[InstanceId]) -> Result<Vec<(InstanceId, String)>, CloudError> + Send + Sync;

/// The cloud.
#[derive(Clone, Default)]
pub struct Fake {
    /// Its lists of proxies.
    pub lists: Option<Arc<Lists>>,
    /// Its windows.
    pub windows: Option<Arc<Windows>>,
}

fn nothing<T>() -> BoxFuture<'static, Result<T, CloudError>> {
    Box::pin(async { Err(CloudError::local(Meaning::Slow, "nothing")) })
}

impl Cloud for Fake {
    fn turn(&self, _: Urgency, _: u32) -> BoxFuture<'_, Result<Arc<dyn Cloud>, CloudError>> {
        let turn = Arc::new(self.clone()) as Arc<dyn Cloud>;
        Box::pin(async { Ok(turn) })
    }

    fn book(&self, _: Urgency) -> Booked {
        Booked::now()
    }

    fn list_proxies<'a>(&'a self, _: &'a InstanceId) -> BoxFuture<'a, Result<Proxies, CloudError>> {
        self.lists.as_ref().map_or_else(nothing, |lists| lists())
    }

    fn job<'a>(&'a self, _: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>> {
        nothing()
    }

    fn tasks(&self, _: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        nothing()
    }

    fn running(&self) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        nothing()
    }

    fn instance_windows<'a>(
        &'a self,
        asked: &'a [InstanceId],
    ) -> BoxFuture<'a, Result<Vec<(InstanceId, String)>, CloudError>> {
        let told = self.windows.as_ref().map(|windows| windows(asked));
        told.map_or_else(nothing, |told| Box::pin(async { told }))
    }

    fn open_line(&self) -> BoxFuture<'_, Result<Box<dyn Line>, CloudError>> {
        nothing()
    }
}
