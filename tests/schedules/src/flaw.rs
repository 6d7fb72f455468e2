//! Faults that are built in on purpose, to show that the checks see them.

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The API server takes writes from stale views.
    NoComparison,
    /// The HTTP client repeats a change.
    Repeats,
    /// Each of two operators believes that it is the only one.
    BothLead,
    /// The record of a job id is never written.
    ForgetsJobs,
    /// A change of unknown outcome is watched from when its connection began to be opened.
    CountsFromTheOpening,
    /// The last check of a change is made before something that may take its time.
    ChecksEarly,
    /// The API server tells of fields that it has dropped as if it had stored them.
    HidesPruning,
    /// Operators take strangers for resources of their own namespace, and so believe what they say of jobs.
    BelievesStrangers,
    /// Nobody waits for who managed a proxy and is being made anew.
    WaitsForNobody,
}
