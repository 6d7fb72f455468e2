//! The operator's own credentials: for whom they are, and for whom not.

use std::sync::Arc;

use futures::FutureExt as _;
use taurus_port_operator::{
    cloud::{
        defaults::{Defaults, Origin},
        names::Names,
    },
    crd::TaurusProxyPort,
};
use taurus_sim::{Accounts, Filter, Fleet, Mode, Operation, sample};

use crate::world::{
    World, condition,
    front::{Authority, Front},
    is_ready_with, message,
    operator::Setup,
    options, reason,
};

const REGION: &str = "cn-north-4";
const HOST: &str = "gaussdb.cn-north-4.myhuaweicloud.com";

/// A key that nobody but the operator has.
const OWN: (&str, &str) = ("OPERATORACCESSKEY001", "operators-own");

/// The simulator as the region's own host, over TLS.
struct Region {
    front: Arc<Front>,
    authority: Authority,
}

impl Region {
    fn of(world: &World) -> Self {
        let authority = Authority::new("the authority of the region");
        let identity = authority.vouch_for(HOST, |_| ());
        let front = Arc::new(Front::with_tls(identity, world.sim.address()));
        Self { front, authority }
    }

    fn setup(&self, defaults: Option<Defaults>) -> Setup {
        let port = self.front.port();
        let names = Names::new(move |host| {
            let local = host == HOST || host == "localhost";
            let found = if local {
                vec![([127, 0, 0, 1], port).into()]
            } else {
                Vec::new()
            };
            async move { Ok(found) }.boxed()
        });
        Setup {
            defaults,
            names,
            authorities: vec![self.authority.der()],
            ..Setup::default()
        }
    }
}

/// A resource without credentials of its own, in the region.
fn bare(resource: TaurusProxyPort) -> TaurusProxyPort {
    let mut resource = resource;
    resource.spec.region = Some(REGION.to_owned());
    resource.spec.endpoint = None;
    resource.spec.iam_endpoint = None;
    resource.spec.credentials_ref = None;
    resource
}

fn write(directory: &tempfile::TempDir, (key, secret): (&str, &str)) {
    std::fs::write(directory.path().join("accessKey"), key).unwrap();
    std::fs::write(directory.path().join("secretKey"), secret).unwrap();
}

fn defaults(directory: &tempfile::TempDir, namespace: &str) -> Option<Defaults> {
    let origin = Origin::Directory(directory.path().to_owned());
    let project = [sample::PROJECT.to_owned()];
    Defaults::new(Some(origin), &[namespace.to_owned()], &project).unwrap()
}

