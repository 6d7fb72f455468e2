//! The calls to the API server: reads what exists, writes what differs, and removes what is no longer wished for.
//!
//! Relies on the API server's comparison of resource versions. Promises no write where nothing differs, no write to an object of
//! somebody else, no write by a process that does not lead, and an
//! answer within 5 seconds.

use std::{fmt::Debug, sync::Arc, time::Duration};

use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams, Preconditions},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    ServiceWish,
    order::{Known, Names, Order, Published},
    said::Said,
    standing::{self, Owner, Standing},
    wanted::{self, MANAGER, Made, SERVICE_NAME, SLICE_MANAGED_BY},
};
use crate::{
    clock::Clock,
    crd::{PublishedService, TaurusProxyPort},
    leader::Leadership,
};

/// All calls of one publication end within this.
const WITHIN: Duration = Duration::from_secs(5);

/// How often a write is tried where others write the object meanwhile.
const MOST_TRIES: u32 = 3;

/// Writes what is published.
#[derive(Clone)]
pub struct Publisher {
    client: Client,
    clock: Clock,
    leadership: Arc<Leadership>,
}

/// A kind of object that is published.
trait Kind:
    kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + PartialEq
    + Send
    + Sync
{
    /// For people.
    const NAME: &'static str;
    /// The plural, for people.
    const PLURAL: &'static str;
}

impl Kind for Service {
    const NAME: &'static str = "Service";
    const PLURAL: &'static str = "Services";
}

impl Kind for EndpointSlice {
    const NAME: &'static str = "EndpointSlice";
    const PLURAL: &'static str = "EndpointSlices";
}

impl Kind for ConfigMap {
    const NAME: &'static str = "ConfigMap";
    const PLURAL: &'static str = "ConfigMaps";
}

/// An object that is this resource's now, or how it stands otherwise.
type Put<K> = Result<K, Said>;

impl Publisher {
    /// One that writes through `client` for as long as this process leads.
    pub fn new(client: Client, clock: Clock, leadership: Arc<Leadership>) -> Self {
        Self {
            client,
            clock,
            leadership,
        }
    }

    /// Another process may publish by now, and what this one knows be older.
    fn leads(&self) -> Result<(), Said> {
        match self.leadership.time_left(self.clock.now()) {
            Some(_) => Ok(()),
            None => Err(Said::Failed("this process no longer leads".to_owned())),
        }
    }

    /// Publishes what is wished for, and removes what no longer is.
    pub async fn publish(&self, order: &Order) -> Published {
        let publishing = self.publish_all(order);
        if let Ok(published) = tokio::time::timeout(WITHIN, publishing).await {
            return published;
        }
        let late = || Said::Failed(format!("no answer within {} s", WITHIN.as_secs()));
        Published {
            service: order.wish.service.as_ref().map(|_| late()),
            config_map: order.wish.config_map.as_ref().map(|_| late()),
            left: (order.before != Names::default()).then(late),
            ..Published::default()
        }
    }

    async fn publish_all(&self, order: &Order) -> Published {
        let mut published = Published::default();
        if let Some(wish) = &order.wish.service {
            let (service, said) = self.service(order, wish).await;
            published.shown = service.map(|service| shown(&service, wish, order));
            published.service = Some(said);
        }
        if let Some(name) = &order.wish.config_map {
            let said = self.config_map(order, name).await;
            published.config_map = Some(said.err().unwrap_or(Said::Published));
        }
        let removed = self.remove(order, &published).await;
        published.left = removed.err();
        published
    }

    async fn service(&self, order: &Order, wish: &ServiceWish) -> (Option<Service>, Said) {
        let mut service = None;
        let said = self.try_service(order, wish, &mut service).await;
        (service, said.err().unwrap_or(Said::Published))
    }

    async fn try_service(
        &self,
        order: &Order,
        wish: &ServiceWish,
        service: &mut Option<Service>,
    ) -> Result<(), Said> {
        let owner = &order.owner;
        let slices = self.slices(owner, &wish.name).await?;
        let live = self.get::<Service>(owner, &wish.name).await?;
        let meta = live.as_ref().map(|live| &live.metadata);
        let is_own = standing::of(meta, owner) == Standing::Own;
        if let Some(by) = self.holder(order, meta).await? {
            // Neither ends with the one that has them.
            self.join(owner, live).await?;
            for slice in slices {
                self.join(owner, Some(slice)).await?;
            }
            return Err(Said::Held(Service::NAME, wish.name.clone(), by));
        }
        let place = match &order.known {
            Known::At(place) => *place,
            Known::Gone => {
                *service = live.filter(|_| is_own);
                for slice in slices {
                    self.delete(owner, &slice).await?;
                }
                return Err(Said::ProxyGone);
            }
            Known::Nothing => return Err(Said::NothingRead),
            Known::Unusable(address, why) => return Err(Said::Unusable(address.clone(), *why)),
        };
        let family = place.address.family();
        let name = wanted::slice_name(&wish.name, place.address);
        let make_slice = |live, made: Made<'_>| wanted::slice(live, wish, place, made);
        // Where the Service stands already, nothing that refuses a write of it keeps applications from the port that is in place.
        if is_own {
            service.clone_from(&live);
            self.put(order, &name, make_slice).await?;
        }
        let put = |live, made: Made<'_>| wanted::service(live, wish, family, made);
        *service = Some(self.put(order, &wish.name, put).await?);
        if !is_own {
            self.put(order, &name, make_slice).await?;
        }
        for slice in slices.iter().filter(|slice| slice.name_any() != name) {
            self.delete(owner, slice).await?;
        }
        Ok(())
    }

