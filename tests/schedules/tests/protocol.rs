//! Stories of the change protocol, told step by step in virtual time.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::json;
use taurus_port_operator::crd::ManagementPolicy;
use taurus_schedules::{Flaw, Stage};

/// The worst that the accepted risks allow, all at once: the connection takes long to open, the answer is lost, the request
/// arrives late, and its job is visible late.
#[tokio::test(start_paused = true)]
async fn r02_a_change_is_watched_from_when_it_is_on_record_however_long_the_connection_takes_to_open()
 {
    for opening in [0, 20_000, 29_000, 29_700] {
        for seed in 0..10 {
            let stage = Stage::set(seed).await;
            stage.opening_takes(opening);
            stage.lose_answer(29_900);
            stage.next_job(119_900, 600, true);
            stage.want(3307);
            stage.pass(60).await;
            stage.opening_takes(0);
            stage.pass(1200).await;
            assert_eq!(
                stage.collisions(),
                [""; 0],
                "{opening} {seed}\n{}",
                stage.told()
            );
            assert!(stage.requests() <= 1, "{}", stage.told());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r01_a_thread_that_stood_still_before_the_request_sends_nothing_that_nobody_wants_any_more()
{
    let stage = Stage::set(1).await;
    stage.hold_up(90_000);
    stage.want(3307);
    stage.pass(2).await;
    stage.edit(|object| object.spec.suspend = Some(true));
    stage.want(3306);
    stage.pass(600).await;
    assert_eq!(stage.requests(), 0, "{}", stage.told());
    assert!(stage.is_ready());
}

/// A definition of an older release drops a field of the record, whichever it is.
#[tokio::test(start_paused = true)]
async fn c12a_c12b_no_change_begins_while_a_definition_drops_any_of_the_record() {
    for field in [
        "change",
        "change/id",
        "change/jobID",
        "change/phase",
        "change/attempt",
        "change/fromPort",
        "change/toPort",
        "change/generation",
        "change/intendedAt",
        "change/submittedAt",
        "lastChange",
        "lastChange/finishedAt",
        "failures",
        "failures/*/failed",
        "corrections",
        "subjectUID",
        "appliedPort",
        "observedGeneration",
        "lastHandledRequest",
    ] {
        let stage = Stage::set(1).await;
        stage.prune(Some(field));
        stage.want(3307);
        stage.pass(1200).await;
        stage.want(3308);
        stage.pass(1200).await;
        assert_eq!(stage.requests(), 0, "{field}\n{}", stage.told());
        assert_eq!(stage.reason(), "CRDOutdated", "{field}\n{}", stage.told());
        // C12b: it goes on by itself, within a resync.
        stage.prune(None);
        stage.pass(600).await;
        assert_eq!(stage.requests(), 1, "{field}\n{}", stage.told());
        stage.pass(300).await;
        assert!(stage.is_ready(), "{field}\n{}", stage.told());
    }
}

/// The definition is replaced while a change is at work.
#[tokio::test(start_paused = true)]
async fn c12a_a_job_whose_id_is_dropped_is_followed_to_its_end_and_no_other_change_follows() {
    let stage = Stage::set(1).await;
    stage.want(3307);
    stage.pass(300).await;
    assert!(stage.is_ready(), "{}", stage.told());
    // Looked at five minutes ago, and so taken for whole.
    stage.prune(Some("change/jobID"));
    stage.next_job(1000, 60, true);
    stage.want(3308);
    stage.pass(200).await;
    assert_eq!(stage.requests(), 2, "{}", stage.told());
    assert_eq!(stage.port(), 3308);
    stage.want(3309);
    stage.pass(1800).await;
    assert_eq!(stage.requests(), 2, "{}", stage.told());
    assert_eq!(stage.reason(), "CRDOutdated", "{}", stage.told());
    stage.prune(None);
    stage.pass(900).await;
    assert_eq!(stage.requests(), 3, "{}", stage.told());
}

/// After a change was verified the list falls back, and people want the port of before.
#[tokio::test(start_paused = true)]
async fn r09_a_list_that_falls_back_behind_a_verified_change_makes_nothing_ready() {
    let stage = Stage::set(1).await;
    stage.want(3307);
    stage.pass(60).await;
    assert!(stage.is_ready(), "{}", stage.told());
    stage.list_lags(60_000);
    stage.want(3306);
    for second in 0..900 {
        stage.pass(1).await;
        if second == 90 {
            stage.list_lags(0);
        }
        assert!(
            !stage.is_ready() || stage.port() == 3306,
            "{}",
            stage.told()
        );
    }
    assert!(stage.is_ready(), "{}", stage.told());
    assert_eq!(stage.requests(), 2);
}

/// The cloud has forgotten the job of a change at work, and a definition that drops some of its record comes and goes.
#[tokio::test(start_paused = true)]
async fn c12a_a_change_at_work_is_known_to_its_process_whatever_a_definition_drops_meanwhile() {
    for field in [
        "change",
        "change/id",
        "change/jobID",
        "change/phase",
        "change/attempt",
        "change/fromPort",
        "change/toPort",
        "change/generation",
        "change/intendedAt",
        "change/submittedAt",
        "subjectUID",
    ] {
        let stage = Stage::set(1).await;
        stage.next_job(1000, 1400, true);
        stage.want(3307);
        stage.pass(60).await;
        assert_eq!(stage.requests(), 1, "{field}");
        stage.prune(Some(field));
        stage.erase();
        stage.set_elsewhere(3309);
        stage.pass(250).await;
        stage.prune(None);
        stage.pass(900).await;
        assert_eq!(stage.collisions(), [""; 0], "{field}\n{}", stage.told());
        assert_eq!(stage.requests(), 1, "{field}\n{}", stage.told());
        let change = stage.object().status.unwrap().change.unwrap();
        assert_eq!(change.job_id.as_deref(), Some("job-1"), "{field}");
        stage.pass(3600).await;
        assert_eq!(stage.collisions(), [""; 0], "{field}\n{}", stage.told());
        assert!(stage.is_ready(), "{field}\n{}", stage.told());
    }
}

/// An API server drops what its definition lacks also of what is read: the list that follows another definition shows the resource without
/// its change, before this process has written anything.
#[tokio::test(start_paused = true)]
async fn c12a_a_change_at_work_is_known_to_its_process_where_a_list_shows_it_no_longer() {
    let stage = Stage::set(1).await;
    stage.next_job(1000, 1400, true);
    stage.want(3307);
    stage.pass(60).await;
    assert_eq!(stage.requests(), 1);
    stage.prune(Some("change"));
    stage.edit(|object| {
        if let Some(status) = &mut object.status {
            status.change = None;
        }
    });
    stage.erase();
    stage.set_elsewhere(3309);
    stage.pass(250).await;
    stage.prune(None);
    stage.pass(900).await;
    assert_eq!(stage.collisions(), [""; 0], "{}", stage.told());
    assert_eq!(stage.requests(), 1, "{}", stage.told());
}

/// The definition that comes between the request and its answer lacks the change as a whole.
#[tokio::test(start_paused = true)]
async fn c12a_a_job_whose_change_is_dropped_before_its_answer_is_known_and_told_truly() {
    let stage = Stage::set(1).await;
    stage.next_job(1000, 1400, true);
    stage.want(3307);
    while stage.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stage.prune(Some("change"));
    stage.pass(250).await;
    let told = stage.told();
    assert!(!told.contains("somebody removed its change"), "{told}");
    stage.prune(None);
    stage.pass(900).await;
    let change = stage.object().status.unwrap().change;
    let job = change.and_then(|change| change.job_id);
    assert_eq!(job.as_deref(), Some("job-1"), "{}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn r04b_a_job_of_a_deleted_resource_is_told_with_its_end() {
    let stage = Stage::set(1).await;
    stage.next_job(1000, 300, true);
    stage.want(3307);
    // Between the request and its answer.
    while stage.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stage.delete();
    stage.pass(900).await;
    let told = stage.told();
    let says = |what: &[&str]| {
        let mut lines = told.lines();
        lines.any(|line| what.iter().all(|what| line.contains(what)))
    };
    assert!(says(&["event JobNotRecorded", "job-1", "po01"]), "{told}");
    assert!(
        says(&["event ChangeOfDeleted", "job-1", "was completed"]),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn r04b_a_job_whose_change_was_taken_from_the_record_is_told() {
    let stage = Stage::set(1).await;
    stage.next_job(1000, 300, true);
    stage.want(3307);
    while stage.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stage.edit(|object| {
        object.status.as_mut().unwrap().change = None;
    });
    stage.pass(60).await;
    let told = stage.told();
    assert!(told.contains("event JobNotRecorded: job job-1"), "{told}");
    stage.pass(1200).await;
    assert_eq!(stage.requests(), 1, "{}", stage.told());
    assert!(stage.is_ready(), "{}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn r04b_a_change_that_can_not_be_followed_after_a_deletion_is_told() {
    let stage = Stage::set(1).await;
    stage.next_job(1000, 300, true);
    stage.want(3307);
    while stage.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stage.pass(5).await;
    stage.make_undecodable();
    stage.pass(5).await;
    stage.delete();
    stage.pass(60).await;
    let told = stage.told();
    let is_told = |line: &str| {
        line.contains("event ChangeOfDeleted")
            && line.contains("no other change of the instance starts before 20")
    };
    assert!(told.lines().any(is_told), "{told}");
}

/// Its job is at work for ever, as far as the cloud tells.
#[tokio::test(start_paused = true)]
async fn h13_the_job_of_a_deleted_resource_that_is_given_up_holds_its_instance_no_longer() {
    for abandons in [false, true] {
        let stage = Stage::set(1).await;
        stage.create_neighbour();
        stage.pass(60).await;
        stage.edit(|object| object.spec.change_timeout = Some("24h".to_owned()));
        stage.next_job(1000, 20 * 3600, true);
        stage.want(3307);
        stage.pass(200).await;
        stage.delete();
        stage.pass(60).await;
        stage.want_of_neighbour(3307);
        if abandons {
            stage.abandon_of_neighbour("job-1");
        }
        stage.pass(900).await;
        let moves = stage.port_of_neighbour() == 3307;
        assert_eq!(moves, abandons, "{}", stage.told());
    }
}

/// Kubernetes fails, and not the cloud: nothing is heard of a change all the same.
#[tokio::test(start_paused = true)]
async fn r05_a_change_that_can_not_be_followed_for_want_of_its_secret_gives_its_share_back() {
    let stage = Stage::set(1).await;
    let under_way = |stage: &Stage| stage.figure("taurus_changes_under_way").unwrap();
    stage.next_job(1000, 3000, true);
    stage.want(3307);
    stage.pass(20).await;
    assert_eq!(under_way(&stage), 1);
    stage.hide_secrets(400);
    // Until then what was read of it is good.
    stage.pass(60).await;
    assert_eq!(under_way(&stage), 1, "{}", stage.told());
    stage.pass(240).await;
    assert_eq!(under_way(&stage), 0, "{}", stage.told());
    stage.pass(600).await;
    assert_eq!(under_way(&stage), 1, "it goes on: {}", stage.told());
    stage.pass(2400).await;
    assert!(stage.is_ready(), "{}", stage.told());
    assert_eq!(stage.requests(), 1);
}

/// The changes in progress, and when the oldest of them was put on record: what `TaurusChangeStuck` goes by.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn changes_in_progress(stage: &Stage) -> (i64, i64) {
    let of_phase = |phase| {
        let series = format!("taurus_changes_in_progress{{phase=\"{phase}\"}}");
        stage.figure(&series).unwrap()
    };
    let oldest = stage.figure("taurus_oldest_change_intended_timestamp_seconds");
    let phases = ["intended", "submitted", "verifying"].map(of_phase);
    (phases.iter().sum(), oldest.unwrap())
}

#[tokio::test(start_paused = true)]
async fn b02_a_job_whose_id_can_not_be_written_is_polled_from_memory() {
    for seed in 1..=4 {
        let stage = Stage::set(seed).await;
        assert_eq!(changes_in_progress(&stage), (0, 0));
        stage.next_job(1000, 200, true);
        stage.want(3307);
        while stage.requests() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stage.refuse_writes(300);
        stage.pass(1).await;
        let change = stage.object().status.unwrap().change.unwrap();
        let one_since_then = (1, change.intended_at.0.as_second());
        assert_eq!(changes_in_progress(&stage), one_since_then);
        stage.pass(59).await;
        let before = stage.reads();
        stage.pass(60).await;
        assert!(stage.reads() >= before + 4, "polled: {}", stage.told());
        assert_eq!(stage.object().status.unwrap().change.unwrap().job_id, None);
        assert_eq!(changes_in_progress(&stage), one_since_then);
        // Its job has ended, but not on record.
        stage.pass(170).await;
        assert_eq!(changes_in_progress(&stage), one_since_then);
        // The write is tried again at most 5 s apart.
        stage.pass(15).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let status = stage.object().status.unwrap();
        let jobs = [
            status.change.and_then(|change| change.job_id),
            status.last_change.and_then(|last| last.job_id),
        ];
        assert!(jobs.contains(&Some("job-1".to_owned())), "{}", stage.told());
        stage.pass(60).await;
        assert!(stage.is_ready(), "{}", stage.told());
        assert_eq!(stage.requests(), 1);
        assert_eq!(changes_in_progress(&stage), (0, 0));
    }
}

/// How often a job is asked for in a minute in which its id can't be written.
async fn polls_from_memory(flaw: Option<Flaw>) -> u64 {
    let stage = Stage::flawed(1, flaw).await;
    stage.next_job(1000, 200, true);
    stage.want(3307);
    while stage.requests() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stage.refuse_writes(300);
    stage.pass(60).await;
    let before = stage.reads();
    stage.pass(60).await;
    stage.reads() - before
}

#[tokio::test(start_paused = true)]
async fn b02_who_follows_a_job_only_once_its_id_is_on_record_is_seen() {
    assert!(polls_from_memory(None).await >= 4);
    let flaw = Some(Flaw::FollowsWhatIsOnRecord);
    assert!(polls_from_memory(flaw).await < 4);
}

/// A change whose job takes so many seconds, half a minute after it was asked for; when it was put on record.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
async fn half_a_minute_into_a_change(stage: &Stage, takes: u64) -> i64 {
    stage.next_job(1000, takes, true);
    stage.want(3307);
    stage.pass(30).await;
    let change = stage.object().status.unwrap().change.unwrap();
    let intended_at = change.intended_at.0.as_second();
    assert_eq!(changes_in_progress(stage), (1, intended_at));
    intended_at
}

#[tokio::test(start_paused = true)]
async fn b02_a_change_of_a_resource_that_can_not_be_decoded_stays_among_the_figures() {
    let stage = Stage::set(1).await;
    let since = half_a_minute_into_a_change(&stage, 600).await;
    stage.make_undecodable();
    for _ in 0..10 {
        stage.pass(60).await;
        assert_eq!(changes_in_progress(&stage), (1, since), "{}", stage.told());
    }
    stage.crash();
    stage.pass(60).await;
    assert_eq!(changes_in_progress(&stage), (1, since), "{}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn b02_a_change_of_a_deleted_resource_stays_among_the_figures_while_it_is_followed() {
    let stage = Stage::set(1).await;
    let since = half_a_minute_into_a_change(&stage, 600).await;
    stage.delete();
    for _ in 0..9 {
        stage.pass(60).await;
        assert_eq!(changes_in_progress(&stage), (1, since), "{}", stage.told());
    }
    // Its job has ended, and lists have caught up with that.
    stage.pass(300).await;
    assert_eq!(changes_in_progress(&stage), (0, 0), "{}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn h16_a_change_that_was_recorded_while_a_clock_was_ahead_is_shown_as_old_as_it_is() {
    let ahead = 6 * 3600;
    let stage = Stage::set(1).await;
    stage.clock_is_ahead(ahead);
    let since = half_a_minute_into_a_change(&stage, 900).await;
    stage.clock_is_ahead(0);
    for _ in 0..10 {
        stage.pass(60).await;
        let (count, oldest) = changes_in_progress(&stage);
        let off = oldest - (since - ahead);
        assert!(
            count == 1 && off.abs() <= 2,
            "{count} {off}: {}",
            stage.told()
        );
    }
}

/// The operator's clock is behind that of the API server, or ahead of it: by little, and by more than any cloud puts up with.
#[tokio::test(start_paused = true)]
async fn h16_who_only_observes_stays_ready_whatever_the_clock_is_off_by() {
    for ahead in [-3600, -120, -2, 120, 3600] {
        let stage = Stage::set(1).await;
        stage.clock_is_ahead(ahead);
        stage.delete();
        stage.pass(60).await;
        stage.create(None);
        stage.pass(1).await;
        stage.edit(|object| {
            object.spec.management_policy = Some(ManagementPolicy::Observe);
        });
        stage.pass(600).await;
        let stays = async |seconds: u64| {
            for _ in 0..seconds {
                stage.pass(1).await;
                assert_eq!(stage.reason(), "Observed", "{ahead}: {}", stage.told());
            }
            assert!(stage.is_ready(), "{ahead}: {}", stage.told());
        };
        // A look takes longer than is waited for before something is said.
        stage.reads_take(8_000);
        stage.edit(|object| object.spec.suspend = Some(true));
        stays(40).await;
        stage.reads_take(100);
        // The first lists fail.
        stage.reads_are_put_off(900, Duration::from_mins(1));
        stays(1000).await;
    }
}

/// The operator may look at everything more often than the cloud allows at the moment.
#[tokio::test(start_paused = true)]
async fn e14_a_wait_that_the_cloud_asks_for_is_not_cut_to_the_resync() {
    const RESYNC: Duration = Duration::from_secs(10);
    const RETRY_AFTER: Duration = Duration::from_secs(40);
    for port in [3306, 3307] {
        let stage = Stage::set_with(1, RESYNC, None).await;
        let before = stage.reads();
        stage.reads_are_put_off(120, RETRY_AFTER);
        stage.want(port);
        while stage.reads() == before {
            stage.pass(1).await;
        }
        // One comes by 44 s after the first, and one by 88 s: each wait is a tenth longer at most.
        let before = stage.reads();
        stage.pass(38).await;
        assert_eq!(stage.reads(), before, "{}", stage.told());
        stage.pass(62).await;
        assert_eq!(stage.reads(), before + 2, "{}", stage.told());
        stage.pass(120).await;
        assert!(stage.is_ready(), "{}", stage.told());
        assert_eq!(stage.requests(), usize::from(port == 3307));
        let before = stage.reads();
        stage.pass(100).await;
        let reads = stage.reads() - before;
        assert!((9..=10).contains(&reads), "{reads} in ten resyncs");
    }
}

/// How many reads there are in the time that the cloud asks for.
async fn reads_in_a_wait(flaw: Option<Flaw>) -> u64 {
    let stage = Stage::flawed(1, flaw).await;
    stage.reads_are_put_off(300, Duration::from_mins(2));
    let before = stage.reads();
    stage.want(3307);
    while stage.reads() == before {
        stage.pass(1).await;
    }
    let before = stage.reads();
    stage.pass(110).await;
    stage.reads() - before
}

#[tokio::test(start_paused = true)]
async fn e14_who_does_not_hear_for_how_long_the_cloud_asks_to_be_left_alone_is_seen() {
    assert_eq!(reads_in_a_wait(None).await, 0);
    assert_ne!(reads_in_a_wait(Some(Flaw::IgnoresRetryAfter)).await, 0);
}

/// How many requests there are 90 s after a clock, that was six hours ahead when a job failed, was set right.
async fn requests_after_a_clock_was_ahead(flaw: Option<Flaw>) -> usize {
    let stage = Stage::flawed(1, flaw).await;
    stage.clock_is_ahead(6 * 3600);
    stage.next_job(1000, 40, false);
    stage.want(3307);
    stage.pass(60).await;
    stage.clock_is_ahead(0);
    stage.pass(90).await;
    stage.requests()
}

#[tokio::test(start_paused = true)]
async fn h16_r08_times_of_the_future_that_are_new_at_each_look_are_seen() {
    assert_eq!(requests_after_a_clock_was_ahead(None).await, 2);
    let flaw = Some(Flaw::MovesTheFuture);
    assert_eq!(requests_after_a_clock_was_ahead(flaw).await, 1);
}

#[tokio::test(start_paused = true)]
async fn h16_r08_a_clock_that_was_ahead_holds_the_next_attempt_up_no_longer_than_others() {
    let stage = Stage::set(1).await;
    stage.clock_is_ahead(6 * 3600);
    stage.next_job(1000, 40, false);
    stage.want(3307);
    stage.pass(60).await;
    assert_eq!(stage.requests(), 1, "{}", stage.told());
    assert_eq!(stage.reason(), "BackingOff", "{}", stage.told());
    stage.clock_is_ahead(0);
    stage.pass(90).await;
    assert_eq!(stage.requests(), 2, "{}", stage.told());
    stage.pass(120).await;
    assert!(stage.is_ready(), "{}", stage.told());
}

/// A list may lag behind the failed job for two minutes: for so long a port that it shows is not believed, and no longer.
#[tokio::test(start_paused = true)]
async fn h16_r08_a_port_in_place_is_ready_soon_though_its_job_failed_while_a_clock_was_ahead() {
    let stage = Stage::set(1).await;
    stage.clock_is_ahead(6 * 3600);
    stage.next_job(1000, 40, false);
    stage.want(3307);
    stage.pass(60).await;
    assert_eq!(stage.reason(), "BackingOff", "{}", stage.told());
    stage.set_elsewhere(3307);
    stage.clock_is_ahead(0);
    stage.pass(90).await;
    assert!(!stage.is_ready(), "{}", stage.told());
    stage.pass(40).await;
    assert!(stage.is_ready(), "{}", stage.told());
    assert_eq!(stage.requests(), 1, "{}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn h16_a_clock_that_jumps_ahead_ends_no_wait_before_its_time() {
    let stage = Stage::set(1).await;
    // Somebody else wants another port, again and again.
    for requests in 1..=3 {
        stage.set_elsewhere(3310);
        stage.pass(3600).await;
        assert_eq!(stage.requests(), requests, "{}", stage.told());
        assert!(stage.is_ready(), "{}", stage.told());
    }
    stage.set_elsewhere(3310);
    stage.pass(1200).await;
    assert_eq!(stage.reason(), "DriftContested", "{}", stage.told());
    stage.clock_is_ahead(2 * 24 * 3600);
    stage.pass(6 * 3600).await;
    assert_eq!(stage.requests(), 3, "{}", stage.told());
    assert_eq!(stage.reason(), "DriftContested", "{}", stage.told());
    stage.pass(15 * 3600).await;
    assert_eq!(stage.requests(), 4, "the day is over: {}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn h16_a_clock_that_jumps_ahead_does_not_hurry_the_next_attempt() {
    let stage = Stage::set(1).await;
    stage.next_job(1000, 40, false);
    stage.want(3307);
    stage.pass(50).await;
    assert_eq!(stage.reason(), "BackingOff", "{}", stage.told());
    stage.clock_is_ahead(3600);
    stage.edit(|object| object.spec.change_timeout = Some("40m".to_owned()));
    stage.pass(20).await;
    assert_eq!(stage.requests(), 1, "{}", stage.told());
    stage.pass(300).await;
    assert_eq!(stage.requests(), 2, "{}", stage.told());
    assert!(stage.is_ready(), "{}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn n06_who_only_observes_is_not_told_that_it_is_suspended() {
    let stage = Stage::set(1).await;
    stage.edit(|object| {
        object.spec.management_policy = Some(ManagementPolicy::Observe);
        object.spec.port = 3307;
    });
    stage.pass(30).await;
    assert_eq!(stage.reason(), "Observed", "{}", stage.told());
    stage.reads_take(3_000);
    stage.edit(|object| object.spec.suspend = Some(true));
    for _ in 0..10 {
        stage.pass(1).await;
        assert_eq!(stage.reason(), "Observed", "{}", stage.told());
    }
    assert!(stage.is_ready(), "{}", stage.told());
}

/// A status from a backup, whose change was begun then.
fn restored(uid: &str, intended_at: &str) -> serde_json::Value {
    json!({
        "observedGeneration": 1, "subjectUID": uid, "port": 3307, "appliedPort": 3307,
        "change": {
            "id": "c", "fromPort": 3307, "toPort": 3306, "generation": 1, "phase": "Submitted", "attempt": 1,
            "jobID": "job-of-long-ago", "intendedAt": intended_at, "submittedAt": intended_at
        },
        "conditions": []
    })
}

/// The task list has a filter for when a task was created: a job that has just ended is no longer in it if it took long.
#[tokio::test(start_paused = true)]
async fn r02_a_job_of_more_than_an_hour_whose_answer_was_lost_is_not_repeated_though_lists_lag() {
    for crash in [false, true] {
        for seed in 0..4 {
            let stage = Stage::set(seed).await;
            stage.lose_answer(0);
            stage.next_job(1000, 65 * 60, true);
            stage.list_lags(110_000);
            stage.want(3307);
            stage.pass(61 * 60).await;
            if crash {
                stage.crash();
            }
            stage.pass(60 * 60).await;
            assert_eq!(stage.requests(), 1, "{crash} {seed}\n{}", stage.told());
            assert!(stage.is_ready(), "{}", stage.told());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn e16_a_job_of_more_than_a_month_ago_is_over_within_minutes() {
    for (port, requests) in [(3306, 0), (3307, 1)] {
        let stage = Stage::set(1).await;
        if port == 3307 {
            stage.want(3307);
            stage.pass(300).await;
            stage.want(3306);
            stage.hold_up(60_000);
            stage.pass(5).await;
        }
        let before = stage.requests();
        let uid = stage.object().uid_of();
        stage.edit(|object| {
            let generation = object.metadata.generation;
            let mut status: taurus_port_operator::crd::TaurusProxyPortStatus =
                serde_json::from_value(restored(&uid, A_MONTH_AGO)).unwrap();
            status.observed_generation = generation;
            object.status = Some(status);
        });
        stage.crash();
        stage.pass(230).await;
        if port == 3306 {
            let status = stage.object().status.unwrap();
            assert_eq!(status.change, None, "{}", stage.told());
            let told = status
                .conditions
                .iter()
                .find(|one| one.type_ == "JobSucceeded");
            let told = told.unwrap();
            assert_eq!(told.status, "Unknown", "nobody saw it end: {told:?}");
            assert!(told.message.contains("job-of-long-ago"));
        }
        stage.pass(170).await;
        assert_eq!(stage.requests() - before, requests, "{}", stage.told());
        assert_eq!(stage.port(), 3306);
        assert!(stage.is_ready(), "{}", stage.told());
    }
}

/// More than a month before the beginning.
const A_MONTH_AGO: &str = "2026-12-01T00:00:00Z";

/// A change of then has had its time long ago, and the cloud would still know its job.
const THREE_HOURS_AGO: &str = "2027-01-15T05:00:00Z";

/// Whether the job of long ago, which the cloud does not know, is over so many seconds after a restore.
async fn is_over(with_later_task: bool, after: u64, flaw: Option<Flaw>) -> bool {
    let stage = Stage::flawed(1, flaw).await;
    if with_later_task {
        stage.create_neighbour();
        stage.pass(5).await;
        stage.want_of_neighbour(3307);
        stage.pass(600).await;
        assert_eq!(stage.port_of_neighbour(), 3307, "{}", stage.told());
    }
    is_over_after(&stage, THREE_HOURS_AGO, after).await
}

/// The same of a change that was begun then.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
async fn is_over_after(stage: &Stage, begun: &str, after: u64) -> bool {
    let uid = stage.object().uid_of();
    let status = restored(&uid, begun);
    stage.edit(|object| object.status = Some(serde_json::from_value(status).unwrap()));
    stage.crash();
    stage.pass(after).await;
    assert_eq!(stage.requests(), 0, "{}", stage.told());
    let status = stage.object().status.unwrap();
    if status.change.is_some() {
        return false;
    }
    let of_job = |one: &&Condition| one.type_ == "JobSucceeded";
    let told = status.conditions.iter().find(of_job).unwrap();
    assert_eq!(told.status, "Unknown", "nobody saw it end: {told:?}");
    assert!(told.message.contains("job-of-long-ago"), "{told:?}");
    assert!(stage.is_ready(), "{}", stage.told());
    true
}

#[tokio::test(start_paused = true)]
async fn e16_a_job_that_later_tasks_of_its_instance_have_outlived_is_over_within_minutes() {
    // The pause before the next process is part of it.
    assert!(is_over(true, 230, None).await, "a later task tells");
    // Else it may be at work for as long as a change may take, and lists may lag behind that.
    assert!(!is_over(false, 31 * 60, None).await, "nothing tells");
    assert!(is_over(false, 40 * 60, None).await);
}

#[tokio::test(start_paused = true)]
async fn e16_who_overlooks_later_tasks_is_seen() {
    assert!(!is_over(true, 230, Some(Flaw::OverlooksLaterTasks)).await);
}

#[tokio::test(start_paused = true)]
async fn e16_who_counts_the_age_of_a_change_from_each_start_is_seen() {
    for (flaw, over) in [(None, true), (Some(Flaw::ForgetsAges), false)] {
        let stage = Stage::flawed(1, flaw).await;
        assert_eq!(is_over_after(&stage, A_MONTH_AGO, 230).await, over);
    }
}

/// The uid of a resource, for a status of its own.
trait Uid {
    fn uid_of(&self) -> String;
}

impl Uid for taurus_port_operator::crd::TaurusProxyPort {
    fn uid_of(&self) -> String {
        self.metadata.uid.clone().unwrap_or_default()
    }
}

#[tokio::test(start_paused = true)]
async fn a09_conditions_of_others_outlive_a_change_and_who_drops_them_is_seen() {
    for (flaw, stay) in [(None, true), (Some(Flaw::DropsConditionsOfOthers), false)] {
        let stage = Stage::flawed(1, flaw).await;
        stage.write_condition_of_others("Seen");
        stage.pass(10).await;
        let writes = stage.writes();
        stage.write_condition_of_others("SeenAgain");
        stage.pass(1200).await;
        assert_eq!(stage.writes(), writes, "they cause no write");
        stage.want(3307);
        stage.pass(120).await;
        assert_eq!(stage.requests(), 1);
        assert!(stage.is_ready());
        assert_eq!(stage.breaches().is_empty(), stay, "{:?}", stage.breaches());
        let conditions = stage.object().status.unwrap().conditions;
        let theirs = conditions.iter().any(|one| one.reason == "SeenAgain");
        assert_eq!(theirs, stay);
    }
}

#[tokio::test(start_paused = true)]
async fn a09_who_writes_beside_us_costs_no_look_at_the_cloud() {
    let stage = Stage::set(1).await;
    stage.next_job(1000, 40, true);
    stage.want(3307);
    stage.pass(3).await;
    let quiet = {
        let other = Stage::set(1).await;
        other.next_job(1000, 40, true);
        other.want(3307);
        other.pass(300).await;
        assert!(other.is_ready());
        other.reads()
    };
    for value in 0..297 {
        stage.touch(value);
        stage.pass(1).await;
    }
    assert!(stage.is_ready(), "{}", stage.told());
    let (reads, requests) = (stage.reads(), stage.requests());
    assert_eq!(requests, 1);
    assert!(reads <= quiet + 4, "{reads} reads, {quiet} without company");
}

/// A webhook that takes longer than the time for which an acknowledged record is good.
#[tokio::test(start_paused = true)]
async fn h12_a_slow_api_server_is_named_and_the_cloud_is_not_blamed_for_it() {
    let stage = Stage::set(1).await;
    stage.writes_take(6_000);
    stage.want(3307);
    let mut said = std::collections::BTreeSet::new();
    for _ in 0..900 {
        stage.pass(1).await;
        said.insert(stage.reason());
    }
    assert_eq!(stage.requests(), 0, "{}", stage.told());
    assert!(said.contains("ChangeNotSent"), "{said:?}\n{}", stage.told());
    assert!(
        !said.contains("CloudUnreachable"),
        "{said:?}\n{}",
        stage.told()
    );
    stage.writes_take(0);
    stage.pass(400).await;
    assert_eq!(stage.requests(), 1, "{}", stage.told());
    assert!(stage.is_ready(), "{}", stage.told());
}
