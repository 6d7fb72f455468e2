//! Records every version of every `EndpointSlice` that a watch delivers, with whether the cloud had shown by then where it leads.

use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{
    Api, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use taurus_port_operator::publish::wanted::{self, MANAGER, PROXY, SLICE_MANAGED_BY};
use tokio::task::JoinHandle;

/// Records until it is dropped.
pub struct Slices {
    seen: Arc<Mutex<Vec<Version>>>,
    task: JoinHandle<()>,
}

/// A version of a slice.
#[derive(Debug, Clone)]
pub struct Version {
    pub slice: EndpointSlice,
    /// Whether a list had shown the port of its proxy by then.
    pub is_shown: bool,
}

impl Drop for Slices {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Slices {
    /// Begins to record; what is made after this is seen from its first version. `is_shown` says of a proxy and a port whether a list has
    /// shown that.
    pub async fn start(
        api: Api<EndpointSlice>,
        mut is_shown: impl FnMut(&str, u16) -> bool + Send + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        let (begun, beginning) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let mut begun = Some(begun);
            let watching = watcher::watcher(api, watcher::Config::default()).default_backoff();
            let mut watching = std::pin::pin!(watching);
            while let Some(event) = watching.next().await {
                let slice = match event {
                    Ok(Event::Apply(slice) | Event::InitApply(slice)) => slice,
                    Ok(Event::InitDone) => {
                        begun.take().map(|begun| begun.send(()));
                        continue;
                    }
                    Ok(Event::Init | Event::Delete(_)) | Err(_) => continue,
                };
                let proxy = slice.labels().get(PROXY).map(String::as_str);
                let place = wanted::place_of(&slice);
                let is_shown = proxy
                    .zip(place)
                    .is_some_and(|(proxy, place)| is_shown(proxy, place.port));
                into.lock().unwrap().push(Version { slice, is_shown });
            }
        });
        beginning.await.unwrap();
        Self { seen, task }
    }

    /// The versions that the operator has made.
    pub fn own(&self) -> Vec<Version> {
        let seen = self.seen.lock().unwrap();
        let is_own = |version: &&Version| {
            let labels = version.slice.labels();
            labels.get(SLICE_MANAGED_BY).map(String::as_str) == Some(MANAGER)
        };
        seen.iter().filter(is_own).cloned().collect()
    }

    /// The versions of the operator's that led to no place, or to one that no list had shown.
    pub fn wrong(&self) -> Vec<String> {
        let own = self.own();
        let wrong = own.iter().filter(|version| !version.is_shown);
        wrong.map(|version| format!("{version:?}")).collect()
    }
}
