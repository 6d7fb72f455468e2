//! One story's world: a namespace, a simulator, an operator, and a recorder of all that happens.
//!
//! The operator keeps its contract at a sixtieth of all durations, so a minute of the contract is a second here.

use std::time::Duration;

use kube::Client;
use taurus_port_operator::crd::{CredentialsReference, TaurusProxyPort, TaurusProxyPortSpec};
use taurus_sim::{Entry, Filter, JobPlan, Mode, Operation, Options, Simulator, sample};

use crate::rules;

pub mod applying;
pub mod collector;
pub mod controllers;
pub mod definitions;
pub mod flux;
pub mod front;
pub mod gate;
pub mod git;
pub mod netns;
pub mod operator;
pub mod plane;
pub mod program;
pub mod recorder;
pub mod relay;
pub mod servers;
pub mod shell;
pub mod slices;
mod told;
pub mod tools;
pub mod verdicts;
mod waiting;

pub use told::*;

use operator::{Operator, Setup};
use plane::Plane;
use recorder::Recorder;

/// How long anything may take before a story gives up. It only ends what hangs: no machine is so slow that it gets here, and
/// where time itself is the point, a story allows [`World::slack`] or looks at what comes first.
pub const PATIENCE: Duration = Duration::from_mins(10);

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
    pub plane: Plane,
    pub client: Client,
    pub namespace: String,
    pub sim: Simulator,
    pub recorder: Recorder,
    operator: Option<Operator>,
}

impl World {
    /// A namespace with credentials, a simulator, and an operator that has been running for long.
    pub async fn start(options: Options) -> Self {
        Self::start_with(options, Setup::default()).await
    }

    /// The same with an operator that is set up otherwise.
    pub async fn start_with(options: Options, setup: Setup) -> Self {
        let mut world = Self::without_operator(options).await;
        world.start_operator_with(setup).await;
        world
    }

    pub async fn without_operator(options: Options) -> Self {
        Self::on(&plane::shared().await, options).await
    }

    /// A world without an operator, on this control plane.
    pub async fn on(plane: &Plane, options: Options) -> Self {
        let world = Self::without_neighbour(plane, options).await;
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

    /// A world in which nothing happens but what the story brings about: for those who count each request.
    pub async fn without_neighbour(plane: &Plane, options: Options) -> Self {
        verdicts::needed();
        let client = plane.client().await.unwrap();
        let namespace = plane::new_namespace(&client).await;
        let sim = Simulator::start(options).await.unwrap();
        let recorder = Recorder::start(client.clone(), &namespace, sim.control().clone()).await;
        let world = Self {
            plane: plane.clone(),
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
        let config = plane::operator_config(&self.plane).await;
        let started = Operator::start(config, &self.namespace, &self.sim.url(), setup).await;
        self.operator = Some(started);
    }

    /// An operator with the rights of another service account, which is made for it.
    pub async fn start_operator_as(&mut self, namespace: &str, account: &str) {
        let config = plane::config_of(&self.plane, namespace, account).await;
        let setup = Setup::default();
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

    /// Ends the story: the neighbour was served, and what holds in every story was kept.
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
        self.judge(NEIGHBOUR).await;
    }

    /// Checks what holds in every story: only calls of the product were made, every version of every object kept the rules,
    /// and GitOps tools took each for what it was. The resource called `done` ended well.
    pub async fn judge(&self, done: &str) {
        rules::of_requests(&self.sim.journal());
        let versions = self.recorder.versions();
        let secrets = [sample::SECRET_KEY, sample::PASSWORD, sample::ACCESS_KEY];
        rules::of_versions(&versions, &secrets);
        let verdicts = verdicts::on(&self.plane, recorder::objects(&versions)).await;
        rules::of_verdicts(&versions, &verdicts, done);
    }
}

/// Makes a story a test in each of the four modes, under the name of its case.
macro_rules! in_all_modes {
    ($($name:ident: $story:ident;)*) => {$(
        mod $name {
            use taurus_sim::Mode;

            #[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
            async fn m1() {
                super::$story(Mode::M1).await;
            }

            #[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
            async fn m2() {
                super::$story(Mode::M2).await;
            }

            #[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
            async fn m3() {
                super::$story(Mode::M3).await;
            }

            #[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
            async fn m4() {
                super::$story(Mode::M4).await;
            }
        }
    )*};
}
pub(crate) use in_all_modes;

/// Stepped time, a mode, and jobs of a minute.
pub fn options(mode: Mode) -> Options {
    Options::stepped().mode(mode).job(job_of(60))
}

/// A job of so many seconds that can be queried at once: where time stands still, it would stay hidden for ever.
pub fn job_of(seconds: u64) -> JobPlan {
    JobPlan::lasting(Duration::from_secs(seconds)).visible_after(Duration::ZERO)
}
