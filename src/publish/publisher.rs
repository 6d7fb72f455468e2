//! Publishes an order: reads what exists, writes what differs, and removes what is no longer wished for.
//!
//! Promises no write where nothing differs, none to an object of somebody else, and none that would take a port that was verified for
//! one that was not: where the order knows no better, a slice stays as it is. What is no longer wished for goes once what takes its
//! place is there, and is kept true until then.

use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Client, ResourceExt as _};

use super::{
    calls::{Calls, Kind, Miss},
    contest::{self, Mend, Was},
    order::{Known, Order, Published, Rival, Slot},
    said::Said,
    standing::{self, Owner, Standing},
    wanted::{self, FAMILIES, Front, MANAGED_BY, MANAGER, Made, PROXY, Place, SERVICE_NAME},
};
use crate::{
    clock::Clock, crd::PublishedService, desired::ServiceWish, leader::Leadership, model::Mark,
};

/// How often a write is tried where others write the object meanwhile.
const MOST_TRIES: u32 = 3;

/// Publishes orders.
#[derive(Clone)]
pub struct Publisher {
    calls: Calls,
    /// What was made or replaced for the order at hand.
    mends: Arc<Mutex<Vec<Mend>>>,
}

/// What is there of a Service.
#[derive(Debug, Default)]
struct Found {
    /// The Service, where it is this resource's.
    service: Option<Service>,
    /// Where its slice leads, as the API server has it.
    place: Option<Place>,
    /// The port at which applications reach the proxy by that name, whoever has the Service.
    front: Option<u16>,
    /// What applications reach by that name is somebody else's.
    is_foreign: bool,
}

/// The slices of a Service's name.
struct Slices {
    /// Those that this operator has made for the same proxy.
    own: Vec<EndpointSlice>,
    /// The name of one of somebody else.
    foreign: Option<String>,
}

impl Slices {
    /// Where the own ones lead: one that leads where the proxy is known to be goes before others.
    fn place(&self, known: &Known) -> Option<Place> {
        let places = || self.own.iter().filter_map(wanted::place_of);
        let right = places().find(|place| known.confirms(place));
        right.or_else(|| places().next())
    }
}

impl Publisher {
    /// One that writes through `client` for as long as this process leads.
    pub fn new(client: Client, clock: Clock, leadership: Arc<Leadership>) -> Self {
        Self {
            calls: Calls::new(client, clock, leadership),
            mends: Arc::default(),
        }
    }

    /// Whether this process has written the version of an object with this mark a short while ago, or has deleted the one whose UID
    /// has it.
    pub fn has_written(&self, mark: Mark) -> bool {
        self.calls.has_written(mark)
    }

    /// Becomes an owner of what is wished for and exists for the same proxy, so that it outlives a resource that is about to be deleted.
    /// It takes neither the cloud nor a port. What fails is made up for by [`Self::publish`].
    pub async fn join(&self, order: &Order) -> Result<(), Said> {
        let owner = &order.owner;
        let may_join = |meta: &ObjectMeta| {
            let standing = standing::of(Some(meta), owner);
            matches!(standing, Standing::Own | Standing::Held(..))
        };
        if let Some(wish) = &order.wish.service {
            let live = self.calls.get::<Service>(owner, &wish.name).await?;
            if let Some(live) = live.filter(|live| may_join(&live.metadata)) {
                self.calls.join(owner, &live).await?;
                for slice in self.slices(owner, &wish.name).await?.own {
                    self.calls.join(owner, &slice).await?;
                }
            }
        }
        if let Some(name) = &order.wish.config_map {
            let live = self.calls.get::<ConfigMap>(owner, name).await?;
            if let Some(live) = live.filter(|live| may_join(&live.metadata)) {
                self.calls.join(owner, &live).await?;
            }
        }
        Ok(())
    }

