//! Stories on real parts: kube-apiserver and etcd, kubectl, the simulator of the cloud over HTTP, and the operator.
//!
//! All stories share one control plane, with a namespace and a simulator each. There is no kubelet: the operator runs in
//! this process, with the rights of its service account, or as its program. No story waits for a fixed time: the
//! simulator's time moves when a story moves it, and everything else is waited for with a deadline.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::allow_attributes,
    reason = "helpers of tests"
)]

mod admission;
mod applications;
mod client;
mod contract;
mod docs;
mod field_cases;
mod image;
mod install;
mod kept;
mod kills;
mod monitoring;
mod pages;
mod reference;
mod release;
mod rooms;
mod rules;
mod soak;
mod stories;
mod world;
