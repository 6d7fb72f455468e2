//! The stories. Names begin with the id of the field case that a story tells; each was somebody's outage.

mod answers;
mod changes;
mod cloud_answers;
mod cloud_credentials;
mod crashes;
mod egress;
mod jobs;
mod manifests;
mod policies;
mod secrets;
mod settled;
