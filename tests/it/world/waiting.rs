//! Waiting, always for something and with a deadline, and counting what the cloud was asked.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Entry, Filter, Operation, sample};

use super::{
    NAME, NEIGHBOUR, NEIGHBOUR_PORT, PATIENCE, World,
    told::{is_ready_with, observed},
};

impl World {
    /// Waits until the story's resource is as `is` says.
    pub async fn until(
        &self,
        what: &str,
        is: impl Fn(&TaurusProxyPort) -> bool,
    ) -> TaurusProxyPort {
        self.recorder.until(NAME, what, is).await
    }

    /// Waits, while the simulator's time moves on by a second at each look.
    pub async fn until_passing(
        &self,
        what: &str,
        is: impl Fn(&TaurusProxyPort) -> bool,
    ) -> TaurusProxyPort {
        self.until_passing_of(NAME, what, is).await
    }

    /// As [`Self::until_passing`], for another resource.
    pub async fn until_passing_of(
        &self,
        name: &str,
        what: &str,
        is: impl Fn(&TaurusProxyPort) -> bool,
    ) -> TaurusProxyPort {
        self.while_passing(self.recorder.until(name, what, is))
            .await
    }

    /// Lets the simulator's time pass, second by second, for as long as something takes.
    pub async fn while_passing<T>(&self, something: impl Future<Output = T>) -> T {
        let passing = async {
            loop {
                self.pass(1);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            done = something => done,
            () = passing => unreachable!("time does not end"),
        }
    }

    /// Waits until whatever is created now is of a later second than what is there.
    pub async fn until_the_next_second(&self) {
        let now = || Timestamp::now().as_second();
        let begun = now();
        self.until_true("another second", || now() > begun).await;
    }

    /// Moves the simulator's time on.
    pub fn pass(&self, seconds: u64) {
        self.sim.advance(Duration::from_secs(seconds)).unwrap();
    }

    /// Waits until the wanted port of this generation was verified.
    pub async fn until_ready(&self, port: u16) -> TaurusProxyPort {
        let what = format!("Ready with port {port}");
        self.until_passing(&what, |object| is_ready_with(object, port))
            .await
    }

    /// Waits for the `nth` request for a change of the story's proxy: to be worked on, or to arrive where a rule disturbs it.
    pub async fn until_change(&self, nth: usize) -> Entry {
        self.until_request(Operation::Change, nth).await
    }

    /// Waits for `more` further requests of this kind about the story's proxy or instance.
    pub async fn until_more(&self, operation: Operation, more: usize) {
        let filter = filter(operation);
        let already = self.sim.count(&filter);
        self.until_request(operation, already + more).await;
    }

    /// Waits until more than so many requests of this kind have come about the story's proxy or instance; gives the last.
    pub async fn until_more_than(&self, operation: Operation, count: usize) -> Entry {
        self.until_request(operation, count + 1).await
    }

    async fn until_request(&self, operation: Operation, nth: usize) -> Entry {
        self.sim
            .wait_for_request(&filter(operation), nth, PATIENCE)
            .await
            .unwrap_or_else(|waited| panic!("request {nth} ({operation:?}) did not come: {waited}"))
    }

    /// The ports that were asked for, in order, of the story's proxy.
    pub fn asked_for(&self) -> Vec<u16> {
        let changes = self.sim.entries(&filter(Operation::Change));
        changes
            .iter()
            .map(|entry| entry.port().expect("a change names a port"))
            .collect()
    }

    /// The ports of those requests that were accepted as jobs.
    pub fn accepted(&self) -> Vec<u16> {
        let changes = self.sim.entries(&filter(Operation::Change));
        changes
            .iter()
            .filter(|entry| entry.job_id.is_some())
            .map(|entry| entry.port().expect("a change names a port"))
            .collect()
    }

    /// Real time between requests for a change of the story's proxy.
    pub fn gaps_between_changes(&self) -> Vec<Duration> {
        let changes = self.sim.entries(&filter(Operation::Change));
        let pairs = changes.windows(2);
        pairs
            .map(|pair| pair[1].after.saturating_sub(pair[0].after))
            .collect()
    }

    /// The cloud's time between requests for a change of the story's proxy.
    pub fn time_between_changes(&self) -> Vec<Duration> {
        let changes = self.sim.entries(&filter(Operation::Change));
        let pairs = changes.windows(2);
        pairs
            .map(|pair| Duration::try_from(pair[1].at.duration_since(pair[0].at)).unwrap())
            .collect()
    }

    /// Waits for something that no watch tells of.
    pub async fn until_true(&self, what: &str, is: impl Fn() -> bool) {
        let looking = async {
            while !is() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, looking).await;
        assert!(in_time.is_ok(), "it did not happen: {what}");
    }

    /// As [`Self::until_true`], for what has to be asked for.
    pub async fn until_true_async(&self, what: &str, is: impl AsyncFn() -> bool) {
        let looking = async {
            while !is().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, looking).await;
        assert!(in_time.is_ok(), "it did not happen: {what}");
    }

    /// What a story allows beside what a contract allows, since this machine may be busy: twenty times what it takes now until the
    /// operator has seen an edit of the neighbour, which nothing holds up.
    pub async fn slack(&self) -> Duration {
        static EDITS: AtomicU32 = AtomicU32::new(0);
        let minutes = 61 + EDITS.fetch_add(1, Ordering::Relaxed) % 100;
        let edit = Patch::Merge(json!({"spec": {"changeTimeout": format!("{minutes}m")}}));
        let began = Instant::now();
        let (api, params) = (self.api(), PatchParams::default());
        let edited = api.patch(NEIGHBOUR, &params, &edit).await.unwrap();
        let generation = edited.metadata.generation;
        self.recorder
            .until(NEIGHBOUR, "seen", |object| observed(object) >= generation)
            .await;
        began.elapsed() * 20
    }

    /// Waits until the neighbour has got its port.
    pub async fn until_neighbour_is_ready(&self) {
        self.until_passing_of(NEIGHBOUR, "Ready", |object| {
            is_ready_with(object, NEIGHBOUR_PORT)
        })
        .await;
    }
}

fn filter(operation: Operation) -> Filter {
    match operation {
        Operation::Change => Filter::on(operation).proxy(sample::PROXY),
        Operation::List => Filter::on(operation).instance(sample::INSTANCE),
        _ => Filter::on(operation).credential(sample::ACCESS_KEY),
    }
}
