//! A simulator of the cloud API of TaurusDB, as far as the ports of database proxies need it, of IAM's tokens and
//! look-ups, of a machine's metadata, and of CCE's pod identity.
//!
//! Nobody outside the vendor can run the real service. This is an HTTP server that answers as the service's pages say,
//! for tests in process and, as the program `taurus-sim`, for demonstrations. It shares no type and no line with any
//! client: whoever misread a page on one side meets the other side's reading.
//!
//! ```
//! use std::time::Duration;
//! use taurus_sim::{Effect, Fault, Filter, JobPlan, Loss, Mode, Operation, Options, Simulator, sample};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let simulator = Simulator::start(Options::stepped().mode(Mode::M1)).await?;
//!
//! // The next change of this proxy takes 30 seconds of the simulator's time, and its first answer gets lost.
//! simulator.next_job_of(sample::PROXY, JobPlan::lasting(Duration::from_secs(30)));
//! simulator.inject(Fault::on(Operation::Change, Effect::lose_answer(Loss::Reset)).proxy(sample::PROXY).once());
//!
//! // ... a client is pointed at simulator.url() and asks for a change; the test moves time and looks:
//! simulator.advance(Duration::from_secs(30))?;
//! assert_eq!(simulator.proxy(sample::PROXY)?.listed_port, sample::PORT);
//! assert_eq!(simulator.count(&Filter::on(Operation::Change).proxy(sample::PROXY)), 0);
//! simulator.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it answers
//!
//! | call | operation |
//! |---|---|
//! | `GET /v3/{project}/instances/{instance}/proxies` | [`Operation::List`] |
//! | `PUT /v3/{project}/instances/{instance}/proxy/{proxy}/port` | [`Operation::Change`] |
//! | `GET /v3/{project}/jobs?id=` | [`Operation::Job`] |
//! | `GET /v3/{project}/immediate-jobs` | [`Operation::Tasks`] |
//! | `DELETE /v3/{project}/jobs/{job}` | [`Operation::DeleteTask`] |
//! | `GET /v3/{project}/instances/{instance}` | [`Operation::Instance`] |
//! | `GET /v3/{project}/instances` | [`Operation::Instances`] |
//! | `GET /v3/{project}/instances/details` | [`Operation::Details`] |
//! | `GET /v3/{project}/vpc/security-group-rules` (of VPC) | [`Operation::GroupRules`] |
//! | `POST /v3/auth/tokens` | [`Operation::Token`] |
//! | `POST /v3.0/OS-AUTH/id-token/tokens` | [`Operation::IdToken`] |
//! | `POST /v3.0/OS-CREDENTIAL/securitytokens` | [`Operation::SecurityToken`] |
//! | `GET /v3/auth/domains` | [`Operation::Domains`] |
//! | `GET /v3/users?name=` | [`Operation::Users`] |
//! | `GET /v3/projects?name=` | [`Operation::Projects`] |
//! | `PUT /meta-data/latest/api/token` | [`Operation::MetadataToken`] |
//! | `GET /openstack/latest/securitykey` | [`Operation::MachineKeys`] |
//! | `POST /pod-identity/credentials` | [`Operation::PodKeys`] |
//!
//! Everything else is 404 with `APIGW.0101`, and in the journal like any other request. Callers are recognised by
//! `X-Auth-Token` or by an `SDK-HMAC-SHA256` signature, with the locks that follow from wrong ones. All documented
//! fields are there; their values are invented.
//!
//! # What can be set
//!
//! - **Everything at once** in a file: [`Options::from_scenario`]; `examples/*.yaml` show how it is written.
//! - **Fleet and credentials** at the start: [`Options`], [`Fleet`], [`Accounts`]; what is there by default is in
//!   [`sample`].
//! - **Time**: automatic, or stepped by [`Control::advance`]. Jobs, tokens, locks and the `Date` header go by it. Only
//!   the age of signatures is judged by the real clock, see [`Behaviour::clock_skew`].
//! - **What the vendor leaves open**: [`Behaviour`], with the [`Mode`]s of what is seen of a running change.
//! - **Jobs**: [`JobPlan`] says how long, visible when, ending how, shown when, listening when; by default, for the next one, for a
//!   proxy's next one. [`Control::start_job`] starts other work, [`Control::end_job`] ends any.
//! - **What happens outside**: drift, statuses, vanishing and returning: [`Control::change_proxy`] and its neighbours.
//! - **Security groups**: the rules of the group of all instances: [`Control::add_group_rule`].
//! - **Faults**: rules that pick requests and hold, lose, cut or replace answers, before or after the work: [`Fault`],
//!   [`Effect`]; by chance out of a seed: [`Chaos`].
//! - **Maintenance**: other statuses for a while, or nobody there: [`Maintenance`].
//! - **Journal**: every request with what became of it: [`Control::entries`], [`Control::wait_for_request`],
//!   [`Control::export_journal`].
//!
//! The same over HTTP, in JSON, for other processes: the admin API under `/_sim/`.
//!
//! A request that was read is worked on even if its sender gives up, as behind a real gateway. Where the pages leave a
//! choice that isn't a switch, the file that makes it says so.
#![doc = include_str!("admin.md")]

mod accounts;
mod admin;
mod answer;
mod api;
mod auth;
mod behaviour;
mod clock;
mod control;
mod faults;
mod fleet;
mod http;
mod ids;
mod journal;
mod listeners;
mod operation;
mod options;
mod plan;
pub mod sample;
mod scenario;
mod seconds;
mod simulator;
mod state;
mod times;
mod world;

pub use accounts::{Accounts, IdentityProvider};
pub use answer::Answer;
pub use behaviour::{
    Behaviour, BehaviourChange, BusyScope, MissingInstance, MissingJob, Mode, Refusal, SamePort,
    TaskOffset, ThrottledBy, Throttling,
};
pub use clock::{NotStepped, Time};
pub use control::{Control, ControlError, CredentialError, ProxyChange, Waited};
pub use faults::{
    Chaos, ChaosError, DOCUMENTED_ERRORS, Effect, ErrorShape, Fault, FaultId, FaultView, Loss,
    Matcher, Oddity, RetryAfter, Stage,
};
pub use fleet::{Fleet, FleetError};
pub use journal::{Entry, Filter, Outcome, Reply};
pub use operation::Operation;
pub use options::Options;
pub use plan::{JobOutcome, JobPlan, PortListens, PortShows};
pub use scenario::ScenarioError;
pub use simulator::{Simulator, StartError};
pub use state::{
    GroupRule, InstanceView, JobState, JobView, Maintenance, ProxyView, Scheduled, StateView,
};
