//! How many instructions the pure parts take: counted by valgrind, so the same on a busy machine as on a quiet one.
//!
//! Each part is run in processes of its own, once not at all and once many times; the difference is its own.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::{error::Error, hint::black_box, process::Command, time::Duration};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use taurus_port_operator::{
    cloud::{
        auth::signer::{self, Signable},
        wire,
    },
    controller::Guarded,
    crd::TaurusProxyPort,
    desired::{self, Desired},
    model::Moment,
    pace::Pace,
    plan::{
        self, Decision,
        facts::{Facts, Observed, Seen},
        record::Record,
        session::Session,
        summary,
    },
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How often a part is run.
const TIMES: u64 = 100;

/// A part: its name, and what it does once.
type Part<'a> = (&'static str, Box<dyn Fn() + 'a>);

/// A page as the cloud sends it, with a proxy in it.
const PAGE: &str = include_str!("../tests/fixtures/api/proxies.json");

/// The same of tasks.
const TASKS: &str = include_str!("../tests/fixtures/api/tasks.json");

/// As many rows as a page of tasks has at most.
const ROWS: usize = 50;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let now = Moment::new("2026-03-02T12:00:00Z".parse()?, Duration::from_hours(1));
    let settled = Settled::new(now)?;
    let parts = settled.parts(now)?;
    if let [_, count, name] = arguments.as_slice()
        && let Ok(count) = count.parse::<u64>()
    {
        for (_, part) in parts.iter().filter(|part| part.0 == name) {
            (0..count).for_each(|_| part());
        }
        return Ok(());
    }
    println!("| part | instructions |\n|---|---|");
    for (name, _) in &parts {
        let own = (instructions(TIMES, name)? - instructions(0, name)?) / TIMES;
        println!("| {name} | {own} |");
    }
    Ok(())
}

/// What a process takes that runs a part so often.
fn instructions(count: u64, name: &str) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([&count.to_string(), name])
        .output()?;
    let said = String::from_utf8(output.stderr)?;
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, number) = collected.ok_or_else(|| format!("valgrind counted nothing: {said}"))?;
    Ok(number.trim().parse()?)
}

/// A settled resource, and what is seen of it.
struct Settled {
    text: String,
    object: TaurusProxyPort,
    desired: Desired,
    record: Record,
    session: Session,
    observed: Observed,
    pace: Pace,
}

impl Settled {
    fn new(now: Moment) -> Result<Self> {
        let page: Value = serde_json::from_str(PAGE)?;
        let text = resource(&page).to_string();
        let object: TaurusProxyPort = serde_json::from_str(&text)?;
        let proxy = wire::proxies(PAGE).map(|page| page.proxies.into_iter().next())?;
        let mut settled = Self {
            text,
            desired: desired::read(&object)?,
            record: Record::of(&object),
            session: Session::default(),
            observed: Observed {
                proxy: Seen::Known(proxy),
                tasks: Seen::Known(None),
                ..Observed::default()
            },
            pace: Pace::real(),
            object,
        };
        // As the operator leaves it.
        let decision = settled.decide(now);
        settled.object.status = Some(settled.status(&decision, now));
        settled.record = Record::of(&settled.object);
        settled.session = decision.session;
        settled.text = serde_json::to_string(&settled.object)?;
        Ok(settled)
    }

    fn decide(&self, now: Moment) -> Decision {
        plan::decide(&Facts {
            desired: &self.desired,
            record: &self.record,
            observed: &self.observed,
            session: &self.session,
            now,
            leading_for: now.uptime,
            pace: &self.pace,
            resync: Duration::from_mins(10),
        })
    }

    fn status(
        &self,
        decision: &Decision,
        now: Moment,
    ) -> taurus_port_operator::crd::TaurusProxyPortStatus {
        summary::status(&self.object, &self.desired, &self.observed, decision, now)
    }

    fn parts(&self, now: Moment) -> Result<Vec<Part<'_>>> {
        let decision = self.decide(now);
        let status = Some(self.status(&decision, now));
        if status != self.object.status {
            return Err("the resource is not settled".into());
        }
        let secret = "a-secret-key-of-no-worth".into();
        let date = signer::date(Timestamp::UNIX_EPOCH);
        let project = "3f9a61c20d7e4b58a1c4e80b6d25f713";
        let tasks = full_page()?;
        let path = format!("/v3/{project}/instances/e80a4b6f13c2457d9ab05c7712f4d3e6in07/proxies");
        Ok(vec![
            (
                "a resource, decoded",
                Box::new(|| {
                    let _ = black_box(serde_json::from_str::<Guarded>(black_box(&self.text)));
                }),
            ),
            (
                "a spec, checked",
                Box::new(|| {
                    let _ = black_box(desired::read(black_box(&self.object)));
                }),
            ),
            (
                "a decision on what is settled",
                Box::new(move || {
                    black_box(self.decide(black_box(now)));
                }),
            ),
            (
                "its status",
                Box::new(move || {
                    black_box(self.status(black_box(&decision), now));
                }),
            ),
            (
                "its comparison with what is written",
                Box::new(move || {
                    black_box(black_box(&self.object.status) == black_box(&status));
                }),
            ),
            (
                "a signature",
                Box::new(move || {
                    let request = Signable {
                        method: "GET",
                        path: &path,
                        query: &[("limit", "100"), ("offset", "0")],
                        headers: &[
                            ("Host", "gaussdb.ap-southeast-3.myhuaweicloud.com"),
                            ("X-Sdk-Date", &date),
                        ],
                        body: b"",
                    };
                    let _ = black_box(signer::authorization(
                        black_box(&request),
                        "ACCESSKEY",
                        &secret,
                    ));
                }),
            ),
            (
                "a page of proxies",
                Box::new(|| {
                    let _ = black_box(wire::proxies(black_box(PAGE)));
                }),
            ),
            (
                "a full page of tasks",
                Box::new(move || {
                    let _ = black_box(wire::tasks(black_box(&tasks)));
                }),
            ),
        ])
    }
}

/// A page of tasks with as many rows as there may be.
fn full_page() -> Result<String> {
    let mut page: Value = serde_json::from_str(TASKS)?;
    let rows = page.pointer_mut("/jobs").and_then(Value::as_array_mut);
    let rows = rows.ok_or("a page without a list")?;
    *rows = rows.iter().cycle().take(ROWS).cloned().collect();
    let page = page.to_string();
    match wire::tasks(&page)?.rows.len() {
        ROWS => Ok(page),
        other => Err(format!("{other} rows").into()),
    }
}

/// A resource for the first proxy of a page, with the port that it has.
fn resource(page: &Value) -> Value {
    let proxy = page
        .pointer("/proxy_list/0/proxy")
        .cloned()
        .unwrap_or_default();
    json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": {
            "name": "orders", "namespace": "shop", "uid": "3f6f2c5e-3a34-4b19-9c32-0d4f60a1b2c3", "generation": 1,
            "resourceVersion": "1234567", "creationTimestamp": "2026-03-02T08:00:00Z"
        },
        "spec": {
            "region": "ap-southeast-3", "projectID": "3f9a61c20d7e4b58a1c4e80b6d25f713",
            "instanceID": "e80a4b6f13c2457d9ab05c7712f4d3e6in07", "proxyID": proxy.get("pool_id"), "port": proxy.get("port"),
            "credentialsRef": {"name": "taurus-credentials"}
        },
        "status": {"observedGeneration": 1, "subjectUID": "3f6f2c5e-3a34-4b19-9c32-0d4f60a1b2c3"}
    })
}
