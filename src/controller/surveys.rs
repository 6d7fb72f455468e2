//! Reads of what a change would break in a namespace, shared by all whose change is due there.
//!
//! Relies on `preflight` for what is read and judged. Promises to ask whether the operator may read before it reads, so that an operator
//! without the component meets no refusal and says nothing; one read of a namespace at a time; and an end within [`WITHIN`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Client;

use crate::{
    clock::Clock,
    controller::watching::answered,
    preflight::{
        self, Found, Move,
        reader::{self, Scope, Unread, Why},
        warnings,
    },
};

/// A read of a namespace takes no longer, and nothing waits longer for one.
pub(super) const WITHIN: Duration = Duration::from_secs(3);

/// What was read serves others for so long.
pub(super) const SHARED_FOR: Duration = Duration::from_secs(5);

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
    /// What a move would break, for people.
    pub(super) fn warnings(&self, moved: &Move) -> Vec<String> {
        match self {
            Self::NotAllowed => Vec::new(),
            Self::Read(read) => {
                let (found, unread) = &**read;
                let touched = preflight::touched(found, moved);
                warnings::of(&touched, moved, unread)
            }
            Self::Failed => vec![warnings::nothing_read()],
        }
    }

    /// Whether all was read that may be read: what failed in passing may be read the next time.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::NotAllowed => true,
            Self::Read(read) => read.1.iter().all(|unread| unread.why != Why::Failed),
            Self::Failed => false,
        }
    }
}

/// A survey, and when it was begun; uptime.
#[derive(Debug)]
struct Kept {
    at: Duration,
    survey: Survey,
}

/// Who reads a namespace, or has read it.
type Place = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// The surveys of all namespaces.
pub(super) struct Surveys {
    client: Client,
    clock: Clock,
    places: Mutex<HashMap<String, Place>>,
}

impl Surveys {
    /// None was made yet.
    pub(super) fn new(client: Client, clock: Clock) -> Self {
        Self {
            client,
            clock,
            places: Mutex::default(),
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
        let at = self.clock.now().uptime;
        let survey = self.read(namespace).await;
        *kept = Some(Kept {
            at,
            survey: survey.clone(),
        });
        survey
    }

    async fn read(&self, namespace: &str) -> Survey {
        // The component grants all that is read; this part of it tells whether it is there.
        match answered::<NetworkPolicy>(&self.client, Some(namespace), "list").await {
            Some(true) => {
                let read = reader::read(&self.client, namespace, Scope::Network);
                Survey::Read(Arc::new(read.await))
            }
            Some(false) => Survey::NotAllowed,
            None => Survey::Failed,
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
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
