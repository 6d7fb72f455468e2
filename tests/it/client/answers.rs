//! Answers as they come in the field: error bodies of every shape, pages for people, pages of lists, odd types.

use taurus_sim::Entry;

use super::*;

/// Bodies that all say the same, and those that say nothing in a form that is understood.
fn shapes(code: &str, text: &str) -> Vec<(String, bool)> {
    let plain = serde_json::json!({"error_code": code, "error_msg": text});
    let shapes = [
        (plain.to_string(), true),
        (
            serde_json::json!({"errCode": code, "externalMessage": text}).to_string(),
            true,
        ),
        (
            serde_json::json!({"error": {"code": code, "message": text, "title": "x"}}).to_string(),
            true,
        ),
        (
            serde_json::json!({"error": {"error_code": code, "error_msg": text}}).to_string(),
            true,
        ),
        (
            serde_json::json!({"message": plain.to_string()}).to_string(),
            true,
        ),
        (serde_json::json!([plain]).to_string(), true),
        (text.to_owned(), false),
        (String::new(), false),
    ];
    shapes.into()
}

#[tokio::test]
async fn e20_error_bodies_of_all_shapes_mean_the_same() {
    let simulator = simulator().await;
    // A code that decides, and one that leaves it to the status.
    for (code, decides) in [("DBS.201014", Some(Meaning::Busy)), ("DBS.999999", None)] {
        for (status, meaning) in [
            (400, Meaning::UnknownRefusal),
            (401, Meaning::Unauthenticated),
            (403, Meaning::Denied),
            (404, Meaning::NotFound),
            (500, Meaning::Transient),
        ] {
            for (body, structured) in shapes(code, "because of this") {
                let cloud = connect(&simulator.url(), &KEYS);
                let answer = Answer::new(status, &body);
                simulator.inject(Fault::on(Operation::List, Effect::respond(answer)).once());
                let error = cloud.list_proxies(&instance()).await.unwrap_err();
                let expected = decides.filter(|_| structured).unwrap_or(meaning);
                assert_eq!(error.meaning, expected, "{status} {body}");
                assert_eq!(error.status, Some(status));
                assert_eq!(error.code.as_deref(), structured.then_some(code), "{body}");
                let text = if body.is_empty() {
                    "the answer is empty"
                } else {
                    "because of this"
                };
                let text = match expected {
                    Meaning::UnknownRefusal => format!("the list of proxies: {text}"),
                    _ => text.to_owned(),
                };
                assert_eq!(error.text, text, "{status} {body}");
            }
        }
    }
}

#[tokio::test]
async fn e21_pages_made_for_people_are_trouble_on_the_way_and_nothing_else() {
    let simulator = simulator().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let login = format!("http://{}/login", listener.local_addr().unwrap());
    let page = format!(
        "<!doctype html><html><body>{}</body></html>",
        "Sign in. ".repeat(1000)
    );
    let html = |status| Answer::html(status, &page);
    let redirect = html(302).header("Location", &login);
    let id = JobId::parse("2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541").unwrap();
    for pairs in credentials() {
        let cloud = connect(&simulator.url(), &pairs);
        for answer in [
            html(200),
            html(401),
            html(403),
            html(404),
            html(502),
            redirect.clone(),
        ] {
            for operation in [Operation::List, Operation::Job, Operation::Tasks] {
                let answer = Effect::respond(answer.clone());
                simulator.inject(Fault::on(operation, answer.clone()).once());
                let error = match operation {
                    Operation::List => cloud.list_proxies(&instance()).await.err(),
                    Operation::Job => cloud.job(&id).await.err(),
                    _ => cloud.tasks(Timestamp::UNIX_EPOCH).await.err(),
                };
                let error = error.unwrap();
                assert_eq!(error.meaning, Meaning::Transient, "{answer:?}: {error}");
                assert!(error.to_string().chars().count() <= 200, "{error}");
                assert!(!error.text.contains("Sign in"), "{error}");
            }
        }
        // The credential was never doubted.
        cloud.list_proxies(&instance()).await.unwrap();
    }
    assert!(listener.accept().is_err(), "the login page was visited");
}

