//! One bad resource harms no other.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use taurus_port_operator::{
    controller::meter::{Ending, Meter},
    crd::TaurusProxyPort,
    model::{Moment, Uid},
};
use taurus_sim::{Mode, sample};

use crate::world::{NAME, PATIENCE, World, operator::Setup, options, plane};

/// Counts, and panics in the first reconciles of the story's resource.
#[derive(Default)]
struct Panicking {
    left: AtomicUsize,
    panics: AtomicUsize,
    undecodable: AtomicUsize,
}

impl Meter for Panicking {
    fn reconciled(&self, ending: Ending, _: Duration) {
        if ending == Ending::Panicked {
            self.panics.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn resource(&self, _: &Uid, object: &TaurusProxyPort, _: Moment) {
        let one_less = |left: usize| left.checked_sub(1);
        let ours = object.name_any() == "orders";
        let order = Ordering::SeqCst;
        assert!(
            !ours || self.left.fetch_update(order, order, one_less).is_err(),
            "a fault of our own"
        );
    }

    fn undecodable(&self, _: &Uid, _: Option<Timestamp>, _: Moment) {
        self.undecodable.fetch_add(1, Ordering::SeqCst);
    }
}

async fn start(world: &mut World, meter: &Arc<Panicking>) {
    world
        .start_operator_with(Setup {
            meter: Arc::clone(meter) as _,
            ..Setup::default()
        })
        .await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_caught_and_the_resource_is_served_later() {
    let meter = Arc::new(Panicking {
        left: AtomicUsize::new(3),
        ..Panicking::default()
    });
    let mut world = World::without_operator(options(Mode::M2)).await;
    start(&mut world, &meter).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    assert_eq!(meter.panics.load(Ordering::SeqCst), 3);
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_object_that_cannot_be_read_is_passed_over_until_it_changes() {
    let meter = Arc::new(Panicking::default());
    let mut world = World::on(&plane::loosened().await, options(Mode::M2)).await;
    let mut odd = serde_json::to_value(world.resource(3307)).unwrap();
    odd["spec"]["port"] = json!("three thousand");
    let request = http::Request::post(world.api().resource_url());
    let request = request.body(serde_json::to_vec(&odd).unwrap()).unwrap();
    world.client.request::<Value>(request).await.unwrap();
    start(&mut world, &meter).await;
    world.until_neighbour_is_ready().await;
    assert!(meter.undecodable.load(Ordering::SeqCst) >= 1);
    assert!(world.asked_for().is_empty());

    world.want_now(3307).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

/// A resource as it is stored, whatever its fields hold.
async fn stored(world: &World) -> Value {
    let path = format!("{}/{NAME}", world.api().resource_url());
    let request = http::Request::get(path).body(Vec::new()).unwrap();
    world.client.request(request).await.unwrap()
}

fn stored_condition<'s>(stored: &'s Value, kind: &str) -> Option<&'s Value> {
    let all = stored["status"]["conditions"].as_array()?;
    all.iter().find(|condition| condition["type"] == kind)
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a06_a_resource_that_cannot_be_read_is_told_which_field_to_correct() {
    let mut world = World::on(&plane::loosened().await, options(Mode::M2)).await;
    world.start_operator().await;
    world.want(3307).await;
    let settled = world.until_ready(3307).await;
    let foreign = json!({
        "type": "example.com/Audited", "status": "True", "reason": "Fine", "message": "by hand",
        "lastTransitionTime": "2026-01-01T00:00:00Z"
    });
    let mut status = serde_json::to_value(&settled.status).unwrap();
    status["conditions"]
        .as_array_mut()
        .unwrap()
        .push(foreign.clone());
    let wish = json!({"spec": {"port": 99_999_999_999_u64}});
    let path = format!("{}/{NAME}", world.api().resource_url());
    let status = (format!("{path}/status"), json!({ "status": status }));
    for (path, patch) in [status, (path, wish)] {
        let request = http::Request::patch(path)
            .header("content-type", "application/merge-patch+json")
            .body(serde_json::to_vec(&patch).unwrap())
            .unwrap();
        world.client.request::<Value>(request).await.unwrap();
    }
    world
        .until_true_async("it is told", async || {
            let stored = stored(&world).await;
            let ready = stored_condition(&stored, "Ready").unwrap();
            ready["reason"] == "SpecInvalid"
        })
        .await;
    let told = stored(&world).await;
    let stalled = stored_condition(&told, "Stalled").unwrap();
    let message = stalled["message"].as_str().unwrap();
    assert!(
        message.starts_with("spec.port can't be read: "),
        "{message}"
    );
    assert_eq!(
        stalled["observedGeneration"],
        told["metadata"]["generation"]
    );
    assert_eq!(stored_condition(&told, "Ready").unwrap()["status"], "False");
    let audited = stored_condition(&told, "example.com/Audited").unwrap();
    assert_eq!(audited["message"], foreign["message"]);
    assert_eq!(told["status"]["port"], 3307, "what was known of it stays");

    // Another process has nothing to add.
    world.stop_operator().await;
    world.start_operator().await;
    world.until_neighbour_is_ready().await;
    let version = |stored: &Value| stored["metadata"]["resourceVersion"].clone();
    assert_eq!(version(&stored(&world).await), version(&told));
    assert_eq!(world.asked_for(), [3307]);

    world.want_now(3307).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

/// Holds a reconcile up where it counts the story's resource, until the resource was forgotten.
#[derive(Default)]
struct Holding {
    armed: AtomicBool,
    holds: AtomicBool,
    calls: Mutex<Vec<&'static str>>,
}

impl Holding {
    fn has_forgotten(&self) -> bool {
        self.calls.lock().unwrap().contains(&"forget")
    }
}

impl Meter for Holding {
    fn resource(&self, _: &Uid, object: &TaurusProxyPort, _: Moment) {
        if object.name_any() != "orders" || !self.armed.swap(false, Ordering::SeqCst) {
            return;
        }
        self.holds.store(true, Ordering::SeqCst);
        let begun = Instant::now();
        tokio::task::block_in_place(|| {
            while !self.has_forgotten() && begun.elapsed() < PATIENCE {
                std::thread::yield_now();
            }
        });
        self.calls.lock().unwrap().push("count");
    }

    fn forget(&self, _: &str) {
        self.calls.lock().unwrap().push("forget");
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_that_is_deleted_while_it_is_reconciled_is_not_counted_for_ever() {
    let meter = Arc::new(Holding::default());
    let setup = Setup {
        meter: Arc::clone(&meter) as _,
        ..Setup::default()
    };
    let world = World::start_with(options(Mode::M2), setup).await;
    world.until_neighbour_is_ready().await;
    world.want(sample::PORT).await;
    world.until_ready(sample::PORT).await;
    meter.armed.store(true, Ordering::SeqCst);
    world.ask("look").await;
    world
        .until_true("it is being counted", || meter.holds.load(Ordering::SeqCst))
        .await;
    world.delete().await;
    world
        .until_true("it is forgotten again", || {
            *meter.calls.lock().unwrap() == ["forget", "count", "forget"]
        })
        .await;
    world.finish().await;
}
