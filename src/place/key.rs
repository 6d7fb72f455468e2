//! What several resources have in common that name one proxy, or one instance.
//!
//! Promises one key for all spellings of an address: by region or by its endpoint, in any letter case, with the default port or
//! without it.

use std::{ops::Deref, sync::Arc};

use super::endpoints;
use crate::model::{InstanceId, ProjectId, ProxyId};

/// Which proxy, and where in the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Region, if one is given.
    pub region: Option<String>,
    /// Address of the TaurusDB API in place of the region's.
    pub endpoint: Option<String>,
    /// Address of the IAM API in place of the region's.
    pub iam_endpoint: Option<String>,
    /// The project.
    pub project: ProjectId,
    /// The database instance, in that place.
    pub instance: InstanceKey,
    /// The proxy.
    pub proxy: ProxyId,
}

/// A proxy in one place of the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProxyKey {
    pub(crate) place: Arc<Place>,
    proxy: ProxyId,
}

/// An instance in one place of the cloud: another place may have one of the same id. Where only one place is looked at, the id will do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceKey {
    place: Arc<Place>,
    id: InstanceId,
}

/// A project in one place of the cloud.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    address: String,
    project: ProjectId,
}

impl ProxyKey {
    /// The key of a subject; the endpoint counts where it is given, else the region.
    pub fn of(subject: &Subject) -> Self {
        Self {
            place: Arc::clone(&subject.instance.place),
            proxy: subject.proxy.clone(),
        }
    }
}

impl InstanceKey {
    /// The key of an instance of a project; the endpoint counts where it is given, else the region.
    pub fn new(
        (region, endpoint): (Option<&str>, Option<&str>),
        project: &ProjectId,
        id: InstanceId,
    ) -> Self {
        let place = Arc::new(Place {
            address: endpoints::place(region, endpoint),
            project: project.clone(),
        });
        Self { place, id }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The instance of this id, somewhere.
    #[cfg(test)]
    pub(crate) fn somewhere(id: &str) -> Self {
        let project = ProjectId::parse(&"0".repeat(32)).unwrap();
        let id = InstanceId::parse(id).unwrap();
        Self::new((Some("ap-southeast-3"), None), &project, id)
    }
}

impl Deref for InstanceKey {
    type Target = InstanceId;

    fn deref(&self) -> &InstanceId {
        &self.id
    }
}