    async fn config_map(&self, order: &Order, name: &str) -> Result<(), Said> {
        let owner = &order.owner;
        let live = self.get::<ConfigMap>(owner, name).await?;
        if let Some(by) = self
            .holder(order, live.as_ref().map(|live| &live.metadata))
            .await?
        {
            self.join(owner, live).await?;
            return Err(Said::Held(ConfigMap::NAME, name.to_owned(), by));
        }
        let place = match &order.known {
            Known::At(place) => *place,
            Known::Gone => return Err(Said::ProxyGone),
            Known::Nothing => return Err(Said::NothingRead),
            Known::Unusable(address, why) => return Err(Said::Unusable(address.clone(), *why)),
        };
        let namespace = &owner.namespace;
        let front = order
            .wish
            .service
            .as_ref()
            .map(|wish| (format!("{}.{namespace}.svc", wish.name), wish.port));
        let make =
            |live, made: Made<'_>| wanted::config_map(live, name, front.clone(), place, made);
        self.put(order, name, make).await.map(|_| ())
    }

    /// The resource that has an object and for which this one waits.
    async fn holder(
        &self,
        order: &Order,
        live: Option<&ObjectMeta>,
    ) -> Result<Option<String>, Said> {
        match standing::of(live, &order.owner) {
            Standing::Held(by, uid) if order.waits || self.holds(order, &by, &uid).await? => {
                Ok(Some(by))
            }
            _ => Ok(None),
        }
    }

    /// Becomes one more owner of an object that another resource has.
    async fn join<K: Kind>(&self, owner: &Owner, live: Option<K>) -> Result<(), Said> {
        if let Some(live) = live.filter(|live| !standing::is_among(live.meta(), owner)) {
            let owners = standing::waiting(live.meta(), owner);
            self.replace(owner, with_owners(live, owners)).await?;
        }
        Ok(())
    }

    /// Removes what the status says was made, and is wished for under this name no longer: once what takes its place is there.
    async fn remove(&self, order: &Order, published: &Published) -> Result<(), Said> {
        let owner = &order.owner;
        let is_there = |said: &Option<Said>| match said {
            None | Some(Said::Published) => Ok(()),
            Some(said) => Err(said.clone()),
        };
        if let Some(name) = &order.before.service {
            is_there(&published.service)?;
            if let Some(service) = self.get::<Service>(owner, name).await? {
                self.delete(owner, &service).await?;
            }
            for slice in self.slices(owner, name).await? {
                self.delete(owner, &slice).await?;
            }
        }
        if let Some(name) = &order.before.config_map {
            is_there(&published.config_map)?;
            if let Some(map) = self.get::<ConfigMap>(owner, name).await? {
                self.delete(owner, &map).await?;
            }
        }
        Ok(())
    }

