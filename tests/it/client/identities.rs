//! Identities without a key of their own: a ServiceAccount's by its id token, and that of the node or pod that the operator runs in.

use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};
use taurus_port_operator::cloud::auth::identity::{Machine, Proof, Workload};

use super::*;

const PROVIDER: &str = "cce";

/// A ServiceAccount with its first id token, and where the next ones are put.
fn workload() -> (Credential, Arc<Proof>) {
    let proof = Arc::new(Proof::default());
    proof.renew("id-token-1".into(), None);
    let workload = Workload {
        idp_id: PROVIDER.to_owned(),
        namespace: "shop".to_owned(),
        service_account: "taurus-ports".to_owned(),
        audience: "iam".to_owned(),
        proof: Arc::clone(&proof),
    };
    (Credential::Workload(workload), proof)
}

/// A simulator that knows no key, and accepts the first id tokens.
async fn keyless() -> Simulator {
    plane::prepare();
    let accounts = Accounts::none()
        .id_token(PROVIDER, "id-token-1")
        .id_token(sample::POD_IDENTITY, "pod-token-1")
        .machine_agency();
    Simulator::start(Options::stepped().accounts(accounts))
        .await
        .unwrap()
}

fn connected(simulator: &Simulator, credential: Credential) -> Arc<dyn Cloud> {
    let url = simulator.url();
    let connector = Connector::new(policy(&url, |_| ())).unwrap();
    connector.connect(&subject(&url), credential).unwrap()
}

async fn list(cloud: &Arc<dyn Cloud>) -> Result<usize, CloudError> {
    cloud.list_proxies(&instance()).await.map(|list| list.len())
}

/// The temporary key of the last call is good no longer.
fn take_key_away(simulator: &Simulator) {
    let last = simulator.entries(&Filter::on(Operation::List)).pop();
    let key = last.unwrap().credential.unwrap();
    simulator.remove_access_key(&key).unwrap();
}

/// The operations that were asked for, in their order.
fn asked_for(simulator: &Simulator) -> Vec<Operation> {
    let entries = simulator.journal().into_iter();
    entries.map(|entry| entry.operation).collect()
}

#[tokio::test]
async fn an_id_token_is_exchanged_as_the_vendors_client_does_it_and_once_for_all_callers() {
    let simulator = keyless().await;
    let (credential, _) = workload();
    let cloud = connected(&simulator, credential);
    let instance = instance();
    for list in join_all((0..16).map(|_| cloud.list_proxies(&instance))).await {
        list.unwrap();
    }
    let asked = asked_for(&simulator);
    assert_eq!(asked[..2], [Operation::IdToken, Operation::SecurityToken]);
    assert_eq!(asked[2..], [Operation::List; 16]);

    // As `FederalAccessor` of huaweicloudsdkcore has them; tests/sdk runs that one.
    let journal = simulator.journal();
    let (login, keys) = (&journal[0], &journal[1]);
    assert_eq!(login.headers["x-idp-id"], PROVIDER);
    let body: Value = serde_json::from_str(&login.body).unwrap();
    assert_eq!(body, json!({"auth": {"id_token": {"id": "***"}}}));
    let body: Value = serde_json::from_str(&keys.body).unwrap();
    let token = json!({"id": "***", "duration_seconds": 3600});
    let identity = json!({"methods": ["token"], "token": token});
    assert_eq!(body, json!({"auth": {"identity": identity}}));
    let signed = &journal[2];
    assert!(signed.headers["authorization"].contains("x-security-token"));
    assert!(!signed.headers.contains_key("x-auth-token"));
}

#[tokio::test]
async fn keys_that_are_refused_are_replaced_with_the_id_token_that_is_the_newest_then() {
    let simulator = keyless().await;
    let (credential, proof) = workload();
    let cloud = connected(&simulator, credential);
    assert_eq!(list(&cloud).await, Ok(1));
    simulator.set_id_token(PROVIDER, "id-token-2");
    proof.renew("id-token-2".into(), None);
    // The keys outlive the token that they were had for.
    assert_eq!(list(&cloud).await, Ok(1));
    assert_eq!(simulator.count(&Filter::on(Operation::IdToken)), 1);
    take_key_away(&simulator);
    assert_eq!(list(&cloud).await, Ok(1));
    assert_eq!(simulator.count(&Filter::on(Operation::IdToken)), 2);
}