#[tokio::test]
async fn e24_a_text_about_the_region_within_another_text_is_told_and_a_token_in_it_is_not() {
    let simulator = simulator().await;
    let token = "MIIFbQYJKoZIhvcNAQcCoIIFXjCC".repeat(20);
    let said = "the token is of region eu-test-1 and the endpoint of xx-sim-1";
    for status in [401, 403] {
        for inner in [
            serde_json::json!({"error_msg": format!("{said}: {token}")}),
            serde_json::json!({"error_msg": format!("{said}: {TOKEN}"), "error_code": "APIGW.0301"}),
            serde_json::json!({"error": {"message": said}}),
        ] {
            simulator.clear_journal();
            let cloud = connect(&simulator.url(), &[("token", TOKEN)]);
            let body = serde_json::json!({"message": inner.to_string(), "request_id": "1"});
            let answer = Effect::respond(Answer::json(status, &body));
            let fault = simulator.inject(Fault::on(Operation::List, answer));
            for _ in 0..10 {
                let error = cloud.list_proxies(&instance()).await.unwrap_err();
                assert!(error.text.starts_with(said), "{error}");
                assert!(!error.text.contains(&token[..40]), "{error}");
                assert!(!error.text.contains(TOKEN), "{error}");
                let coded = inner.get("error_code").is_some();
                let meaning = match status {
                    403 if !coded => Meaning::Denied,
                    _ => Meaning::Unauthenticated,
                };
                assert_eq!(error.meaning, meaning, "{status} {inner}");
                if meaning == Meaning::Unauthenticated {
                    assert!(simulator.count(&Filter::on(Operation::List)) <= 2);
                }
            }
            simulator.remove_fault(fault).unwrap();
        }
    }
}

/// A fleet with so many proxies on one instance; the ids of all of them.
async fn crowded(count: usize) -> (Simulator, Vec<String>) {
    plane::prepare();
    let mut fleet = Fleet::new()
        .project(sample::PROJECT)
        .instance(sample::INSTANCE);
    let ids: Vec<String> = (0..count)
        .map(|number| format!("{number:032}po01"))
        .collect();
    for id in &ids {
        fleet = fleet.proxy(id, sample::PORT);
    }
    let simulator = Simulator::start(Options::stepped().fleet(fleet)).await;
    (simulator.unwrap(), ids)
}

#[tokio::test]
async fn e02_a_proxy_is_found_on_any_page_and_the_pages_end() {
    let (simulator, ids) = crowded(150).await;
    let cloud = connect(&simulator.url(), &KEYS);
    for (cap, most) in [(100, 3), (50, 4), (10, 16)] {
        simulator.clear_journal();
        let fault = simulator.inject(Fault::on(Operation::List, Effect::PageCap(cap)));
        let found = cloud.list_proxies(&instance()).await.unwrap();
        assert_eq!(found.len(), ids.len(), "pages of {cap}");
        for index in [0, 9, 10, 99, 100, 149] {
            assert!(
                found.iter().any(|proxy| proxy.id.as_str() == ids[index]),
                "{index}"
            );
        }
        let pages = simulator.entries(&Filter::on(Operation::List));
        assert!(pages.len() <= most, "{} pages of {cap}", pages.len());
        for page in pages {
            let names: Vec<&str> = page.query.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["limit", "offset"], "{page}");
            assert_eq!(page.status(), Some(200), "{page}");
            assert!(page.answer.unwrap().body.find("total").is_none());
        }
        simulator.remove_fault(fault).unwrap();
    }
    // The same page over and over, whatever is asked for.
    simulator.clear_journal();
    let row = |id: &String| serde_json::json!({"proxy": {"pool_id": id, "status": "ACTIVE", "port": 3306}});
    let rows: Vec<_> = ids[..100].iter().map(row).collect();
    let page = Answer::json(200, &serde_json::json!({"proxy_list": rows}));
    simulator.inject(Fault::on(Operation::List, Effect::respond(page)));
    assert_eq!(cloud.list_proxies(&instance()).await.unwrap().len(), 100);
    assert_eq!(simulator.count(&Filter::on(Operation::List)), 2);
}

