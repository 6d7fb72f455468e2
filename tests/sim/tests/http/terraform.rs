//! What the real Terraform provider asks for, in its order, as it was seen on the wire: an existing proxy is imported,
//! its port is changed, drift is put right.

use reqwest::Method;
use serde_json::{Value, json};
use taurus_sim::{Entry, JobPlan, Options, Simulator, sample};

use crate::client::{Client, Reply, Signer, change_path, list_path, seconds, start_with};

const USER_AGENT: &str = "terraform-provider-huaweicloud";

/// Signs as the provider does: the host is not signed, and the project is named after signing.
async fn call(client: &Client, method: Method, path: &str, query: &str, body: &str) -> Reply {
    let signer = Signer {
        signed: vec![
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("user-agent", USER_AGENT),
        ],
        unsigned: vec![("x-project-id", sample::PROJECT)],
        ..Signer::sample()
    };
    signer.send(client, method, path, query, body).await
}

async fn get(client: &Client, path: &str, query: &str) -> Reply {
    call(client, Method::GET, path, query, "").await
}

/// A refresh: the list until an empty page, then the three reads that may be missing. The port that was found.
async fn refresh(client: &Client) -> u64 {
    let list = list_path(sample::INSTANCE);
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let query = match rows.len() {
            0 => String::new(),
            found => format!("offset={found}"),
        };
        let page = get(client, &list, &query).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert_eq!(page.header("content-type"), "application/json");
        let json = page.json();
        let arrays = json.as_object().unwrap().values();
        assert_eq!(arrays.filter(|value| value.is_array()).count(), 1, "{json}");
        let found = json["proxy_list"].as_array().unwrap();
        if found.is_empty() {
            break;
        }
        rows.extend(found.iter().cloned());
        assert!(rows.len() < 10, "offset is not honoured");
    }
    let proxy = format!(
        "/v3/{}/instances/{}/proxy/{}",
        sample::PROJECT,
        sample::INSTANCE,
        sample::PROXY
    );
    for optional in ["configurations", "taurusproxy/proxy-version", "ipgroup"] {
        let reply = get(client, &format!("{proxy}/{optional}"), "").await;
        assert_eq!(
            reply.refusal(),
            (404, "APIGW.0101".to_owned()),
            "{optional}"
        );
    }
    let row = rows
        .iter()
        .map(|row| &row["proxy"])
        .find(|proxy| proxy["pool_id"] == sample::PROXY)
        .unwrap();
    // What the provider reads without looking whether it is there.
    assert!(row["flavor_ref"].is_string() && row["node_num"].is_number());
    // It reads "true" as ON and all else as OFF; a bool crashes it.
    assert_eq!(row["transaction_split"], "false");
    row["port"].as_u64().unwrap()
}