    /// Publishes what is wished for, and removes what no longer is.
    pub async fn publish(&self, order: &Order) -> Published {
        // Orders are carried out side by side.
        let own = Self {
            calls: self.calls.clone(),
            mends: Arc::default(),
        };
        let mut published = own.carry_out(order).await;
        let mut mends = own.mends.lock().unwrap_or_else(PoisonError::into_inner);
        published.mends.append(&mut mends);
        drop(mends);
        published
    }

    async fn carry_out(&self, order: &Order) -> Published {
        let mut published = Published::default();
        let mut found = Found::default();
        if let Some(wish) = &order.wish.service {
            let said = self.service(order, wish, &mut found).await;
            let said = said.err().unwrap_or_else(|| done(order, &found));
            published.service_slot = slot(&said, shown(order, wish, &found));
            published.service = Some(stays(said, &found));
        } else {
            published.service_slot = Slot::Empty;
        }
        let front = front(order, published.service.as_ref(), &found);
        if let Some(name) = &order.wish.config_map {
            let said = self.config_map(order, name, &front).await;
            let said = match said {
                Ok(map) => filled(order, &map, published.service.as_ref(), &found),
                Err(said) => said,
            };
            published.map_slot = slot(&said, name.clone());
            published.config_map = Some(said);
        } else {
            published.map_slot = Slot::Empty;
        }
        let is_map_written = !published
            .config_map
            .as_ref()
            .is_some_and(Said::may_name_what_was);
        self.see_to_maps(order, &front, &mut published).await;
        // A ConfigMap that could not be written may send applications to the Service of before.
        let are_maps_true = is_map_written && published.map_left.is_none();
        self.see_to_services(order, are_maps_true, &mut published)
            .await;
        published
    }

    async fn service(
        &self,
        order: &Order,
        wish: &ServiceWish,
        found: &mut Found,
    ) -> Result<(), Said> {
        let owner = &order.owner;
        let slices = self.slices(owner, &wish.name).await?;
        let live = self.calls.get::<Service>(owner, &wish.name).await?;
        let standing = standing::of(live.as_ref().map(|live| &live.metadata), owner);
        match &standing {
            Standing::Foreign | Standing::OfAnother(_) | Standing::Ending { ours: false } => {
                // What applications reach by that name is somebody else's now, and not to be led to the proxy. Of a slice that another
                // resource has, that one knows better.
                found.is_foreign = true;
                let is_own = |slice: &&EndpointSlice| {
                    standing::of(Some(&slice.metadata), owner) == Standing::Own
                };
                for slice in slices.own.iter().filter(is_own) {
                    self.calls.delete(owner, slice).await?;
                }
                return Err(taken::<Service>(&wish.name, standing));
            }
            Standing::Ending { ours: true } => {
                if let Some(live) = live.filter(|live| standing::is_had_by(&live.metadata, owner)) {
                    // Applications use it for as long as a finalizer holds it.
                    found.front = port_of(&live);
                    found.service = Some(live);
                    found.place = slices.place(&order.known);
                    if let Known::At(place) = &order.known {
                        found.place = self.lead_slice(order, &wish.name, *place).await?;
                    }
                }
                return Err(ending::<Service>(&wish.name));
            }
            Standing::Held(..) | Standing::Free | Standing::Own => {}
        }
        let meta = live.as_ref().map(|live| &live.metadata);
        if let Some(by) = holder::<Service>(order, &wish.name, meta, &standing) {
            // Neither ends with the one that has them.
            if let Some(live) = &live {
                self.calls.join(owner, live).await?;
            }
            for slice in &slices.own {
                self.calls.join(owner, slice).await?;
            }
            let leads = slices
                .own
                .iter()
                .any(|slice| wanted::place_of(slice).is_some());
            found.front = live.as_ref().filter(|_| leads).and_then(port_of);
            return Err(Said::Held(Service::NAME, wish.name.clone(), by));
        }
        // One that nobody has has to become this resource's before its slice does.
        let is_own = standing == Standing::Own && standing::has_controller(meta);
        found.service = live.clone().filter(|_| is_own);
        let kept = slices.place(&order.known);
        found.place = kept;
        let place = match &order.known {
            Known::At(place) => *place,
            Known::Keep(other) => {
                let of_others = slices.own.iter().any(wanted::is_led_by_others);
                let place = order.kept(kept, *other, of_others);
                place.ok_or(Said::NothingRead)?
            }
            Known::Gone => return Err(self.withdraw(owner, &slices, found).await),
            Known::Withdrawn => {
                // What this resource has leads to where the proxy was read since, though that was not said.
                let mut had = slices
                    .own
                    .iter()
                    .filter(|slice| standing::is_had_by(&slice.metadata, owner));
                match had.find_map(wanted::place_of) {
                    Some(place) => place,
                    None => return Err(self.withdraw(owner, &slices, found).await),
                }
            }
            Known::Unusable(address, why) => {
                return Err(Said::Unusable(address.clone(), *why));
            }
        };
        let name = wanted::slice_name(&wish.name, place.address.family());
        if !is_own {
            self.may_lead(owner, live.is_some(), wish, &slices, &name)
                .await?;
        }
        self.lead(order, wish, place, is_own, found).await?;
        // Which one of several is right is known by the place of the proxy alone.
        let is_other = |slice: &&EndpointSlice| slice.name_any() != name;
        let is_known = order.known.confirms(&place);
        for slice in slices.own.iter().filter(|_| is_known).filter(is_other) {
            self.calls.leave(owner, slice).await?;
        }
        if found.place != Some(place) {
            let text = "another endpoint was stored than was asked for, perhaps by a webhook";
            return Err(Said::Refused(text.to_owned()));
        }
        let family = place.address.family();
        if !found
            .service
            .as_ref()
            .is_some_and(|service| wanted::has_family(service, family))
        {
            return Err(Said::NoFamily(wish.name.clone(), family));
        }
        match slices.foreign {
            Some(slice) => Err(Said::Mixed(wish.name.clone(), slice)),
            None => Ok(()),
        }
    }

