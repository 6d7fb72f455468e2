//! The maintenance windows that the cloud has for instances: read for all together that anybody has asked for lately.
//!
//! Promises few calls, one for twenty instances, however many resources ask, and none where nobody does.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Directory, shared_read::SharedRead};
use crate::{
    cloud::{CloudError, Urgency},
    model::InstanceId,
};

/// Who has not asked for so long no longer wants to know.
const WANTED_FOR: Duration = Duration::from_hours(2);

/// The next read waits for so long after another one: more may come meanwhile, as after a start.
const REST: Duration = Duration::from_secs(2);

/// What was asked for, and what the cloud has told.
#[derive(Debug)]
struct Told {
    /// Uptime at which it was asked.
    begun: Duration,
    asked: Vec<InstanceId>,
    windows: HashMap<InstanceId, String>,
}

/// The windows.
#[derive(Debug)]
pub(super) struct Windows {
    /// The instances that somebody wants to know of, and the uptime at which they were asked for last.
    wanted: Mutex<HashMap<InstanceId, Duration>>,
    read: SharedRead<Told>,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            wanted: Mutex::default(),
            read: SharedRead::with_rest(|_| REST),
        }
    }
}

impl Windows {
    /// Somebody wants to know of an instance.
    fn want(&self, instance: &InstanceId, uptime: Duration) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.retain(|_, asked| uptime.saturating_sub(*asked) < WANTED_FOR);
        wanted.insert(instance.clone(), uptime);
    }

    fn wanted(&self) -> Vec<InstanceId> {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<InstanceId> = wanted.keys().cloned().collect();
        all.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        all
    }

    /// Forgets what was read before `before`.
    pub(super) fn forget(&self, before: Duration) {
        self.read.forget(before);
    }
}

impl Directory {
    /// The maintenance window of an instance as the cloud writes it, if it tells one, and the uptime at which its read began: after this
    /// one, or else now.
    ///
    /// # Errors
    ///
    /// What the cloud answers instead.
    pub async fn instance_window(
        &self,
        instance: &InstanceId,
        after: Duration,
    ) -> Result<(Option<String>, Duration), CloudError> {
        self.windows.want(instance, self.uptime());
        let last = self.windows.read.since(after).await;
        let last = last.filter(|told| told.asked.contains(instance));
        let told = if let Some(told) = last {
            told
        } else {
            let reading = self
                .windows
                .read
                .fresh(|| self.uptime(), || Box::pin(self.read_windows()));
            reading.await?
        };
        Ok((told.windows.get(instance).cloned(), told.begun))
    }

    /// Further pages are paid for one by one: as many at once as a large fleet needs could never be saved up.
    async fn read_windows(&self) -> Result<Told, CloudError> {
        let turn = self.cloud.turn(Urgency::Request, 1).await?;
        let (begun, asked) = (self.uptime(), self.windows.wanted());
        let windows = turn.instance_windows(&asked).await?;
        Ok(Told {
            begun,
            asked,
            windows: windows.into_iter().collect(),
        })
    }
}
