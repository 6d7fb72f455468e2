//! What people do with the resources of a fleet, of two tenants that have a credential each.

use taurus_port_operator::{
    calendar::file,
    crd::{
        Approval, CredentialsReference, InstanceWindow, ManagementPolicy, ProbeMode, REQUESTED_AT,
        ServiceSpec, TaurusProxyPort,
    },
};

use super::{Fleet, is_ready, name};
use crate::{keys, resource::resource, rest::ready, stage::next_generation};

/// Whose a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenant {
    /// The one of whom all are, unless it is said.
    One,
    /// Another one.
    Other,
}

impl Fleet {
    /// A person makes a resource for a proxy, where each instance has a single one.
    pub fn make(&self, number: usize, port: u16, tenant: Tenant) {
        self.make_on(number, number, port, tenant);
    }

    pub(super) fn make_on(&self, number: usize, instance: usize, port: u16, tenant: Tenant) {
        self.make_in(crate::NAMESPACE, (number, instance), port, tenant);
    }

    /// A person makes a resource of this namespace for the proxy and the instance of these numbers. Each namespace has Secrets that
    /// hold the same.
    pub fn make_in(
        &self,
        namespace: &str,
        (number, instance): (usize, usize),
        port: u16,
        tenant: Tenant,
    ) {
        let instance = taurus_sim::Fleet::numbered_instance(instance);
        let proxy = taurus_sim::Fleet::numbered_proxy(number);
        let mut object = resource(&name(number), &instance, &proxy, port);
        object.metadata.namespace = Some(namespace.to_owned());
        object.spec.endpoint = Some(self.cloud.url());
        let secret = match tenant {
            Tenant::One => keys::NAME,
            Tenant::Other => keys::OTHER,
        };
        object.spec.credentials_ref = Some(CredentialsReference {
            name: secret.to_owned(),
        });
        let mut world = self.shared.lock();
        let now = world.now();
        world.cluster.create(object, now);
    }

    /// A person makes a resource whose endpoint is a host that takes connections and never answers.
    pub fn make_at_silent_host(&self, number: usize, host: usize) {
        self.make(number, 3306, Tenant::Other);
        self.edit(number, |object| {
            object.spec.endpoint = Some(self.cloud.silent_url(host));
        });
    }

    /// A person deletes a resource.
    pub fn delete(&self, number: usize) {
        let mut world = self.shared.lock();
        let now = world.now();
        assert!(world.cluster.delete(&name(number), now).is_some());
    }

    /// A person deletes a resource, and it stays for as long as somebody else's finalizer stands on it.
    pub fn mark_deleted(&self, number: usize) {
        self.edit(number, |object| {
            object.metadata.deletion_timestamp = object.metadata.creation_timestamp.clone();
            next_generation(object);
        });
    }

    /// A person wants another port.
    pub fn want(&self, number: usize, port: u16) {
        self.edit(number, |object| object.spec.port = port.into());
    }

    /// A person wants a greeting to be read after each change of a resource before that is Ready.
    pub fn require_greeting(&self, number: usize) {
        self.edit(number, |object| {
            object.spec.probe = Some(ProbeMode::Require);
        });
    }

    /// A person wants a Service for a resource. From then on the process may publish, and watch what it has published.
    pub fn want_service(&self, number: usize) {
        {
            let mut world = self.shared.lock();
            world.publishing = true;
            world.stock.may_watch = true;
        }
        self.edit(number, |object| {
            object.spec.service = Some(ServiceSpec {
                name: format!("{}-db", name(number)),
                port: None,
            });
        });
    }

    /// How many Services, EndpointSlices and ConfigMaps there are.
    pub fn published(&self) -> usize {
        self.shared.lock().stock.count()
    }

    /// A person wants another port, once somebody has approved it.
    pub fn want_if_approved(&self, number: usize, port: u16) {
        self.edit(number, |object| {
            object.spec.approval = Some(Approval::Manual);
            object.spec.port = port.into();
        });
    }

    /// A person asks for a look.
    pub fn ask(&self, number: usize, request: &str) {
        self.edit(number, |object| {
            let annotations = object.metadata.annotations.get_or_insert_default();
            annotations.insert(REQUESTED_AT.to_owned(), request.to_owned());
        });
    }

    /// Whether a resource has a plan on record that waits.
    pub fn has_plan(&self, number: usize) -> bool {
        let status = self.object(number).and_then(|object| object.status);
        status.is_some_and(|status| status.plan.is_some())
    }

    /// The request that a resource has on record as handled.
    pub fn handled(&self, number: usize) -> Option<String> {
        let status = self.object(number).and_then(|object| object.status)?;
        status.last_handled_request
    }

    /// Why a resource is not Ready, in one word.
    pub fn reason(&self, number: usize) -> String {
        let object = self.object(number);
        let ready = object.as_ref().and_then(ready);
        ready.map_or_else(String::new, |ready| ready.reason.clone())
    }

    /// Another calendar is in force.
    pub fn set_calendar(&self, text: &str) -> Result<(), String> {
        let calendar = file::parse(text).map_err(|fault| fault.to_string())?;
        self.shared.lock().calendar.take_in(Ok(calendar));
        Ok(())
    }

    /// A person suspends a resource.
    pub fn suspend(&self, number: usize) {
        self.edit(number, |object| object.spec.suspend = Some(true));
    }

    /// A person wants a resource to be observed only.
    pub fn observe(&self, number: usize) {
        self.edit(number, |object| {
            object.spec.management_policy = Some(ManagementPolicy::Observe);
        });
    }

    /// A person wants changes of a resource to start in the window of its instance.
    pub fn follow_window(&self, number: usize) {
        self.edit(number, |object| {
            object.spec.instance_window = Some(InstanceWindow::Follow);
        });
    }

    /// A person allows a change so much time.
    pub fn allow(&self, number: usize, timeout: &str) {
        self.edit(number, |object| {
            object.spec.change_timeout = Some(timeout.to_owned());
        });
    }

    /// From now on the cloud does not know what the first tenant's Secret holds.
    pub fn revoke(&self) {
        let mut world = self.shared.lock();
        world.keys[0].hold_a_token("a token that nobody knows");
    }

    /// From now on the first tenant's Secret lacks a key.
    pub fn spoil(&self) {
        let mut world = self.shared.lock();
        world.keys[0] = keys::Keys::numbered(0);
        world.keys[0].spoil(keys::Fault::Incomplete, u64::MAX);
    }

    /// Whether a resource is Ready.
    pub fn is_ready(&self, number: usize) -> bool {
        let world = self.shared.lock();
        world.cluster.get(&name(number)).is_some_and(is_ready)
    }

    /// Whether a resource says of its newest generation that it is suspended, or that it is in order.
    pub fn is_stopped(&self, number: usize) -> bool {
        let world = self.shared.lock();
        world.cluster.get(&name(number)).is_some_and(|object| {
            let status = object.status.as_ref();
            let suspended = status.is_some_and(|status| {
                let mut conditions = status.conditions.iter();
                let suspended = conditions.any(|condition| condition.reason == "Suspended");
                suspended && status.observed_generation == object.metadata.generation
            });
            suspended || is_ready(object)
        })
    }

    fn object(&self, number: usize) -> Option<TaurusProxyPort> {
        self.shared.lock().cluster.get(&name(number)).cloned()
    }

    fn edit(&self, number: usize, edit: impl FnOnce(&mut TaurusProxyPort)) {
        let mut world = self.shared.lock();
        let now = world.now();
        assert!(world.cluster.edit(&name(number), now, edit));
    }
}
