//! `spec.probe`: real connections of the shipped prober to the simulator's listeners, in a network of its own where the proxies have addresses.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use futures::{FutureExt as _, future::BoxFuture};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use taurus_port_operator::{
    crd::{ProbeMode, TaurusProxyPort},
    probe::{Outcome, Probe, tcp::Tcp},
    publish::wanted::Place,
};
use taurus_sim::{Mode, Options, PortListens, sample};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::publication::{self, SERVICE};
use crate::{
    applications::network,
    world::{World, condition, is_ready_with, job_of, netns, operator::Setup, options, reason},
};

#[taurus_needs::test]
fn probes_lead_ahead_report_and_hold_up_ready() {
    netns::needed();
    println!("{}", netns::play("stories::probes::part_story", &[]));
}

/// As a server greets that signs in by the oldest method which is still in use.
fn greeting() -> Vec<u8> {
    let mut payload = b"\x0a8.0.22-story\0".to_vec();
    payload.extend(b"\x07\0\0\0abcdefgh\0\xff\xff\x21\x02\0\xff\xdf\x15");
    payload.extend([0; 10]);
    payload.extend(b"ijklmnopqrst\0mysql_native_password\0");
    let mut packet = vec![u8::try_from(payload.len()).unwrap(), 0, 0, 0];
    packet.extend(payload);
    packet
}

/// A database behind the proxies. It lets nobody in.
#[derive(Clone, Default)]
struct Database {
    is_silent: Arc<AtomicBool>,
    /// What each client has said that it greeted, up to its end.
    said: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Database {
    async fn serve(self, mut client: TcpStream) {
        if self.is_silent.load(Ordering::SeqCst) {
            let _ = client.read_to_end(&mut Vec::new()).await;
            return;
        }
        let mut said = vec![0; 4];
        let talk = async {
            client.write_all(&greeting()).await?;
            client.read_exact(&mut said).await?;
            said.resize(4 + usize::from(said[0]), 0);
            client.read_exact(&mut said[4..]).await?;
            client.write_all(b"\x09\0\0\x02\xff\x15\x04#28000").await?;
            client.read_to_end(&mut said).await
        };
        // A client that goes away has said what it has said.
        let _: std::io::Result<usize> = talk.await;
        self.said.lock().unwrap().push(said);
    }

    async fn start(&self) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let database = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(database.clone().serve(client));
            }
        });
        address
    }
}

/// The shipped prober; what came of each probe is kept.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<Vec<(u16, Outcome)>>>);

impl Probe for Recorded {
    fn probe(&self, place: Place) -> BoxFuture<'static, Outcome> {
        let ended = Arc::clone(&self.0);
        async move {
            let outcome = Tcp::default().probe(place).await;
            let port = place.socket().port();
            ended.lock().unwrap().push((port, outcome.clone()));
            outcome
        }
        .boxed()
    }
}

/// Reason and message of `Reachable`.
fn reachable(object: &TaurusProxyPort) -> (String, String) {
    let status = object.status.as_ref();
    let mut conditions = status.iter().flat_map(|status| &status.conditions);
    let found = conditions.find(|one| one.type_ == "Reachable");
    found.map_or_else(Default::default, |one| {
        (one.reason.clone(), one.message.clone())
    })
}

fn endpoint(object: &TaurusProxyPort) -> Option<&str> {
    let service = object.status.as_ref()?.service.as_ref()?;
    service.endpoint.as_deref()
}

