//! How the program gets to the API server: refusals at the start, tokens that are swapped, bundles of authorities.

use std::time::Duration;

use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Secret, ServiceAccount},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};
use serde_json::json;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::Mode;
use tokio::time::Instant;

use crate::world::{
    NEIGHBOUR, World,
    front::{Authority, Front},
    options, plane,
    program::Program,
    relay::{Call, Effect, Fault, Relay},
};

const NAMESPACE: &str = "taurus-system";
const ACCOUNT: &str = "taurus-port-operator";

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a04_lists_that_are_refused_at_the_start_are_tried_again_until_the_operator_works() {
    // The first look at the cluster, and the first list of the watch after a look that succeeded.
    let faults = [
        Fault::on(&[Call::List], Effect::refuse(403)).first(3),
        Fault::on(&[Call::List], Effect::refuse(403)).nth(2),
    ];
    for fault in faults {
        let world = World::without_operator(options(Mode::M2)).await;
        let relay = Relay::start(&world.plane).await;
        let refusing = relay.inject(fault);
        let kubeconfig = relay.kubeconfig();
        let environment = [("KUBECONFIG", kubeconfig.as_str())];
        let mut program = Program::begin(&world, &environment, &[]).await;
        program.until_answer("/readyz", 503).await;
        world
            .until_true("it was refused", || relay.acted(refusing) > 0)
            .await;
        program.until_answer("/readyz", 503).await;
        program.until_answer("/readyz", 200).await;
        let lists = relay.seen_of(&Call::List);
        let mut read = lists.iter().filter(|list| list.answer == Some(200));
        let whole = read.find(|list| list.line.contains("limit=100"));
        assert!(whole.is_some(), "all are read before: {lists:?}");
        world.want(3307).await;
        world.until_ready(3307).await;
        assert_eq!(world.asked_for(), [3307]);
        assert!(program.is_running());
        world.finish().await;
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a04_a_definition_that_comes_after_the_operator_is_noticed() {
    let plane = &plane::of_its_own(|_| ()).await;
    let world = World::on(plane, options(Mode::M2)).await;
    let neighbour = world.api().get(NEIGHBOUR).await.unwrap();
    let definition = "crd/taurusproxyports.taurusdb.huaweicloud.com";
    let deleted = plane::kubectl(plane, &["delete", definition]);
    assert!(deleted.status.success(), "{deleted:?}");

    let mut program = Program::begin(&world, &[], &[]).await;
    let missing = program.until_answer("/readyz", 503).await;
    world
        .until_true("it says what is missing", || {
            program.log().contains("kubectl apply -k crds")
        })
        .await;
    let missing_now = program.until_answer("/readyz", 503).await;
    assert!(
        missing_now.contains("is not installed"),
        "{missing} {missing_now}"
    );

    let applied = plane::kubectl(plane, &["apply", "-k", "crds"]);
    assert!(applied.status.success(), "{applied:?}");
    let neighbour = TaurusProxyPort {
        metadata: ObjectMeta {
            name: neighbour.metadata.name,
            namespace: neighbour.metadata.namespace,
            ..ObjectMeta::default()
        },
        status: None,
        ..neighbour
    };
    world
        .until_true_async("the definition is served", async || {
            let created = world.api().create(&PostParams::default(), &neighbour).await;
            created.is_ok()
        })
        .await;
    program.until_answer("/readyz", 200).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    assert!(program.is_running());
    world.finish().await;
}

/// A token of the operator's that is good for as long as this Secret is there.
async fn token_bound_to(world: &World, secret: &str) -> String {
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), NAMESPACE);
    let made = Secret {
        metadata: ObjectMeta {
            name: Some(secret.to_owned()),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    };
    let made = secrets.create(&PostParams::default(), &made).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(world.client.clone(), NAMESPACE);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Secret".to_owned()),
                name: Some(secret.to_owned()),
                uid: made.uid(),
            }),
            expiration_seconds: Some(3600),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let issued = accounts
        .create_token_request(ACCOUNT, &PostParams::default(), &request)
        .await;
    issued.unwrap().status.unwrap().token
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a17_a_token_that_is_swapped_is_used_and_an_empty_file_meanwhile_is_survived() {
    const EMPTY_FOR: Duration = Duration::from_secs(30);
    const USED_WITHIN: Duration = Duration::from_secs(90);
    let world = World::without_operator(options(Mode::M2)).await;
    let relay = Relay::start(&world.plane).await;
    let file = relay.file("token");
    let (first_holder, second_holder) = (
        format!("{}-first", world.namespace),
        format!("{}-second", world.namespace),
    );
    let first = token_bound_to(&world, &first_holder).await;
    std::fs::write(&file, &first).unwrap();
    let kubeconfig = relay.kubeconfig_with(|_, user| *user = json!({"tokenFile": file}));
    let environment = [("KUBECONFIG", kubeconfig.as_str())];
    let mut program = Program::start_with(&world, &environment, &[]).await;
    world.want(3307).await;
    world.until_ready(3307).await;

    std::fs::write(&file, "").unwrap();
    let emptied = Instant::now();
    world
        .until_true("the file stays empty", || emptied.elapsed() >= EMPTY_FOR)
        .await;
    let seen = relay.seen();
    let odd = seen
        .iter()
        .find(|seen| seen.token != format!("Bearer {first}"));
    assert!(odd.is_none(), "the last good token is used: {odd:?}");

    // A line end is what editors and `echo` leave.
    let second = token_bound_to(&world, &second_holder).await;
    std::fs::write(&file, format!("{second}\n")).unwrap();
    let swapped = Instant::now();
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), NAMESPACE);
    let revoked = secrets
        .delete(&first_holder, &DeleteParams::default())
        .await;
    revoked.unwrap();
    world
        .until_true("the new token is used", || {
            let seen = relay.seen();
            let new = seen
                .iter()
                .filter(|seen| seen.token == format!("Bearer {second}"));
            new.clone().any(|seen| seen.answer == Some(200))
        })
        .await;
    let took = swapped.elapsed();
    assert!(took < USED_WITHIN + world.slack().await, "{took:?}");
    world.want_now(3308).await;
    world.until_ready(3308).await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    assert!(program.is_running(), "{}", program.log());
    world.finish().await;
}

