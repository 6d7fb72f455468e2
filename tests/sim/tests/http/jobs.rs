//! The course of jobs.

use serde_json::{Value, json};
use taurus_sim::{JobOutcome, JobPlan, JobState, MissingJob, Mode, Options, PortShows, sample};

use crate::client::{seconds, start, start_with};

#[tokio::test]
async fn a_new_job_cannot_be_queried_for_a_while_in_each_way_of_saying_so() {
    let (simulator, client) = start().await;
    simulator.default_job(JobPlan::default().visible_after(seconds(15)));
    let id = client.accepted(3307).await;
    assert_eq!(
        client.job(&id).await.refusal(),
        (400, "DBS.200543".to_owned())
    );
    assert!(client.task_ids("").await.is_empty());
    simulator.configure(|behaviour| behaviour.missing_job = MissingJob::NullJob);
    simulator.advance(seconds(14)).unwrap();
    assert_eq!(client.job(&id).await.json(), json!({"job": null}));
    simulator.advance(seconds(1)).unwrap();
    assert_eq!(client.job_status(&id).await, "Running");
    assert_eq!(client.task_ids("").await, [id]);
}

#[tokio::test]
async fn jobs_end_in_each_way_and_only_completed_ones_change_the_port() {
    for (outcome, word, reason, port) in [
        (JobOutcome::Completed, "Completed", "", 3307),
        (
            JobOutcome::Failed {
                reason: Some("no quorum".to_owned()),
            },
            "Failed",
            "no quorum",
            3306,
        ),
        (JobOutcome::Failed { reason: None }, "Failed", "", 3306),
        (JobOutcome::Canceled, "Canceled", "", 3306),
        (JobOutcome::Unauthorized, "Unauthorized", "", 3306),
        (JobOutcome::NeverEnds, "Running", "", 3306),
    ] {
        for mode in Mode::ALL {
            let (simulator, client) = start_with(
                Options::stepped()
                    .mode(mode)
                    .job(JobPlan::ending(outcome.clone())),
            )
            .await;
            let id = client.accepted(3307).await;
            simulator.advance(seconds(24 * 3600)).unwrap();
            let job = client.job(&id).await.json()["job"].clone();
            assert_eq!(
                (job["status"].as_str(), job["fail_reason"].as_str()),
                (Some(word), Some(reason))
            );
            assert_eq!(
                simulator.proxy(sample::PROXY).unwrap().actual_port,
                port,
                "{outcome:?} {mode:?}"
            );
            let endless = matches!(outcome, JobOutcome::Unauthorized | JobOutcome::NeverEnds);
            let listed = if endless && mode == Mode::M4 {
                3307
            } else {
                port
            };
            assert_eq!(client.listed().await.1, listed, "{outcome:?} {mode:?}");
            assert_eq!(job["ended"] == "", endless);
            let refused = client.change(3399).await.status == 409;
            assert_eq!(refused, endless && mode != Mode::M3, "{outcome:?} {mode:?}");
        }
    }
}

#[tokio::test]
async fn a_failing_job_in_m4_shows_its_port_until_it_fails() {
    let (simulator, client) = start_with(
        Options::stepped()
            .mode(Mode::M4)
            .job(JobPlan::failing("no quorum")),
    )
    .await;
    client.accepted(3307).await;
    simulator.advance(seconds(59)).unwrap();
    assert_eq!(client.listed().await.1, 3307);
    simulator.advance(seconds(1)).unwrap();
    assert_eq!(client.listed().await.1, 3306);
}

#[tokio::test]
async fn a_job_can_be_pending_first() {
    let (simulator, client) = start().await;
    simulator.next_job(JobPlan {
        pending: seconds(100),
        ..JobPlan::default()
    });
    let id = client.accepted(3307).await;
    simulator.advance(seconds(99)).unwrap();
    assert_eq!(client.job_status(&id).await, "Pending");
    assert_eq!(client.task_ids("?status=Pending").await, [&*id]);
    assert_eq!(
        client.change(3308).await.status,
        409,
        "it stands in the way"
    );
    simulator.advance(seconds(1)).unwrap();
    assert_eq!(client.job_status(&id).await, "Running");
    simulator.advance(seconds(60)).unwrap();
    assert_eq!(client.job_status(&id).await, "Completed");
}

#[tokio::test]
async fn status_words_can_be_spelt_in_odd_ways() {
    for word in [
        json!("COMPLETED"),
        json!("Completed "),
        json!("SUCCESS"),
        Value::Null,
    ] {
        let (simulator, client) = start().await;
        simulator.next_job_of(
            sample::PROXY,
            JobPlan::default()
                .running_word("Rollbacking")
                .end_word(word.clone()),
        );
        let id = client.accepted(3307).await;
        simulator.advance(seconds(59)).unwrap();
        assert_eq!(client.job_status(&id).await, "Rollbacking");
        assert_eq!(
            client.task_ids("?status=Running").await,
            [&*id],
            "the filter goes by the truth"
        );
        simulator.advance(seconds(1)).unwrap();
        assert_eq!(client.job_status(&id).await, word);
        assert_eq!(client.listed().await.1, 3307);
    }
}

