//! The task list.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use taurus_sim::{JobPlan, Simulator, TaskOffset, sample};

use crate::client::{Client, seconds, start};

/// Jobs that were accepted ten seconds apart and have completed; their ids, newest first.
async fn with_jobs(count: usize) -> (Simulator, Client, Vec<String>) {
    let (simulator, client) = start().await;
    let plan = JobPlan::lasting(seconds(5)).visible_after(seconds(0));
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.insert(
            0,
            simulator
                .start_job(sample::INSTANCE, "Backup", plan.clone())
                .unwrap(),
        );
        simulator.advance(seconds(10)).unwrap();
    }
    (simulator, client, ids)
}

#[tokio::test]
async fn pages_follow_what_the_offset_counts() {
    let (simulator, client, ids) = with_jobs(25).await;
    let page = |from: usize, to: usize| ids[from..to].to_vec();
    for (counting, query, expected) in [
        (TaskOffset::ItemsFromZero, "", page(0, 10)),
        (TaskOffset::ItemsFromZero, "?offset=0&limit=10", page(0, 10)),
        (TaskOffset::ItemsFromZero, "?offset=1&limit=10", page(1, 11)),
        (
            TaskOffset::ItemsFromZero,
            "?offset=20&limit=10",
            page(20, 25),
        ),
        (TaskOffset::ItemsFromZero, "?offset=25&limit=50", page(0, 0)),
        (TaskOffset::ItemsFromOne, "", page(0, 10)),
        (TaskOffset::ItemsFromOne, "?offset=1&limit=10", page(0, 10)),
        (TaskOffset::ItemsFromOne, "?offset=2&limit=20", page(1, 21)),
        (TaskOffset::ItemsFromOne, "?offset=26&limit=10", page(0, 0)),
        (TaskOffset::Pages, "?offset=1&limit=10", page(0, 10)),
        (TaskOffset::Pages, "?offset=2&limit=20", page(20, 25)),
        (TaskOffset::Pages, "?offset=3&limit=10", page(20, 25)),
        (TaskOffset::Pages, "?offset=4&limit=10", page(0, 0)),
    ] {
        simulator.configure(|behaviour| behaviour.task_offset = counting);
        assert_eq!(
            client.task_ids(query).await,
            expected,
            "{counting:?} {query}"
        );
        assert_eq!(client.tasks(query).await.json()["total_count"], 25);
    }
}

/// Reads the list as the vendor's Terraform data source of instant tasks does: pages of 50 from 1, until a short one.
async fn as_the_data_source(client: &Client) -> (Vec<String>, usize) {
    let (mut found, mut requests) = (Vec::new(), 0);
    loop {
        requests += 1;
        let query = format!("?limit=50&offset={requests}");
        let page = client.task_ids(&query).await;
        let is_last = page.len() < 50;
        found.extend(page);
        if is_last {
            return (found, requests);
        }
    }
}

#[tokio::test]
async fn t02_the_vendors_data_source_sees_each_task_once_in_three_requests() {
    let (_simulator, client, ids) = with_jobs(120).await;
    assert_eq!(as_the_data_source(&client).await, (ids, 3));
}

#[tokio::test]
async fn t02_an_offset_of_zero_is_the_first_page_unless_it_is_refused() {
    let (simulator, client, ids) = with_jobs(3).await;
    for counting in TaskOffset::ALL {
        simulator.configure(|behaviour| {
            behaviour.task_offset = counting;
            behaviour.refuses_task_offset_0 = false;
        });
        assert_eq!(client.task_ids("?offset=0").await, ids, "{counting:?}");
        simulator.configure(|behaviour| behaviour.refuses_task_offset_0 = true);
        let refused = client.tasks("?offset=0").await.refusal();
        assert_eq!(refused, (400, "DBS.200001".to_owned()), "{counting:?}");
        assert_eq!(client.tasks("?offset=1").await.status, 200, "{counting:?}");
    }
}

#[tokio::test]
async fn t03_a_time_with_a_plus_that_is_not_encoded_is_read() {
    let (simulator, client, ids) = with_jobs(3).await;
    let second = simulator.jobs()[1].accepted;
    let raw = second
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%S+0000");
    let later = client.task_ids(&format!("?start_time={raw}")).await;
    assert_eq!(later, ids[..2]);
}

#[tokio::test]
async fn filters_narrow_the_list_and_its_count() {
    let (simulator, client, ids) = with_jobs(4).await;
    let running = simulator
        .start_job(sample::OTHER_INSTANCE, "Upgrade", JobPlan::default())
        .unwrap();
    simulator.advance(seconds(10)).unwrap();
    let accepted = |id: &str| {
        simulator
            .jobs()
            .iter()
            .find(|job| job.id == id)
            .unwrap()
            .accepted
    };
    let form = |at: Timestamp| {
        at.to_zoned(TimeZone::UTC)
            .strftime("%Y-%m-%dT%H:%M:%S%%2B0000")
            .to_string()
    };
    let (second, third) = (form(accepted(&ids[2])), form(accepted(&ids[1])));
    for (query, expected) in [
        ("?status=Running".to_owned(), vec![running.clone()]),
        ("?status=Completed".to_owned(), ids.clone()),
        ("?status=Failed".to_owned(), vec![]),
        ("?job_name=Upgrade".to_owned(), vec![running.clone()]),
        (format!("?job_id={}", ids[0]), vec![ids[0].clone()]),
        (
            format!("?start_time={second}&end_time={third}"),
            vec![ids[1].clone(), ids[2].clone()],
        ),
        (
            format!("?start_time={third}&status=Completed"),
            vec![ids[0].clone(), ids[1].clone()],
        ),
    ] {
        assert_eq!(client.task_ids(&query).await, expected, "{query}");
        assert_eq!(
            client.tasks(&query).await.json()["total_count"],
            expected.len(),
            "{query}"
        );
    }
}

#[tokio::test]
async fn what_the_page_does_not_allow_is_refused() {
    let (_simulator, client) = start().await;
    for query in [
        "?limit=100",
        "?limit=0",
        "?limit=ten",
        "?offset=-1",
        "?status=running",
        "?start_time=1772440805000",
        "?start_time=2026-03-02T08:40:05++0000",
        "?start_time=2026-03-02+08:40:05",
    ] {
        assert_eq!(
            client.tasks(query).await.refusal(),
            (400, "DBS.200001".to_owned()),
            "{query}"
        );
    }
}

#[tokio::test]
async fn jobs_of_an_instance_that_vanished_stay_in_the_list() {
    let (simulator, client, ids) = with_jobs(1).await;
    simulator
        .set_instance_present(sample::INSTANCE, false)
        .unwrap();
    let json = client.tasks("").await.json();
    assert_eq!(
        (
            json["jobs"][0]["job_id"].as_str(),
            json["jobs"][0]["instance_status"].as_str()
        ),
        (Some(&*ids[0]), Some("deleted"))
    );
}
