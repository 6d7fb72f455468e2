//! Secrets stay where they belong: through failures, refusals and panics, at the finest level of logs, and also when the
//! cloud echoes them.

use std::{
    io::Write as _,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::{ByteString, api::events::v1::Event};
use kube::{Api, ResourceExt as _, api::ListParams};
use serde_json::json;
use taurus_port_operator::{
    controller::meter::Meter,
    crd::TaurusProxyPort,
    model::{Moment, Uid},
};
use taurus_sim::{Accounts, Answer, Effect, Fault, Mode, Operation, sample};
use tokio::process::Command;

use super::rotation::allow_watching;
use crate::world::{
    PATIENCE, World, front::Recorded, message, operator::Setup, options, plane, program::Program,
    reason, verdicts,
};

/// A token that somebody has fetched elsewhere.
const TOKEN: &str = "MIIa-token/that+somebody=has:fetched elsewhere";

/// Values that the cloud does not know.
const WRONG: [&str; 2] = ["a mistyped & secret/key", "a mistyped pass\u{e4}word"];

/// The beginning of a token as IAM gives them.
const MADE_UP: &str =
    "MIIFbQYJKoZIhvcNAQcCoIIFXjCCMIIFbQYJKoZIhvcNAQcCoIIFXjCCMIIFbQYJKoZIhvcNAQcCoIIFXjCC";

/// What stands in the Secrets of the stories, by the name of the Secret.
const SECRETS: [(&str, &[&str]); 3] = [
    ("user", &[sample::PASSWORD]),
    ("keys", &[sample::SECRET_KEY, sample::ACCESS_KEY]),
    ("token", &[TOKEN]),
];

/// A secret in every form in which it could be written down, whatever stands before it.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let percent = |all: bool, upper: bool| -> String {
        let one = |byte: &u8| match (byte.is_ascii_alphanumeric() && !all, upper) {
            (true, _) => char::from(*byte).to_string(),
            (false, true) => format!("%{byte:02X}"),
            (false, false) => format!("%{byte:02x}"),
        };
        bytes.iter().map(one).collect()
    };
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    let mut forms = vec![
        secret.to_owned(),
        format!("{secret:?}").trim_matches('"').to_owned(),
        percent(false, true),
        percent(false, false),
        percent(true, true),
        hex.to_uppercase(),
        hex,
    ];
    for before in 0..3 {
        // Three letters of four bytes each: what the neighbours have a part in is left out.
        let shifted = [&vec![b'.'; before][..], bytes].concat();
        let encoded = serde_json::to_value(ByteString(shifted)).unwrap();
        let encoded = encoded.as_str().unwrap().trim_end_matches('=');
        let first = (before * 4).div_ceil(3);
        let own = encoded[first..encoded.len() - 1].to_owned();
        forms.push(own.replace('+', "-").replace('/', "_"));
        forms.push(own);
    }
    forms
}

fn assert_hidden(place: &str, text: &str, secrets: &[String]) {
    assert!(text.len() > 200, "{place} is all but empty: {text}");
    for secret in secrets {
        for form in forms(secret) {
            let found = text.find(&form).map(|at| {
                let from = text.floor_char_boundary(at.saturating_sub(300));
                let to = text.ceil_char_boundary(at + form.len() + 100);
                &text[from..to]
            });
            assert_eq!(found, None, "{place} shows {secret} as {form}");
        }
    }
}

#[test]
fn the_search_finds_each_form() {
    let secret = "s\u{e4}cret/key+0";
    for text in [
        "x s\u{e4}cret/key+0 x",
        "x s%C3%A4cret%2Fkey%2B0 x",
        "x 73c3a4637265742f6b65792b30 x",
        "x c8OkY3JldC9rZXkrMA== x",
        "x OnPDpGNyZXQva2V5KzA6 x",
        "x eHhzw6RjcmV0L2tleSswOg== x",
    ] {
        let found = forms(secret).iter().any(|form| text.contains(form));
        assert!(found, "{text}");
    }
}

