//! Every documented answer, field by field, and every documented refusal.

use reqwest::Method;
use serde_json::{Value, json};
use taurus_sim::{
    Filter, Fleet, MissingInstance, MissingJob, Operation, Options, Outcome, Refusal, SamePort,
    sample,
};

use crate::client::{change_path, list_path, seconds, send, start, start_with};

/// Fields of an object with the kinds of their values.
fn shape(object: &Value) -> Vec<String> {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    object
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("{name}: {}", kind(value)))
        .collect()
}

fn sorted(fields: &str) -> Vec<String> {
    let mut fields: Vec<_> = fields
        .split(',')
        .map(|field| field.trim().to_owned())
        .collect();
    fields.sort_unstable();
    fields
}

#[tokio::test]
async fn the_list_has_every_documented_field() {
    let (_simulator, client) = start().await;
    let reply = client.list("?offset=0&limit=100").await;
    assert_eq!(reply.status, 200);
    assert_eq!(shape(&reply.json()), ["proxy_list: array"]);
    let row = &reply.json()["proxy_list"][0];
    assert_eq!(
        shape(row),
        sorted("proxy: object, master_node: object, readonly_nodes: array, htap_nodes: array")
    );
    let proxy = "pool_id: string, name: string, status: string, pool_status: string, address: string, port: number, \
        elb_vip: string, eip: string, delay_threshold_in_seconds: number, vcpus: string, ram: string, node_num: number, \
        nodes: array, flavor_ref: string, mode: string, type: string, route_mode: number, \
        balance_route_mode_enabled: bool, consistence_mode: string, connection_pool_type: string, \
        switch_connection_pool_type_enabled: bool, transaction_split: string, subnet_id: string, ssl_option: string, \
        new_node_auto_add_status: string, new_node_weight: number, support_ap_node: bool, created_at: string, \
        updated_at: string";
    assert_eq!(shape(&row["proxy"]), sorted(proxy));
    let node = "id: string, name: string, status: string, role: string, az_code: string, frozen_flag: number";
    assert_eq!(shape(&row["proxy"]["nodes"][0]), sorted(node));
    let database_node = "id: string, instance_id: string, status: string, name: string, weight: number, availability_zone: array";
    assert_eq!(shape(&row["master_node"]), sorted(database_node));
    assert_eq!(shape(&row["readonly_nodes"][0]), sorted(database_node));
    assert_eq!(
        shape(&row["master_node"]["availability_zone"][0]),
        ["code: string", "description: string"]
    );
    assert_eq!(row["proxy"]["pool_id"], sample::PROXY);
    assert_eq!(
        (
            row["proxy"]["status"].as_str(),
            row["proxy"]["port"].as_u64()
        ),
        (Some("ACTIVE"), Some(3306))
    );
}

#[tokio::test]
async fn t04_a_split_of_transactions_is_true_or_false_in_text() {
    let (_simulator, client) = start().await;
    let row = &client.list("").await.json()["proxy_list"][0];
    assert_eq!(row["proxy"]["transaction_split"], "false");
}

#[tokio::test]
async fn t05_details_are_of_the_instances_that_are_named_and_no_instance_of_their_own() {
    let (_simulator, client) = start().await;
    let path = format!("/v3/{}/instances/details", sample::PROJECT);
    let refusal = client.get(&path).await.refusal();
    assert_eq!(refusal, (400, "DBS.200001".to_owned()));
    let named = format!("{path}?instance_ids=details,{}", sample::INSTANCE);
    let found = client.get(&named).await.json();
    let ids: Vec<_> = found["instances"].as_array().unwrap().iter().collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(ids[0]["id"], sample::INSTANCE);
}

