//! What several resources have in common that name one proxy.
//!
//! Promises one key for all spellings of an address: by region or by its endpoint, in any letter case, with the default port or
//! without it.

use std::sync::Arc;

use crate::{
    cloud::endpoints,
    controller::read::Subject,
    model::{ProjectId, ProxyId},
};

/// A proxy in one place of the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProxyKey {
    pub(super) place: Arc<Place>,
    proxy: ProxyId,
}

/// A project in one place of the cloud.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    address: String,
    project: ProjectId,
}

impl ProxyKey {
    /// The key of a subject; the endpoint counts where it is given, else the region.
    pub fn of(subject: &Subject) -> Self {
        Self {
            place: Arc::new(Place::of(subject)),
            proxy: subject.proxy.clone(),
        }
    }
}

impl Place {
    pub(super) fn of(subject: &Subject) -> Self {
        Self {
            address: endpoints::place(subject.region.as_deref(), subject.endpoint.as_deref()),
            project: subject.project.clone(),
        }
    }
}