/// The certificate of an authority whose time is over.
fn expired_authority() -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "an authority of the past");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    params.self_signed(&key).unwrap().pem()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a19_bundles_of_authorities_that_kubectl_takes_are_taken_and_a_wrong_one_is_named() {
    let world = World::without_operator(options(Mode::M2)).await;
    let relay = Relay::start(&world.plane).await;
    let authority = Authority::new("the authority of the cluster");
    // Its one alternative name is an address.
    let identity = authority.vouch_for("127.0.0.1", |_| ());
    let front = Front::with_tls(identity, relay.address());
    let others = [Authority::new("another"), Authority::new("a third")];
    let [another, third] = others.map(|other| other.pem());
    let (right, expired) = (authority.pem(), expired_authority());
    let several = format!("# of the old cluster\n{another}\n# of this one\n{right}{third}");
    let bundle = relay.file("bundle.pem");
    let kubeconfig = relay.kubeconfig_with(|cluster, _| {
        let server = format!("https://127.0.0.1:{}", front.port());
        *cluster = json!({"server": server, "certificate-authority": bundle});
    });
    let environment = [("KUBECONFIG", kubeconfig.as_str())];
    let alone = ["--leader-elect=false"];

    for (nth, text) in [
        several.clone(),
        several.replace('\n', "\r\n"),
        format!("{expired}{right}"),
    ]
    .into_iter()
    .enumerate()
    {
        std::fs::write(&bundle, text).unwrap();
        let program = Program::start_with(&world, &environment, &alone).await;
        let port = [3307, 3308][nth % 2];
        if nth == 0 {
            world.want(port).await;
        } else {
            world.want_now(port).await;
        }
        world.until_ready(port).await;
        drop(program);
    }
    assert_eq!(world.asked_for(), [3307, 3308, 3307]);

    // One that speaks for somebody else, and one that is not there.
    std::fs::write(&bundle, another).unwrap();
    let mut program = Program::begin(&world, &environment, &alone).await;
    world
        .until_true("it says so", || program.log().contains("UnknownIssuer"))
        .await;
    let missing = program.until_answer("/readyz", 503).await;
    assert!(missing.contains("UnknownIssuer"), "{missing}");
    let lines = program.lines();
    let said = lines
        .iter()
        .filter(|line| line.to_string().contains("UnknownIssuer"));
    assert!(said.count() <= 3, "{lines:?}");
    assert!(program.is_running(), "the bundle may be mended");
    drop(program);
    std::fs::remove_file(&bundle).unwrap();
    let mut program = Program::begin(&world, &environment, &alone).await;
    let status = program.ended().await;
    assert!(!status.success(), "{status:?}");
    let log = program.log();
    assert!(log.contains("bundle.pem"), "it names the file: {log}");

    std::fs::write(&bundle, &several).unwrap();
    let program = Program::start_with(&world, &environment, &alone).await;
    world.finish().await;
    drop(program);
}
