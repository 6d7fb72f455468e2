//! Records, sights and sessions that nobody would believe: times in the future, absurd counts, any combination.
//!
//! Promises that they reach the planner as they would for real: records through a status, sessions through looks.

use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::cloud::{DAWN, PROXY, error};
use crate::{
    cloud::{Job, Meaning, Proxy, ProxyStatus, Task},
    crd::{
        ChangeRecord, Corrections, FailureCause, FailureRecord, ManagementPolicy, Phase,
        TaurusProxyPortStatus,
    },
    fleet::claims::{Opening, Rival, Standing},
    model::{JobId, JobState, ProxyId},
    permits::limits::Limit,
    plan::facts::{Observed, Seen, Trouble},
};

/// Ports that matter, and some that are none.
fn port() -> impl Strategy<Value = i32> {
    prop_oneof![8 => select(vec![3306, 3307, 3308]), 1 => any::<i32>()]
}

fn time() -> impl Strategy<Value = Timestamp> {
    let near = (-200_000..200_000_i64).prop_map(|second| DAWN + second);
    let absurd = select(vec![-377_705_000_000, 0, 253_402_000_000]);
    prop_oneof![8 => near, 1 => absurd].prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn phase() -> impl Strategy<Value = Phase> {
    select(vec![Phase::Intended, Phase::Submitted, Phase::Verifying])
}

pub(super) fn change() -> impl Strategy<Value = ChangeRecord> {
    let ports = (port(), port());
    let job = option::of(Just("job-1".to_owned()));
    let times = (time(), option::of(time()));
    (ports, any::<i64>(), phase(), any::<i32>(), job, times).prop_map(
        |((from_port, to_port), generation, phase, attempt, job_id, (intended, submitted))| {
            ChangeRecord {
                id: "c1".to_owned(),
                plan: None,
                from_port,
                to_port,
                generation,
                phase,
                attempt,
                job_id,
                intended_at: Time(intended),
                submitted_at: submitted.map(Time),
            }
        },
    )
}

fn failure() -> impl Strategy<Value = FailureRecord> {
    let cause = select(vec![
        FailureCause::JobFailed,
        FailureCause::VerificationFailed,
        FailureCause::OutcomeUnknown,
        FailureCause::PortRejected,
    ]);
    let count = || prop_oneof![4 => 0..6_i32, 1 => any::<i32>()];
    (
        port(),
        count(),
        count(),
        time(),
        cause,
        option::of(any::<bool>()),
    )
        .prop_map(
            |(port, failed, void, last_at, cause, superseded)| FailureRecord {
                port,
                failed,
                void,
                last_at: Time(last_at),
                cause,
                superseded,
                message: None,
            },
        )
}

/// A status of an object with the UID `uid-1` and generation 2.
pub(super) fn status() -> impl Strategy<Value = TaurusProxyPortStatus> {
    let uid = select(vec![Some("uid-1"), Some("uid-1"), Some("uid-2"), None]);
    let generation = option::of(prop_oneof![4 => 1..3_i64, 1 => any::<i64>()]);
    let ports = (option::of(port()), option::of(port()));
    let times = vec(time(), 0..4);
    let change = option::of(change());
    (uid, generation, ports, change, vec(failure(), 0..3), times).prop_map(
        |(uid, generation, (port, applied), change, failures, times)| TaurusProxyPortStatus {
            subject_uid: uid.map(str::to_owned),
            observed_generation: generation,
            port,
            applied_port: applied,
            change,
            failures,
            corrections: (!times.is_empty()).then(|| Corrections {
                times: times.into_iter().map(Time).collect(),
            }),
            ..TaurusProxyPortStatus::default()
        },
    )
}

fn seen<T: Clone + std::fmt::Debug + 'static>(
    known: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Seen<T>> {
    let meaning = select(vec![
        Meaning::Transient,
        Meaning::NotFound,
        Meaning::Denied,
        Meaning::Busy,
    ]);
    prop_oneof![
        4 => known.prop_map(Seen::Known),
        1 => Just(Seen::NotRead),
        1 => meaning.prop_map(|meaning| Seen::Unknown(Trouble::Cloud(error(meaning)))),
        1 => Just(Seen::Unknown(Trouble::CredentialsMissing("none".to_owned()))),
    ]
}

fn state() -> impl Strategy<Value = JobState> {
    select(vec![
        "Running",
        "Pending",
        "Completed",
        "Failed",
        "Unauthorized",
        "?",
    ])
    .prop_map(|word| JobState::from_word(Some(word)))
}

fn proxy() -> impl Strategy<Value = Option<Proxy>> {
    let status = prop_oneof![
        6 => Just(ProxyStatus::Active),
        1 => Just(ProxyStatus::Changing("REBOOTING".to_owned())),
        1 => Just(ProxyStatus::Unhealthy("ABNORMAL".to_owned())),
    ];
    let port = option::weighted(0.9, select(vec![3306_u16, 3307, 3308, 0]));
    option::weighted(
        0.9,
        (status, port).prop_map(|(status, port)| Proxy {
            id: ProxyId::parse(PROXY).unwrap(),
            name: "orders".to_owned(),
            status,
            address: None,
            port,
        }),
    )
}

pub(super) fn observed() -> impl Strategy<Value = Observed> {
    let job =
        (state(), option::of(time()), option::of(time())).prop_map(|(state, ended, cloud_time)| {
            Job {
                state,
                fail_reason: None,
                ended,
                cloud_time,
            }
        });
    let task = state().prop_map(|state| Task {
        job: JobId::parse("job-2"),
        instance: None,
        state,
        created: None,
        ended: None,
    });
    let tasks = option::weighted(0.2, task);
    let flags = (any::<bool>(), 0..8_u8, any::<bool>());
    let lists = (seen(proxy()), seen(proxy()));
    (lists, seen(job), seen(tasks), flags).prop_map(
        |((proxy, beside), job, tasks, (given_up, obstacle, outlived))| Observed {
            list_has_gaps: false,
            is_recalled: false,
            preflight: None,
            admission: None,
            cloud_time: None,
            spare_call_in: outlived.then_some(Duration::from_secs(3)),
            by_list: outlived,
            outlived,
            tasks_clear_in: None,
            failed_lately: given_up.then_some(Duration::from_secs(50)),
            tasks_since: None,
            proxy,
            beside,
            job,
            tasks,
            abandoned: given_up
                .then(|| JobId::parse("job-1"))
                .flatten()
                .into_iter()
                .collect(),
            passed_over: given_up
                .then(|| JobId::parse("job-1"))
                .flatten()
                .into_iter()
                .collect(),
            standing: match obstacle {
                1 => Standing::Claimed(Rival::default()),
                4 => Standing::Open(Duration::from_mins(1)),
                6 => Standing::Contested(Rival::default()),
                _ => Standing::Owner,
            },
            opening: Opening::Before,
            instance_taken: obstacle == 2,
            goes_first: None,
            limit: (obstacle == 5).then_some(Limit::Concurrent {
                most: 5,
                deleted: 0,
            }),
            record_pruned: obstacle == 3,
            terms: None,
        },
    )
}

/// Looks, each with the seconds before it.
pub(super) fn looks() -> impl Strategy<Value = Vec<(Duration, Observed)>> {
    let pause = prop_oneof![0..20_u64, 20..200_u64, 200..4000_u64];
    vec((pause.prop_map(Duration::from_secs), observed()), 1..6)
}

pub(super) fn policy() -> impl Strategy<Value = ManagementPolicy> {
    select(vec![
        ManagementPolicy::Enforce,
        ManagementPolicy::Enforce,
        ManagementPolicy::ApplyOnChange,
        ManagementPolicy::Observe,
    ])
}
