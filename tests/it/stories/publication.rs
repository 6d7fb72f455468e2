//! What applications reach a proxy by: Services, their slices, and ConfigMaps.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Service},
    discovery::v1::EndpointSlice,
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::{Value, json};
use taurus_port_operator::crd::{ConfigMapSpec, ServiceSpec, TaurusProxyPort};
use taurus_sim::{Effect, Mode, Operation, sample};

use crate::world::{
    World, condition, is_ready,
    operator::Setup,
    options, reason,
    relay::{self, Call, Relay},
};

/// The Service of [`published`].
pub const SERVICE: &str = "orders-db";

fn services(world: &World) -> Api<Service> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

fn slices(world: &World) -> Api<EndpointSlice> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

/// A world whose operator has the rights of the component in the story's namespace, and those alone.
async fn allowed() -> World {
    let mut world = granted().await;
    world.start_operator().await;
    world
}

/// The same before the operator runs.
async fn granted() -> World {
    let world = World::without_operator(options(Mode::M2)).await;
    allow(&world).await;
    world
}

/// Gives the operator the rights of the component in a namespace.
pub async fn allow_in(client: &Client, namespace: &str) {
    let shipped = include_str!("../../../deploy/components/services/rbac.yaml");
    let mut documents = serde_saphyr::from_multiple::<Value>(shipped)
        .unwrap()
        .into_iter();
    let rules = documents.next().unwrap()["rules"].take();
    let metadata = json!({"name": "services"});
    let role: Role = serde_json::from_value(json!({"metadata": metadata, "rules": rules})).unwrap();
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "services"},
        "subjects": [{"kind": "ServiceAccount", "name": "taurus-port-operator", "namespace": "taurus-system"}],
    }))
    .unwrap();
    let params = PostParams::default();
    let of_namespace: Api<Role> = Api::namespaced(client.clone(), namespace);
    of_namespace.create(&params, &role).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), namespace);
    bindings.create(&params, &binding).await.unwrap();
}

/// The same in the story's namespace.
pub async fn allow(world: &World) {
    allow_in(&world.client, &world.namespace).await;
}

/// The story's resource, which wishes for a Service and a ConfigMap.
pub fn published(world: &World, port: u16) -> TaurusProxyPort {
    let mut resource = world.resource(port);
    resource.spec.service = Some(ServiceSpec {
        name: SERVICE.to_owned(),
        port: None,
    });
    resource.spec.config_map = Some(ConfigMapSpec {
        name: SERVICE.to_owned(),
    });
    resource
}

fn says(object: &TaurusProxyPort, reason: &str) -> bool {
    let status = object.status.as_ref();
    let mut conditions = status.iter().flat_map(|status| &status.conditions);
    conditions.any(|one| one.type_ == "ServicePublished" && one.reason == reason)
}

async fn handled(world: &World, request: &str) {
    let is_handled = |object: &TaurusProxyPort| {
        let status = object.status.as_ref();
        status.and_then(|status| status.last_handled_request.as_deref()) == Some(request)
    };
    world.until("handled", is_handled).await;
}

fn port_of(slice: &EndpointSlice) -> Option<i32> {
    slice.ports.as_ref()?.first()?.port
}

/// The ports that all slices of the namespace ever led to, each once in its order, with the resource version that brought it. An empty
/// slice is port 0.
pub fn recorded(world: &World) -> Arc<Mutex<Vec<(i32, u64)>>> {
    let seen = Arc::new(Mutex::new(Vec::<(i32, u64)>::new()));
    let kept = Arc::clone(&seen);
    let api = slices(world);
    tokio::spawn(async move {
        let mut events = std::pin::pin!(
            watcher(api, watcher::Config::default())
                .default_backoff()
                .applied_objects()
        );
        while let Some(Ok(slice)) = events.next().await {
            let port = port_of(&slice).filter(|_| !slice.endpoints.is_empty());
            let port = port.unwrap_or_default();
            let version = slice.resource_version().unwrap().parse().unwrap();
            let mut seen = kept.lock().unwrap();
            if seen.last().is_none_or(|(last, _)| *last != port) {
                seen.push((port, version));
            }
        }
    });
    seen
}