#[tokio::test]
async fn the_instance_has_its_documented_fields_and_names_its_proxies_without_ports() {
    let (_simulator, client) = start().await;
    let reply = client
        .get(&format!(
            "/v3/{}/instances/{}",
            sample::PROJECT,
            sample::INSTANCE
        ))
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(shape(&reply.json()), ["instance: object"]);
    let instance = &reply.json()["instance"];
    let fields = "id: string, name: string, project_id: string, status: string, port: string, alias: string, \
        type: string, charge_info: object, node_count: number, datastore: object, backup_used_space: number, \
        created: string, updated: string, private_write_ips: array, private_dns_names: array, public_ips: string, \
        db_user_name: string, vpc_id: string, subnet_id: string, security_group_id: string, configuration_id: string, \
        backup_strategy: object, nodes: array, enterprise_project_id: string, time_zone: string, az_mode: string, \
        master_az_code: string, maintenance_window: string, tags: array, proxies: array";
    assert_eq!(shape(instance), sorted(fields));
    assert_eq!(
        shape(&instance["proxies"][0]),
        ["address: string", "name: string", "pool_id: string"]
    );
    assert_eq!(
        (instance["id"].as_str(), instance["status"].as_str()),
        (Some(sample::INSTANCE), Some("ACTIVE"))
    );
}

#[tokio::test]
async fn a_job_and_its_task_have_every_documented_field() {
    let (simulator, client) = start().await;
    let id = client.accepted(3307).await;
    simulator.advance(seconds(24)).unwrap();

    let job = client.job(&id).await.json()["job"].clone();
    let fields = "id: string, name: string, status: string, created: string, ended: string, process: string, \
        instance: object, entities: object, fail_reason: string";
    assert_eq!(shape(&job), sorted(fields));
    assert_eq!(shape(&job["instance"]), ["id: string", "name: string"]);
    assert_eq!(
        (job["id"].as_str(), job["status"].as_str()),
        (Some(&*id), Some("Running"))
    );
    assert_eq!(
        (job["process"].as_str(), job["ended"].as_str()),
        (Some("40%"), Some(""))
    );
    assert!(job["created"].as_str().unwrap().ends_with("+0800"), "{job}");

    let tasks = client.tasks("").await.json();
    assert_eq!(
        shape(&tasks),
        sorted("jobs: array, total_count: number, action_names: array")
    );
    let fields = "instance_id: string, instance_name: string, instance_status: string, job_id: string, \
        order_id: string, job_name: string, status: string, process: string, created_time: string, ended_time: string, \
        fail_reason: string, show_detail: bool, extend_fields: null";
    assert_eq!(shape(&tasks["jobs"][0]), sorted(fields));
    assert_eq!(tasks["jobs"][0]["instance_status"], "normal");

    simulator.advance(seconds(36)).unwrap();
    let job = client.job(&id).await.json()["job"].clone();
    assert_eq!(
        (job["status"].as_str(), job["process"].as_str()),
        (Some("Completed"), Some(""))
    );
    assert!(
        job["ended"].as_str().unwrap() > job["created"].as_str().unwrap(),
        "{job}"
    );
}

#[tokio::test]
async fn every_answer_has_an_id_a_date_by_the_simulators_clock_and_is_json() {
    let (simulator, client) = start().await;
    let now = simulator.advance(seconds(365 * 24 * 3600)).unwrap();
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut ids = std::collections::BTreeSet::new();
    for reply in [
        client.list("").await,
        client.change(1).await,
        client.job("x").await,
        client.get("/nothing").await,
    ] {
        assert_eq!(
            (reply.header("date"), reply.header("content-type")),
            (&*date, "application/json")
        );
        ids.insert(reply.header("x-request-id").to_owned());
    }
    assert_eq!(ids.len(), 4, "{ids:?}");
}