#[tokio::test]
async fn e27_whatever_is_asked_for_is_signed_as_the_service_computes_it() {
    let simulator = simulator().await;
    for pairs in credentials().into_iter().take(2) {
        let cloud = connect(&simulator.url(), &pairs);
        let temporary = pairs.iter().any(|(name, _)| *name == "securityToken");
        simulator.clear_journal();
        for id in [
            "a+b", "a/b", "a=b", "100%", "a b", "../jobs", "a&id=b", "a?b#c", "%2F", "%252f", "é",
            "~-_.", "a;b,c", "'\"`", "{[(|)]}", "*!$@:^\\", "错误",
        ] {
            let error = cloud.job(&JobId::parse(id).unwrap()).await.unwrap_err();
            assert_eq!(error.meaning, Meaning::NotFound, "{id}: {error}");
            let entries = simulator.entries(&Filter::on(Operation::Job));
            let last = entries.last().unwrap();
            assert_eq!(last.query, [("id".to_owned(), id.to_owned())]);
        }
        cloud.list_proxies(&instance()).await.unwrap();
        cloud.tasks(Timestamp::now()).await.unwrap();
        for entry in simulator.journal() {
            assert_ne!(entry.status(), Some(401), "{entry}");
            assert!(
                entry.headers["authorization"].contains("SignedHeaders="),
                "{entry}"
            );
            let token = entry.headers.contains_key("x-security-token");
            assert_eq!(token, temporary, "{entry}");
        }
    }
}

/// The headers that a signature names.
fn signed(entry: &Entry) -> Vec<&str> {
    let (_, names) = entry.headers["authorization"]
        .split_once("SignedHeaders=")
        .unwrap();
    names.split(',').next().unwrap().split(';').collect()
}

#[tokio::test]
async fn requests_carry_what_they_sign_and_the_language_of_their_errors() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &KEYS);
    cloud.list_proxies(&instance()).await.unwrap();
    cloud.tasks(Timestamp::now()).await.unwrap();
    for entry in simulator.journal() {
        assert_eq!(entry.headers["x-language"], "en-us", "{entry}");
        for name in ["host", "x-project-id", "x-sdk-date"] {
            assert!(signed(&entry).contains(&name), "{entry}");
        }
        for name in signed(&entry) {
            assert!(entry.headers.contains_key(name), "{name}: {entry}");
        }
    }
}

#[tokio::test]
async fn t07_a_read_with_a_refused_parameter_names_its_call_and_says_nothing_about_the_port() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &KEYS);
    let job = JobId::parse("2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541").unwrap();
    for code in ["DBS.200001", "DBS.200461", "DBS.280364", "DBS.05000022"] {
        for operation in [Operation::List, Operation::Job, Operation::Tasks] {
            let refusal = Answer::error(400, code, "invalid parameter");
            // The walk over the task list tries its other way to count as well.
            simulator.inject(Fault::on(operation, Effect::respond(refusal)));
            let (error, call) = match operation {
                Operation::List => {
                    let list = cloud.list_proxies(&instance()).await;
                    (list.unwrap_err(), "the list of proxies: ")
                }
                Operation::Job => (cloud.job(&job).await.unwrap_err(), "the job: "),
                _ => (cloud.running().await.unwrap_err(), "the task list: "),
            };
            assert_eq!(
                error.meaning,
                Meaning::UnknownRefusal,
                "{code} {operation:?}"
            );
            assert!(error.text.starts_with(call), "{error}");
            simulator.clear_faults();
        }
    }
}
