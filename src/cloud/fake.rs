//! A cloud for tests: it answers what it is given, and nothing else.

use std::sync::Arc;

use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{Booked, Cloud, CloudError, GroupRule, Job, Line, Meaning, Proxies, TaskList, Urgency},
    model::{InstanceId, JobId},
};

/// What a list of proxies gives.
type Lists = dyn Fn() -> BoxFuture<'static, Result<Proxies, CloudError>> + Send + Sync;

/// What is said of the windows of instances.
type Windows = dyn Fn(&[InstanceId]) -> Result<Vec<(InstanceId, String)>, CloudError> + Send + Sync;

/// What is said of the security group of every instance.
type Groups = dyn Fn() -> Result<Option<String>, CloudError> + Send + Sync;

/// The cloud.
#[derive(Clone, Default)]
pub struct Fake {
    /// Its lists of proxies.
    pub lists: Option<Arc<Lists>>,
    /// Its windows.
    pub windows: Option<Arc<Windows>>,
    /// Its security group; none is read where there is nothing.
    pub groups: Option<Arc<Groups>>,
    /// The rules of each group.
    pub rules: Option<Result<Vec<GroupRule>, CloudError>>,
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

    fn reads_groups(&self) -> bool {
        self.groups.is_some()
    }

    fn group_of<'a>(
        &'a self,
        _: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Option<String>, CloudError>> {
        let told = self.groups.as_ref().map_or(Ok(None), |groups| groups());
        Box::pin(async { told })
    }

    fn group_rules<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<GroupRule>, CloudError>> {
        let told = self.rules.clone().unwrap_or_else(|| Ok(Vec::new()));
        Box::pin(async { told })
    }

    fn open_line(&self) -> BoxFuture<'_, Result<Box<dyn Line>, CloudError>> {
        nothing()
    }
}
