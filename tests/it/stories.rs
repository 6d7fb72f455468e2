//! The stories. Names begin with the id of the field case that a story tells; each was somebody's outage.

mod answers;
mod bulkheads;
mod changes;
mod chaos;
mod cloud_answers;
mod cloud_credentials;
mod cloud_endpoints;
mod cloud_limits;
mod cloud_refusals;
mod crashes;
mod credentials;
mod definitions;
mod deletion;
mod egress;
mod failures;
mod figures;
mod gitops;
mod jobs;
mod manifests;
mod ownership;
mod pace;
mod policies;
mod secrets;
mod settled;
mod shown;