    /// Lets go of all slices of a Service whose proxy is gone.
    async fn withdraw(&self, owner: &Owner, slices: &Slices, found: &mut Found) -> Said {
        for slice in &slices.own {
            if let Err(why) = self.calls.leave(owner, slice).await {
                return why;
            }
        }
        found.place = None;
        Said::Withdrawn
    }

    /// Before a Service is made or taken over: what lies under its name may lead those who use it to somebody else's database.
    async fn may_lead(
        &self,
        owner: &Owner,
        is_there: bool,
        wish: &ServiceWish,
        slices: &Slices,
        slice: &str,
    ) -> Result<(), Said> {
        if let Some(foreign) = slices.foreign.as_ref().filter(|_| !is_there) {
            return Err(Said::Mixed(wish.name.clone(), foreign.clone()));
        }
        let live = self.calls.get::<EndpointSlice>(owner, slice).await?;
        let standing = standing::of(live.as_ref().map(|live| &live.metadata), owner);
        match standing {
            Standing::Foreign | Standing::OfAnother(_) => {
                Err(taken::<EndpointSlice>(slice, standing))
            }
            Standing::Ending { ours: false } => Err(ending::<EndpointSlice>(slice)),
            Standing::Ending { ours: true }
            | Standing::Free
            | Standing::Own
            | Standing::Held(..) => Ok(()),
        }
    }

