//! Orders, carried out at an API server that is made up: it keeps objects, compares versions, and refuses what it is told to.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::Method;
use http_body_util::BodyExt as _;
use kube::{Client, client::Body};
use serde_json::{Value, json};

use super::{owner, place, wish};
use crate::{
    clock::Clock,
    crd::PublishedService,
    desired::{ServiceWish, Wish},
    leader::Leadership,
    model::{JobId, Mark},
    publish::{
        contest::{Mend, Was},
        order::{Ahead, Known, Names, Order, Places, Published, Rival, Slot, Urge},
        publisher::Publisher,
        said::Said,
        standing::Owner,
        wanted::Place,
    },
};

/// What the API server has, by path, and what it refuses.
#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    /// Method, part of the path, code, message, and how often.
    refusals: Vec<(Method, &'static str, u16, &'static str, u32)>,
    /// Each write: method and path.
    writes: Vec<(Method, String)>,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

type Answer = (u16, Value);

fn status(code: u16, message: &str) -> Answer {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "Refused",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code
    });
    (code, body)
}

impl State {
    fn answer(&mut self, method: &Method, path: &str, query: &str, body: Value) -> Answer {
        let place = self
            .refusals
            .iter()
            .position(|(of, part, _, _, left)| of == method && path.contains(part) && *left > 0);
        if let Some(place) = place {
            let (_, _, code, message, left) = &mut self.refusals[place];
            *left -= 1;
            return status(*code, message);
        }
        if *method != Method::GET {
            self.writes.push((method.clone(), path.to_owned()));
        }
        match *method {
            Method::GET if query.contains("labelSelector") => self.list(path, query),
            Method::GET => match self.objects.get(path) {
                Some(object) => (200, object.clone()),
                None => status(404, "not found"),
            },
            Method::POST => {
                let name = body["metadata"]["name"].as_str().unwrap().to_owned();
                let path = format!("{path}/{name}");
                if self.objects.contains_key(&path) {
                    return status(409, "there is one");
                }
                (201, self.store(&path, body))
            }
            Method::PUT => {
                let Some(live) = self.objects.get(path) else {
                    return status(404, "not found");
                };
                let version = |of: &Value| of["metadata"]["resourceVersion"].clone();
                if version(live) != version(&body) {
                    return status(409, "another version");
                }
                (200, self.store(path, body))
            }
            Method::DELETE => match self.objects.remove(path) {
                Some(object) => (200, object),
                None => status(404, "not found"),
            },
            _ => status(405, "no such method"),
        }
    }

    fn list(&self, path: &str, query: &str) -> Answer {
        let selector: String = query
            .split('&')
            .find_map(|part| part.strip_prefix("labelSelector="))
            .unwrap()
            .replace("%2C", ",")
            .replace("%3D", "=")
            .replace("%2F", "/");
        let wanted: Vec<(&str, &str)> = selector
            .split(',')
            .map(|one| one.split_once('=').unwrap())
            .collect();
        let matches = |object: &Value| {
            let labels = &object["metadata"]["labels"];
            wanted.iter().all(|(key, value)| labels[*key] == *value)
        };
        let there = self.objects.iter();
        let there = there.filter(|(of, object)| of.starts_with(path) && matches(object));
        let items: Vec<Value> = there.map(|(_, object)| object.clone()).collect();
        (
            200,
            json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}),
        )
    }

    /// Stores an object as an API server does: with a version, a UID, and a cluster IP where it is a Service's.
    fn store(&mut self, path: &str, mut body: Value) -> Value {
        self.version += 1;
        body["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if body["metadata"]["uid"].is_null() {
            body["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        if path.contains("/services/") && body["spec"]["clusterIP"].is_null() {
            body["spec"]["clusterIP"] = json!("10.96.0.9");
        }
        self.objects.insert(path.to_owned(), body.clone());
        body
    }
}

impl Server {
    fn publisher_by(&self, leadership: Leadership) -> Publisher {
        let state = Arc::clone(&self.0);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let state = Arc::clone(&state);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let said = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let query = head.uri.query().unwrap_or_default();
                let answer =
                    |state: &mut State| state.answer(&head.method, head.uri.path(), query, said);
                let (code, answer) = answer(&mut state.lock().unwrap());
                let answer = serde_json::to_vec(&answer).unwrap();
                let answer = http::Response::builder()
                    .status(code)
                    .body(Body::from(answer));
                Ok::<_, Infallible>(answer.unwrap())
            }
        });
        let client = Client::new(service, "shop");
        Publisher::new(client, Clock::start(), Arc::new(leadership))
    }

    async fn publish(&self, order: &Order) -> Published {
        self.publisher_by(Leadership::alone()).publish(order).await
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn get(&self, path: &str) -> Option<Value> {
        self.state().objects.get(path).cloned()
    }

    fn has(&self, path: &str, object: Value) {
        self.state().store(path, object);
    }

    fn edit(&self, path: &str, edit: impl FnOnce(&mut Value)) {
        let mut object = self.get(path).unwrap();
        edit(&mut object);
        self.has(path, object);
    }

    fn refuse(&self, method: Method, part: &'static str, code: u16, message: &'static str) {
        let refusal = (method, part, code, message, u32::MAX);
        self.state().refusals.push(refusal);
    }

    fn allow_all(&self) {
        self.state().refusals.clear();
    }

    /// The port to which a slice leads.
    fn port(&self, slice: &str) -> Option<i64> {
        self.get(slice)?["ports"][0]["port"].as_i64()
    }

    fn map(&self, key: &str) -> String {
        let map = self.get(MAP).unwrap();
        map["data"][key].as_str().unwrap().to_owned()
    }

    fn writes(&self) -> usize {
        self.state().writes.len()
    }
}

const SERVICE: &str = "/api/v1/namespaces/shop/services/orders-db";
const OTHER: &str = "/api/v1/namespaces/shop/services/orders-sql";
const SLICE: &str = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/orders-db-ipv4";
const SLICE_V6: &str = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/orders-db-ipv6";
const OTHER_SLICE: &str =
    "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/orders-sql-ipv4";
const MAP: &str = "/api/v1/namespaces/shop/configmaps/orders-db";

fn at(port: u16) -> Known {
    Known::At(place("192.0.2.7", port))
}

fn keep(port: Option<u16>) -> Known {
    Known::Keep(port.map(|port| place("192.0.2.7", port)))
}

/// Something leads to a port that was not read.
fn unread(port: u16, on_record: Option<u16>) -> Said {
    let at = |port| place("192.0.2.7", port);
    Said::Unread(at(port), on_record.map(at))
}

fn of(owner: Owner, known: Known) -> Order {
    Order {
        owner,
        wish: Wish {
            service: Some(wish()),
            config_map: Some("orders-db".to_owned()),
        },
        before: Names::default(),
        sweeps: false,
        known,
        verified: None,
        ahead: None,
        firm: None,
        waits: false,
        ends: false,
        rivals: Vec::new(),
    }
}

fn order(known: Known) -> Order {
    of(owner("orders"), known)
}

fn foreign_service() -> Value {
    json!({"metadata": {"name": "orders-db", "namespace": "shop"}, "spec": {"selector": {"app": "other"}, "ports": [{"port": 5432}]}})
}