#[tokio::test]
async fn pages_of_the_list_follow_offset_and_limit() {
    let mut fleet = Fleet::new()
        .project(sample::PROJECT)
        .instance(sample::INSTANCE);
    for number in 0..150 {
        fleet = fleet.proxy(&Fleet::numbered_proxy(number), 3306);
    }
    let (simulator, client) = start_with(Options::stepped().fleet(fleet)).await;
    for (query, expected) in [
        ("", 0..100),
        ("?limit=10", 0..10),
        ("?offset=100", 100..150),
        ("?offset=95&limit=10", 95..105),
        ("?offset=149&limit=1", 149..150),
        ("?offset=150&limit=100", 0..0),
        ("?offset=5000", 0..0),
    ] {
        let json = client.list(query).await.json();
        let ids: Vec<_> = json["proxy_list"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["proxy"]["pool_id"].clone())
            .collect();
        let expected: Vec<_> = expected
            .map(|number| json!(Fleet::numbered_proxy(number)))
            .collect();
        assert_eq!(ids, expected, "{query}");
    }
    for query in [
        "?limit=0",
        "?limit=101",
        "?limit=-1",
        "?limit=ten",
        "?offset=-1",
        "?offset=x",
    ] {
        assert_eq!(
            client.list(query).await.refusal(),
            (400, "DBS.200001".to_owned()),
            "{query}"
        );
    }
    simulator.configure(|behaviour| behaviour.default_limit = 10);
    assert_eq!(
        client.list("").await.json()["proxy_list"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
}

#[tokio::test]
async fn a_change_is_refused_by_form_existence_and_port() {
    let (simulator, client) = start().await;
    let change = async |instance: &str, proxy: &str, body: &str| {
        send(client.change_request(instance, proxy, body))
            .await
            .unwrap()
            .refusal()
    };
    let stranger = Fleet::numbered_proxy(9);
    for (instance, proxy, body, code) in [
        (sample::INSTANCE, sample::PROXY, "", "DBS.200006"),
        (sample::INSTANCE, sample::PROXY, "{}", "DBS.200001"),
        (
            sample::INSTANCE,
            sample::PROXY,
            r#"{"port":"3307"}"#,
            "DBS.200001",
        ),
        (
            sample::INSTANCE,
            sample::PROXY,
            r#"{"port":1024}"#,
            "DBS.200461",
        ),
        (
            sample::INSTANCE,
            sample::PROXY,
            r#"{"port":33060}"#,
            "DBS.200461",
        ),
        (
            sample::INSTANCE,
            &stranger,
            r#"{"port":3307}"#,
            "DBS.270024",
        ),
        (
            sample::INSTANCE,
            sample::OTHER_PROXY,
            r#"{"port":3307}"#,
            "DBS.05000022",
        ),
        ("not-an-id", sample::PROXY, r#"{"port":3307}"#, "DBS.280404"),
    ] {
        assert_eq!(
            change(instance, proxy, body).await,
            (400, code.to_owned()),
            "{instance} {proxy} {body}"
        );
    }
    let missing = Fleet::numbered_instance(9);
    assert_eq!(
        change(&missing, sample::PROXY, r#"{"port":3307}"#).await,
        (404, "DBS.200002".to_owned())
    );
    assert!(simulator.jobs().is_empty());

    simulator.configure(|behaviour| {
        behaviour.accepts_33060 = true;
        behaviour.bad_port = Refusal::new(400, "DBS.05000032");
    });
    assert_eq!(
        client.change(1024).await.refusal(),
        (400, "DBS.05000032".to_owned())
    );
    client.accepted(33060).await;
}

#[tokio::test]
async fn a_change_has_to_say_that_it_is_json_and_in_which_language_to_answer() {
    let (simulator, client) = start().await;
    let path = change_path(sample::INSTANCE, sample::PROXY);
    let request = || client.request(Method::PUT, &path).body(r#"{"port":3307}"#);
    for refused in [
        request(),
        request().header("Content-Type", "text/plain"),
        request()
            .header("Content-Type", "application/json")
            .header("X-Language", "de-de"),
    ] {
        assert_eq!(
            send(refused).await.unwrap().refusal(),
            (400, "DBS.200001".to_owned())
        );
    }
    assert!(simulator.jobs().is_empty());
    let fine = request()
        .header("Content-Type", "application/json;charset=UTF-8")
        .header("X-Language", "zh-cn");
    assert_eq!(send(fine).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_port_in_force_is_a_success_without_a_job() {
    let (simulator, client) = start().await;
    for (same_port, body) in [
        (SamePort::Null, r#"{"job_id":null}"#),
        (SamePort::Absent, "{}"),
        (SamePort::Empty, r#"{"job_id":""}"#),
    ] {
        simulator.configure(|behaviour| behaviour.same_port = same_port);
        let reply = client.change(sample::PORT).await;
        assert_eq!((reply.status, &*reply.body), (200, body));
    }
    assert!(simulator.jobs().is_empty());
}

#[tokio::test]
async fn an_instance_that_is_not_there_is_reported_in_each_way() {
    let (simulator, client) = start().await;
    simulator
        .set_instance_present(sample::INSTANCE, false)
        .unwrap();
    for (switch, list, change) in [
        (
            MissingInstance::NotFound,
            (404, "DBS.200002"),
            (404, "DBS.200002"),
        ),
        (
            MissingInstance::NotFound201028,
            (404, "DBS.201028"),
            (404, "DBS.201028"),
        ),
        (
            MissingInstance::BadRequest201028,
            (400, "DBS.201028"),
            (400, "DBS.201028"),
        ),
        (
            MissingInstance::Conflict200932,
            (409, "DBS.200932"),
            (404, "DBS.200002"),
        ),
    ] {
        simulator.configure(|behaviour| behaviour.missing_instance = switch);
        let own = |(status, code): (u16, &str)| (status, code.to_owned());
        assert_eq!(client.list("").await.refusal(), own(list), "{switch:?}");
        assert_eq!(
            client.change(3307).await.refusal(),
            own(change),
            "{switch:?}"
        );
    }
    simulator
        .set_instance_present(sample::INSTANCE, true)
        .unwrap();
    assert_eq!(client.list("").await.status, 200);
}

#[tokio::test]
async fn a_proxy_that_vanished_is_not_listed_and_not_found_until_it_is_back() {
    let (simulator, client) = start().await;
    simulator.set_present(sample::PROXY, false).unwrap();
    assert_eq!(client.list("").await.json(), json!({"proxy_list": []}));
    assert_eq!(
        client.change(3307).await.refusal(),
        (400, "DBS.270024".to_owned())
    );
    simulator.set_present(sample::PROXY, true).unwrap();
    assert_eq!(client.listed().await, ("ACTIVE".to_owned(), 3306));
}

#[tokio::test]
async fn a_job_that_is_not_there_is_reported_in_each_way() {
    let (simulator, client) = start().await;
    let unknown = "2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541";
    for (switch, status, code) in [
        (MissingJob::Code, 400, "DBS.200543"),
        (MissingJob::NotFound, 404, "DBS.200543"),
    ] {
        simulator.configure(|behaviour| behaviour.missing_job = switch);
        assert_eq!(
            client.job(unknown).await.refusal(),
            (status, code.to_owned())
        );
    }
    simulator.configure(|behaviour| behaviour.missing_job = MissingJob::NullJob);
    let reply = client.job(unknown).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"job": null})));
    assert_eq!(
        client.job("").await.refusal(),
        (400, "DBS.200001".to_owned())
    );
}

#[tokio::test]
async fn a_foreign_or_unknown_project_is_refused() {
    let (_simulator, client) = start().await;
    let unknown = "0".repeat(32);
    let reply = client.get(&format!("/v3/{unknown}/immediate-jobs")).await;
    assert_eq!(reply.refusal(), (403, "DBS.200010".to_owned()));
    for (named, status) in [(sample::PROJECT, 200), (&*unknown, 403)] {
        let request = client.request(Method::GET, &list_path(sample::INSTANCE));
        assert_eq!(
            send(request.header("X-Project-Id", named))
                .await
                .unwrap()
                .status,
            status
        );
    }
}

#[tokio::test]
async fn whatever_else_is_asked_for_does_not_exist_and_is_in_the_journal() {
    let (simulator, client) = start().await;
    let sister = format!(
        "/v3/{}/instances/{}/port",
        sample::PROJECT,
        sample::INSTANCE
    );
    let request = client
        .request(Method::PUT, &sister)
        .header("Content-Type", "application/json");
    let reply = send(request.body(r#"{"port":3307}"#)).await.unwrap();
    assert_eq!(reply.refusal(), (404, "APIGW.0101".to_owned()));
    assert_eq!(reply.json()["request_id"], reply.header("x-request-id"));
    let wrong_method = send(client.request(Method::DELETE, &list_path(sample::INSTANCE)))
        .await
        .unwrap();
    assert_eq!(wrong_method.refusal(), (404, "APIGW.0101".to_owned()));

    let entries = simulator.entries(&Filter::on(Operation::Other));
    assert_eq!(entries.len(), 2);
    assert_eq!(
        (&*entries[0].path, entries[0].outcome, entries[0].work_done),
        (&*sister, Outcome::Answered, false)
    );
    assert!(simulator.jobs().is_empty());
}

#[tokio::test]
async fn a_record_that_is_deleted_is_gone_and_its_job_goes_on() {
    let (simulator, client) = start().await;
    let id = client.accepted(3307).await;
    let delete = async |id: &str| {
        let path = format!("/v3/{}/jobs/{id}", sample::PROJECT);
        send(client.request(Method::DELETE, &path)).await.unwrap()
    };
    let missing = (400, "DBS.200543".to_owned());
    assert_eq!(delete(&id).await.refusal(), missing, "not visible yet");
    simulator.advance(seconds(5)).unwrap();
    assert_eq!(delete(&id).await.status, 200);
    assert_eq!(delete(&id).await.refusal(), missing);
    assert_eq!(client.job(&id).await.refusal(), missing);
    assert!(client.task_ids("").await.is_empty());
    simulator.advance(seconds(60)).unwrap();
    assert_eq!(client.listed().await.1, 3307);
    let deletions = Filter::on(Operation::DeleteTask).proxy(sample::PROXY);
    assert_eq!(simulator.count(&deletions), 3);
}

#[tokio::test]
async fn addresses_and_bodies_have_the_gateways_limits() {
    let (simulator, client) = start().await;
    let long = format!("?limit=10&filler={}", "x".repeat(33 * 1024));
    let reply = client.list(&long).await;
    assert_eq!(reply.refusal(), (414, "APIGW.0201".to_owned()));
    let fine = format!("?limit=10&filler={}", "x".repeat(31 * 1024));
    assert_eq!(client.list(&fine).await.status, 200);
    let body = " ".repeat(12 * 1024 * 1024 + 1);
    let large = client.change_request(sample::INSTANCE, sample::PROXY, &body);
    let reply = send(large).await.unwrap();
    assert_eq!(reply.refusal(), (413, "APIGW.0201".to_owned()));
    assert!(simulator.jobs().is_empty());
}

#[tokio::test]
async fn errors_are_told_in_the_language_that_was_asked_for() {
    let (_simulator, client) = start().await;
    let path = format!("/v3/{}/jobs?id=x", sample::PROJECT);
    let message = async |language: &str| {
        let request = client.request(Method::GET, &path);
        let reply = send(request.header("X-Language", language)).await.unwrap();
        assert_eq!(reply.refusal(), (400, "DBS.200543".to_owned()));
        reply.json()["error_msg"].as_str().unwrap().to_owned()
    };
    assert!(message("en-us").await.is_ascii());
    let chinese = message("zh-cn").await;
    assert!(chinese.contains("请求未能完成"), "{chinese}");
}
