//! Reads of what a change would break in a namespace, shared by all whose change is due there.
//!
//! Relies on `preflight` for what is read and judged. Promises to ask whether the operator may read before it reads, so that an operator
//! without the component meets no refusal and says nothing; one read of a namespace at a time, few at once over all of them, and one for
//! all of what is of no namespace; an end [soon](WITHIN); and that all that is kept takes no more memory than [`MOST_KEPT`].

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Client;
use tokio::sync::Semaphore;

use crate::{
    clock::Clock,
    controller::watching::answered,
    preflight::{
        self, Found, Move,
        reader::{self, Everywhere, Scope, Unread},
        warnings::{self, Look},
    },
};

/// A read of a namespace takes no longer, and nothing waits longer for one.
pub(super) const WITHIN: Duration = Duration::from_secs(5);

/// What was read serves others for so long.
pub(super) const SHARED_FOR: Duration = Duration::from_secs(5);

/// What is of no namespace serves all of them for so long, also those who ask for a new look.
pub(super) const EVERYWHERE_FOR: Duration = Duration::from_secs(10);

/// So many namespaces are read at once: what they need besides what is kept is bounded by that.
const AT_ONCE: usize = 2;

/// What is kept of namespaces for others takes no more memory, in bytes, at most about.
pub(super) const MOST_KEPT: usize = 16 << 20;

/// Whether the operator may read takes no longer to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// What was read of a namespace.
#[derive(Debug, Clone)]
pub(super) enum Survey {
    /// The operator was not given the right.
    NotAllowed,
    /// It was read, as far as each of its parts could be.
    Read(Arc<(Found, Vec<Unread>)>),
    /// There was no answer in time.
    Failed,
}

impl Survey {
    /// What a move would break.
    pub(super) fn look(&self, moved: &Move) -> Look {
        match self {
            Self::NotAllowed => Look::default(),
            Self::Read(read) => {
                let (found, unread) = &**read;
                let touched = preflight::touched(found, moved);
                warnings::of(&touched, moved, unread)
            }
            Self::Failed => Look::blank(),
        }
    }
}

/// A survey, and when it was begun; uptime.
#[derive(Debug)]
struct Kept {
    at: Duration,
    survey: Survey,
    /// How much memory it takes, in bytes, at most about.
    weight: usize,
}

/// Who reads a namespace, or has read it.
type Place = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// What serves all namespaces, and since when; uptime.
struct Shared<T>(tokio::sync::Mutex<Option<(Duration, T)>>);

impl<T: Clone> Shared<T> {
    fn new() -> Self {
        Self(tokio::sync::Mutex::new(None))
    }

    /// What is known, unless it is too old; else what `read` gives, which is kept where it gives something.
    async fn get(&self, clock: Clock, read: impl Future<Output = Option<T>>) -> Option<T> {
        let mut known = self.0.lock().await;
        let now = clock.now();
        let fresh = known
            .as_ref()
            .filter(|(since, _)| now.elapsed(*since) < EVERYWHERE_FOR);
        if let Some((_, known)) = fresh {
            return Some(known.clone());
        }
        let read = read.await;
        *known = read.clone().map(|read| (now.uptime, read));
        read
    }
}

/// The surveys of all namespaces.
pub(super) struct Surveys {
    client: Client,
    clock: Clock,
    places: Mutex<HashMap<String, Place>>,
    everywhere: Shared<Arc<Everywhere>>,
    /// Whether the operator may read in all namespaces.
    allowed: Shared<bool>,
    seats: Semaphore,
}

impl Surveys {
    /// None was made yet.
    pub(super) fn new(client: Client, clock: Clock) -> Self {
        Self {
            client,
            clock,
            places: Mutex::default(),
            everywhere: Shared::new(),
            allowed: Shared::new(),
            seats: Semaphore::new(AT_ONCE),
        }
    }

    /// One of a namespace that was begun at this uptime or later.
    pub(super) async fn of(&self, namespace: &str, oldest: Duration) -> Survey {
        let place = Place::clone(self.lock().entry(namespace.to_owned()).or_default());
        let surveying = Box::pin(self.survey(&place, namespace, oldest));
        let surveyed = tokio::time::timeout(WITHIN, surveying).await;
        surveyed.unwrap_or(Survey::Failed)
    }

    async fn survey(&self, place: &Place, namespace: &str, oldest: Duration) -> Survey {
        let mut kept = place.lock().await;
        if let Some(known) = kept.as_ref().filter(|known| known.at >= oldest) {
            return known.survey.clone();
        }
        // Never closed.
        let Ok(_seat) = self.seats.acquire().await else {
            return Survey::Failed;
        };
        let at = self.clock.now().uptime;
        // What is not of use any more makes room for what comes.
        *kept = None;
        let (survey, weight) = self.read(namespace).await;
        self.make_room(weight);
        *kept = Some(Kept {
            at,
            survey: survey.clone(),
            weight,
        });
        survey
    }

    async fn read(&self, namespace: &str) -> (Survey, usize) {
        match self.may_read(namespace).await {
            Some(true) => {}
            Some(false) => return (Survey::NotAllowed, 0),
            None => return (Survey::Failed, 0),
        }
        let scope = Scope::Network;
        let reading = async { Some(Arc::new(reader::everywhere(&self.client, scope).await)) };
        let everywhere = self.everywhere.get(self.clock, Box::pin(reading)).await;
        let everywhere = everywhere.unwrap_or_default();
        let reading = Box::pin(reader::within(&self.client, namespace, scope, &everywhere));
        let (found, unread, weight) = reading.await;
        (Survey::Read(Arc::new((found, unread))), weight)
    }

    /// The component grants all that is read; this part of it tells whether it is there.
    async fn may_read(&self, namespace: &str) -> Option<bool> {
        let of_all = Box::pin(self.asked(None));
        if self.allowed.get(self.clock, of_all).await? {
            return Some(true);
        }
        self.asked(Some(namespace)).await
    }

    async fn asked(&self, namespace: Option<&str>) -> Option<bool> {
        let asking = answered::<NetworkPolicy>(&self.client, namespace, "list");
        let answer = tokio::time::timeout(ANSWER_WITHIN, Box::pin(asking)).await;
        answer.ok().flatten()
    }

    /// Forgets surveys, the oldest first, until there is room for another one.
    fn make_room(&self, weight: usize) {
        let places = self.lock();
        let mut held: Vec<_> = places
            .values()
            // One that is locked is being read, and holds nothing.
            .filter_map(|place| place.try_lock().ok())
            .filter(|kept| kept.is_some())
            .collect();
        held.sort_by_key(|kept| kept.as_ref().map(|kept| kept.at));
        let weights = held.iter().filter_map(|kept| kept.as_ref());
        let mut sum = weights.map(|kept| kept.weight).sum::<usize>();
        for kept in &mut held {
            if sum.saturating_add(weight) <= MOST_KEPT {
                break;
            }
            let gone = kept.take().map_or(0, |kept| kept.weight);
            sum = sum.saturating_sub(gone);
        }
    }

    /// Forgets what serves nobody any more.
    pub(super) fn tidy(&self, uptime: Duration) {
        let is_new = |kept: &Kept| uptime.saturating_sub(kept.at) < SHARED_FOR;
        self.lock().retain(|_, place| {
            // One that is locked is being read.
            let kept = place.try_lock();
            kept.map_or(true, |kept| kept.as_ref().is_some_and(is_new))
        });
        if let Ok(mut everywhere) = self.everywhere.0.try_lock() {
            everywhere.take_if(|(since, _)| uptime.saturating_sub(*since) >= EVERYWHERE_FOR);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