    /// Leads a Service to a place.
    async fn lead(
        &self,
        order: &Order,
        wish: &ServiceWish,
        place: Place,
        is_own: bool,
        found: &mut Found,
    ) -> Result<(), Said> {
        let owner = &order.owner;
        let family = place.address.family();
        // Where the Service stands already, nothing that refuses a write of it keeps applications from the port that is in place.
        if is_own {
            found.place = self.lead_slice(order, &wish.name, place).await?;
        }
        let headless = found.service.take_if(|live| wanted::is_headless(live));
        if let Some(live) = headless {
            self.calls.delete(owner, &live).await?;
        }
        let put = |live, made: Made<'_>| wanted::service(live, wish, family, made);
        let service = self.put(order, &wish.name, put).await?;
        found.front = port_of(&service);
        found.service = Some(service);
        if !is_own {
            let led = self.lead_slice(order, &wish.name, place).await;
            if let Err(Said::Taken(..) | Said::OfAnother(..)) = &led
                && self.has_made(Service::NAME, &wish.name)
                && let Some(service) = found.service.take()
            {
                // Somebody was faster: it would lead to where that slice leads.
                found.front = None;
                self.calls.delete(owner, &service).await?;
            }
            found.place = led?;
        }
        Ok(())
    }

    /// Leads the slice of a Service to a place; says where it leads then.
    async fn lead_slice(
        &self,
        order: &Order,
        service: &str,
        place: Place,
    ) -> Result<Option<Place>, Said> {
        let name = wanted::slice_name(service, place.address.family());
        let make = |live, made: Made<'_>| wanted::slice(live, service, place, made);
        let slice: EndpointSlice = self.put(order, &name, make).await?;
        Ok(wanted::place_of(&slice))
    }

    async fn config_map(
        &self,
        order: &Order,
        name: &str,
        front: &Front,
    ) -> Result<ConfigMap, Said> {
        let owner = &order.owner;
        let live = self.calls.get::<ConfigMap>(owner, name).await?;
        let standing = standing::of(live.as_ref().map(|live| &live.metadata), owner);
        match &standing {
            Standing::Foreign | Standing::OfAnother(_) => {
                return Err(taken::<ConfigMap>(name, standing));
            }
            Standing::Ending { .. } => return Err(ending::<ConfigMap>(name)),
            Standing::Held(..) | Standing::Free | Standing::Own => {}
        }
        let meta = live.as_ref().map(|live| &live.metadata);
        if let Some(by) = holder::<ConfigMap>(order, name, meta, &standing) {
            if let Some(live) = &live {
                self.calls.join(owner, live).await?;
            }
            return Err(Said::Held(ConfigMap::NAME, name.to_owned(), by));
        }
        let kept = live.as_ref().and_then(wanted::place_in);
        let place = match order.verified.as_ref().unwrap_or(&order.known) {
            Known::At(place) => *place,
            Known::Keep(other) => {
                let of_others = live.as_ref().is_some_and(wanted::is_filled_by_others);
                let place = order.kept(kept, *other, of_others);
                place.ok_or(Said::NothingRead)?
            }
            Known::Gone | Known::Withdrawn if live.is_some() => return Err(Said::Outdated),
            Known::Gone | Known::Withdrawn => return Err(Said::NothingRead),
            Known::Unusable(address, why) => {
                return Err(Said::Unusable(address.clone(), *why));
            }
        };
        let make = |live, made: Made<'_>| wanted::config_map(live, name, front, place, made);
        if let Some(live) = live.filter(|live| live.immutable == Some(true)) {
            let owners = standing::owned(Some(&live.metadata), owner);
            if make(Some(live.clone()), Made { owner, owners }) != live {
                self.calls.delete(owner, &live).await?;
            }
        }
        self.put(order, name, make).await
    }

