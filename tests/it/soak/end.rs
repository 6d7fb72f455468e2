//! The end of a run: faults are over, and everything comes to rest and stays as it is.

use std::time::Duration;

use kube::ResourceExt as _;
use taurus_port_operator::crd::ManagementPolicy;
use tokio::time::Instant;

use super::{
    plan::PORTS,
    rest::{self, Judge},
    stage::Stage,
};
use crate::world::is_ready;

/// Everything rests after this at the latest. The longest wait of the contract that ends by itself is an hour.
const REST_WITHIN: Duration = Duration::from_mins(5);

/// Nothing may be written for this long afterwards; there are six resyncs a minute.
const QUIET: Duration = Duration::from_mins(3);

impl Stage {
    /// Waits until nothing is restless, and all is Ready where it is to be; what still is not, is told.
    pub async fn come_to_rest(&self, how: &str, ready: bool) -> Vec<String> {
        let began = Instant::now();
        loop {
            let objects = rest::objects(&self.client).await;
            let people = &self.people;
            let judge = Judge::new(&people.places, &self.sim, &people.ledger, &self.book);
            let mut still = judge.restless(&objects);
            let unready = objects.iter().filter(|object| ready && !is_ready(object));
            still.extend(unready.map(|object| format!("{} is not Ready", object.name_any())));
            if still.is_empty() || began.elapsed() > REST_WITHIN {
                self.log.say(&format!(
                    "at rest {how} after {:?}, but for {still:?}",
                    began.elapsed()
                ));
                return still;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// A person gives each what it asks for: another try, or to be no longer suspended or left alone.
    pub async fn help(&self) {
        for (resource, place) in self.people.places.iter().enumerate() {
            let objects = rest::objects(&self.client).await;
            let object = objects
                .iter()
                .find(|object| object.spec.proxy_id == place.proxy);
            let Some(object) = object else {
                self.people.create(resource, PORTS[0]).await;
                continue;
            };
            if is_ready(object) {
                continue;
            }
            self.people.suspend(resource, false).await;
            let enforce = ManagementPolicy::Enforce;
            self.people.set_policy(resource, enforce).await;
            self.people.request(resource, "the end").await;
        }
    }

    /// Nothing may be written or changed for a while, though it is looked at.
    pub async fn keep_quiet(&self) -> Vec<String> {
        let quiet = QUIET.min(self.settings.length / 3);
        let seen = || {
            self.book.catch_up();
            let lists = self
                .book
                .requests()
                .get("list")
                .copied()
                .unwrap_or_default();
            (self.versions.all(), self.book.changes().len(), lists)
        };
        let (versions, changes, lists) = seen();
        tokio::time::sleep(quiet).await;
        let (versions_after, changes_after, lists_after) = seen();
        let looked = lists_after - lists;
        self.log
            .say(&format!("quiet for {quiet:?}: {looked} lists"));
        assert!(looked > 0, "resources are looked at");
        let written = versions_after.iter().skip(versions.len());
        let mut disturbed: Vec<String> = written
            .map(|version| format!("{:#?}", version.object))
            .collect();
        disturbed.extend((changes..changes_after).map(|_| "a change".to_owned()));
        disturbed
    }
}