pub fn ports(seen: &Mutex<Vec<(i32, u64)>>) -> Vec<i32> {
    let seen = seen.lock().unwrap();
    seen.iter().map(|(port, _)| *port).collect()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_leads_to_the_port_that_was_verified_and_to_no_other() {
    let world = allowed().await;
    let seen = recorded(&world);
    world.create(&published(&world, 3307)).await;
    world.until_change(1).await;
    let waiting = world
        .until("published", |object| says(object, "Published"))
        .await;
    assert!(!is_ready(&waiting));
    assert_eq!(
        ports(&seen),
        [3306],
        "the old port, until the new one is verified"
    );
    world.pass(60);
    let ready = world.until_ready(3307).await;
    let shown = ready.status.as_ref().unwrap().service.clone().unwrap();
    let address = ready.status.as_ref().unwrap().address.clone().unwrap();
    assert_eq!((shown.name.as_str(), shown.port), (SERVICE, 3306));
    assert_eq!(shown.endpoint, Some(format!("{address}:3307")));
    let service = services(&world).get(SERVICE).await.unwrap();
    let spec = service.spec.unwrap();
    assert_eq!(shown.cluster_ip, spec.cluster_ip);
    assert_eq!(spec.selector, None);
    let map: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.namespace);
    let data = map.get(SERVICE).await.unwrap().data.unwrap();
    assert_eq!(data["host"], format!("{SERVICE}.{}.svc", world.namespace));
    assert_eq!(
        (data["port"].as_str(), data["proxyPort"].as_str()),
        ("3306", "3307")
    );
    assert_eq!(data["proxyHost"], address);
    world.want_now(3308).await;
    world.until_change(2).await;
    world.pass(60);
    world.until_ready(3308).await;
    assert_eq!(ports(&seen), [3306, 3307, 3308]);
    let brought = seen.lock().unwrap().last().unwrap().1;
    let ready: u64 = world
        .get()
        .await
        .resource_version()
        .unwrap()
        .parse()
        .unwrap();
    assert!(brought < ready, "the slice comes before Ready");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_of_somebody_else_is_left_alone_and_the_port_is_managed_all_the_same() {
    let world = allowed().await;
    let foreign: Service = serde_json::from_value(json!({
        "metadata": {"name": SERVICE},
        "spec": {"selector": {"app": "other"}, "ports": [{"port": 5432}]}
    }))
    .unwrap();
    let foreign = services(&world)
        .create(&PostParams::default(), &foreign)
        .await
        .unwrap();
    world.create(&published(&world, 3307)).await;
    world.until_change(1).await;
    world.pass(60);
    let ready = world.until_ready(3307).await;
    assert!(says(&ready, "NameTaken"), "{ready:#?}");
    assert_eq!(condition(&ready, "ConfigMapPublished"), "True");
    let now = services(&world).get(SERVICE).await.unwrap();
    assert_eq!(now.resource_version(), foreign.resource_version());
    assert_eq!(
        slices(&world)
            .list(&kube::api::ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        0
    );
    // It is gone: the name is free.
    services(&world)
        .delete(SERVICE, &DeleteParams::default())
        .await
        .unwrap();
    world.ask("again").await;
    world
        .until("published", |object| says(object, "Published"))
        .await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_has_edited_or_deleted_is_put_right_at_the_next_look() {
    let world = allowed().await;
    world.create(&published(&world, 3306)).await;
    world
        .until("published", |object| says(object, "Published"))
        .await;
    let name = format!("{SERVICE}-ipv4");
    let edit = json!({"ports": [{"port": 9999, "protocol": "TCP"}]});
    slices(&world)
        .patch(&name, &PatchParams::default(), &Patch::Merge(edit))
        .await
        .unwrap();
    let selector = json!({"spec": {"selector": {"app": "other"}}});
    services(&world)
        .patch(SERVICE, &PatchParams::default(), &Patch::Merge(selector))
        .await
        .unwrap();
    world.ask("one").await;
    handled(&world, "one").await;
    let slice = slices(&world).get(&name).await.unwrap();
    assert_eq!(port_of(&slice), Some(3306));
    let service = services(&world).get(SERVICE).await.unwrap();
    assert_eq!(service.spec.unwrap().selector, None);
    slices(&world)
        .delete(&name, &DeleteParams::default())
        .await
        .unwrap();
    world.ask("two").await;
    handled(&world, "two").await;
    assert_eq!(
        port_of(&slices(&world).get(&name).await.unwrap()),
        Some(3306)
    );
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_name_moves_the_service_and_none_removes_it() {
    let world = allowed().await;
    world.create(&published(&world, 3306)).await;
    world
        .until("published", |object| says(object, "Published"))
        .await;
    world
        .patch(json!({"spec": {"service": {"name": "orders-sql", "port": 3310}}}))
        .await;
    let moved = |object: &TaurusProxyPort| {
        let service = object
            .status
            .as_ref()
            .and_then(|status| status.service.as_ref());
        service.is_some_and(|service| service.name == "orders-sql" && service.port == 3310)
    };
    world.until("moved", moved).await;
    assert!(services(&world).get_opt(SERVICE).await.unwrap().is_none());
    let names: Vec<String> = slices(&world)
        .list(&kube::api::ListParams::default())
        .await
        .unwrap()
        .iter()
        .map(kube::ResourceExt::name_any)
        .collect();
    assert_eq!(names, ["orders-sql-ipv4"]);
    world
        .patch(json!({"spec": {"service": null, "configMap": null}}))
        .await;
    let removed = |object: &TaurusProxyPort| {
        let status = object.status.as_ref().unwrap();
        status.service.is_none() && status.config_map.is_none()
    };
    let ready = world.until("removed", removed).await;
    assert!(
        !ready
            .status
            .unwrap()
            .conditions
            .iter()
            .any(|one| one.type_.ends_with("Published"))
    );
    assert!(
        services(&world)
            .get_opt("orders-sql")
            .await
            .unwrap()
            .is_none()
    );
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rename_in_git_keeps_the_service() {
    let world = allowed().await;
    world.create(&published(&world, 3306)).await;
    world
        .until("published", |object| says(object, "Published"))
        .await;
    let before = services(&world).get(SERVICE).await.unwrap();
    let mut renamed = published(&world, 3306);
    renamed.metadata.name = Some("orders-eu".to_owned());
    world.create(&renamed).await;
    let taken = |object: &TaurusProxyPort| says(object, "NameTaken");
    world.recorder.until("orders-eu", "waiting", taken).await;
    let slice = slices(&world)
        .get(&format!("{SERVICE}-ipv4"))
        .await
        .unwrap();
    assert_eq!(slice.owner_references().len(), 2, "nor that of the slice");
    let owners = services(&world)
        .get(SERVICE)
        .await
        .unwrap()
        .owner_references()
        .to_vec();
    assert_eq!(owners.len(), 2, "its end is not the end of the Service");
    world.delete().await;
    world
        .recorder
        .until("orders-eu", "published", |object| says(object, "Published"))
        .await;
    let after = services(&world).get(SERVICE).await.unwrap();
    assert_eq!(after.uid(), before.uid());
    let controller = after
        .owner_references()
        .iter()
        .find(|one| one.controller == Some(true));
    assert_eq!(controller.unwrap().name, "orders-eu");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_the_port_is_managed_all_the_same_and_the_message_names_the_component() {
    let world = World::start(options(Mode::M2)).await;
    world.create(&published(&world, 3307)).await;
    world.until_change(1).await;
    world.pass(60);
    let ready = world.until_ready(3307).await;
    assert!(says(&ready, "Forbidden"), "{ready:#?}");
    let status = ready.status.unwrap();
    let mut conditions = status.conditions.iter();
    let said = conditions
        .find(|one| one.type_ == "ServicePublished")
        .unwrap();
    assert!(
        said.message.contains("deploy/components/services"),
        "{}",
        said.message
    );
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_waits_for_a_slice_that_the_api_server_fails_to_take_and_no_longer() {
    let mut world = granted().await;
    let relay = Relay::start(&world.plane).await;
    world.start_operator_with(relay.setup()).await;
    let seen = recorded(&world);
    world.create(&published(&world, 3307)).await;
    world.until_change(1).await;
    world
        .until("published", |object| says(object, "Published"))
        .await;
    let failing = relay.inject(relay::Fault::on(
        &[Call::WriteSlice],
        relay::Effect::refuse(500),
    ));
    world.pass(60);
    let waiting = world
        .until("waiting", |object| reason(object) == "Publishing")
        .await;
    assert!(says(&waiting, "PublishFailed"), "{waiting:#?}");
    assert_eq!(waiting.status.unwrap().port, Some(3307));
    relay.remove(failing);
    world.until_ready(3307).await;
    assert_eq!(ports(&seen), [3306, 3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_edited_is_put_right_before_the_next_look() {
    let mut world = granted().await;
    let setup = Setup {
        resync: Duration::from_hours(24),
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    world.create(&published(&world, 3306)).await;
    world
        .until("published", |object| says(object, "Published"))
        .await;
    let name = format!("{SERVICE}-ipv4");
    let is_right = async || {
        let slice = slices(&world).get_opt(&name).await.unwrap();
        slice.as_ref().and_then(port_of) == Some(3306)
    };
    let edit = json!({"ports": [{"port": 9999, "protocol": "TCP"}]});
    slices(&world)
        .patch(&name, &PatchParams::default(), &Patch::Merge(edit))
        .await
        .unwrap();
    world.until_true_async("put right", is_right).await;
    slices(&world)
        .delete(&name, &DeleteParams::default())
        .await
        .unwrap();
    world.until_true_async("put right", is_right).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_keeps_what_it_wishes_for_alive_before_the_cloud_has_answered() {
    let world = allowed().await;
    world.create(&published(&world, 3306)).await;
    world
        .until("published", |object| says(object, "Published"))
        .await;
    let silent = taurus_sim::Fault::on(Operation::List, Effect::hold_before());
    world.sim.inject(silent);
    let mut renamed = published(&world, 3306);
    renamed.metadata.name = Some("orders-eu".to_owned());
    world.create(&renamed).await;
    let has_joined = async || {
        let service = services(&world).get(SERVICE).await.unwrap();
        let slice = slices(&world)
            .get(&format!("{SERVICE}-ipv4"))
            .await
            .unwrap();
        let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.namespace);
        let map = maps.get(SERVICE).await.unwrap();
        let all = [service.metadata, slice.metadata, map.metadata];
        let owners = all
            .iter()
            .map(|one| one.owner_references.iter().flatten().count());
        owners.sum::<usize>() == 6
    };
    world.until_true_async("joined", has_joined).await;
    world.sim.clear_faults();
    world.sim.release_all();
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_missing_keeps_its_endpoint_until_it_is_gone_for_sure() {
    let world = allowed().await;
    let seen = recorded(&world);
    world.create(&published(&world, 3306)).await;
    world
        .until("published", |object| says(object, "Published"))
        .await;
    world.sim.set_present(sample::PROXY, false).unwrap();
    world.ask("missing").await;
    let missing = world
        .until("missing", |object| reason(object) == "ProxyNotFound")
        .await;
    assert!(says(&missing, "Published"), "{missing:#?}");
    let name = format!("{SERVICE}-ipv4");
    assert!(slices(&world).get_opt(&name).await.unwrap().is_some());
    world
        .until_passing("withdrawn", |object| says(object, "EndpointWithdrawn"))
        .await;
    assert!(slices(&world).get_opt(&name).await.unwrap().is_none());
    world.sim.set_present(sample::PROXY, true).unwrap();
    world.ask("it is back").await;
    world
        .until("published", |object| says(object, "Published"))
        .await;
    let slice = slices(&world).get(&name).await.unwrap();
    assert_eq!(port_of(&slice), Some(3306));
    assert!(!ports(&seen).contains(&0), "never an empty slice");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_the_other_family_gets_a_slice_of_its_own_and_is_told() {
    let world = allowed().await;
    world.create(&published(&world, 3306)).await;
    let settled = world
        .until("published", |object| says(object, "Published"))
        .await;
    let address = settled.status.unwrap().address.unwrap();
    let service = services(&world).get(SERVICE).await.unwrap();
    let opaque = service.annotations().get("config.linkerd.io/opaque-ports");
    assert_eq!(opaque.map(String::as_str), Some("3306"));
    let there = async |family: &str| {
        let slice = slices(&world).get_opt(&format!("{SERVICE}-{family}")).await;
        let slice = slice.unwrap()?;
        let addresses = slice.endpoints.into_iter().flat_map(|one| one.addresses);
        Some((slice.address_type, addresses.collect::<Vec<_>>()))
    };
    let of_family = |family: &str, address: &str| {
        let addresses = vec![address.to_owned()];
        Some((family.to_owned(), addresses))
    };
    assert_eq!(there("ipv4").await, of_family("IPv4", &address));
    // The cluster has IPv4 alone. The cloud spells addresses as it likes; the API server stores them in one way.
    let other = "2001:DB8:0:0::7";
    world.sim.set_address(sample::PROXY, other).unwrap();
    world.ask("another address").await;
    let unusable = |object: &TaurusProxyPort| says(object, "AddressUnusable");
    world.until("of no use", unusable).await;
    assert_eq!(there("ipv6").await, of_family("IPv6", "2001:db8::7"));
    assert_eq!(
        there("ipv4").await,
        None,
        "it would lead to where the proxy was"
    );
    world.sim.set_address(sample::PROXY, &address).unwrap();
    world.ask("the first address").await;
    world
        .until("published again", |object| says(object, "Published"))
        .await;
    assert_eq!(there("ipv4").await, of_family("IPv4", &address));
    assert_eq!(there("ipv6").await, None);
    world.finish().await;
}