    /// Makes an object what it is wanted to be, if it is this resource's or may become it.
    async fn put<K: Kind>(
        &self,
        order: &Order,
        name: &str,
        make: impl Fn(Option<K>, Made<'_>) -> K,
    ) -> Put<K> {
        let owner = &order.owner;
        let mut outcome = Err(Said::Failed("others change it all the time".to_owned()));
        for _ in 0..MOST_TRIES {
            let live = self.get::<K>(owner, name).await?;
            let meta = live.as_ref().map(kube::Resource::meta);
            match standing::of(meta, owner) {
                Standing::Foreign => return Err(Said::Taken(K::NAME, name.to_owned())),
                Standing::Ending => {
                    return Err(Said::Failed(format!("{} {name} is being deleted", K::NAME)));
                }
                // What it has made it keeps true, whoever manages the proxy by now.
                Standing::Free if order.waits => return Err(Said::NotManaging),
                Standing::Free | Standing::Own | Standing::Held(..) => {}
            }
            let owners = standing::owned(meta, owner);
            let wanted = make(live.clone(), Made { owner, owners });
            outcome = match live {
                Some(live) if live == wanted => return Ok(live),
                Some(_) => self.replace(owner, wanted).await,
                None => self.create(owner, wanted).await,
            };
            match &outcome {
                Err(Said::Failed(text)) if text == CHANGED => {}
                _ => return outcome,
            }
        }
        outcome
    }

    /// Whether another resource is there that wishes for the same.
    async fn holds(&self, order: &Order, name: &str, uid: &str) -> Result<bool, Said> {
        let namespace = &order.owner.namespace;
        let api: Api<TaurusProxyPort> = Api::namespaced(self.client.clone(), namespace);
        let other = api.get_opt(name).await.map_err(|error| failed(&error))?;
        let Some(other) = other.filter(|other| other.uid().as_deref() == Some(uid)) else {
            return Ok(false);
        };
        let service = other.spec.service.as_ref().map(|service| &service.name);
        let own = order.wish.service.as_ref().map(|service| &service.name);
        let map = other.spec.config_map.as_ref().map(|map| &map.name);
        let same = service.is_some() && service == own
            || map.is_some() && map == order.wish.config_map.as_ref();
        Ok(same && other.metadata.deletion_timestamp.is_none())
    }

    /// The slices of a Service that this operator has made for the same proxy.
    async fn slices(&self, owner: &Owner, service: &str) -> Result<Vec<EndpointSlice>, Said> {
        let selector = format!("{SERVICE_NAME}={service},{SLICE_MANAGED_BY}={MANAGER}");
        let params = ListParams::default().labels(&selector);
        let list = self.api::<EndpointSlice>(owner).list(&params).await;
        let list = list.map_err(|error| refused::<EndpointSlice>("list", &error))?;
        let own = |slice: &EndpointSlice| {
            matches!(
                standing::of(Some(&slice.metadata), owner),
                Standing::Own | Standing::Held(..)
            )
        };
        Ok(list.items.into_iter().filter(own).collect())
    }

    async fn get<K: Kind>(&self, owner: &Owner, name: &str) -> Result<Option<K>, Said> {
        let live = self.api::<K>(owner).get_opt(name).await;
        live.map_err(|error| refused::<K>("get", &error))
    }

    async fn create<K: Kind>(&self, owner: &Owner, object: K) -> Put<K> {
        self.leads()?;
        let created = self.api(owner).create(&params(), &object).await;
        created.map_err(|error| refused::<K>("create", &error))
    }

    async fn replace<K: Kind>(&self, owner: &Owner, object: K) -> Put<K> {
        self.leads()?;
        let api = self.api(owner);
        let replaced = api.replace(&object.name_any(), &params(), &object).await;
        replaced.map_err(|error| refused::<K>("update", &error))
    }

    /// Deletes an object, unless others wait for it: then it is theirs.
    async fn delete<K: Kind>(&self, owner: &Owner, live: &K) -> Result<(), Said> {
        let is_own = standing::of(Some(live.meta()), owner) == Standing::Own;
        let others = standing::without(live.meta(), owner);
        if !is_own || !others.is_empty() {
            if standing::is_among(live.meta(), owner) {
                self.replace(owner, with_owners(live.clone(), others))
                    .await?;
            }
            return Ok(());
        }
        self.leads()?;
        let params = DeleteParams::default().preconditions(Preconditions {
            resource_version: live.resource_version(),
            uid: live.uid(),
        });
        match self.api::<K>(owner).delete(&live.name_any(), &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(refused::<K>("delete", &error)),
        }
    }

    fn api<K: Kind>(&self, owner: &Owner) -> Api<K> {
        Api::namespaced(self.client.clone(), &owner.namespace)
    }
}

/// Said where an object was changed or made by others between a read and a write.
const CHANGED: &str = "others have changed it meanwhile";

fn params() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn with_owners<K: Kind>(mut object: K, owners: Vec<OwnerReference>) -> K {
    object.meta_mut().owner_references = Some(owners).filter(|owners| !owners.is_empty());
    object
}

/// What a call's error means.
fn refused<K: Kind>(verb: &'static str, error: &kube::Error) -> Said {
    match error {
        // Admission refuses with the same code, in its own words.
        kube::Error::Api(status) if status.code == 403 && status.message.contains(" cannot ") => {
            Said::Forbidden(verb, K::PLURAL)
        }
        kube::Error::Api(status) if status.code == 409 => Said::Failed(CHANGED.to_owned()),
        error => failed(error),
    }
}

fn failed(error: &kube::Error) -> Said {
    Said::Failed(match error {
        kube::Error::Api(status) => status.message.clone(),
        error => error.to_string(),
    })
}

/// The Service, as the status shows it.
fn shown(service: &Service, wish: &ServiceWish, order: &Order) -> PublishedService {
    let spec = service.spec.as_ref();
    let cluster_ip = spec.and_then(|spec| spec.cluster_ip.clone());
    PublishedService {
        name: wish.name.clone(),
        cluster_ip,
        port: wish.port.into(),
        endpoint: match &order.known {
            Known::At(place) => Some(place.to_string()),
            _ => None,
        },
    }
}