    /// Services that are wished for no longer: removed once what takes their place is there and no ConfigMap names them, and kept true
    /// until then.
    async fn see_to_services(&self, order: &Order, are_maps_true: bool, published: &mut Published) {
        let wished = order.wish.service.as_ref().map(|wish| wish.name.as_str());
        let names = self
            .names_left::<Service>(order, order.before.service.as_deref(), wished, published)
            .await;
        let (names, mut left) = match names {
            Ok(names) => (names, None),
            Err((name, why)) => {
                // Its name stays on record, or nobody would look for it again.
                published.service_slot = Slot::AsBefore;
                (Vec::new(), Some((name, why)))
            }
        };
        let leads = published.service.as_ref().is_none_or(Said::leads_there);
        let is_replaced = leads && are_maps_true;
        for name in names {
            let (service, outcome) = if is_replaced {
                (None, self.remove_service(order, &name).await)
            } else {
                match self.keep_service(order, &name).await {
                    Ok(service) => (service, Ok(())),
                    Err(why) => (None, Err(why)),
                }
            };
            if let Some(service) = service {
                // What applications use until then.
                published.service_slot = Slot::Is(service);
            }
            if let Err(why) = outcome {
                published.service_slot = Slot::AsBefore;
                left = Some((name, why));
            }
        }
        published.service_left = left.map(Box::new);
        if let Some((name, why)) = published.service_left.as_deref() {
            tell::<Service>(&mut published.service, name, why);
        }
    }

    async fn remove_service(&self, order: &Order, name: &str) -> Result<(), Said> {
        let owner = &order.owner;
        if let Some(service) = self.calls.get::<Service>(owner, name).await? {
            self.calls.leave(owner, &service).await?;
        }
        for slice in self.slices(owner, name).await?.own {
            self.calls.leave(owner, &slice).await?;
        }
        // One whose labels were taken away may be another's, and still names this resource among those that wait for it.
        for family in FAMILIES {
            let name = wanted::slice_name(name, family);
            let slice = self.calls.get::<EndpointSlice>(owner, &name).await?;
            let is_among = |slice: &EndpointSlice| standing::is_among(&slice.metadata, owner);
            if let Some(slice) = slice.filter(is_among) {
                self.calls.leave(owner, &slice).await?;
            }
        }
        Ok(())
    }

