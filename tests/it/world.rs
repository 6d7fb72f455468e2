//! One story's world: a namespace, a simulator, an operator, and a recorder of all that happens.
//!
//! The operator keeps its contract at a sixtieth of all durations, so a minute of the contract is a second here.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::Secret, jiff::Timestamp};
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;
use taurus_port_operator::crd::{
    CredentialsReference, Phase, REQUESTED_AT, TaurusProxyPort, TaurusProxyPortSpec,
};
use taurus_sim::{Entry, Filter, JobPlan, Mode, Operation, Options, Simulator, sample};

use crate::rules;

pub mod front;
pub mod gate;
pub mod operator;
pub mod plane;
pub mod program;
pub mod recorder;

use operator::{Operator, Setup};
use recorder::Recorder;

/// How long anything may take before a story gives up.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// By how much the operator's durations are divided.
pub const DIVISOR: u32 = 60;

/// The resource that the story is about.
pub const NAME: &str = "orders";

/// Its healthy neighbour, on another instance and with another credential.
pub const NEIGHBOUR: &str = "neighbour";

/// The port that the neighbour wants.
pub const NEIGHBOUR_PORT: u16 = 4406;

/// The port that the story's resource wants at first.
pub const WANTED: u16 = 3307;

/// One story's world.
pub struct World {
    pub plane: &'static ControlPlane,
    pub client: Client,
    pub namespace: String,
    pub sim: Simulator,
    pub recorder: Recorder,
    operator: Option<Operator>,
}

impl World {
    /// A namespace with credentials, a simulator, and an operator that has been running for long.
    pub async fn start(options: Options) -> Self {
        let mut world = Self::without_operator(options).await;
        world.start_operator().await;
        world
    }

    pub async fn without_operator(options: Options) -> Self {
        Self::on(plane::shared().await, options).await
    }

    /// A world without an operator, on this control plane.
    pub async fn on(plane: &'static ControlPlane, options: Options) -> Self {
        let client = plane.client().await.unwrap();
        let namespace = plane::new_namespace(&client).await;
        let sim = Simulator::start(options).await.unwrap();
        let recorder = Recorder::start(client.clone(), &namespace, sim.control().clone()).await;
        let world = Self {
            plane,
            client,
            namespace,
            sim,
            recorder,
            operator: None,
        };
        world
            .secret(
                "keys",
                &[
                    ("accessKey", sample::ACCESS_KEY),
                    ("secretKey", sample::SECRET_KEY),
                ],
            )
            .await;
        world
            .secret(
                "user",
                &[
                    ("username", sample::USER),
                    ("password", sample::PASSWORD),
                    ("domainName", sample::DOMAIN),
                ],
            )
            .await;
        let neighbour = TaurusProxyPort {
            spec: TaurusProxyPortSpec {
                instance_id: sample::OTHER_INSTANCE.to_owned(),
                proxy_id: sample::OTHER_PROXY.to_owned(),
                port: NEIGHBOUR_PORT.into(),
                credentials_ref: Some(CredentialsReference {
                    name: "user".to_owned(),
                }),
                ..world.resource(NEIGHBOUR_PORT).spec
            },
            ..world.named(NEIGHBOUR)
        };
        world.create(&neighbour).await;
        world
    }

    /// A process that has been the only one for long: nobody has to be waited for.
    pub async fn start_operator(&mut self) {
        self.start_operator_with(Setup::default()).await;
    }

    /// A process that has just started.
    pub async fn start_fresh_operator(&mut self) {
        let head_start = Duration::ZERO;
        self.start_operator_with(Setup {
            head_start,
            ..Setup::default()
        })
        .await;
    }

    pub async fn start_operator_with(&mut self, setup: Setup) {
        assert!(self.operator.is_none(), "one operator at a time");
        let config = plane::operator_config(self.plane).await;
        let started = Operator::start(config, &self.namespace, &self.sim.url(), setup).await;
        self.operator = Some(started);
    }

    /// Ends the operator as a crash does: between any two steps.
    pub fn kill_operator(&mut self) {
        self.operator.take().expect("an operator runs").kill();
    }

