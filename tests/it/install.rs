//! Installing: what `deploy` holds, applied to real API servers by kubectl and Helm, and the program that runs as the
//! Deployment says, with the rights that came with it.
//!
//! There is no kubelet, and but for one story no controller manager: a process of the test stands in for the pods.

mod authorities;
mod calendar;
pub mod chart;
mod components;
mod controllers;
mod defaults;
mod extras;
mod ingress;
mod kustomize;
mod lifecycle;
pub mod manifests;
mod page;
mod parent;
mod people;
mod platforms;
mod policies;
mod probes;
mod request;
mod rights;
mod values;
