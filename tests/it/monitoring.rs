//! What people watch the operator with: figures, alerts, dashboard and logs, each held to what the program really tells.
//!
//! The judge of figures and alerts is Prometheus' own promtool.

mod alerts;
mod component;
mod dashboard;
mod exposition;
mod https;
mod kube_state_metrics;
mod logs;
mod pages;
mod promtool;
mod queries;
