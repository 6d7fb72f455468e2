//! Faults that are built in on purpose, to show that the checks see them: old faults of the operator, put back from outside.

use std::time::Duration;

use taurus_port_operator::pace::Pace;

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
    /// Of resources for one proxy the oldest has it, whatever is in place: the others are overlooked.
    AgeDecides,
    /// Two spellings of an address are two places.
    TakesSpellingsForPlaces,
    /// A list is believed right after a change, whatever it shows.
    BelievesOldLists,
    /// Nobody is told of jobs whose resource is gone.
    TellsNobody,
    /// A change that the operator itself holds back is told as a failure of the cloud.
    BlamesTheCloud,
    /// A definition that has dropped something counts as one that does so for ever.
    NeverForgivesADefinition,
    /// Who waits for another resource is not woken when that is gone.
    WakesNobody,
    /// Each Lease that was given back counts as one of an operator that left nothing in flight.
    BelievesEveryLease,
    /// Operators know of no calendar.
    OverlooksTheCalendar,
    /// Operators take any approval for one of the plan that waits.
    TakesAnyApproval,
    /// A plan that was used is on record again as soon as its change has ended, in place of the next one.
    RevivesPlans,
    /// A port is published as soon as a change to it is sent.
    PublishesEarly,
    /// What somebody else has made under a wished name counts as one's own.
    TakesWhatIsOthers,
    /// A slice that is withdrawn stays, without an endpoint.
    EmptiesSlices,
    /// A proxy that one list lacks is gone.
    WithdrawsAtOnce,
    /// What others have changed while it was written counts as written, and for ever.
    ForgetsAfterAConflict,
    /// What is no longer wished for is left.
    LeavesWhatIsWithdrawn,
    /// Nobody hears of edits of what is published.
    HearsOfNoEdits,
    /// A time on record that lies in the future is now, at each look.
    MovesTheFuture,
    /// How long ago a change was begun counts from the start of each process.
    ForgetsAges,
    /// What has ended on an instance tells nothing of what was begun there before.
    OverlooksLaterTasks,
    /// How long the cloud asks to be left alone is not heard.
    IgnoresRetryAfter,
    /// A job is followed only once its id is on record.
    FollowsWhatIsOnRecord,
    /// A status is written without the conditions of others.
    DropsConditionsOfOthers,
    /// In a fleet: who waits for calls of the cloud keeps its seat.
    WaitsOnItsSeat,
    /// In a fleet: the first look at a resource is as urgent as a change.
    HurriesNewcomers,
    /// In a fleet: a change of a deleted resource counts among those under way, whether something is heard of it or not.
    KeepsShares,
    /// In a fleet: what was deleted keeps its place among those who wait.
    OverlooksDeletions,
    /// In a fleet: the parts of a look follow each other, and all are as old as its begin.
    LooksOneByOne,
    /// In a fleet: each resource reads its Secret for itself.
    ReadsSecretsAlone,
    /// In a fleet: a walk over the task list has no end.
    WalksForEver,
}

/// These durations, but for those that this flaw is about.
pub fn pace(flaw: Option<Flaw>, mut pace: Pace) -> Pace {
    match flaw {
        // Who counts from before the connection is opened waits for less than the window by as much as that may take, which is
        // as long as a call.
        Some(Flaw::CountsFromTheOpening) => pace.call_timeout = Duration::ZERO,
        Some(Flaw::WaitsForNobody) => pace.take_over = Duration::ZERO,
        Some(Flaw::BelievesOldLists) => pace.list_lag = Duration::ZERO,
        Some(Flaw::WithdrawsAtOnce) => pace.missing_during_change = Duration::ZERO,
        Some(Flaw::KeepsShares) => pace.job_visible_within = Duration::from_hours(24),
        Some(Flaw::ReadsSecretsAlone) => pace.secret_sweep = Duration::ZERO,
        _ => {}
    }
    pace
}