    /// A Service that applications use until another one takes its place follows the port. One of another resource may come to be this
    /// one's: its name stays on record.
    async fn keep_service(
        &self,
        order: &Order,
        name: &str,
    ) -> Result<Option<PublishedService>, Said> {
        let owner = &order.owner;
        let live = self.calls.get::<Service>(owner, name).await?;
        let standing = standing::of(live.as_ref().map(|live| &live.metadata), owner);
        if !matches!(
            standing,
            Standing::Own | Standing::Held(..) | Standing::Ending { ours: true }
        ) {
            // Without it, its slice leads nobody, or those whom somebody else leads by that name.
            self.remove_service(order, name).await?;
            return Ok(None);
        }
        let wish = ServiceWish {
            name: name.to_owned(),
            port: live.as_ref().and_then(port_of).unwrap_or_default(),
        };
        let mut found = Found::default();
        if standing == Standing::Own {
            let slices = self.slices(owner, name).await?;
            found.place = slices.place(&order.known);
            if let Known::At(place) = &order.known {
                let slice = wanted::slice_name(name, place.address.family());
                // Another one that wishes for the Service may have taken it since, and made a slice.
                let make = |live: Option<EndpointSlice>, made: Made<'_>| match live {
                    Some(live) if is_of_rival(order, name, &live) => live,
                    live => wanted::slice(live, name, *place, made),
                };
                found.place = wanted::place_of(&self.put(order, &slice, make).await?);
            }
            found.service = live;
        }
        Ok(Some(shown(order, &wish, &found)))
    }

    /// The same of ConfigMaps.
    async fn see_to_maps(&self, order: &Order, front: &Front, published: &mut Published) {
        let wished = order.wish.config_map.as_deref();
        let names = self
            .names_left::<ConfigMap>(order, order.before.config_map.as_deref(), wished, published)
            .await;
        let (names, mut left) = match names {
            Ok(names) => (names, None),
            Err((name, why)) => {
                published.map_slot = Slot::AsBefore;
                (Vec::new(), Some((name, why)))
            }
        };
        let is_replaced = published.config_map.as_ref().is_none_or(Said::leads_there);
        let owner = &order.owner;
        for name in names {
            let outcome = match self.calls.get::<ConfigMap>(owner, &name).await {
                Ok(None) => Ok(()),
                Ok(Some(live)) if is_replaced => self.calls.leave(owner, &live).await,
                Ok(Some(live)) => {
                    let standing = standing::of(Some(&live.metadata), owner);
                    if matches!(standing, Standing::Own | Standing::Held(..)) {
                        // One of another resource may come to be this one's.
                        published.map_slot = Slot::Is(name.clone());
                    }
                    if standing == Standing::Own {
                        let kept = self.config_map(order, &name, front).await;
                        kept.map(|_| ()).or_else(|said| match said {
                            said @ (Said::Failed(_) | Said::Refused(_)) => Err(said),
                            _ => Ok(()),
                        })
                    } else {
                        Ok(())
                    }
                }
                Err(why) => Err(why),
            };
            if let Err(why) = outcome {
                published.map_slot = Slot::AsBefore;
                left = Some((name, why));
            }
        }
        published.map_left = left.map(Box::new);
        if let Some((name, why)) = published.map_left.as_deref() {
            tell::<ConfigMap>(&mut published.config_map, name, why);
        }
    }

    /// Names of objects that this resource has, or waits for, and no longer wishes for.
    async fn names_left<K: Kind>(
        &self,
        order: &Order,
        before: Option<&str>,
        wished: Option<&str>,
        published: &mut Published,
    ) -> Result<Vec<String>, (String, Said)> {
        let owner = &order.owner;
        let mut names: Vec<String> = before.map(str::to_owned).into_iter().collect();
        if order.sweeps || before.is_some() {
            let labels = format!("{PROXY}={},{MANAGED_BY}={MANAGER}", owner.proxy);
            let listed = self.calls.list::<K>(owner, &labels).await;
            let name = || before.unwrap_or("of an earlier name").to_owned();
            let listed = listed.map_err(|why| (name(), why));
            let listed = match listed {
                // Nothing is known to be left.
                Err(_) if before.is_none() => {
                    published.is_unswept = true;
                    Vec::new()
                }
                listed => listed?,
            };
            let own = listed
                .iter()
                .filter(|one| standing::is_among(one.meta(), owner))
                .filter(|one| !wanted::is_copy(one.meta()));
            names.extend(own.map(kube::ResourceExt::name_any));
        }
        names.retain(|name| Some(name.as_str()) != wished);
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Makes an object what it is wanted to be, if it is this resource's or may become it.
    async fn put<K: Kind>(
        &self,
        order: &Order,
        name: &str,
        make: impl Fn(Option<K>, Made<'_>) -> K,
    ) -> Result<K, Said> {
        let owner = &order.owner;
        for _ in 0..MOST_TRIES {
            let live = self.calls.get::<K>(owner, name).await?;
            let meta = live.as_ref().map(kube::Resource::meta);
            let standing = standing::of(meta, owner);
            // It may have come to be another's since it was looked at first.
            if let Some(by) = holder::<K>(order, name, meta, &standing) {
                return Err(Said::Held(K::NAME, name.to_owned(), by));
            }
            match standing {
                Standing::Foreign | Standing::OfAnother(_) => {
                    return Err(taken::<K>(name, standing));
                }
                Standing::Ending { .. } => return Err(ending::<K>(name)),
                // What it has made it keeps true, whoever manages the proxy by now.
                Standing::Free if order.waits || order.ends => return Err(Said::NotManaging),
                Standing::Free | Standing::Own | Standing::Held(..) => {}
            }
            let owners = standing::owned(meta, owner);
            let wanted = make(live.clone(), Made { owner, owners });
            let was = match meta {
                Some(meta) => Was::Other(contest::last_writer(meta)),
                None => Was::Missing,
            };
            let outcome = match live {
                Some(live) if live == wanted => return Ok(live),
                Some(_) => self.calls.replace(owner, &wanted).await,
                None => self.calls.create(owner, &wanted).await,
            };
            match outcome {
                Ok(stored) => {
                    self.note(Mend {
                        kind: K::NAME,
                        name: name.to_owned(),
                        was,
                    });
                    return Ok(stored);
                }
                Err(Miss::Changed) => {}
                Err(Miss::Said(said)) => return Err(said),
            }
        }
        Err(Miss::Changed.into())
    }

    /// Whether an object was made for the order at hand.
    fn has_made(&self, kind: &str, name: &str) -> bool {
        let mends = self.mends.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |mend: &Mend| mend.kind == kind && mend.name == name;
        mends
            .iter()
            .any(|mend| is_it(mend) && mend.was == Was::Missing)
    }

    fn note(&self, mend: Mend) {
        let mut mends = self.mends.lock().unwrap_or_else(PoisonError::into_inner);
        mends.push(mend);
    }

    /// The slices of a Service, by its name alone: kube-proxy asks no more.
    async fn slices(&self, owner: &Owner, service: &str) -> Result<Slices, Said> {
        let labels = format!("{SERVICE_NAME}={service}");
        let all = self.calls.list::<EndpointSlice>(owner, &labels).await?;
        let (own, foreign): (Vec<_>, Vec<_>) = all
            .into_iter()
            .filter(|slice| slice.metadata.deletion_timestamp.is_none())
            .partition(|slice| {
                let standing = standing::of(Some(&slice.metadata), owner);
                matches!(standing, Standing::Own | Standing::Held(..))
            });
        let leads = |slice: &&EndpointSlice| !slice.endpoints.is_empty();
        let foreign = foreign.iter().find(leads).map(kube::ResourceExt::name_any);
        // One whose label was taken away is known by its name.
        let mut own = own;
        if own.is_empty() {
            for family in FAMILIES {
                let name = wanted::slice_name(service, family);
                let live = self.calls.get::<EndpointSlice>(owner, &name).await?;
                let standing = standing::of(live.as_ref().map(|live| &live.metadata), owner);
                let is_own = matches!(standing, Standing::Own | Standing::Held(..));
                own.extend(live.filter(|_| is_own));
            }
        }
        Ok(Slices { own, foreign })
    }
}

/// The resource that has an object, or had it and puts that right itself, and for which this one waits. A slice is of whoever has its
/// Service.
fn holder<K: Kind>(
    order: &Order,
    name: &str,
    live: Option<&ObjectMeta>,
    standing: &Standing,
) -> Option<String> {
    let wishes = |rival: &&Rival| K::name_in(&rival.wishes) == Some(name);
    let mut rivals = order.rivals.iter().filter(wishes);
    match standing {
        Standing::Held(by, uid) => {
            let is_one = K::name_in(&order.names()) == Some(name);
            let waits = order.waits && is_one;
            (waits || rivals.any(|rival| rival.uid == *uid)).then(|| by.clone())
        }
        // It is not there, or somebody has taken its owners from it.
        Standing::Free | Standing::Own if !standing::has_controller(live) => {
            let has = rivals.find(|rival| K::name_in(&rival.has) == Some(name));
            has.map(|rival| rival.name.clone())
        }
        _ => None,
    }
}

/// Whether a slice is that of another resource which wishes for its Service.
fn is_of_rival(order: &Order, service: &str, slice: &EndpointSlice) -> bool {
    let Standing::Held(_, uid) = standing::of(Some(&slice.metadata), &order.owner) else {
        return false;
    };
    let mut rivals = order.rivals.iter();
    rivals.any(|rival| rival.uid == uid && rival.wishes.service.as_deref() == Some(service))
}

/// What there is to say of a Service that leads where it shall.
fn done(order: &Order, found: &Found) -> Said {
    let Some(place) = found.place else {
        return Said::Published;
    };
    if !order.known.confirms(&place) {
        return Said::Unread(place, order.known.place());
    }
    let ahead = order.ahead.clone();
    ahead.map_or(Said::Published, |ahead| Said::Ahead(place.port, ahead))
}

/// A refusal leaves the Service where it led.
fn stays(said: Said, found: &Found) -> Said {
    let place = found.place.filter(|_| found.service.is_some());
    match place.filter(|_| said.is_refusal()) {
        Some(place) => Said::Stays(place, Box::new(said)),
        None => said,
    }
}

/// What there is to say of a ConfigMap that is as it was wanted, beside its Service.
fn filled(order: &Order, map: &ConfigMap, service: Option<&Said>, found: &Found) -> Said {
    let known = order.verified.as_ref().unwrap_or(&order.known);
    let unread = wanted::place_in(map).filter(|place| !known.confirms(place));
    if let Some(place) = unread {
        return Said::Unread(place, known.place());
    }
    let through = wanted::service_in(map, &order.owner.namespace);
    let Some(name) = through.filter(|_| !service.is_some_and(Said::is_sure)) else {
        return Said::Published;
    };
    let is_wished = order
        .wish
        .service
        .as_ref()
        .is_some_and(|wish| wish.name == name);
    Said::Through(name, found.place.filter(|_| is_wished))
}

/// Where the ConfigMap sends applications, by what came of the Service. One failure must not take them from the Service: how that stands
/// is not known then.
fn front(order: &Order, said: Option<&Said>, found: &Found) -> Front {
    let (Some(wish), Some(said)) = (&order.wish.service, said) else {
        return Front::Proxy;
    };
    let host = |name: &str| wanted::host(name, &order.owner.namespace);
    let stands = || {
        let before = order.before.service.iter().map(String::as_str);
        Front::AsItStands(before.chain([wish.name.as_str()]).map(host).collect())
    };
    if said.leads_there() {
        // One that another resource has may be missing for a moment.
        return found
            .front
            .map_or_else(stands, |port| Front::Service(host(&wish.name), port));
    }
    if said.leaves_open() && !found.is_foreign && !order.waits {
        return stands();
    }
    Front::Proxy
}

fn taken<K: Kind>(name: &str, standing: Standing) -> Said {
    match standing {
        Standing::OfAnother(by) => Said::OfAnother(K::NAME, name.to_owned(), by),
        Standing::Ending { .. } => ending::<K>(name),
        _ => Said::Taken(K::NAME, name.to_owned()),
    }
}

fn ending<K: Kind>(name: &str) -> Said {
    Said::Ending(K::NAME, name.to_owned())
}

/// What is left is told beside what is published, or in place of it.
fn tell<K: Kind>(said: &mut Option<Said>, name: &str, why: &Said) {
    let why = || Box::new(why.clone());
    match said {
        None => *said = Some(Said::Left(K::NAME, name.to_owned(), why())),
        Some(Said::Published) => {
            *said = Some(Said::PublishedBeside(K::NAME, name.to_owned(), why()));
        }
        Some(_) => {}
    }
}

/// What the status shows where this is said.
fn slot<T>(said: &Said, shown: T) -> Slot<T> {
    match said {
        Said::Failed(_) | Said::Forbidden(..) | Said::NotLeading => Slot::AsBefore,
        _ => Slot::Is(shown),
    }
}

fn port_of(service: &Service) -> Option<u16> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    u16::try_from(ports.first()?.port).ok()
}

/// A Service, as the status shows it: its address and where it leads only where it is this resource's. Where somebody else may have led
/// it is not said: what is on record may be published under another name.
fn shown(order: &Order, wish: &ServiceWish, found: &Found) -> PublishedService {
    let spec = found
        .service
        .as_ref()
        .and_then(|service| service.spec.as_ref());
    let place = found.place.filter(|_| found.service.is_some());
    let place = place.filter(|place| order.known.confirms(place));
    PublishedService {
        name: wish.name.clone(),
        cluster_ip: spec.and_then(|spec| spec.cluster_ip.clone()),
        port: wish.port.into(),
        endpoint: place.map(|place| place.to_string()),
    }
}