    /// Asks the operator to end, and waits until it has.
    pub async fn stop_operator(&mut self) {
        self.operator.take().expect("an operator runs").stop().await;
    }

    pub fn api(&self) -> Api<TaurusProxyPort> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The story's resource, as it is applied first.
    pub fn resource(&self, port: u16) -> TaurusProxyPort {
        let mut resource = self.named(NAME);
        resource.spec.port = port.into();
        resource
    }

    fn named(&self, name: &str) -> TaurusProxyPort {
        TaurusProxyPort {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: TaurusProxyPortSpec {
                region: None,
                project_id: sample::PROJECT.to_owned(),
                instance_id: sample::INSTANCE.to_owned(),
                proxy_id: sample::PROXY.to_owned(),
                port: WANTED.into(),
                credentials_ref: Some(CredentialsReference {
                    name: "keys".to_owned(),
                }),
                endpoint: Some(self.sim.url()),
                iam_endpoint: Some(self.sim.url()),
                management_policy: None,
                suspend: None,
                change_timeout: None,
            },
            status: None,
        }
    }

    pub async fn secret(&self, name: &str, pairs: &[(&str, &str)]) {
        self.write_secret(&self.namespace, name, pairs).await;
    }

    /// The sample's key, in another namespace; gives the Secret's name.
    pub async fn secret_in(&self, namespace: &str, name: &str) -> String {
        let pairs = [
            ("accessKey", sample::ACCESS_KEY),
            ("secretKey", sample::SECRET_KEY),
        ];
        self.write_secret(namespace, name, &pairs).await;
        name.to_owned()
    }

