//! What a change needs before it may be sent.

use std::sync::Arc;

use crate::{
    leader::Leadership,
    model::{ChangeId, InstanceId, Moment, Port, ProxyId},
};

/// Proof that the API server has just acknowledged the intent of one change.
///
/// It is spent by the change that it allows. Only the journal of the controller makes one, and none can be made outside of this crate:
///
/// ```compile_fail,E0451
/// # use taurus_port_operator::{cloud::Acknowledged, leader::Leadership, model::*};
/// # fn forge(
/// #     id: ChangeId, instance: InstanceId, proxy: ProxyId, port: Port, at: Moment, leadership: std::sync::Arc<Leadership>,
/// # ) -> Acknowledged {
/// Acknowledged { id, instance, proxy, port, at, leadership }
/// # }
/// ```
///
/// ```compile_fail,E0599
/// # use taurus_port_operator::cloud::Acknowledged;
/// fn twice(proof: &Acknowledged) -> Acknowledged {
///     proof.clone()
/// }
/// ```
#[derive(Debug)]
pub struct Acknowledged {
    id: ChangeId,
    instance: InstanceId,
    proxy: ProxyId,
    port: Port,
    at: Moment,
    leadership: Arc<Leadership>,
}

impl Acknowledged {
    /// What the API server has acknowledged: for the journal alone, which has just written it.
    pub(crate) fn by_the_api_server(
        id: ChangeId,
        (instance, proxy): (InstanceId, ProxyId),
        port: Port,
        at: Moment,
        leadership: Arc<Leadership>,
    ) -> Self {
        Self {
            id,
            instance,
            proxy,
            port,
            at,
            leadership,
        }
    }

    /// The change that was put on record.
    pub fn change_id(&self) -> &ChangeId {
        &self.id
    }

    /// The instance of the proxy.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// The proxy whose port is to be changed.
    pub fn proxy(&self) -> &ProxyId {
        &self.proxy
    }

    /// The port to ask for.
    pub fn port(&self) -> Port {
        self.port
    }

    /// When the write of the intent began: it is on record since then at the earliest, and was acknowledged later.
    pub fn at(&self) -> Moment {
        self.at
    }

    /// Whether the process that wrote it may still act.
    pub fn leadership(&self) -> &Arc<Leadership> {
        &self.leadership
    }
}