/// Secrets as people apply them: with all that they hold in an annotation as well.
fn apply(world: &World, name: &str, pairs: &[(&str, &str)]) {
    let data: serde_json::Map<_, _> = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    let manifest = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": world.namespace}, "stringData": data,
    });
    let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    write!(file, "{manifest}").unwrap();
    let path = file.path().to_str().unwrap();
    let output = plane::kubectl(&world.plane, &["apply", "-f", path]);
    assert!(output.status.success(), "{output:?}");
}

/// Each credential makes a change; the answer to the last one is lost in an error page.
async fn change_with_each(world: &World) {
    for (port, (secret, _)) in (3308..).zip(SECRETS) {
        if secret == "token" {
            let page = Answer::new(502, format!("<html>{TOKEN}</html>"));
            let fault = Fault::on(Operation::Change, Effect::respond(page));
            world.sim.inject(fault.proxy(sample::PROXY).once());
        }
        world
            .patch(json!({"spec": {"port": port, "credentialsRef": {"name": secret}}}))
            .await;
        world.until_ready(port).await;
    }
}

/// The cloud echoes each credential.
async fn echo_each(world: &World) {
    for (status, code) in [
        (403, "APIGW.0302"),
        (400, "DBS.999999"),
        (500, "DBS.108000"),
        (401, "APIGW.0301"),
    ] {
        for (secret, values) in SECRETS {
            let echo = format!(
                "{} and X-Auth-Token: {MADE_UP} and Authorization: SDK-HMAC-SHA256 Access={}, Signature={}",
                values.join(" with "),
                values[0],
                "a".repeat(64),
            );
            let answer = Answer::error(status, code, &echo);
            let fault = Fault::on(Operation::List, Effect::respond(answer));
            world.sim.inject(fault.instance(sample::INSTANCE));
            world
                .patch(json!({"spec": {"credentialsRef": {"name": secret}}}))
                .await;
            let what = format!("told of {code}, with {secret}");
            world
                .until(&what, |object| message(object).contains(code))
                .await;
            world.sim.clear_faults();
            world.ask(&what).await;
            world.until_ready(3310).await;
        }
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn f07_no_secret_reaches_status_events_logs_or_metrics_whatever_happens_at_the_finest_level()
{
    let accounts = Accounts::sample().token(TOKEN);
    let world = World::without_operator(options(Mode::M2).accounts(accounts)).await;
    allow_watching(&world).await;
    let user = [("username", sample::USER), ("domainName", sample::DOMAIN)];
    let with = |password| [&user[..], &[("password", password)]].concat();
    let key = ("accessKey", sample::ACCESS_KEY);
    apply(&world, "user", &with(sample::PASSWORD));
    apply(&world, "keys", &[key, ("secretKey", sample::SECRET_KEY)]);
    apply(&world, "token", &[("token", TOKEN)]);
    apply(&world, "wrong-key", &[key, ("secretKey", WRONG[0])]);
    apply(&world, "wrong-user", &with(WRONG[1]));
    apply(
        &world,
        "mixed",
        &[("token", TOKEN), ("secretKey", WRONG[0])],
    );
    let wire = Recorded::start(world.sim.address());
    let endpoint = format!("127.0.0.1:{}", wire.port());
    let trace = [("TAURUS_LOG_LEVEL", "trace"), ("RUST_BACKTRACE", "full")];
    let program = Program::start_with(&world, &trace, &["--allowed-endpoint", &endpoint]).await;
    let mut resource = world.resource(3307);
    resource.spec.endpoint = Some(format!("http://{endpoint}"));
    resource.spec.iam_endpoint = Some(format!("http://{endpoint}"));
    world.create(&resource).await;
    world.until_ready(3307).await;
    world.until_neighbour_is_ready().await;

    change_with_each(&world).await;
    echo_each(&world).await;
    // Some are wrong.
    for secret in ["mixed", "wrong-user", "wrong-key"] {
        world
            .patch(json!({"spec": {"credentialsRef": {"name": secret}}}))
            .await;
        let what = format!("told of {secret}");
        // The cloud locks a user or key after some failures.
        let told = |object: &TaurusProxyPort| {
            ["CredentialsInvalid", "CredentialsLocked"].contains(&reason(object))
                && object
                    .status
                    .as_ref()
                    .and_then(|status| status.observed_generation)
                    == object.metadata.generation
        };
        world.until(&what, told).await;
    }
    // A change of a Secret is noticed by the watch.
    apply(
        &world,
        "wrong-key",
        &[key, ("secretKey", sample::SECRET_KEY)],
    );
    world.until_ready(3310).await;

    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    assert!(!events.items.is_empty());
    let crossed = wire.secrets();
    for header in ["authorization", "x-auth-token", "x-subject-token"] {
        let crossed = crossed.iter().filter(|(name, _)| name == header).count();
        assert!(crossed > 0, "{header} crossed the wire");
    }
    let known = SECRETS.iter().flat_map(|(_, values)| values.iter());
    let known = known.chain(&WRONG).map(|value| (*value).to_owned());
    let mut secrets: Vec<String> = known.chain([MADE_UP.to_owned()]).collect();
    for (_, value) in crossed {
        // Of a signature the end alone would do.
        let signature = value.rsplit("Signature=").next().unwrap_or_default();
        secrets.extend([signature.to_owned(), value.clone()]);
    }
    secrets.sort();
    secrets.dedup();
    let log = program.log();
    // The client's own parts are heard as well.
    for source in ["hyper_util", "kube_client", "taurus_port_operator"] {
        let from = format!("\"target\":\"{source}");
        assert!(log.contains(&from), "{source} is not heard");
    }
    assert!(log.contains("\"level\":\"TRACE\""));
    assert_hidden("the log", &log, &secrets);
    assert_hidden("events", &serde_json::to_string(&events).unwrap(), &secrets);
    let versions = serde_json::to_string(&world.recorder.objects()).unwrap();
    assert_hidden("status", &versions, &secrets);
    let metrics = program.until_answer("/metrics", 200).await;
    assert_hidden("metrics", &metrics, &secrets);
    world.finish().await;
}

/// Panics in the first reconciles of the story's resource.
struct Panicking(AtomicUsize);

const PANIC: &str = "a fault of our own";

impl Meter for Panicking {
    fn resource(&self, _: &Uid, object: &TaurusProxyPort, _: Moment) {
        let one_less = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        let ours = object.name_any() == "orders";
        let over = self.0.fetch_update(order, order, one_less).is_err();
        assert!(!ours || over, "{PANIC}");
    }
}

/// Set in the process whose output is searched.
const WITHIN: &str = "TAURUS_STORY_WITHIN";

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn f07_a_panic_in_the_midst_of_a_reconcile_shows_no_secret_either() {
    if std::env::var_os(WITHIN).is_some() {
        return panic_within().await;
    }
    verdicts::needed();
    let name = std::thread::current().name().map(str::to_owned);
    let name = name.filter(|name| name.contains("f07_"));
    let name = name.unwrap_or_else(|| {
        "stories::secrets::f07_a_panic_in_the_midst_of_a_reconcile_shows_no_secret_either"
            .to_owned()
    });
    let within = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(WITHIN, "yes")
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, within)
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains(PANIC) && text.contains("TRACE"));
    let secrets = [sample::SECRET_KEY, sample::PASSWORD, "Signature="];
    assert_hidden("the output", &text, &secrets.map(str::to_owned));
}

async fn panic_within() {
    let meter = Arc::new(Panicking(AtomicUsize::new(3)));
    let mut world = World::without_operator(options(Mode::M2)).await;
    let setup = Setup {
        meter: Arc::clone(&meter) as _,
        resync: Duration::from_secs(1),
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    assert_eq!(meter.0.load(Ordering::SeqCst), 0);
    world.finish().await;
}
