//! What is seen of a running change in each mode.

use serde_json::json;
use taurus_sim::{BusyScope, JobPlan, Mode, Options, Refusal, sample};

use crate::client::{seconds, send, start, start_with};

fn listing(status: &str, port: u16) -> (String, u16) {
    (status.to_owned(), port)
}

#[tokio::test]
async fn each_mode_shows_a_running_change_in_its_way_and_the_new_port_in_the_end() {
    for (mode, during) in [
        (Mode::M1, listing("PORT_MODIFYING", 3306)),
        (Mode::M2, listing("ACTIVE", 3306)),
        (Mode::M3, listing("ACTIVE", 3306)),
        (Mode::M4, listing("ACTIVE", 3307)),
    ] {
        let (simulator, client) = start_with(Options::stepped().mode(mode)).await;
        let id = client.accepted(3307).await;
        for _ in 0..6 {
            assert_eq!(client.listed().await, during, "{mode:?}");
            simulator.advance(seconds(9)).unwrap();
            assert_eq!(client.job_status(&id).await, "Running", "{mode:?}");
            assert_eq!(client.task_ids("?status=Running").await, [&*id], "{mode:?}");
        }
        simulator.advance(seconds(6)).unwrap();
        assert_eq!(client.job_status(&id).await, "Completed", "{mode:?}");
        assert_eq!(client.listed().await, listing("ACTIVE", 3307), "{mode:?}");
        assert_eq!(
            client.change(3307).await.json(),
            json!({"job_id": null}),
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn t06_a_changing_port_has_the_word_of_the_sister_service() {
    let (_simulator, client) = start_with(Options::stepped().mode(Mode::M1)).await;
    client.accepted(3307).await;
    assert_eq!(client.listed().await.0, "PORT_MODIFYING");
}

#[tokio::test]
async fn a_second_change_is_busy_in_all_modes_but_one() {
    for mode in Mode::ALL {
        let (simulator, client) = start_with(Options::stepped().mode(mode)).await;
        client.accepted(3307).await;
        simulator.advance(seconds(30)).unwrap();
        for port in [3306, 3307, 3308] {
            let reply = client.change(port).await;
            match (mode, port) {
                (Mode::M3, 3306) => assert_eq!(
                    reply.json(),
                    json!({"job_id": null}),
                    "that port is still in force"
                ),
                (Mode::M3, _) => assert!(reply.json()["job_id"].is_string(), "{reply:?}"),
                _ => assert_eq!(
                    reply.refusal(),
                    (409, "DBS.200019".to_owned()),
                    "{mode:?} {port}"
                ),
            }
        }
        let ports: Vec<_> = simulator
            .jobs()
            .iter()
            .map(|job| job.port.unwrap())
            .collect();
        assert_eq!(
            ports,
            if mode == Mode::M3 {
                vec![3307, 3307, 3308]
            } else {
                vec![3307]
            }
        );
        simulator.advance(seconds(60)).unwrap();
        assert_eq!(
            client.listed().await.1,
            if mode == Mode::M3 { 3308 } else { 3307 }
        );
    }
}

#[tokio::test]
async fn busy_has_a_code_that_can_be_chosen_and_reaches_as_far_as_is_set() {
    let (simulator, client) = start().await;
    simulator.configure(|behaviour| behaviour.busy = Refusal::new(403, "DBS.201014"));
    let backup = simulator
        .start_job(sample::INSTANCE, "Backup", JobPlan::lasting(seconds(300)))
        .unwrap();
    assert_eq!(
        client.change(3307).await.refusal(),
        (403, "DBS.201014".to_owned())
    );
    simulator.configure(|behaviour| behaviour.busy_scope = BusyScope::Proxy);
    let id = client.accepted(3307).await;
    simulator.advance(seconds(3)).unwrap();
    assert_eq!(client.task_ids("").await, [id, backup], "the newest first");
}

#[tokio::test]
async fn work_on_one_instance_does_not_touch_another() {
    let (simulator, client) = start().await;
    client.accepted(3307).await;
    let request = client.change_request(
        sample::OTHER_INSTANCE,
        sample::OTHER_PROXY,
        r#"{"port":3310}"#,
    );
    assert!(send(request).await.unwrap().json()["job_id"].is_string());
    simulator.advance(seconds(60)).unwrap();
    assert_eq!(simulator.proxy(sample::PROXY).unwrap().actual_port, 3307);
    assert_eq!(
        simulator.proxy(sample::OTHER_PROXY).unwrap().actual_port,
        3310
    );
}

#[tokio::test]
async fn a_proxy_can_have_a_mode_of_its_own() {
    let (simulator, client) = start().await;
    simulator
        .set_proxy_mode(sample::PROXY, Some(Mode::M4))
        .unwrap();
    client.accepted(3307).await;
    assert_eq!(client.listed().await, listing("ACTIVE", 3307));
    assert_eq!(simulator.proxy(sample::PROXY).unwrap().actual_port, 3306);
    assert_eq!(simulator.proxy(sample::OTHER_PROXY).unwrap().mode, Mode::M2);
}

#[tokio::test]
async fn nothing_is_changed_while_proxy_or_instance_are_not_active() {
    let (simulator, client) = start().await;
    simulator
        .set_status(sample::PROXY, "ADDING READ REPLICAS TO PROXY")
        .unwrap();
    assert_eq!(client.listed().await.0, "ADDING READ REPLICAS TO PROXY");
    assert_eq!(
        client.change(3307).await.refusal(),
        (409, "DBS.201014".to_owned())
    );
    simulator.set_status(sample::PROXY, "ACTIVE").unwrap();
    for (status, http, code) in [
        ("BACKING UP", 409, "DBS.201205"),
        ("FROZEN", 400, "DBS.280449"),
        ("STORAGE FULL", 409, "DBS.200316"),
        ("REBOOTING", 409, "DBS.201014"),
    ] {
        simulator
            .set_instance_status(sample::INSTANCE, status)
            .unwrap();
        assert_eq!(
            client.change(3307).await.refusal(),
            (http, code.to_owned()),
            "{status}"
        );
    }
    simulator
        .set_instance_status(sample::INSTANCE, "ACTIVE")
        .unwrap();
    client.accepted(3307).await;
}

#[tokio::test]
async fn the_pool_shares_only_the_words_that_it_knows() {
    let (simulator, client) = start().await;
    for (status, pool) in [
        ("ABNORMAL", "ABNORMAL"),
        ("FAILED", "FAILED"),
        ("CHANGING WEIGHTS", "ACTIVE"),
    ] {
        simulator.set_status(sample::PROXY, status).unwrap();
        let row = client.list("").await.json()["proxy_list"][0]["proxy"].clone();
        assert_eq!(
            (&row["status"], &row["pool_status"]),
            (&status.into(), &pool.into())
        );
    }
}

#[tokio::test]
async fn drift_shows_at_once_and_a_running_job_still_wins_in_the_end() {
    let (simulator, client) = start().await;
    simulator.set_port(sample::PROXY, 3400).unwrap();
    assert_eq!(client.listed().await, listing("ACTIVE", 3400));
    client.accepted(3307).await;
    simulator.advance(seconds(30)).unwrap();
    simulator.set_port(sample::PROXY, 3500).unwrap();
    assert_eq!(client.listed().await, listing("ACTIVE", 3500));
    simulator.advance(seconds(30)).unwrap();
    assert_eq!(client.listed().await, listing("ACTIVE", 3307));
    // Time stands still, but what is set now comes after the end of the job.
    simulator.set_port(sample::PROXY, 3600).unwrap();
    assert_eq!(client.listed().await, listing("ACTIVE", 3600));
    simulator.set_address(sample::PROXY, "10.1.2.3").unwrap();
    assert_eq!(
        client.list("").await.json()["proxy_list"][0]["proxy"]["address"],
        "10.1.2.3"
    );
}
