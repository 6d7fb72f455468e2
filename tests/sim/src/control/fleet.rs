//! What happens to instances and proxies without anybody asking the service: drift, states, vanishing.

use serde::Deserialize;

use super::{Control, ControlError};
use crate::behaviour::Mode;
use crate::state::{Instance, InstanceView, Maintenance, Proxy, ProxyView, Scheduled};

/// A change of a proxy from outside; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyChange {
    /// In force and listed at once. A job that ends later still sets its own port.
    pub port: Option<u16>,
    /// The status while no change shows; other than ACTIVE, changes are refused.
    pub status: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// False: it vanishes. True: it is back.
    pub present: Option<bool>,
    /// The mode of this proxy alone.
    pub mode: Option<Mode>,
}

impl Control {
    /// A proxy, also one that has vanished.
    pub fn proxy(&self, id: &str) -> Result<ProxyView, ControlError> {
        let now = self.now();
        let world = self.shared.world();
        let proxy = world
            .state
            .proxies
            .get(id)
            .ok_or_else(|| ControlError::NoProxy(id.to_owned()))?;
        Ok(world.state.view_proxy(proxy, &world.behaviour, now))
    }

    /// An instance, also one that has vanished.
    pub fn instance(&self, id: &str) -> Result<InstanceView, ControlError> {
        let now = self.now();
        let world = self.shared.world();
        let instance = world
            .state
            .instances
            .get(id)
            .ok_or_else(|| ControlError::NoInstance(id.to_owned()))?;
        Ok(world.state.view_instance(instance, &world.behaviour, now))
    }

    /// Changes a proxy from outside.
    pub fn change_proxy(&self, id: &str, change: ProxyChange) -> Result<(), ControlError> {
        let ProxyChange {
            port,
            status,
            address,
            present,
            mode,
        } = change;
        let now = self.now();
        let mut world = self.shared.world();
        let job_ended = world.state.job_ends_at(id, now);
        let proxy = world
            .state
            .proxies
            .get_mut(id)
            .ok_or_else(|| ControlError::NoProxy(id.to_owned()))?;
        if let Some(port) = port {
            proxy.set_port(port, now, job_ended);
        }
        proxy.status = status.unwrap_or_else(|| proxy.status.clone());
        proxy.address = address.unwrap_or_else(|| proxy.address.clone());
        proxy.present = present.unwrap_or(proxy.present);
        proxy.mode = mode.or(proxy.mode);
        Ok(())
    }

    /// Drift: somebody else has set the port.
    pub fn set_port(&self, proxy: &str, port: u16) -> Result<(), ControlError> {
        self.change_proxy(
            proxy,
            ProxyChange {
                port: Some(port),
                ..ProxyChange::default()
            },
        )
    }

    /// Sets the status that the list shows while no change shows.
    pub fn set_status(&self, proxy: &str, status: &str) -> Result<(), ControlError> {
        self.change_proxy(
            proxy,
            ProxyChange {
                status: Some(status.to_owned()),
                ..ProxyChange::default()
            },
        )
    }

    /// Sets the address.
    pub fn set_address(&self, proxy: &str, address: &str) -> Result<(), ControlError> {
        self.change_proxy(
            proxy,
            ProxyChange {
                address: Some(address.to_owned()),
                ..ProxyChange::default()
            },
        )
    }

    /// Lets a proxy vanish from the service (false) or return (true).
    pub fn set_present(&self, proxy: &str, present: bool) -> Result<(), ControlError> {
        self.change_proxy(
            proxy,
            ProxyChange {
                present: Some(present),
                ..ProxyChange::default()
            },
        )
    }

    /// Gives a proxy a mode of its own, or takes it away.
    pub fn set_proxy_mode(&self, proxy: &str, mode: Option<Mode>) -> Result<(), ControlError> {
        self.with_proxy(proxy, |proxy| proxy.mode = mode)
    }

    /// Sets the status of an instance; other than ACTIVE, changes of its proxies are refused.
    pub fn set_instance_status(&self, id: &str, status: &str) -> Result<(), ControlError> {
        self.with_instance(id, |instance| status.clone_into(&mut instance.status))
    }

    /// Moves the maintenance window of an instance: hours of the day in UTC, as `18:00-22:00`.
    pub fn set_instance_window(&self, id: &str, window: &str) -> Result<(), ControlError> {
        self.with_instance(id, |instance| {
            window.clone_into(&mut instance.maintenance_window);
        })
    }

    /// Lets an instance with all its proxies vanish (false) or return (true).
    pub fn set_instance_present(&self, id: &str, present: bool) -> Result<(), ControlError> {
        self.with_instance(id, |instance| instance.present = present)
    }

    /// Lets an instance or a proxy show another status for a while, or not be there. Of several for one, the status of
    /// the last counts.
    pub fn maintain(&self, maintenance: Maintenance) -> Result<(), ControlError> {
        let now = self.now();
        let state = &mut self.shared.world().state;
        let of = &maintenance.of;
        if !state.instances.contains_key(of) && !state.proxies.contains_key(of) {
            return Err(ControlError::Nothing(of.clone()));
        }
        state.maintenance.push(Scheduled::new(maintenance, now));
        Ok(())
    }

    /// Ends all maintenance and calls off what was to come.
    pub fn end_maintenance(&self) {
        self.shared.world().state.maintenance.clear();
    }

    fn with_instance(
        &self,
        id: &str,
        change: impl FnOnce(&mut Instance),
    ) -> Result<(), ControlError> {
        let mut world = self.shared.world();
        let instance = world
            .state
            .instances
            .get_mut(id)
            .ok_or_else(|| ControlError::NoInstance(id.to_owned()))?;
        change(instance);
        Ok(())
    }

    fn with_proxy(&self, id: &str, change: impl FnOnce(&mut Proxy)) -> Result<(), ControlError> {
        let mut world = self.shared.world();
        let proxy = world
            .state
            .proxies
            .get_mut(id)
            .ok_or_else(|| ControlError::NoProxy(id.to_owned()))?;
        change(proxy);
        Ok(())
    }
}
