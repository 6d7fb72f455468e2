//! The list itself.

use super::{
    Figure, Kind, Label, Unit, Values, answers, calls, held, meanings, operations, probes,
    publications, reasons, requests, urgencies, waits, words,
};

const ENDING: Label = words("ending", || vec!["done", "failed", "panicked"]);
const OPERATION: Label = words("operation", operations);
const MEANING: Label = words("meaning", meanings);
const URGENCY: Label = words("urgency", urgencies);
const CALL: Label = words("call", calls);
const HELD: Label = words("held", held);
const OUTCOME: Label = words("outcome", || vec!["succeeded", "failed", "void"]);
const ANSWER: Label = words("answer", || {
    vec![
        "accepted",
        "nothing_to_do",
        "refused",
        "not_sent",
        "unknown",
        "withdrawn",
    ]
});
const STATE: Label = words("state", || {
    vec!["ready", "reconciling", "stalled", "unknown"]
});
const REASON: Label = words("reason", reasons);
const PUBLISHED: Label = words("reason", publications);
const PROBED: Label = words("outcome", probes);
const PHASE: Label = words("phase", || vec!["intended", "submitted", "verifying"]);
const WAITS_FOR: Label = words("waits_for", waits);
const REQUEST: Label = words("request", requests);
const RESULT: Label = words("result", answers);
const VERSION: Label = Label {
    name: "version",
    values: Values::OneOfProcess("the program's version"),
};
const COMMIT: Label = Label {
    name: "commit",
    values: Values::OneOfProcess("the commit that it was built from"),
};
const TARGET: Label = Label {
    name: "target",
    values: Values::OneOfProcess("the machine that it was built for"),
};

macro_rules! figures {
    ($($constant:ident: $prefix:ident $stem:literal, $kind:ident, $unit:ident, [$($label:ident),*], $meaning:literal, $advice:literal;)*) => {
        $(pub(in crate::telemetry::metrics) const $constant: Figure = Figure {
            stem: $stem,
            of_any_process: figures!(@prefix $prefix),
            kind: Kind::$kind,
            unit: figures!(@unit $unit),
            labels: &[$($label),*],
            meaning: $meaning,
            advice: $advice,
        };)*

        /// All figures, in the order in which the docs have them.
        pub const FIGURES: &[Figure] = &[$($constant),*];
    };
    (@prefix taurus) => { false };
    (@prefix process) => { true };
    (@unit none) => { None };
    (@unit $unit:ident) => { Some(Unit::$unit) };
}

