//! The one writer of status.

use std::time::Duration;

use crate::model::{ChangeId, InstanceId, Port, ProxyId};

/// Proof that the API server has just acknowledged the intent of one change.
///
/// It is spent by the change that it allows, and can't be made elsewhere:
///
/// ```compile_fail,E0451
/// # use taurus_port_operator::{controller::journal::Acknowledged, model::*};
/// # fn forge(id: ChangeId, instance: InstanceId, proxy: ProxyId, port: Port) -> Acknowledged {
/// Acknowledged { id, instance, proxy, port, at: std::time::Duration::ZERO }
/// # }
/// ```
///
/// ```compile_fail,E0599
/// # use taurus_port_operator::controller::journal::Acknowledged;
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
    at: Duration,
}

impl Acknowledged {
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

    /// Uptime at which the acknowledgement was read.
    pub fn at(&self) -> Duration {
        self.at
    }
}