fn shown(published: &Published) -> &PublishedService {
    match &published.service_slot {
        Slot::Is(shown) => shown,
        other => panic!("{other:?}"),
    }
}

/// An API server at which the port is published.
async fn published(port: u16) -> Server {
    let server = Server::default();
    let published = server.publish(&order(at(port))).await;
    assert_eq!(published.service, Some(Said::Published));
    assert_eq!(published.config_map, Some(Said::Published));
    server
}

fn rival(name: &str, has: bool) -> Rival {
    let names = Names {
        service: Some("orders-db".to_owned()),
        config_map: Some("orders-db".to_owned()),
    };
    Rival {
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        has: if has { names.clone() } else { Names::default() },
        wishes: names,
    }
}

/// A wish for a Service of another name.
fn other_service(port: u16) -> ServiceWish {
    let name = "orders-sql".to_owned();
    ServiceWish { name, port }
}

#[tokio::test]
async fn the_same_is_written_once_and_another_port_in_one_write_each() {
    let server = published(3306).await;
    assert_eq!(server.writes(), 3);
    server.publish(&order(at(3306))).await;
    assert_eq!(server.writes(), 3);
    let moved = server.publish(&order(at(3307))).await;
    assert_eq!(server.writes(), 5);
    assert_eq!(server.port(SLICE), Some(3307));
    let shown = shown(&moved);
    assert_eq!(shown.endpoint.as_deref(), Some("192.0.2.7:3307"));
    assert_eq!(shown.cluster_ip.as_deref(), Some("10.96.0.9"));
    assert_eq!(server.map("host"), "orders-db.shop.svc");
    assert_eq!(server.map("proxyPort"), "3307");
}

#[tokio::test]
async fn c1_what_is_published_is_kept_and_only_what_is_missing_is_filled_in() {
    let server = published(3307).await;
    let kept = server.publish(&order(keep(Some(3306)))).await;
    assert_eq!(server.port(SLICE), Some(3307), "it was verified");
    assert_eq!(server.map("proxyPort"), "3307");
    assert_eq!(shown(&kept).endpoint, None, "nobody knows who led it there");
    assert_eq!(server.writes(), 3);
    for path in [SLICE, SERVICE, MAP] {
        server.state().objects.remove(path);
    }
    let none = server.publish(&order(keep(None))).await;
    assert_eq!(none.service, Some(Said::NothingRead));
    assert_eq!(server.get(SLICE), None);
    let filled = server.publish(&order(keep(Some(3306)))).await;
    assert_eq!(filled.service, Some(Said::Published));
    assert_eq!(server.port(SLICE), Some(3306));
    assert_eq!(server.map("proxyPort"), "3306");
    server.state().objects.remove(SERVICE);
    server.publish(&order(keep(None))).await;
    assert!(
        server.get(SERVICE).is_some(),
        "its slice says where it leads"
    );
}

#[tokio::test]
async fn c3_a_config_map_never_leads_to_a_service_of_somebody_else() {
    let server = published(3306).await;
    server.has(SERVICE, foreign_service());
    for (known, said) in [
        (keep(None), unread(3306, None)),
        (at(3306), Said::Published),
    ] {
        server.edit(MAP, |map| map["data"]["host"] = json!("orders-db.shop.svc"));
        let published = server.publish(&order(known)).await;
        assert!(matches!(published.service, Some(Said::Taken(..))));
        assert_eq!(published.config_map, Some(said));
        let led = (server.map("host"), server.map("port"));
        assert_eq!(led, ("192.0.2.7".to_owned(), "3306".to_owned()));
    }
    for (code, message) in [(403, "User \"x\" cannot create"), (500, "no"), (422, "no")] {
        let server = Server::default();
        server.refuse(Method::POST, "services", code, message);
        server.publish(&order(at(3306))).await;
        assert_eq!(server.map("host"), "192.0.2.7", "{code}");
    }
}

#[tokio::test]
async fn c4_h7_a_service_of_somebody_else_gets_no_endpoint_of_ours() {
    let server = published(3306).await;
    server.has(SERVICE, foreign_service());
    let before = server.get(SERVICE);
    let published = server.publish(&order(at(3307))).await;
    assert!(matches!(published.service, Some(Said::Taken("Service", _))));
    assert_eq!(server.get(SLICE), None);
    assert_eq!(server.get(SERVICE), before);
    let shown = shown(&published);
    assert_eq!((&shown.cluster_ip, &shown.endpoint), (&None, &None));
}

#[tokio::test]
async fn c6_the_service_in_use_follows_until_the_one_of_another_name_is_there() {
    let server = published(3306).await;
    server.has(OTHER, foreign_service());
    let mut order = order(at(3307));
    order.wish.service = Some(other_service(3310));
    order.before.service = Some("orders-db".to_owned());
    let published = server.publish(&order).await;
    assert!(matches!(published.service, Some(Said::Taken(..))));
    assert_eq!(server.port(SLICE), Some(3307));
    let shown = shown(&published).clone();
    assert_eq!((shown.name.as_str(), shown.port), ("orders-db", 3306));
    assert_eq!(shown.endpoint.as_deref(), Some("192.0.2.7:3307"));
    server.state().objects.remove(OTHER);
    let published = server.publish(&order).await;
    assert_eq!(published.service, Some(Said::Published));
    assert_eq!((server.get(SERVICE), server.get(SLICE)), (None, None));
    assert_eq!(server.port(OTHER_SLICE), Some(3307));
}

/// Else the ConfigMap would send applications to a name that is gone.
#[tokio::test]
async fn c6_a_service_stays_while_the_config_map_that_names_it_can_not_be_written() {
    for (is_renamed, code) in [(true, 403), (true, 422), (true, 500), (false, 403)] {
        let server = published(3306).await;
        server.refuse(Method::PUT, "configmaps", code, "no");
        let mut order = order(at(3307));
        order.wish.service = is_renamed.then(|| other_service(3310));
        order.before = Names {
            service: Some("orders-db".to_owned()),
            config_map: Some("orders-db".to_owned()),
        };
        let published = server.publish(&order).await;
        assert_ne!(published.config_map, Some(Said::Published), "{code}");
        assert!(server.map("host").starts_with("orders-db."), "{code}");
        assert_eq!(server.port(SLICE), Some(3307), "{code}: it follows");
        assert_eq!(
            shown(&published).name,
            "orders-db",
            "it is looked for again"
        );
        server.allow_all();
        let published = server.publish(&order).await;
        assert_eq!(published.config_map, Some(Said::Published));
        assert!(!server.map("host").starts_with("orders-db."), "{code}");
        assert_eq!((server.get(SERVICE), server.get(SLICE)), (None, None));
    }
}

#[tokio::test]
async fn c6_the_config_map_in_use_follows_too() {
    let server = published(3306).await;
    let other = "/api/v1/namespaces/shop/configmaps/other";
    server.has(other, json!({"metadata": {"name": "other"}, "data": {}}));
    let mut order = order(at(3307));
    order.wish.config_map = Some("other".to_owned());
    order.before.config_map = Some("orders-db".to_owned());
    let published = server.publish(&order).await;
    assert!(matches!(published.config_map, Some(Said::Taken(..))));
    assert_eq!(server.map("proxyPort"), "3307");
    assert_eq!(published.map_slot, Slot::Is("orders-db".to_owned()));
    server.state().objects.remove(other);
    server.publish(&order).await;
    assert_eq!(server.get(MAP), None);
    assert!(server.get(other).is_some());
}