/// An update: the PUT, then the job, at once and every ten seconds.
async fn apply(simulator: &Simulator, client: &Client, port: u16) {
    let path = change_path(sample::INSTANCE, sample::PROXY);
    let body = format!("{{\"port\":{port}}}\n");
    let reply = call(client, Method::PUT, &path, "", &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let json = reply.json();
    let Some(id) = json["job_id"].as_str() else {
        return; // nothing to do
    };
    let jobs = format!("/v3/{}/jobs", sample::PROJECT);
    loop {
        let reply = get(client, &jobs, &format!("id={id}")).await;
        assert_eq!(
            reply.status, 200,
            "an invisible job ends the apply: {reply:?}"
        );
        match reply.json()["job"]["status"].as_str().unwrap() {
            "Pending" | "Running" => simulator.advance(seconds(10)).unwrap(),
            "Completed" => return,
            other => panic!("{other}"),
        };
    }
}

fn lines(entries: &[Entry]) -> Vec<String> {
    let prefix = format!("/v3/{}", sample::PROJECT);
    let line = |entry: &Entry| {
        let path = entry.path.replace(&prefix, "");
        let path = path
            .replace(sample::INSTANCE, "I")
            .replace(sample::PROXY, "P");
        let query: Vec<_> = entry
            .query
            .iter()
            .map(|(name, value)| match &**name {
                "id" => "?id=".to_owned(),
                name => format!("?{name}={value}"),
            })
            .collect();
        let status = entry.status().unwrap_or_default();
        format!("{} {path}{} {status}", entry.method, query.concat())
    };
    entries.iter().map(line).collect()
}

const REFRESH: [&str; 5] = [
    "GET /instances/I/proxies 200",
    "GET /instances/I/proxies?offset=1 200",
    "GET /instances/I/proxy/P/configurations 404",
    "GET /instances/I/proxy/P/taurusproxy/proxy-version 404",
    "GET /instances/I/proxy/P/ipgroup 404",
];

#[tokio::test]
async fn the_provider_imports_changes_and_puts_drift_right() {
    let job = JobPlan::lasting(seconds(20)).visible_after(seconds(0));
    let (simulator, client) = start_with(Options::stepped().job(job)).await;
    assert_eq!(refresh(&client).await, 3306, "the import");
    assert_eq!(refresh(&client).await, 3306, "the empty plan");
    apply(&simulator, &client, 3307).await;
    assert_eq!(refresh(&client).await, 3307);
    simulator.set_port(sample::PROXY, 3400).unwrap();
    assert_eq!(refresh(&client).await, 3400, "drift is seen");
    apply(&simulator, &client, 3307).await;
    apply(&simulator, &client, 3307).await; // by somebody else: no job
    assert_eq!(refresh(&client).await, 3307);

    let change = [
        "PUT /instances/I/proxy/P/port 200",
        "GET /jobs?id= 200",
        "GET /jobs?id= 200",
        "GET /jobs?id= 200",
    ];
    let expected: Vec<&str> = [
        REFRESH.as_slice(),
        &REFRESH,
        &change,
        &REFRESH,
        &REFRESH,
        &change,
        &change[..1],
        &REFRESH,
    ]
    .concat();
    let journal = simulator.journal();
    assert_eq!(lines(&journal), expected);
    for entry in &journal {
        let authorization = &entry.headers["authorization"];
        assert!(
            authorization.ends_with("SignedHeaders=accept;content-type;user-agent;x-sdk-date"),
            "{authorization}"
        );
    }
    let puts = journal.iter().filter(|entry| entry.method == "PUT");
    let bodies: Vec<_> = puts.map(|put| &*put.body).collect();
    assert_eq!(bodies, ["{\"port\":3307}\n"; 3]);
}

#[tokio::test]
async fn a_token_is_exchanged_twice_and_a_password_leads_to_account_and_user() {
    let (simulator, client) = start_with(Options::stepped()).await;
    let raw = crate::client::TOKEN;
    let by_token = json!({"auth": {
        "identity": {"methods": ["token"], "token": {"id": raw}},
        "scope": {"project": {"name": sample::REGION}},
    }});
    let by_password = crate::client::sign_in_body(sample::PASSWORD);
    for mut body in [by_token, by_password] {
        assert_eq!(client.sign_in(&body).await.status, 201);
        body["auth"].as_object_mut().unwrap().remove("scope");
        let unscoped = client.sign_in(&body).await;
        assert_eq!(unscoped.status, 201);
        let token = unscoped.header("x-subject-token").to_owned();
        let users = format!("/v3/users?name={}", sample::USER);
        for (path, kind) in [("/v3/auth/domains", "domains"), (&*users, "users")] {
            let request = client
                .bare(Method::GET, path)
                .header("X-Auth-Token", &token);
            let reply = crate::client::send(request).await.unwrap();
            assert_eq!(reply.json()[kind].as_array().unwrap().len(), 1, "{reply:?}");
        }
    }
    let user = format!("?name={}", sample::USER);
    let round = [
        "POST /v3/auth/tokens 201".to_owned(),
        "POST /v3/auth/tokens 201".to_owned(),
        "GET /v3/auth/domains 200".to_owned(),
        format!("GET /v3/users{user} 200"),
    ];
    assert_eq!(lines(&simulator.journal()), [round.clone(), round].concat());
}