async fn is_refused(world: &World, name: &str, said: &str) {
    let told = world
        .recorder
        .until(name, "refused", |object| {
            reason(object) == "CredentialsMissing"
        })
        .await;
    assert_eq!(condition(&told, "Stalled"), "True");
    let message = message(&told);
    assert!(
        message.contains(said) && message.contains("name a Secret"),
        "{message}"
    );
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_credentials_serve_who_is_named_and_are_taken_up_anew_when_they_change() {
    let fleet = Fleet::sample().numbered(1);
    let mut world = World::without_operator(options(Mode::M2).fleet(fleet)).await;
    let region = Region::of(&world);
    let directory = tempfile::tempdir().unwrap();
    world.sim.set_access_key(OWN.0, OWN.1);
    write(&directory, OWN);
    let defaults = defaults(&directory, &world.namespace);
    world.start_operator_with(region.setup(defaults)).await;
    world.create(&bare(world.resource(3307))).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    let own = Filter::on(Operation::List).credential(OWN.0);
    assert!(world.sim.count(&own) > 0);

    // Another project is not theirs, though the same namespace is.
    let mut other = bare(world.numbered(0, 3307));
    other.spec.project_id = "f".repeat(32);
    world.create(&other).await;
    is_refused(
        &world,
        "numbered-0",
        &format!("not for project {}", "f".repeat(32)),
    )
    .await;
    let instance = Fleet::numbered_instance(0);
    assert_eq!(world.sim.count(&Filter::all().instance(&instance)), 0);

    let new = ("OPERATORACCESSKEY002", "operators-new");
    world.sim.set_access_key(new.0, new.1);
    write(&directory, new);
    let by_new = Filter::on(Operation::List).credential(new.0);
    world
        .until_true("the new ones are used", || world.sim.count(&by_new) > 0)
        .await;
    world.want_now(3308).await;
    let ready = |object: &TaurusProxyPort| is_ready_with(object, 3308);
    world.until_passing("Ready by the new ones", ready).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_credentials_are_for_nobody_who_is_not_named() {
    let fleet = Fleet::sample().numbered(2);
    let mut world = World::without_operator(options(Mode::M2).fleet(fleet)).await;
    let region = Region::of(&world);
    let directory = tempfile::tempdir().unwrap();
    world.sim.set_access_key(OWN.0, OWN.1);
    write(&directory, OWN);
    let others = defaults(&directory, "platform");
    world.start_operator_with(region.setup(others)).await;
    world.create(&bare(world.numbered(0, 3307))).await;
    let namespace = format!("not for namespace {}", world.namespace);
    is_refused(&world, "numbered-0", &namespace).await;
    for object in world.recorder.versions_of("numbered-0") {
        assert!(
            !message(&object).contains("platform"),
            "{}",
            message(&object)
        );
    }
    world.stop_operator().await;

    // Nor for anybody where there are none.
    world.start_operator_with(region.setup(None)).await;
    world.create(&bare(world.numbered(1, 3307))).await;
    is_refused(&world, "numbered-1", "credentialsRef is not set: name").await;
    assert_eq!(world.sim.count(&Filter::all().credential(OWN.0)), 0);

    // With an endpoint of its own, a resource can't even be written without a Secret.
    let mut own = bare(world.resource(3307));
    own.spec.endpoint = Some(world.sim.url());
    let refused = world
        .api()
        .create(&kube::api::PostParams::default(), &own)
        .await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("credentialsRef or workloadIdentity is required"),
        "{refused}"
    );
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_identity_of_the_operator_s_pod_or_node_changes_ports_without_a_secret() {
    for by_pod in [true, false] {
        let accounts = Accounts::sample()
            .id_token(sample::POD_IDENTITY, "pod-token-1")
            .machine_agency();
        let served = options(Mode::M2).accounts(accounts);
        let mut world = World::without_operator(served).await;
        let region = Region::of(&world);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "pod-token-1\n").unwrap();
        let uri = format!("{}/pod-identity/credentials", world.sim.url());
        // As the flag does it; the address of the metadata service alone is that of the simulator.
        let origin = if by_pod {
            Origin::of_identity(Some("pod-identity"), |name| match name {
                "HC_CONTAINER_CREDENTIALS_FULL_URI" => Some(uri.clone()),
                "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE" => file.to_str().map(str::to_owned),
                _ => None,
            })
            .unwrap()
        } else {
            Some(Origin::Node(world.sim.url()))
        };
        let project = [sample::PROJECT.to_owned()];
        let namespaces = [world.namespace.clone()];
        let defaults = Defaults::new(origin, &namespaces, &project).unwrap();
        world.start_operator_with(region.setup(defaults)).await;
        world.create(&bare(world.resource(3307))).await;
        world.until_ready(3307).await;
        assert_eq!(world.asked_for(), [3307]);
        let (asked, not_asked) = if by_pod {
            (Operation::PodKeys, Operation::MachineKeys)
        } else {
            (Operation::MachineKeys, Operation::PodKeys)
        };
        let first = world.sim.count(&Filter::on(asked));
        assert!(first > 0);

        // What is taken away is had anew.
        let lists = Filter::on(Operation::List).instance(sample::INSTANCE);
        let last = world.sim.entries(&lists).pop();
        let key = last.and_then(|entry| entry.credential).unwrap();
        world.sim.remove_access_key(&key).unwrap();
        world.want_now(3308).await;
        world.until_ready(3308).await;
        assert!(world.sim.count(&Filter::on(asked)) > first);
        assert_eq!(world.sim.count(&Filter::on(not_asked)), 0);
        let shown = format!("{:?}", world.recorder.versions_of("orders"));
        assert!(!shown.contains("pod-token-1"), "a token is shown: {shown}");
        world.finish().await;
    }
}