#[tokio::test]
async fn keys_are_renewed_before_they_end_and_no_call_meets_old_ones() {
    const STEP: Duration = Duration::from_mins(10);
    let simulator = keyless().await;
    let (credential, _) = workload();
    let (url, shift) = (simulator.url(), Shift::forever());
    let clock = Clock::start().shifted(shift);
    let connector = Connector::new(policy(&url, |policy| policy.clock = clock)).unwrap();
    let cloud = connector.connect(&subject(&url), credential).unwrap();
    for _ in 0..12 {
        assert_eq!(list(&cloud).await, Ok(1));
        shift.pass(STEP);
        simulator.advance(STEP).unwrap();
        // Signatures are judged by the real clock, which has not moved.
        simulator.configure(|behaviour| {
            behaviour.clock_skew += SignedDuration::from_mins(10);
        });
    }
    let refused = simulator.journal().into_iter();
    let refused = refused.filter(|entry| entry.status() == Some(401));
    assert_eq!(refused.count(), 0);
    let exchanged = simulator.count(&Filter::on(Operation::IdToken));
    assert!((2..=4).contains(&exchanged), "{exchanged}");
}

#[tokio::test]
async fn an_id_token_that_is_not_accepted_is_refused_by_iam_and_one_that_has_ended_is_not_sent() {
    let simulator = keyless().await;
    let (credential, proof) = workload();
    let cloud = connected(&simulator, credential);
    proof.renew("id-token-1".into(), Some(Duration::ZERO));
    let error = list(&cloud).await.unwrap_err();
    assert_eq!(error.meaning, Meaning::Transient);
    assert!(
        error.text.contains("ServiceAccount taurus-ports"),
        "{error}"
    );
    assert!(simulator.journal().is_empty());
    proof.renew("id-token-of-a-stranger".into(), None);
    let error = list(&cloud).await.unwrap_err();
    assert_eq!(error.meaning, Meaning::Unauthenticated);
    assert_eq!(error.code.as_deref(), Some("IAM.0001"));
    assert!(!format!("{error:?}").contains("stranger"), "{error:?}");
    // Nor is it sent again and again.
    for _ in 0..4 {
        list(&cloud).await.unwrap_err();
    }
    assert_eq!(simulator.count(&Filter::on(Operation::IdToken)), 1);
}

#[tokio::test]
async fn the_agency_of_a_node_gives_keys_with_a_metadata_token_and_where_there_are_none_without() {
    for has_tokens in [true, false] {
        let simulator = keyless().await;
        if !has_tokens {
            let unknown = Effect::respond(Answer::new(404, "no such path"));
            simulator.inject(Fault::on(Operation::MetadataToken, unknown));
        }
        let node = Machine::Node(simulator.url());
        let cloud = connected(&simulator, Credential::Machine(node));
        assert_eq!(list(&cloud).await, Ok(1));
        let asked = asked_for(&simulator);
        let expected = [
            Operation::MetadataToken,
            Operation::MachineKeys,
            Operation::List,
        ];
        assert_eq!(asked, expected);
        let keys = &simulator.journal()[1];
        assert_eq!(keys.headers.contains_key("x-metadata-token"), has_tokens);
        take_key_away(&simulator);
        assert_eq!(list(&cloud).await, Ok(1));
        assert_eq!(simulator.count(&Filter::on(Operation::MachineKeys)), 2);
    }
}

#[tokio::test]
async fn a_node_without_an_agency_and_a_pod_without_an_identity_are_named_with_what_to_do() {
    plane::prepare();
    let simulator = Simulator::start(Options::stepped()).await.unwrap();
    let node = Machine::Node(simulator.url());
    let proof = Arc::new(Proof::default());
    proof.renew("pod-token-1".into(), None);
    let uri = format!("{}/pod-identity/credentials", simulator.url());
    let pod = Machine::Pod { uri, proof };
    for (machine, who, advice) in [
        (node, "metadata service", "give the node (ECS) an agency"),
        (
            pod,
            "pod identity",
            "associate the operator's ServiceAccount",
        ),
    ] {
        let cloud = connected(&simulator, Credential::Machine(machine));
        let error = list(&cloud).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::Unauthenticated);
        // The cloud itself was not asked, and must not be said to have refused.
        assert!(error.code.is_none() && error.status.is_none(), "{error:?}");
        assert!(
            error.text.contains(who) && error.text.contains(advice),
            "{error}"
        );
    }
    assert_eq!(simulator.count(&Filter::on(Operation::List)), 0);
}

#[tokio::test]
async fn a_pod_s_identity_gives_keys_for_the_pod_s_newest_token() {
    let simulator = keyless().await;
    let proof = Arc::new(Proof::default());
    let uri = format!("{}/pod-identity/credentials", simulator.url());
    let pod = Machine::Pod {
        uri,
        proof: Arc::clone(&proof),
    };
    let cloud = connected(&simulator, Credential::Machine(pod));
    assert_eq!(list(&cloud).await.unwrap_err().meaning, Meaning::Transient);
    proof.renew("pod-token-1".into(), None);
    assert_eq!(list(&cloud).await, Ok(1));
    simulator.set_id_token(sample::POD_IDENTITY, "pod-token-2");
    proof.renew("pod-token-2".into(), None);
    take_key_away(&simulator);
    assert_eq!(list(&cloud).await, Ok(1));
    assert_eq!(simulator.count(&Filter::on(Operation::PodKeys)), 2);
}