figures! {
    BUILD: taurus "build", Info, none, [VERSION, COMMIT, TARGET],
        "Which program this is",
        "Join it to other metrics to see when a version came, and alert on its absence: then no operator is scraped at all.";
    LEADING: taurus "leading", Gauge, none, [],
        "Whether this process works: it holds the Lease, or there is no leader election",
        "The sum over all replicas is 1. Zero for longer than a take-over (17 s) means that nothing is done; two means that two run without leader election.";
    READY: taurus "ready", Gauge, none, [],
        "Whether /readyz answers with 200: all resources were read, or another process leads and this one would take over",
        "Where it is 0 for minutes, ask /readyz or read the log: both name what is missing.";
    WATCH_SILENCE: taurus "watch_silence", Gauge, Seconds, [],
        "For how long the watch of resources has received nothing, or the API server has shown the same version; 0 where there is no watch, as in a standby",
        "Bookmarks come each minute or two, and versions move all the time. After three minutes the operator reads all resources again; more than five minutes mean that the new watch receives nothing either. After ten minutes /livez fails, so that the kubelet restarts the process.";
    LONGEST_RECONCILE: taurus "longest_reconcile", Gauge, Seconds, [],
        "Age of the oldest reconcile that is running",
        "All calls have a time limit: more than some minutes mean that a reconcile hangs. After half an hour /livez fails, so that the kubelet restarts the process.";
    UNSAVED_JOBS: taurus "unsaved_jobs", Gauge, none, [],
        "Job ids that the cloud has returned and that are not on record yet, since the API server doesn't accept them",
        "Don't restart the process while it is above 0, and check the API server: the process tries again until it succeeds.";
    RECONCILES: taurus "reconciles", Counter, none, [ENDING],
        "Reconciles by how they ended; failed means that Kubernetes failed",
        "Panics are faults of the operator: report them with the log. Failures that last have their cause in the log and in `taurus_api_requests_total`.";
    RECONCILE_SECONDS: taurus "reconcile", Histogram, Seconds, [],
        "How long reconciles took",
        "Mostly the wait for the cloud; compare with `taurus_cloud_call_seconds` and `taurus_cloud_call_wait_seconds`.";
    RECONCILE_WAIT_SECONDS: taurus "reconcile_wait", Histogram, Seconds, [CALL],
        "How long resources were ready for a reconcile until it began: since the watch delivered an edit (`stop`: a deletion or `suspend`), since the time that the last reconcile had set, or since what they waited for had happened. An edit during a reconcile of the same resource waits for its end, too",
        "The service level of the queue: [slo.md](slo.md). More than a second means that the operator lacks processor time, or reconciles that wait for the API server: see `taurus_api_request_seconds`, then --concurrency.";
    EDIT_TO_REQUEST_SECONDS: taurus "edit_to_request", Histogram, Seconds, [HELD],
        "How long it took from the delivery of an edit by the watch until the request for the change left; `held` is `yes` where something had to be waited for meanwhile, such as a window, an approval, a limit, other work at the instance or lists of the cloud that may lag. Of edits that ask for a change, and not of those from before this process",
        "The service level of edits is that of `held=\"no\"`: [slo.md](slo.md). For the others the status says what is waited for.";
    RESOURCES: taurus "resources", Gauge, none, [STATE, REASON],
        "Resources by the condition of Ready, Reconciling and Stalled that is True, and its reason",
        "The state of the fleet. `kubectl get tpp -A` has the names; what to do about a reason: [reference.md](reference.md#reasons).";
    UNDECODABLE_RESOURCES: taurus "undecodable_resources", Gauge, none, [],
        "Resources that can't be decoded and are skipped until they change",
        "The log names them, and their status names the field. Usually the definition lost its rules: install the one of this release.";
    CHANGES_IN_PROGRESS: taurus "changes_in_progress", Gauge, none, [PHASE],
        "Changes that have not ended, by how far they have come; also of resources that can't be decoded, and of deleted ones while they are followed",
        "Each one is, or may be, cutting connections. Many in `intended` mean that their outcome is not known.";
    OLDEST_CHANGE: taurus "oldest_change_intended_timestamp", Gauge, Seconds, [],
        "When the oldest of the changes in progress was put on record, in Unix time; 0 where there is none. A time in the future counts as when this process first saw it",
        "`time() -` this is the age of the oldest change.";
    PLANS_WAITING: taurus "plans_waiting", Gauge, none, [WAITS_FOR],
        "Changes that are due and not started, of resources that have windows, freezes or approvals, by what they wait for; one that waits for two things counts twice",
        "`Approval` needs a person; [windows.md](windows.md). `kubectl get tpp -A -o wide` shows when the others may start.";
    OLDEST_PLAN: taurus "oldest_plan_made_timestamp", Gauge, Seconds, [WAITS_FOR],
        "When the oldest of these plans was made, in Unix time, by what it waits for; 0 where there is none. A time in the future counts as when this process first saw it",
        "`time() -` this is for how long a change has been due and not started.";
    OUT_OF_SYNC: taurus "resources_out_of_sync", Gauge, none, [],
        "Resources whose proxies have another port than the one that is wanted; not those that are suspended, or only observe their proxy",
        "Each one has a change under way, waits for one, can't make one, or leaves drift alone: `kubectl get tpp -A -o wide` shows which, and until when.";
    OLDEST_OUT_OF_SYNC: taurus "oldest_out_of_sync_timestamp", Gauge, Seconds, [],
        "Since when the port of the longest of these differs, in Unix time; 0 where there is none. Not of those that wait for a set time (`NEXT`) or for an approval. A time in the future counts as when this process first saw it",
        "`time() -` this is for how long a port has not been what was asked for, and nothing is set to put it right.";
    APPLIED_NOW: taurus "plans_applied_now", Counter, none, [],
        "Changes that were begun outside their windows, or may have been, because a person set the annotation `taurusdb.huaweicloud.com/applyNow`",
        "Each is an emergency that somebody should be able to explain; an event on the resource has the plan.";
    DRIFT_CORRECTIONS: taurus "drift_corrections", Counter, none, [],
        "Changes that have set a port again which was in place before, since the proxy listened on another one",
        "Each has cut connections. Find out what sets the other port: event `DriftCorrected` on the resource has both ports, and the job.";
    PUBLICATIONS: taurus "publications", Counter, none, [PUBLISHED],
        "Services and ConfigMaps that were to be published or checked, by how they stood then: the reason of `ServicePublished` or `ConfigMapPublished`",
        "A rate of `PublishFailed` has its cause in the API server or a webhook; `NameTaken` and `Forbidden` need a person: [applications.md](applications.md).";
    MISSING: taurus "publications_missing", Gauge, none, [PUBLISHED],
        "Services and ConfigMaps that resources wish for and that are not known to lead to the port that was read last, by the reason of `ServicePublished` or `ConfigMapPublished`, which is not True then",
        "Applications that connect by one of them may not reach their database. `Published` counts where the condition is Unknown: the object leads to a place that was not read. What to do about a reason: [applications.md](applications.md).";
    RESTORES: taurus "publications_restored", Counter, none, [],
        "Services, EndpointSlices and ConfigMaps that somebody had edited or deleted, and that the operator has put right",
        "A rate that lasts means that somebody writes what the operator writes: `EditContested` on the resource names the object, and who has written it last: [applications.md](applications.md).";
    PROBES: taurus "probes", Counter, none, [PROBED],
        "Connections to proxies that were made to read a MySQL greeting, where `spec.probe` asks for that, by what came of them",
        "While a job is at work most are refused, until the proxy listens at its new port. `timed_out` points to a NetworkPolicy or security group: [applications.md](applications.md).";
    CALENDAR_BROKEN: taurus "calendar_broken", Gauge, none, [],
        "Whether the file of --calendar could not be read at the last try",
        "The last good calendar stays in force; /readyz and the log have the fault. After a start without a good one no change starts of any resource.";
    CALENDAR_MISSING: taurus "calendar_missing", Gauge, none, [],
        "Whether the operator has read no good calendar since its start, though `--calendar` names a file",
        "At 1 no change of any resource starts.";
    FREEZE_ACTIVE: taurus "freeze_active", Gauge, none, [],
        "Whether a freeze of the operator's calendar is in force, for all namespaces or some",
        "1 explains why resources wait with ChangeFreeze. 0 also while a freeze is only near, or no calendar was read (`taurus_calendar_broken`); both also give ChangeFreeze.";
    WINDOW_OPEN: taurus "window_open", Gauge, none, [],
        "Whether a window of the operator's calendar is open; also 1 if there is no calendar or it has no windows; 0 until it was read",
        "Says nothing of windows that resources state themselves.";
    CHANGES: taurus "changes", Counter, none, [OUTCOME],
        "Changes that have ended, by outcome; void ones never reached the cloud, as far as can be known",
        "The rate of failures, and how many changes there are at all: each cuts the connections of a proxy.";
    CHANGE_SECONDS: taurus "change", Histogram, Seconds, [],
        "How long changes took, whatever their outcome, from the record of the intent to the end that was seen",
        "Expect the same of the next change. A rise comes from the cloud.";
    CHANGE_REQUESTS: taurus "change_requests", Counter, none, [ANSWER],
        "Requests to change a port, by what came of them; a withdrawn one was never sent: its record was acknowledged too late, or something had changed",
        "Refused: see the reasons of the resources. Unknown: answers get lost on the way to the cloud.";
    CHANGES_UNDER_WAY: taurus "changes_under_way", Gauge, none, [],
        "Changes that count among those under way, over all resources",
        "At its limit others wait with WaitingForBudget; see [limits.md](limits.md).";
    CHANGES_UNDER_WAY_LIMIT: taurus "changes_under_way_limit", Gauge, none, [],
        "How many changes may be under way at once: --max-concurrent-changes",
        "Draw it beside `taurus_changes_under_way`.";
    CHANGES_BEGUN: taurus "changes_begun_last_hour", Gauge, none, [],
        "Changes that were begun within the last hour; after a restart, as many as the records tell of",
        "At its limit others wait with WaitingForBudget until the hour is over.";
    CHANGES_BEGUN_LIMIT: taurus "changes_begun_last_hour_limit", Gauge, none, [],
        "How many changes may be begun within an hour: --max-changes-per-hour",
        "Draw it beside `taurus_changes_begun_last_hour`.";
    HALTED_UNTIL: taurus "rollout_halted_until_timestamp", Gauge, Seconds, [],
        "Until when no new change begins after failures in a row, in Unix time; 0 where there is no halt",
        "Find out what the failed changes have in common before that time; see [limits.md](limits.md).";
    CLOUD_CALLS: taurus "cloud_calls", Counter, none, [OPERATION, MEANING],
        "Calls of the cloud by operation and by what came of them: success, or what the error means",
        "The rate of anything but `success` and `busy` is trouble: `throttled`, `unauthenticated` and `denied` need a person, `transient` passes.";
    CLOUD_CALL_SECONDS: taurus "cloud_call", Histogram, Seconds, [OPERATION],
        "How long calls of the cloud took",
        "Calls end after 30 s at the latest. Near that the cloud, or the way there, is in trouble.";
    CLOUD_CALLS_MADE: taurus "cloud_calls_by_urgency", Counter, none, [URGENCY],
        "Calls of the cloud by what they were made for",
        "Shows what uses the calls. Compare it with `taurus_calls_per_minute_limit` times the number of credentials to see how many are left.";
    CLOUD_CALL_WAIT_SECONDS: taurus "cloud_call_wait", Histogram, Seconds, [URGENCY],
        "How long calls of the cloud had to wait because of --calls-per-minute, by urgency",
        "Waits of changes and jobs are delays that people notice. Raise --calls-per-minute if the cloud grants more, or --resync.";
    CLOUD_CALLS_PUT_OFF: taurus "cloud_calls_put_off", Counter, none, [URGENCY],
        "Looks and changes that were put off because no call was free in time",
        "For sweeps it only means that a large fleet is looked at less often. For changes and jobs the budget is used up: see `taurus_cloud_call_wait_seconds`.";
    CALLS_PER_MINUTE_LIMIT: taurus "calls_per_minute_limit", Gauge, none, [],
        "How many calls a minute may be made with one credential at one endpoint: --calls-per-minute",
        "Draw it beside the rates of calls.";
    API_REQUESTS: taurus "api_requests", Counter, none, [REQUEST, RESULT],
        "Requests to the Kubernetes API server, by what they were for and what came of them",
        "Conflicts of status writes are normal where people edit. `denied` means that rights are missing; `failed`, `unreachable` and `given_up` that the API server is in trouble.";
    API_REQUEST_SECONDS: taurus "api_request", Histogram, Seconds, [REQUEST],
        "How long the API server took to answer; for a watch, until it began to answer",
        "Status writes that take seconds delay every change.";
    METRICS_CERTIFICATE_BROKEN: taurus "metrics_certificate_broken", Gauge, none, [],
        "Whether the files of --metrics-tls-cert and --metrics-tls-key could not be used at the last try; 0 where there are none",
        "/metrics shows the last good certificate until that expires, and then Prometheus refuses it: the log has the fault. A process that starts with such files ends at once.";
    LOG_LINES_DROPPED: taurus "log_lines_dropped", Counter, none, [],
        "Lines of log that were dropped, because standard error did not accept them",
        "The reader of the container's log is stuck or too slow. Nothing waits for it, but the dropped lines are lost; look at statuses, events and metrics instead.";
    RESIDENT_MEMORY: process "resident_memory", Gauge, Bytes, [],
        "Resident memory of this process",
        "Against the limit of the pod; how much a fleet needs: [sizing.md](sizing.md).";
    CPU_SECONDS: process "cpu", Counter, Seconds, [],
        "Time that this process has had on processors",
        "Its rate is the number of processors in use.";
    START_TIME: process "start_time", Gauge, Seconds, [],
        "When this process started, in Unix time",
        "A change of it is a restart.";
    OPEN_FILES: process "open_fds", Gauge, none, [],
        "Open file descriptors of this process",
        "Grows with connections; should stand still at rest.";
    THREADS: process "threads", Gauge, none, [],
        "Threads of this process",
        "Should stand still.";
}
