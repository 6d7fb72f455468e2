//! What an older definition may lack: any field of the record, or a part of one. A star stands for each entry of a list.
//!
//! `observedGeneration` has a story of its own: without it the rules of status can't be held.

/// The fields, by their paths in the status.
pub(super) const PRUNED: [&str; 29] = [
    "change",
    "change/jobID",
    "change/phase",
    "change/intendedAt",
    "change/submittedAt",
    "change/attempt",
    "change/fromPort",
    "change/toPort",
    "change/generation",
    "change/id",
    "lastChange",
    "lastChange/outcome",
    "lastChange/id",
    "lastChange/fromPort",
    "lastChange/toPort",
    "lastChange/jobID",
    "lastChange/startedAt",
    "lastChange/finishedAt",
    "failures",
    "failures/*/port",
    "failures/*/failed",
    "failures/*/void",
    "failures/*/lastAt",
    "failures/*/cause",
    "failures/*/superseded",
    "subjectUID",
    "appliedPort",
    "corrections",
    "lastHandledRequest",
];