    async fn write_secret(&self, namespace: &str, name: &str, pairs: &[(&str, &str)]) {
        let data: BTreeMap<String, ByteString> = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())))
            .collect();
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(data),
            ..Secret::default()
        };
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams::apply("story").force();
        secrets
            .patch(name, &params, &Patch::Apply(&secret))
            .await
            .unwrap();
    }

    pub async fn create(&self, resource: &TaurusProxyPort) -> TaurusProxyPort {
        self.api()
            .create(&PostParams::default(), resource)
            .await
            .unwrap()
    }

    /// Creates the story's resource with this port.
    pub async fn want(&self, port: u16) -> TaurusProxyPort {
        self.create(&self.resource(port)).await
    }

    /// Changes the story's resource.
    pub async fn patch(&self, patch: Value) -> TaurusProxyPort {
        self.api()
            .patch(NAME, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap()
    }

    /// Changes the wanted port.
    pub async fn want_now(&self, port: u16) -> TaurusProxyPort {
        self.patch(json!({"spec": {"port": port}})).await
    }

    pub async fn get(&self) -> TaurusProxyPort {
        self.api().get(NAME).await.unwrap()
    }

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
        let passing = async {
            loop {
                self.pass(1);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            object = self.recorder.until(name, what, is) => object,
            () = passing => unreachable!("time does not end"),
        }
    }

    /// Waits until whatever is created now is of a later second than what is there.
    pub async fn until_the_next_second(&self) {
        let now = || Timestamp::now().as_second();
        let begun = now();
        self.until_true("another second", || now() > begun).await;
    }

    /// Asks the operator to look now.
    pub async fn ask(&self, value: &str) {
        self.patch(json!({"metadata": {"annotations": {REQUESTED_AT: value}}}))
            .await;
    }

    /// Deletes the story's resource.
    pub async fn delete(&self) {
        self.api()
            .delete(NAME, &DeleteParams::default())
            .await
            .unwrap();
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

    /// Waits for the `nth` request for a change of the story's proxy to arrive.
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

    /// Waits until the neighbour has got its port.
    pub async fn until_neighbour_is_ready(&self) {
        self.until_passing_of(NEIGHBOUR, "Ready", |object| {
            is_ready_with(object, NEIGHBOUR_PORT)
        })
        .await;
    }

    /// Ends the story: the neighbour was served, only calls of the product were made, and every version of every object
    /// kept the rules.
    pub async fn finish(mut self) {
        self.until_neighbour_is_ready().await;
        if self.operator.is_some() {
            self.stop_operator().await;
        }
        let of_neighbour = self
            .sim
            .entries(&Filter::on(Operation::Change).proxy(sample::OTHER_PROXY));
        let ports: Vec<_> = of_neighbour.iter().map(Entry::port).collect();
        assert_eq!(
            ports,
            [Some(NEIGHBOUR_PORT)],
            "the neighbour's port is changed once: {:?}",
            of_neighbour
                .iter()
                .map(Entry::to_string)
                .collect::<Vec<_>>()
        );
        rules::of_requests(&self.sim.journal());
        rules::of_versions(&self.recorder.versions());
    }
}

/// Makes a story a test in each of the four modes, under the name of its case.
macro_rules! in_all_modes {
    ($($name:ident: $story:ident;)*) => {$(
        mod $name {
            use taurus_sim::Mode;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn m1() {
                super::$story(Mode::M1).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn m2() {
                super::$story(Mode::M2).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn m3() {
                super::$story(Mode::M3).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn m4() {
                super::$story(Mode::M4).await;
            }
        }
    )*};
}
pub(crate) use in_all_modes;

fn filter(operation: Operation) -> Filter {
    match operation {
        Operation::Change => Filter::on(operation).proxy(sample::PROXY),
        Operation::List => Filter::on(operation).instance(sample::INSTANCE),
        _ => Filter::on(operation).credential(sample::ACCESS_KEY),
    }
}

/// Stepped time, a mode, and jobs of a minute.
pub fn options(mode: Mode) -> Options {
    Options::stepped().mode(mode).job(job_of(60))
}

/// A job of so many seconds that can be queried at once: where time stands still, it would stay hidden for ever.
pub fn job_of(seconds: u64) -> JobPlan {
    JobPlan::lasting(Duration::from_secs(seconds)).visible_after(Duration::ZERO)
}

/// The status of one condition; empty where it is absent.
pub fn condition<'a>(object: &'a TaurusProxyPort, kind: &str) -> &'a str {
    find(object, kind).map_or("", |condition| condition.status.as_str())
}

/// The reason of the one condition among Ready, Reconciling and Stalled that is True.
pub fn reason(object: &TaurusProxyPort) -> &str {
    ["Ready", "Reconciling", "Stalled"]
        .iter()
        .filter_map(|kind| find(object, kind))
        .find(|condition| condition.status == "True")
        .map_or("", |condition| condition.reason.as_str())
}

/// The message that goes with [`reason`].
pub fn message(object: &TaurusProxyPort) -> &str {
    ["Ready", "Reconciling", "Stalled"]
        .iter()
        .filter_map(|kind| find(object, kind))
        .find(|condition| condition.status == "True")
        .map_or("", |condition| condition.message.as_str())
}

fn find<'a>(
    object: &'a TaurusProxyPort,
    kind: &str,
) -> Option<&'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let status = object.status.as_ref()?;
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
}

pub fn is_ready(object: &TaurusProxyPort) -> bool {
    let status = object.status.as_ref();
    let judged = status.and_then(|status| status.observed_generation);
    condition(object, "Ready") == "True" && judged == object.metadata.generation
}

pub fn is_ready_with(object: &TaurusProxyPort, port: u16) -> bool {
    let shown = object.status.as_ref().and_then(|status| status.port);
    is_ready(object) && object.spec.port == i32::from(port) && shown == Some(port.into())
}

pub fn job_id(object: &TaurusProxyPort) -> Option<&str> {
    object.status.as_ref()?.change.as_ref()?.job_id.as_deref()
}

pub fn phase(object: &TaurusProxyPort) -> Option<Phase> {
    object
        .status
        .as_ref()?
        .change
        .as_ref()
        .map(|change| change.phase)
}

pub fn has_change(object: &TaurusProxyPort) -> bool {
    object
        .status
        .as_ref()
        .is_some_and(|status| status.change.is_some())
}