#[tokio::test]
async fn c2_h2_only_a_proxy_that_is_gone_loses_its_endpoint() {
    let server = published(3306).await;
    let gone = server.publish(&order(Known::Gone)).await;
    assert_eq!(server.get(SLICE), None);
    assert_eq!(gone.service, Some(Said::Withdrawn));
    assert_eq!(gone.config_map, Some(Said::Outdated));
    assert_eq!(shown(&gone).endpoint, None);
    assert!(server.get(SERVICE).is_some() && server.get(MAP).is_some());
    server.publish(&order(at(3307))).await;
    assert_eq!(server.port(SLICE), Some(3307));
}

#[tokio::test]
async fn h1_a_newcomer_joins_before_anything_is_known_and_the_objects_outlive_the_first() {
    let server = published(3306).await;
    let mut newcomer = of(owner("orders-eu"), keep(None));
    let publisher = server.publisher_by(Leadership::alone());
    publisher.join(&newcomer).await.unwrap();
    publisher.join(&newcomer).await.unwrap();
    for path in [SERVICE, SLICE, MAP] {
        let owners = server.get(path).unwrap()["metadata"]["ownerReferences"].clone();
        assert_eq!(owners.as_array().unwrap().len(), 2, "{path}");
        assert_eq!(owners[0]["controller"], true);
    }
    // The first one is there still.
    newcomer.rivals = vec![rival("orders", true)];
    let waiting = server.publish(&newcomer).await;
    assert!(matches!(waiting.service, Some(Said::Held(..))));
    assert_eq!(waiting.urge(), Urge::Held);
    // It is deleted, and the garbage collector has removed its references.
    for path in [SERVICE, SLICE, MAP] {
        server.edit(path, |object| {
            let owners = object["metadata"]["ownerReferences"]
                .as_array_mut()
                .unwrap();
            owners.retain(|owner| owner["name"] == "orders-eu");
        });
    }
    newcomer.rivals.clear();
    let kept = server.publish(&newcomer).await;
    assert_eq!(kept.service, Some(unread(3306, None)), "by the slice alone");
    assert_eq!(server.port(SLICE), Some(3306));
}

#[tokio::test]
async fn h6_who_waits_no_longer_wishes_and_lets_go() {
    let server = published(3306).await;
    let mut waiting = of(owner("orders-eu"), at(3306));
    waiting.rivals = vec![rival("orders", true)];
    server.publish(&waiting).await;
    let mut done = Order {
        wish: Wish::default(),
        sweeps: true,
        ..waiting
    };
    done.before = Names::default();
    let published = server.publish(&done).await;
    assert_eq!(published.service, None);
    assert_eq!(published.service_slot, Slot::Empty);
    for path in [SERVICE, MAP] {
        let owners = server.get(path).unwrap()["metadata"]["ownerReferences"].clone();
        assert_eq!(owners.as_array().unwrap().len(), 1, "{path}");
    }
    let slice = server.get(SLICE).unwrap();
    let owners = slice["metadata"]["ownerReferences"].as_array().unwrap();
    assert_eq!(owners.len(), 1);
}

#[tokio::test]
async fn m2_what_was_made_under_a_name_that_is_not_on_record_is_found() {
    let server = published(3306).await;
    let mut other = order(at(3306));
    other.wish.service = Some(other_service(3306));
    other.wish.config_map = None;
    other.sweeps = true;
    server.publish(&other).await;
    assert_eq!((server.get(SERVICE), server.get(SLICE)), (None, None));
    assert_eq!(server.get(MAP), None);
    assert_eq!(server.port(OTHER_SLICE), Some(3306));
}

#[tokio::test]
async fn m6_a_living_holder_makes_its_service_anew_itself() {
    let server = Server::default();
    let mut sibling = of(owner("watcher"), at(3306));
    sibling.rivals = vec![rival("orders", true)];
    let published = server.publish(&sibling).await;
    assert!(matches!(published.service, Some(Said::Held(..))));
    assert_eq!(server.writes(), 0);
    let mut holder = order(at(3306));
    holder.rivals = vec![rival("watcher", false)];
    let published = server.publish(&holder).await;
    assert_eq!(published.service, Some(Said::Published));
}

