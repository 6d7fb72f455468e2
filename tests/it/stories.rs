//! The stories. Names begin with the id of the field case that a story tells; each was somebody's outage.

mod answers;
mod bulkheads;
mod changes;
mod crashes;
mod jobs;
mod manifests;
mod policies;
mod secrets;
mod settled;