async fn probes(world: &World, mode: ProbeMode) {
    let mode = serde_json::to_value(mode).unwrap();
    world
        .patch(serde_json::json!({"spec": {"probe": mode}}))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the test above"]
async fn part_story() {
    network::make();
    let database = Database::default();
    let options = Options {
        database: Some(database.start().await),
        ..options(Mode::M2)
    };
    let mut world = World::without_operator(options).await;
    publication::allow(&world).await;
    let probes = Recorded::default();
    let setup = Setup {
        probe: Arc::new(probes.clone()),
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    let ports = publication::recorded(&world);
    let mut resource = publication::published(&world, sample::PORT);
    resource.spec.probe = Some(ProbeMode::Report);
    world.create(&resource).await;
    let settled = world
        .until("settled", |object| is_ready_with(object, sample::PORT))
        .await;
    assert_eq!(reachable(&settled).0, "NotProbed");
    assert!(database.said.lock().unwrap().is_empty(), "none at rest");

    leads_ahead(&world, &database, &probes).await;
    assert_eq!(publication::ports(&ports), [3306, 3307]);
    holds_ready_up(&world).await;
    reports(&world, &database).await;
    assert_eq!(world.accepted(), [3307, 3308, 3309], "each once");
    assert_eq!(publication::ports(&ports), [3306, 3307, 3308, 3309]);
    world.finish().await;
}

/// The proxy listens at the new port half a minute before its job ends.
async fn leads_ahead(world: &World, database: &Database, probes: &Recorded) {
    let half = std::time::Duration::from_secs(30);
    let job = job_of(60).port_listens(PortListens::Before(half));
    world.sim.next_job_of(sample::PROXY, job);
    world.want_now(3307).await;
    world.until_change(1).await;
    let running = |object: &TaurusProxyPort| reason(object) == "JobRunning";
    let object = world.until("at work", running).await;
    assert_eq!(endpoint(&object), Some("10.20.0.2:3306"));
    // A greeting leads there only where nobody listened before.
    let was_silent = || {
        let ended = probes.0.lock().unwrap();
        ended.contains(&(3307, Outcome::Refused))
    };
    world.until_true("silent at first", was_silent).await;
    world.pass(31);
    let is_ahead = |object: &TaurusProxyPort| endpoint(object) == Some("10.20.0.2:3307");
    let ahead = world.until("led ahead", is_ahead).await;
    let (reason_of_it, message) = reachable(&ahead);
    assert_eq!((reason(&ahead), &*reason_of_it), ("JobRunning", "Probing"));
    assert!(message.contains("10.20.0.2:3307"), "{message}");
    assert_eq!(ahead.status.as_ref().unwrap().port, Some(3306));
    let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.namespace);
    let map = maps.get(SERVICE).await.unwrap().data.unwrap();
    assert_eq!(map["proxyPort"], "3306", "it tells of verified ports alone");
    world.pass(30);
    let done = world
        .until_passing("ready", |object| is_ready_with(object, 3307))
        .await;
    let done = if condition(&done, "Reachable") == "True" {
        done
    } else {
        let is_told = |object: &TaurusProxyPort| condition(object, "Reachable") == "True";
        world.until("told", is_told).await
    };
    let (reason_of_it, message) = reachable(&done);
    assert_eq!(reason_of_it, "GreetingRead");
    assert!(message.contains("at 10.20.0.2:3307: at 20"), "{message}");
    let said = database.said.lock().unwrap();
    let user = b"taurus-port-operator\0";
    let signs_in = |said: &Vec<u8>| said.windows(user.len()).any(|part| part == user);
    assert!(!said.is_empty() && said.iter().all(signs_in), "{said:?}");
}

/// The proxy listens nowhere until long after the job.
async fn holds_ready_up(world: &World) {
    probes(world, ProbeMode::Require).await;
    let long = std::time::Duration::from_mins(10);
    let job = job_of(60).port_listens(PortListens::Down(long));
    world.sim.next_job_of(sample::PROXY, job);
    world.want_now(3308).await;
    world.until_change(2).await;
    world.pass(61);
    let stalled = |object: &TaurusProxyPort| reason(object) == "NotReachable";
    let object = world.until("not reachable", stalled).await;
    assert_eq!(reachable(&object).0, "NoGreeting");
    let status = object.status.as_ref().unwrap();
    assert_eq!((status.port, status.change.as_ref()), (Some(3308), None));
    assert_eq!(endpoint(&object), Some("10.20.0.2:3308"), "a list has it");
    world.pass(600);
    world
        .until("ready once it listens", |object| {
            is_ready_with(object, 3308)
        })
        .await;
}

/// The database says nothing.
async fn reports(world: &World, database: &Database) {
    probes(world, ProbeMode::Report).await;
    database.is_silent.store(true, Ordering::SeqCst);
    world.sim.next_job_of(sample::PROXY, job_of(60));
    world.want_now(3309).await;
    world.until_change(3).await;
    world.pass(61);
    let is_told = |object: &TaurusProxyPort| condition(object, "Reachable") == "False";
    let object = world.until_passing("told", is_told).await;
    assert!(is_ready_with(&object, 3309), "{object:?}");
    let (reason, message) = reachable(&object);
    assert_eq!(reason, "NoGreeting");
    assert!(message.contains("the operator's log"), "{message}");
    // A person asks once more.
    database.is_silent.store(false, Ordering::SeqCst);
    world.ask("now").await;
    let is_told = |object: &TaurusProxyPort| condition(object, "Reachable") == "True";
    world.until("answers", is_told).await;
}