fn controller(server: &Server, path: &str) -> Option<String> {
    let owners = server.get(path)?["metadata"]["ownerReferences"].clone();
    let mut owners = owners.as_array()?.iter();
    let owner = owners.find(|owner| owner["controller"] == true)?;
    owner["name"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn p1_what_another_one_has_made_since_it_was_looked_for_is_left_to_it() {
    let server = published(3306).await;
    let mut newcomer = of(owner("orders-eu"), at(3306));
    newcomer.rivals = vec![rival("orders", false)];
    for path in [SERVICE, MAP] {
        let once = (Method::GET, path, 404, "not found", 1);
        server.state().refusals.push(once);
    }
    let published = server.publish(&newcomer).await;
    assert!(matches!(published.service, Some(Said::Held("Service", ..))));
    assert!(matches!(published.config_map, Some(Said::Held(..))));
    for path in [SERVICE, SLICE, MAP] {
        let has = controller(&server, path);
        assert_eq!(has.as_deref(), Some("orders"), "{path}");
    }
}

#[tokio::test]
async fn p2_a_service_that_lost_its_labels_costs_its_resource_no_slice() {
    let server = published(3306).await;
    server.edit(SERVICE, |service| service["metadata"]["labels"] = json!({}));
    let mut other = of(owner("orders-eu"), at(3306));
    other.rivals = vec![rival("orders", true)];
    let published = server.publish(&other).await;
    assert!(matches!(published.service, Some(Said::Taken(..))));
    assert_eq!(server.port(SLICE), Some(3306));
}

#[tokio::test]
async fn p3_what_lost_its_owners_goes_back_to_the_resource_that_had_it() {
    let server = published(3306).await;
    for path in [SERVICE, SLICE, MAP] {
        server.edit(path, |object| {
            object["metadata"]["ownerReferences"] = json!([]);
        });
    }
    let mut other = of(owner("orders-eu"), at(3306));
    other.rivals = vec![rival("orders", true)];
    let waiting = server.publish(&other).await;
    assert!(matches!(waiting.service, Some(Said::Held(..))));
    assert!(matches!(waiting.config_map, Some(Said::Held(..))));
    let mut holder = order(at(3306));
    holder.rivals = vec![rival("orders-eu", false)];
    let published = server.publish(&holder).await;
    assert_eq!(published.service, Some(Said::Published));
    for path in [SERVICE, SLICE, MAP] {
        let has = controller(&server, path);
        assert_eq!(has.as_deref(), Some("orders"), "{path}");
    }
}

#[tokio::test]
async fn p4_what_could_not_be_looked_for_stays_on_record_and_goes_later() {
    let server = published(3306).await;
    let mut order = order(at(3306));
    order.wish = Wish::default();
    order.before = Names {
        service: Some("orders-db".to_owned()),
        config_map: Some("orders-db".to_owned()),
    };
    server.refuse(Method::GET, "/api/v1", 500, "etcd is slow");
    let failed = server.publish(&order).await;
    assert_eq!(failed.service_slot, Slot::AsBefore);
    assert_eq!(failed.map_slot, Slot::AsBefore);
    assert_eq!(failed.urge(), Urge::Failed);
    server.allow_all();
    server.publish(&order).await;
    for path in [SERVICE, SLICE, MAP] {
        assert_eq!(server.get(path), None, "{path}");
    }
}

#[tokio::test]
async fn p5_the_slice_of_a_service_that_is_gone_goes_with_its_name() {
    let server = published(3306).await;
    server.state().objects.remove(SERVICE);
    server.has(OTHER, foreign_service());
    let mut order = order(at(3306));
    order.wish.service = Some(other_service(3306));
    order.before.service = Some("orders-db".to_owned());
    let published = server.publish(&order).await;
    assert!(matches!(published.service, Some(Said::Taken(..))));
    assert_eq!(server.get(SLICE), None);
}

#[tokio::test]
async fn p6_what_was_published_since_it_was_withdrawn_stays_though_that_was_not_said() {
    let server = published(3306).await;
    let unsaid = server.publish(&order(Known::Withdrawn)).await;
    assert_eq!(unsaid.service, Some(unread(3306, None)));
    assert_eq!(server.port(SLICE), Some(3306));
    server.publish(&order(Known::Gone)).await;
    let withdrawn = server.publish(&order(Known::Withdrawn)).await;
    assert_eq!(withdrawn.service, Some(Said::Withdrawn));
    assert_eq!(server.get(SLICE), None);
}

#[tokio::test]
async fn p7_a_slice_goes_to_whoever_has_its_service() {
    let server = published(3306).await;
    server.edit(SERVICE, |service| {
        service["metadata"]["ownerReferences"] = json!([]);
    });
    server.refuse(Method::PUT, "services", 409, "others");
    let mut other = of(owner("orders-eu"), at(3306));
    other.rivals = Vec::new();
    server.publish(&other).await;
    assert_eq!(controller(&server, SLICE).as_deref(), Some("orders"));
}

#[tokio::test]
async fn p8_who_waits_no_longer_lets_go_of_a_slice_without_labels_too() {
    let server = published(3306).await;
    let mut waiting = of(owner("orders-eu"), at(3306));
    waiting.rivals = vec![rival("orders", true)];
    server.publish(&waiting).await;
    server.edit(SLICE, |slice| slice["metadata"]["labels"] = json!({}));
    waiting.wish = Wish::default();
    waiting.before.service = Some("orders-db".to_owned());
    server.publish(&waiting).await;
    let owners = server.get(SLICE).unwrap()["metadata"]["ownerReferences"].clone();
    assert_eq!(owners.as_array().unwrap().len(), 1);
    assert_eq!(controller(&server, SLICE).as_deref(), Some("orders"));
}

#[tokio::test]
async fn p9_where_somebody_else_has_led_a_slice_is_not_said() {
    let server = published(3306).await;
    let sure = server.publish(&order(keep(Some(3306)))).await;
    assert_eq!(shown(&sure).endpoint.as_deref(), Some("192.0.2.7:3306"));
    server.edit(SLICE, |slice| slice["ports"][0]["port"] = json!(9999));
    let mut other_name = order(keep(Some(3306)));
    other_name.wish.service = Some(other_service(3306));
    other_name.before.service = Some("orders-db".to_owned());
    server.has(OTHER, foreign_service());
    for order in [order(keep(Some(3306))), order(keep(None)), other_name] {
        let unsure = server.publish(&order).await;
        let shown = shown(&unsure);
        assert_eq!((shown.name.as_str(), &shown.endpoint), ("orders-db", &None));
        assert_eq!(server.port(SLICE), Some(9999), "until it is read");
    }
    let read = server.publish(&order(at(3306))).await;
    assert_eq!(shown(&read).endpoint.as_deref(), Some("192.0.2.7:3306"));
}

/// The first resource is gone, and the garbage collector has taken it from what others wait for.
fn collect(server: &Server) {
    for path in [SERVICE, SLICE, MAP] {
        server.edit(path, |object| {
            let owners = &mut object["metadata"]["ownerReferences"];
            let owners = owners.as_array_mut().unwrap();
            owners.retain(|owner| owner["name"] != "orders");
        });
    }
}

#[tokio::test]
async fn p10_what_lost_its_labels_goes_to_the_resource_that_waits_for_it() {
    let server = published(3306).await;
    let mut waiting = of(owner("orders-eu"), at(3306));
    waiting.rivals = vec![rival("orders", true)];
    server.publish(&waiting).await;
    for path in [SERVICE, SLICE, MAP] {
        server.edit(path, |object| object["metadata"]["labels"] = json!({}));
    }
    waiting.rivals.clear();
    waiting.known = at(3307);
    collect(&server);
    let published = server.publish(&waiting).await;
    assert_eq!(published.service, Some(Said::Published));
    assert_eq!(published.config_map, Some(Said::Published));
    assert_eq!(controller(&server, SLICE).as_deref(), Some("orders-eu"));
    assert_eq!(
        (server.port(SLICE), server.map("proxyPort").as_str()),
        (Some(3307), "3307")
    );
    let labels = server.get(SLICE).unwrap()["metadata"]["labels"].clone();
    assert_eq!(labels["kubernetes.io/service-name"], "orders-db");
}

#[tokio::test]
async fn p11_who_still_waits_when_it_wishes_for_other_names_keeps_the_old_ones_on_record() {
    let server = published(3306).await;
    let mut waiting = of(owner("orders-eu"), at(3306));
    waiting.waits = true;
    waiting.rivals = vec![rival("orders", true)];
    server.publish(&waiting).await;
    waiting.wish = Wish {
        service: Some(other_service(3306)),
        config_map: Some("other".to_owned()),
    };
    let names = Names {
        service: Some("orders-db".to_owned()),
        config_map: Some("orders-db".to_owned()),
    };
    waiting.before = names;
    let waits = server.publish(&waiting).await;
    assert_eq!(waits.service, Some(Said::NotManaging));
    let on_record = shown(&waits);
    assert_eq!(
        (on_record.name.as_str(), &on_record.cluster_ip),
        ("orders-db", &None)
    );
    assert_eq!(waits.map_slot, Slot::Is("orders-db".to_owned()));
    waiting.rivals.clear();
    waiting.known = at(3307);
    collect(&server);
    server.publish(&waiting).await;
    assert_eq!(
        (server.port(SLICE), server.map("proxyPort").as_str()),
        (Some(3307), "3307")
    );
    waiting.waits = false;
    let published = server.publish(&waiting).await;
    assert_eq!(published.service, Some(Said::Published));
    assert_eq!(
        (server.get(SERVICE), server.get(SLICE), server.get(MAP)),
        (None, None, None)
    );
}

#[tokio::test]
async fn p12_a_slice_is_not_taken_back_with_an_old_name_from_who_wishes_for_it() {
    let server = published(3306).await;
    let mut other = of(owner("orders-eu"), at(3307));
    other.rivals = Vec::new();
    server.publish(&other).await;
    assert_eq!(controller(&server, SLICE).as_deref(), Some("orders-eu"));
    // The Service was read before it was taken.
    server.edit(SERVICE, |service| {
        service["metadata"]["ownerReferences"] = json!([]);
    });
    server.has(OTHER, foreign_service());
    let mut order = order(at(3306));
    order.wish.service = Some(other_service(3306));
    order.before.service = Some("orders-db".to_owned());
    order.rivals = vec![rival("orders-eu", true)];
    server.publish(&order).await;
    assert_eq!(controller(&server, SLICE).as_deref(), Some("orders-eu"));
    assert_eq!(server.port(SLICE), Some(3307));
}

#[tokio::test]
async fn p13_what_could_not_be_looked_for_without_a_name_is_looked_for_again() {
    let server = published(3306).await;
    let mut order = order(at(3306));
    order.wish.service = Some(other_service(3306));
    order.sweeps = true;
    server.refuse(Method::GET, "services", 403, "User \"x\" cannot list");
    assert!(server.publish(&order).await.is_unswept);
    server.allow_all();
    let swept = server.publish(&order).await;
    assert!(!swept.is_unswept);
    assert_eq!(server.get(SERVICE), None);
}

#[tokio::test]
async fn h4_h5_failures_pass_and_refusals_ask_for_a_person() {
    for (method, code, message, urge, state) in [
        (Method::PUT, 500, "etcd is slow", Urge::Failed, "Unknown"),
        (Method::PUT, 429, "too many", Urge::Failed, "Unknown"),
        (Method::PUT, 409, "others", Urge::Failed, "Unknown"),
        (Method::PUT, 422, "is immutable", Urge::Refused, "False"),
        (Method::PUT, 403, "exceeded quota", Urge::Refused, "False"),
        (
            Method::PUT,
            403,
            "admission webhook \"x\" denied the request: port cannot be 3307",
            Urge::Refused,
            "False",
        ),
        (
            Method::PUT,
            403,
            "User \"x\" cannot update",
            Urge::Denied,
            "False",
        ),
        (
            Method::GET,
            403,
            "User \"x\" cannot list",
            Urge::Denied,
            "False",
        ),
    ] {
        let server = published(3306).await;
        server.refuse(method, "endpointslices", code, message);
        let published = server.publish(&order(at(3307))).await;
        let said = published.service.clone().unwrap();
        assert_eq!(published.urge(), urge, "{code} {message}");
        assert_eq!(said.status(), state, "{code} {message}");
        assert_eq!(published.failure().is_some(), urge == Urge::Failed);
        assert_eq!(server.port(SLICE), Some(3306));
        server.allow_all();
        server.publish(&order(at(3307))).await;
        assert_eq!(server.port(SLICE), Some(3307));
    }
}

#[tokio::test]
async fn h4_a_slice_that_is_deleted_between_read_and_write_is_made_anew() {
    let server = published(3306).await;
    let once = (Method::PUT, "endpointslices", 404, "not found", 1);
    server.state().refusals.push(once);
    let published = server.publish(&order(at(3307))).await;
    assert_eq!(published.service, Some(Said::Published));
    assert_eq!(server.port(SLICE), Some(3307));
}

/// As the API server marks what somebody has deleted and a finalizer holds.
fn is_held(object: &mut Value) {
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    object["metadata"]["finalizers"] = json!(["example.com/keep"]);
}

#[tokio::test]
async fn h9_an_own_service_that_a_finalizer_holds_follows_and_holds_nothing_up() {
    let server = published(3306).await;
    server.edit(SERVICE, is_held);
    let published = server.publish(&order(at(3307))).await;
    let said = published.service.clone().unwrap();
    assert_eq!(said.status(), "False");
    let text = said.text().0;
    assert!(
        text.contains("Service orders-db") && text.contains("finalizers"),
        "{text}"
    );
    assert_eq!(published.failure(), None, "Ready does not wait for it");
    assert_eq!(server.port(SLICE), Some(3307));
}

#[tokio::test]
async fn h9_what_could_not_be_deleted_still_has_edits_that_count() {
    let server = published(3306).await;
    let uid = server.get(SERVICE).unwrap()["metadata"]["uid"].clone();
    let uid = Mark::of(uid.as_str().unwrap());
    let mut order = order(at(3306));
    order.before.service = Some("orders-db".to_owned());
    order.wish = Wish::default();
    let publisher = server.publisher_by(Leadership::alone());
    server.refuse(Method::DELETE, "services", 500, "no");
    publisher.publish(&order).await;
    assert!(server.get(SERVICE).is_some() && !publisher.has_written(uid));
    server.allow_all();
    publisher.publish(&order).await;
    assert!(server.get(SERVICE).is_none() && publisher.has_written(uid));
}

#[tokio::test]
async fn a8_what_had_to_be_written_is_told_with_who_wrote_it_before() {
    let server = Server::default();
    let first = server.publish(&order(at(3306))).await;
    assert_eq!(first.mends.len(), 3);
    assert!(first.mends.iter().all(|mend| mend.was == Was::Missing));
    let same = server.publish(&order(at(3306))).await;
    assert!(same.mends.is_empty(), "nothing differs");
    server.edit(SLICE, |slice| {
        slice["ports"][0]["port"] = json!(9999);
        slice["metadata"]["managedFields"] = json!([
            {"manager": "taurus-port-operator", "operation": "Update", "time": "2026-03-02T16:40:05Z"},
            {"manager": "argocd", "operation": "Update", "time": "2026-03-02T16:40:06Z"},
        ]);
    });
    server.state().objects.remove(MAP);
    let mended = server.publish(&order(at(3306))).await;
    let mend = |kind, name: &str, was| Mend {
        kind,
        name: name.to_owned(),
        was,
    };
    let by = Was::Other(Some("argocd".to_owned()));
    let expected = [
        mend("EndpointSlice", "orders-db-ipv4", by),
        mend("ConfigMap", "orders-db", Was::Missing),
    ];
    assert_eq!(mended.mends, expected);
}

#[tokio::test]
async fn h9_a_foreign_service_that_a_finalizer_holds_is_waited_for_and_holds_nothing_up() {
    let server = Server::default();
    server.has(
        SERVICE,
        json!({"metadata": {"name": "orders-db"}, "spec": {}}),
    );
    server.edit(SERVICE, is_held);
    let published = server.publish(&order(at(3307))).await;
    let said = published.service.clone().unwrap();
    assert!(matches!(said, Said::Ending("Service", _)), "{said:?}");
    assert_eq!(published.failure(), None, "Ready does not wait for it");
    assert_eq!(published.urge(), Urge::Failed, "it is tried again soon");
    assert_eq!(server.port(SLICE), None);
}

#[tokio::test]
async fn h8_slices_of_others_behind_the_service_are_told() {
    let server = published(3306).await;
    let mirrored = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/orders-db-x7k2p";
    server.has(
        mirrored,
        json!({
            "metadata": {
                "name": "orders-db-x7k2p",
                "labels": {
                    "kubernetes.io/service-name": "orders-db",
                    "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io"
                }
            },
            "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 1}]
        }),
    );
    let published = server.publish(&order(at(3307))).await;
    let said = published.service.unwrap();
    assert!(said.text().0.contains("orders-db-x7k2p"), "{said:?}");
    assert_eq!(server.port(SLICE), Some(3307), "its own follows");
    assert!(server.get(mirrored).is_some());
}

#[tokio::test]
async fn m1_what_can_not_be_removed_is_told_and_holds_nothing_else_up() {
    let server = published(3306).await;
    server.refuse(Method::DELETE, "services", 500, "no");
    let mut order = order(at(3306));
    order.before = Names {
        service: Some("orders-db".to_owned()),
        config_map: Some("orders-db".to_owned()),
    };
    order.wish = Wish::default();
    let published = server.publish(&order).await;
    assert_eq!(server.get(MAP), None);
    let said = published.service.clone().unwrap();
    assert!(matches!(said, Said::Left("Service", ..)), "{said:?}");
    assert_eq!(published.service_slot, Slot::AsBefore);
    assert_eq!(published.config_map, None);
    assert_eq!(published.map_slot, Slot::Empty);
    server.allow_all();
    let published = server.publish(&order).await;
    assert_eq!(published.service, None);
    assert_eq!(server.get(SERVICE), None);
}

#[tokio::test]
async fn m4_a_service_without_an_address_of_the_family_says_so() {
    let server = published(3306).await;
    server.edit(SERVICE, |service| {
        service["spec"]["ipFamilies"] = json!(["IPv4"]);
    });
    let v6 = Known::At(place("2001:db8::7", 3306));
    let published = server.publish(&order(v6.clone())).await;
    let said = Some(Said::NoFamily("orders-db".to_owned(), "IPv6"));
    assert_eq!(published.service, said);
    let service = server.get(SERVICE).unwrap();
    assert_eq!(service["spec"]["ipFamilyPolicy"], "PreferDualStack");
    assert_eq!(
        server.get(SLICE),
        None,
        "it would lead to where the proxy was"
    );
    server.edit(SERVICE, |service| {
        service["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]);
    });
    let published = server.publish(&order(v6)).await;
    assert_eq!(published.service, Some(Said::Published));
}

#[tokio::test]
async fn m5_what_can_only_be_put_right_by_a_new_object_is_made_anew() {
    let server = published(3306).await;
    server.edit(SERVICE, |service| {
        service["spec"]["clusterIP"] = json!("None");
    });
    server.edit(MAP, |map| map["immutable"] = json!(true));
    let published = server.publish(&order(at(3306))).await;
    assert_eq!(published.service, Some(Said::Published));
    let service = server.get(SERVICE).unwrap();
    assert_eq!(service["spec"]["clusterIP"], "10.96.0.9");
    assert_eq!(service["spec"]["internalTrafficPolicy"], "Cluster");
    let map = server.get(MAP).unwrap();
    assert_eq!(map["immutable"], true, "nothing in it differs");
    server.publish(&order(at(3307))).await;
    let map = server.get(MAP).unwrap();
    assert_eq!(map["immutable"], Value::Null);
    assert_eq!(map["data"]["proxyPort"], "3307");
}

#[tokio::test]
async fn m7_who_does_not_lead_writes_nothing() {
    let server = published(3306).await;
    let writes = server.writes();
    let standby = server.publisher_by(Leadership::standby());
    let published = standby.publish(&order(at(3307))).await;
    assert_eq!(published.service, Some(Said::NotLeading));
    assert_eq!(server.writes(), writes);
    assert_eq!(published.service_slot, Slot::AsBefore);
}

#[tokio::test]
async fn l6_the_service_of_a_resource_for_another_proxy_is_not_to_be_deleted() {
    let server = published(3306).await;
    let mut another = owner("billing");
    another.proxy = "po02".to_owned();
    let published = server.publish(&of(another, at(3306))).await;
    let said = published.service.unwrap();
    assert!(matches!(said, Said::OfAnother(..)), "{said:?}");
    assert!(!said.text().0.contains("delete"));
    assert_eq!(server.port(SLICE), Some(3306), "nor its slice");
}

#[tokio::test]
async fn a_resource_that_is_being_deleted_keeps_what_is_there_true_and_makes_nothing() {
    let server = published(3306).await;
    let ending = |known| Order {
        ends: true,
        ..order(known)
    };
    server.publish(&ending(at(3307))).await;
    assert_eq!(server.port(SLICE), Some(3307));
    let server = Server::default();
    server.publish(&ending(at(3307))).await;
    assert_eq!(server.writes(), 0);
}

#[test]
fn a_place_is_read_as_it_is_written() {
    for text in ["192.0.2.7:3306", "[2001:db8::7]:3307"] {
        let place = Place::parse(text).unwrap();
        assert_eq!(place.to_string(), text);
    }
    for text in ["127.0.0.1:3306", "192.0.2.7:0", "192.0.2.7", "x:1"] {
        assert_eq!(Place::parse(text), None, "{text}");
    }
}

#[tokio::test]
async fn a_greeting_leads_the_service_ahead_and_not_the_config_map() {
    let server = published(3306).await;
    let ahead = Order {
        verified: Some(keep(Some(3306))),
        ahead: JobId::parse("job-7").map(Ahead::During),
        ..order(at(3307))
    };
    let led = server.publish(&ahead).await;
    assert_eq!(server.port(SLICE), Some(3307));
    let said = led.service.clone().unwrap();
    assert_eq!(said.status(), "True");
    let text = said.text().0;
    let says = |part: &str| text.contains(part);
    assert!(says("3307") && says("job-7"), "{text}");
    assert_eq!(led.config_map, Some(Said::Published), "by a list");
    // The job has failed, and the list may lag.
    let unproven = Order {
        known: keep(Some(3307)),
        ahead: Some(Ahead::Unproven),
        ..ahead.clone()
    };
    let said = server.publish(&unproven).await.service.unwrap();
    assert_eq!((said.status(), said.leads_there()), ("Unknown", true));
    assert_eq!(server.map("host"), "orders-db.shop.svc");
    assert_eq!(shown(&led).endpoint.as_deref(), Some("192.0.2.7:3307"));
    assert_eq!(server.map("proxyPort"), "3306");
    // What is missing is filled in by the verified port.
    server.state().objects.remove(MAP);
    server.publish(&ahead).await;
    assert_eq!(server.map("proxyPort"), "3306");
}

#[tokio::test]
async fn each_address_family_has_a_slice_of_its_own_and_never_both() {
    let server = published(3306).await;
    server.edit(SERVICE, |service| {
        service["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]);
    });
    let v6 = Known::At(place("2001:db8::7", 3307));
    let moved = server.publish(&order(v6)).await;
    assert_eq!(moved.service, Some(Said::Published));
    assert_eq!(server.get(SLICE), None);
    assert_eq!(server.port(SLICE_V6), Some(3307));
    assert_eq!(
        server.get(SLICE_V6).unwrap()["addressType"],
        "IPv6",
        "it can't be changed"
    );
    assert_eq!(
        shown(&moved).endpoint.as_deref(),
        Some("[2001:db8::7]:3307")
    );
    assert_eq!(server.map("proxyHost"), "2001:db8::7");
    let back = server.publish(&order(at(3307))).await;
    assert_eq!(back.service, Some(Said::Published));
    assert_eq!(server.get(SLICE_V6), None);
    assert_eq!(server.port(SLICE), Some(3307));
    let service = server.get(SERVICE).unwrap();
    assert_eq!(service["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
}

/// One call that goes wrong does not take applications from their Service to the proxy, nor what a person has still to mend.
#[tokio::test]
async fn a_config_map_leads_to_the_service_whatever_refuses_a_call_about_it() {
    let slices = "endpointslices";
    let fails = [
        (Method::GET, "services", 503, "etcd is slow"),
        (Method::GET, slices, 500, "no"),
        (Method::PUT, slices, 429, "slow down"),
        (Method::PUT, slices, 422, "a webhook says no"),
        (
            Method::PUT,
            slices,
            403,
            "User \"x\" cannot update resource",
        ),
    ];
    for (method, part, code, message) in fails {
        let server = published(3306).await;
        server.refuse(method, part, code, message);
        let failed = server.publish(&order(at(3307))).await;
        let said = failed.service.unwrap();
        assert!(said.leaves_open(), "{said:?}");
        let led = (server.map("host"), server.map("port"));
        let through = ("orders-db.shop.svc".to_owned(), "3306".to_owned());
        assert_eq!(led, through, "{code}");
        assert_eq!(server.map("proxyPort"), "3307", "it was verified");
    }
}

/// While a finalizer holds it, applications use it; and then it is made anew under its name.
#[tokio::test]
async fn a_config_map_leads_to_a_service_that_is_being_deleted() {
    let server = published(3306).await;
    server.edit(SERVICE, |service| {
        service["metadata"]["deletionTimestamp"] = json!("2026-03-02T08:40:00Z");
    });
    let ending = server.publish(&order(at(3307))).await;
    assert!(matches!(ending.service, Some(Said::Ending(..))));
    assert_eq!(server.map("host"), "orders-db.shop.svc");
    // One of somebody else is not led to, however it stands.
    server.edit(SERVICE, |service| {
        service["metadata"]["labels"] = json!({});
        service["metadata"]["ownerReferences"] = json!([]);
    });
    let ending = server.publish(&order(at(3307))).await;
    assert!(matches!(ending.service, Some(Said::Ending(..))));
    assert_eq!(server.map("host"), "192.0.2.7");
}

/// What somebody has written in place of the Service's host is not kept.
#[tokio::test]
async fn a_config_map_keeps_no_host_that_is_no_service_of_the_resource() {
    let server = published(3306).await;
    server.edit(MAP, |map| map["data"]["host"] = json!("evil.shop.svc"));
    server.refuse(Method::GET, "services", 503, "etcd is slow");
    server.publish(&order(at(3306))).await;
    assert_eq!(server.map("host"), "192.0.2.7");
}

/// The job has failed, and no list can be read: the Service stays where the greeting has led it, and the ConfigMap where a list has.
#[tokio::test]
async fn a_config_map_that_is_put_back_has_no_port_of_a_greeting() {
    let server = published(3306).await;
    let ahead = Order {
        verified: Some(keep(Some(3306))),
        ..order(at(3307))
    };
    server.publish(&ahead).await;
    let failed = order(keep(Some(3306)));
    let mut places = Places::default();
    for published in [&order(at(3306)), &ahead, &failed] {
        places.take_in(published);
    }
    let led = |port| Some(place("192.0.2.7", port));
    assert_eq!((places.led, places.verified), (led(3307), led(3306)));
    for order in [ahead, failed] {
        let restored = order.restored(places);
        server.state().objects.remove(MAP);
        server.state().objects.remove(SLICE);
        server.publish(&restored).await;
        assert_eq!(server.port(SLICE), Some(3307));
        assert_eq!(server.map("proxyPort"), "3306");
        server.edit(MAP, |map| map["data"]["proxyPort"] = json!("9999"));
        server.edit(SLICE, |slice| slice["ports"][0]["port"] = json!(9999));
        server.publish(&restored).await;
        assert_eq!(server.port(SLICE), Some(3307));
        assert_eq!(server.map("proxyPort"), "3306");
    }
    places.take_in(&order(Known::Gone));
    assert_eq!(places, Places::default());
}

/// A proxy that has got an address of the other family has two slices for a moment: a process that dies then leaves both.
#[tokio::test]
async fn of_two_slices_the_one_stays_that_leads_where_the_proxy_is() {
    const OTHER_FAMILY: &str =
        "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/orders-db-ipv6";
    for (leads_to, stays, goes) in [
        ("2001:db8::7", OTHER_FAMILY, SLICE),
        ("192.0.2.7", SLICE, OTHER_FAMILY),
    ] {
        let server = published(3306).await;
        let mut second = server.get(SLICE).unwrap();
        second["metadata"]["name"] = json!("orders-db-ipv6");
        second["addressType"] = json!("IPv6");
        second["endpoints"][0]["addresses"] = json!(["2001:db8::7"]);
        server.has(OTHER_FAMILY, second);
        server.publish(&order(keep(None))).await;
        for path in [SLICE, OTHER_FAMILY] {
            assert!(server.get(path).is_some(), "nobody knows which is right");
        }
        let known = Known::Keep(Some(place(leads_to, 3306)));
        server.publish(&order(known)).await;
        assert!(server.get(stays).is_some(), "{leads_to}");
        assert_eq!(server.get(goes), None, "{leads_to}");
    }
}

/// As `kubectl delete --cascade=orphan` leaves a slice of a resource for another proxy.
fn left_behind(server: &Server) -> Value {
    let mut slice = server.get(SLICE).unwrap();
    slice["metadata"]["labels"]["taurusdb.huaweicloud.com/proxy"] = json!("po02");
    slice["metadata"]["ownerReferences"] = Value::Null;
    slice["endpoints"][0]["addresses"] = json!(["192.0.2.200"]);
    slice
}

#[tokio::test]
async fn no_service_is_made_over_a_slice_that_leads_to_another_proxy() {
    let server = published(3306).await;
    let slice = left_behind(&server);
    // With the name of the Service, and without it.
    let mut unnamed = slice.clone();
    unnamed["metadata"]["labels"]["kubernetes.io/service-name"] = json!("another");
    for slice in [slice, unnamed] {
        let server = Server::default();
        server.has(SLICE, slice);
        let left = server.get(SLICE);
        let published = server.publish(&order(at(3306))).await;
        assert_eq!(server.get(SERVICE), None);
        assert_eq!(server.get(SLICE), left);
        let said = published.service.unwrap();
        assert_eq!(said.status(), "False");
        assert!(said.text().0.contains("orders-db-ipv4"), "{said:?}");
        assert_eq!(server.map("host"), "192.0.2.7");
        server.state().objects.remove(SLICE);
        let published = server.publish(&order(at(3306))).await;
        assert_eq!(published.service, Some(Said::Published));
        assert_eq!(server.port(SLICE), Some(3306));
    }
}

#[tokio::test]
async fn a_service_goes_again_where_its_slice_turns_out_to_be_another_s() {
    let server = published(3306).await;
    let slice = left_behind(&server);
    let server = Server::default();
    server.has(SLICE, slice);
    server.edit(SLICE, |slice| {
        slice["metadata"]["labels"]["kubernetes.io/service-name"] = json!("another");
    });
    // It was made after it was looked for, which happens twice.
    let unseen = (
        Method::GET,
        "endpointslices/orders-db-ipv4",
        404,
        "not found",
        2,
    );
    server.state().refusals.push(unseen);
    let published = server.publish(&order(at(3306))).await;
    let said = published.service.unwrap();
    assert!(matches!(said, Said::Taken("EndpointSlice", _)), "{said:?}");
    assert_eq!(server.get(SERVICE), None);
    let made = (Method::POST, "/api/v1/namespaces/shop/services".to_owned());
    assert!(server.state().writes.contains(&made), "it was there");
    assert_eq!(server.map("host"), "192.0.2.7");
}

/// Somebody else has led slice and ConfigMap elsewhere, as the API server notes it.
fn lead_elsewhere(server: &Server, port: u16) {
    let by = |fields: Value| {
        json!([
            {"manager": "taurus-port-operator", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {}}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields},
        ])
    };
    server.edit(SLICE, |slice| {
        slice["ports"][0]["port"] = json!(port);
        slice["metadata"]["managedFields"] = by(json!({"f:ports": {}}));
    });
    server.edit(MAP, |map| {
        map["data"]["proxyPort"] = json!(port.to_string());
        map["metadata"]["managedFields"] = by(json!({"f:data": {"f:proxyPort": {}}}));
    });
}

#[tokio::test]
async fn what_somebody_has_led_elsewhere_while_nothing_can_be_read_is_never_said_to_be_read() {
    let server = published(3306).await;
    lead_elsewhere(&server, 9999);
    for (known, on_record) in [(keep(Some(3306)), Some(3306)), (keep(None), None)] {
        let published = server.publish(&order(known)).await;
        for said in [published.service, published.config_map] {
            let said = said.unwrap();
            assert_eq!(said, unread(9999, on_record));
            assert_eq!(said.status(), "Unknown");
            let text = said.text().0;
            assert!(text.contains("192.0.2.7:9999"), "{text}");
        }
    }
    assert_eq!(server.port(SLICE), Some(9999), "a change may be at work");
}

#[tokio::test]
async fn what_somebody_has_led_elsewhere_is_led_back_to_the_record_of_a_resource_at_rest() {
    let server = published(3306).await;
    lead_elsewhere(&server, 9999);
    let firm = Order {
        firm: Some(place("192.0.2.7", 3306)),
        ..order(keep(Some(3306)))
    };
    let published = server.publish(&firm).await;
    assert_eq!(published.service, Some(Said::Published));
    assert_eq!(published.config_map, Some(Said::Published));
    let led = (server.port(SLICE), server.map("proxyPort"));
    assert_eq!(led, (Some(3306), "3306".to_owned()));
    // What the operator has written itself may be newer than the record: it may have ended before it could save that.
    server.publish(&order(at(3307))).await;
    for path in [SLICE, MAP] {
        server.edit(path, |object| {
            object["metadata"]["managedFields"] = json!([
                {"manager": "taurus-port-operator", "fieldsType": "FieldsV1", "fieldsV1": {"f:ports": {}, "f:data": {"f:proxyPort": {}}}},
                {"manager": "kubectl-label", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}},
            ]);
        });
    }
    let published = server.publish(&firm).await;
    assert_eq!(published.service, Some(unread(3307, Some(3306))));
    let led = (server.port(SLICE), server.map("proxyPort"));
    assert_eq!(led, (Some(3307), "3307".to_owned()));
}

#[tokio::test]
async fn while_a_service_can_not_be_led_on_both_conditions_say_where_it_leads() {
    let refusals = [
        (403, "User \"x\" cannot update resource", "services"),
        (422, "a webhook says no", "webhook"),
    ];
    for (code, message, part) in refusals {
        let server = published(3306).await;
        server.refuse(Method::PUT, "endpointslices", code, message);
        let published = server.publish(&order(at(3307))).await;
        let said = published.service.clone().unwrap();
        assert_eq!(said.status(), "False");
        let (own, upstream) = said.text();
        assert!(own.starts_with("leads to 192.0.2.7:3306: "), "{own}");
        let whole = format!("{own} {}", upstream.unwrap_or_default());
        assert!(whole.contains(part), "{whole}");
        assert_ne!(published.urge(), Urge::None, "it is tried again");
        let through = Said::Through("orders-db".to_owned(), Some(place("192.0.2.7", 3306)));
        assert_eq!(published.config_map, Some(through.clone()));
        assert_eq!(through.status(), "Unknown");
        let text = through.text().0;
        assert!(
            text.contains("Service orders-db") && text.contains("192.0.2.7:3306"),
            "{text}"
        );
        server.allow_all();
        let published = server.publish(&order(at(3307))).await;
        assert_eq!(published.config_map, Some(Said::Published));
    }
    // Where it leads is not known.
    let server = published(3306).await;
    server.refuse(Method::GET, "services", 503, "etcd is slow");
    let published = server.publish(&order(at(3307))).await;
    let through = Said::Through("orders-db".to_owned(), None);
    assert_eq!(published.config_map, Some(through));
}

#[tokio::test]
async fn a_name_that_somebody_else_has_is_tried_again_and_the_message_says_when() {
    let mut another = owner("billing");
    another.proxy = "po02".to_owned();
    let of_another = published(3306).await;
    let taken = Server::default();
    taken.has(SERVICE, foreign_service());
    let mixed = Server::default();
    let mut slice = left_behind(&of_another);
    slice["metadata"]["labels"]["taurusdb.huaweicloud.com/proxy"] = json!("po03");
    mixed.has(SLICE, slice);
    for server in [of_another, taken, mixed] {
        let published = server.publish(&of(another.clone(), at(3307))).await;
        assert_eq!(published.urge(), Urge::Taken);
        assert_eq!(published.failure(), None, "Ready does not wait for it");
        let text = published.service.unwrap().text().0;
        let says = |part: &str| text.contains(part);
        assert!(says("within a minute") && says("requestedAt"), "{text}");
    }
}

#[tokio::test]
async fn a_copy_that_somebody_has_made_with_labels_and_owners_is_not_swept() {
    const COPY: &str = "/api/v1/namespaces/shop/configmaps/copy";
    const ALIAS: &str = "/api/v1/namespaces/shop/services/alias";
    let server = published(3306).await;
    for (of, name, path) in [(MAP, "copy", COPY), (SERVICE, "alias", ALIAS)] {
        let mut copy = server.get(of).unwrap();
        copy["metadata"]["name"] = json!(name);
        copy["metadata"]["uid"] = Value::Null;
        server.has(path, copy);
    }
    let copies = || [COPY, ALIAS].map(|path| server.get(path).unwrap());
    let before = copies();
    let mut other = order(at(3306));
    other.wish.service = Some(other_service(3306));
    other.wish.config_map = Some("other".to_owned());
    other.sweeps = true;
    let published = server.publish(&other).await;
    assert_eq!(published.service, Some(Said::Published));
    assert_eq!((server.get(SERVICE), server.get(MAP)), (None, None));
    assert_eq!(copies(), before);
}