#[tokio::test]
async fn the_list_can_be_early_lag_behind_or_never_change() {
    for (shows, at, before, then) in [
        (PortShows::AtOnce, 0, 3307, 3307),
        (PortShows::Before(seconds(10)), 50, 3306, 3307),
        (PortShows::AtEnd, 60, 3306, 3307),
        (PortShows::After(seconds(90)), 150, 3306, 3307),
        (PortShows::Never, 100_000, 3306, 3306),
    ] {
        let (simulator, client) = start().await;
        simulator.next_job(JobPlan::default().port_shows(shows));
        let id = client.accepted(3307).await;
        if at > 0 {
            simulator.advance(seconds(at - 1)).unwrap();
            assert_eq!(client.listed().await.1, before, "{shows:?}");
            simulator.advance(seconds(1)).unwrap();
        }
        assert_eq!(client.listed().await.1, then, "{shows:?}");
        simulator.advance(seconds(60)).unwrap();
        assert_eq!(client.job_status(&id).await, "Completed", "{shows:?}");
    }
}

#[tokio::test]
async fn a_list_that_lags_does_not_hide_that_the_port_is_in_force() {
    let (simulator, client) = start().await;
    simulator.next_job(JobPlan::default().port_shows(PortShows::After(seconds(90))));
    client.accepted(3307).await;
    simulator.advance(seconds(60)).unwrap();
    assert_eq!(client.listed().await.1, 3306);
    assert_eq!(client.change(3307).await.json(), json!({"job_id": null}));
    let proxy = simulator.proxy(sample::PROXY).unwrap();
    assert_eq!(
        (proxy.listed_port, proxy.actual_port, proxy.requested_port),
        (3306, 3307, None)
    );
}

#[tokio::test]
async fn a_record_can_be_deleted_and_is_gone_after_a_month_while_the_job_goes_on() {
    let (simulator, client) = start().await;
    let first = client.accepted(3307).await;
    simulator.advance(seconds(10)).unwrap();
    simulator.forget_job(&first).unwrap();
    assert_eq!(
        client.job(&first).await.refusal(),
        (400, "DBS.200543".to_owned())
    );
    assert!(client.task_ids("").await.is_empty());
    assert_eq!(client.change(3308).await.status, 409);
    simulator.advance(seconds(50)).unwrap();
    assert_eq!(client.listed().await.1, 3307);

    let second = client.accepted(3308).await;
    simulator.advance(seconds(30 * 24 * 3600 - 1)).unwrap();
    assert_eq!(client.job_status(&second).await, "Completed");
    simulator.advance(seconds(1)).unwrap();
    assert_eq!(
        client.job(&second).await.refusal(),
        (400, "DBS.200543".to_owned())
    );
}

#[tokio::test]
async fn plans_are_used_in_order_and_by_the_proxy_they_are_for() {
    let (simulator, client) = start().await;
    simulator.next_job_of(sample::OTHER_PROXY, JobPlan::ending(JobOutcome::NeverEnds));
    simulator.next_job(JobPlan::lasting(seconds(5)));
    simulator.next_job_of(sample::PROXY, JobPlan::lasting(seconds(7)));
    for (port, duration) in [(3307, 5), (3308, 7), (3309, 60)] {
        let id = client.accepted(port).await;
        let job = simulator
            .jobs()
            .into_iter()
            .find(|job| job.id == id)
            .unwrap();
        assert_eq!(
            job.ends.unwrap().duration_since(job.accepted),
            jiff::SignedDuration::from_secs(duration)
        );
        simulator.advance(seconds(60)).unwrap();
    }
}

#[tokio::test]
async fn a_job_can_be_ended_by_hand() {
    let (simulator, client) = start().await;
    simulator.default_job(JobPlan::ending(JobOutcome::NeverEnds));
    let id = client.accepted(3307).await;
    simulator.advance(seconds(1000)).unwrap();
    simulator.end_job(&id, JobOutcome::Completed).unwrap();
    assert_eq!(client.job_status(&id).await, "Completed");
    assert_eq!(client.listed().await.1, 3307);
    assert!(
        simulator.end_job(&id, JobOutcome::Canceled).is_err(),
        "it has ended"
    );

    simulator.default_job(JobPlan {
        pending: seconds(100),
        ..JobPlan::default().visible_after(seconds(0))
    });
    let id = client.accepted(3308).await;
    simulator.end_job(&id, JobOutcome::Canceled).unwrap();
    assert_eq!(client.job_status(&id).await, "Canceled");
    assert_eq!(simulator.jobs().last().unwrap().state, JobState::Canceled);
}
