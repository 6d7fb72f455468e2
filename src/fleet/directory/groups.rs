//! The security groups of instances: read for all together that ask at the same time.
//!
//! Promises that what was read, or has failed, serves all who come within the time for which it is good; that nothing is read where nobody
//! asks; and an end within `WITHIN`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Directory, shared_read::SharedRead};
use crate::{
    cloud::{CloudError, Meaning, SecurityGroup, Urgency},
    model::InstanceId,
};

/// A read takes no longer: two calls and what is waited for them.
const WITHIN: Duration = Duration::from_mins(1);

/// What came of a read.
#[derive(Debug)]
pub struct GroupRead {
    /// The uptime at which it began.
    pub begun: Duration,
    /// The group, or why it is not known.
    pub group: Result<SecurityGroup, GroupFault>,
}

/// Why the security group of an instance is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupFault {
    /// The cloud names none.
    None,
    /// The details of the instance could not be read.
    Instance(CloudError),
    /// The rules of the group with this id could not be read.
    Rules(String, CloudError),
}

/// A read of one instance.
type Shared = Arc<SharedRead<GroupRead>>;

/// The reads of all instances.
#[derive(Debug, Default)]
pub(super) struct Groups(Mutex<HashMap<InstanceId, Shared>>);

impl Groups {
    fn of(&self, instance: &InstanceId) -> Shared {
        Arc::clone(self.lock().entry(instance.clone()).or_default())
    }

    /// Forgets what was read before `before`.
    pub(super) fn forget(&self, before: Duration) {
        let mut all = self.lock();
        all.retain(|_, shared| !(shared.forget(before) && Arc::strong_count(shared) == 1));
        all.shrink_to_fit();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceId, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    /// Whether security groups are read at all.
    pub fn reads_groups(&self) -> bool {
        self.cloud.reads_groups()
    }

    /// The security group of an instance, in a read that began later than this uptime; else it is read now.
    pub async fn security_group(&self, instance: &InstanceId, after: Duration) -> Arc<GroupRead> {
        let shared = self.groups.of(instance);
        let reading = async {
            if let Some(known) = shared.since(after).await {
                return Ok(known);
            }
            shared
                .fresh(|| self.uptime(), || Box::pin(self.read_group(instance)))
                .await
        };
        let read = tokio::time::timeout(WITHIN, Box::pin(reading)).await;
        let read = read.unwrap_or_else(|_| {
            let text = "the calls for it were not made or answered within a minute";
            Err(CloudError::local(Meaning::Slow, text))
        });
        read.unwrap_or_else(|error| {
            Arc::new(GroupRead {
                begun: self.uptime(),
                group: Err(GroupFault::Instance(error)),
            })
        })
    }

    /// A failure is kept as well: who comes a moment later does not ask again.
    async fn read_group(&self, instance: &InstanceId) -> Result<GroupRead, CloudError> {
        let begun = self.uptime();
        let group = self.group_of(instance).await;
        Ok(GroupRead { begun, group })
    }

    async fn group_of(&self, instance: &InstanceId) -> Result<SecurityGroup, GroupFault> {
        let turn = self.cloud.turn(Urgency::Request, 1).await;
        let turn = turn.map_err(GroupFault::Instance)?;
        let id = turn
            .group_of(instance)
            .await
            .map_err(GroupFault::Instance)?;
        let id = id.ok_or(GroupFault::None)?;
        match turn.group_rules(&id).await {
            Ok(rules) => Ok(SecurityGroup { id, rules }),
            Err(error) => Err(GroupFault::Rules(id, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;
    use crate::{
        clock::{self, Clock},
        cloud::{GroupRule, fake::Fake},
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn instance() -> InstanceId {
        InstanceId::parse(&format!("{}in07", "b".repeat(32))).unwrap()
    }

    /// A cloud that answers so to both calls, and how often it was asked for the group.
    fn answering(
        group: Result<Option<String>, CloudError>,
        rules: Result<Vec<GroupRule>, CloudError>,
    ) -> (Arc<Directory>, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::default());
        let counted = Arc::clone(&calls);
        let cloud = Fake {
            groups: Some(Arc::new(move || {
                counted.fetch_add(1, Ordering::SeqCst);
                group.clone()
            })),
            rules: Some(rules),
            ..Fake::default()
        };
        let directory = Directory::new(Arc::new(cloud), Clock::with_head_start(SECOND));
        (Arc::new(directory), calls)
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_ask_within_the_time_share_a_read_and_its_failure() {
        let denied = || CloudError::local(Meaning::Denied, "no");
        let id = || Some("g".to_owned());
        let group = SecurityGroup {
            id: "g".to_owned(),
            rules: Vec::new(),
        };
        for (told, rules, expected) in [
            (Ok(id()), Ok(Vec::new()), Ok(group)),
            (Ok(None), Ok(Vec::new()), Err(GroupFault::None)),
            (
                Err(denied()),
                Ok(Vec::new()),
                Err(GroupFault::Instance(denied())),
            ),
            (
                Ok(id()),
                Err(denied()),
                Err(GroupFault::Rules("g".to_owned(), denied())),
            ),
        ] {
            let (directory, calls) = answering(told, rules);
            let instance = instance();
            let asked = (0..100).map(|_| directory.security_group(&instance, Duration::ZERO));
            for read in join_all(asked).await {
                assert_eq!(read.group, expected);
            }
            let first = calls.load(Ordering::SeqCst);
            assert!((1..=2).contains(&first), "{first}");
            clock::pause(SECOND).await;
            let now = directory.uptime();
            directory.security_group(&instance, now).await;
            assert_eq!(calls.load(Ordering::SeqCst), first + 1, "it is too old");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_asked_for_lately_is_forgotten() {
        let (directory, calls) = answering(Ok(None), Ok(Vec::new()));
        let instance = instance();
        directory.security_group(&instance, Duration::ZERO).await;
        clock::pause(SECOND).await;
        directory.groups.forget(directory.uptime());
        directory.security_group(&instance, Duration::ZERO).await;
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}
