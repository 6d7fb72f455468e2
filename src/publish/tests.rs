//! Whose an object is, and what it becomes.

use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

mod publishing;

use super::{
    standing::{self, Owner, Standing},
    wanted::{self, Address, AddressError, Front, Made, Place},
};
use crate::desired::ServiceWish;

fn owner(name: &str) -> Owner {
    Owner {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        api_version: "taurusdb.huaweicloud.com/v1alpha1".to_owned(),
        proxy: "po01".to_owned(),
    }
}

fn wish() -> ServiceWish {
    ServiceWish {
        name: "orders-db".to_owned(),
        port: 3306,
    }
}

fn place(text: &str, port: u16) -> Place {
    Place {
        address: Address::parse(text).unwrap(),
        port,
    }
}

fn made<'a>(owner: &'a Owner, live: Option<&ObjectMeta>) -> Made<'a> {
    Made {
        owner,
        owners: standing::owned(live, owner),
    }
}

fn service(owner: &Owner) -> Service {
    wanted::service(None, &wish(), "IPv4", made(owner, None))
}

#[test]
fn addresses_that_lead_elsewhere_are_refused_and_others_are_canonical() {
    for local in [
        "0.0.0.0",
        "127.0.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:127.0.0.1",
    ] {
        assert_eq!(Address::parse(local), Err(AddressError::Local), "{local}");
    }
    for reserved in [
        "0.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "64:ff9b::10.96.0.1",
        "64:ff9b:1::a60:1",
        "2002:a60:1::1",
        "2001::1",
        "::10.96.0.1",
    ] {
        let refused = Err(AddressError::Reserved);
        assert_eq!(Address::parse(reserved), refused, "{reserved}");
    }
    for name in ["proxy.example.com", "", "10.0.0", "10.0.0.1:3306"] {
        assert_eq!(Address::parse(name), Err(AddressError::NoIp), "{name}");
    }
    let text = |text| Address::parse(text).unwrap().to_string();
    assert_eq!(text("192.0.2.7"), "192.0.2.7");
    assert_eq!(text("2001:DB8:0:0::7"), "2001:db8::7");
    assert_eq!(place("2001:db8::7", 3307).to_string(), "[2001:db8::7]:3307");
}

#[test]
fn an_object_is_ours_by_label_and_owner_and_never_by_name_alone() {
    let (own, other) = (owner("orders"), owner("orders-2"));
    let live = service(&own).metadata;
    assert_eq!(standing::of(None, &own), Standing::Free);
    assert_eq!(standing::of(Some(&live), &own), Standing::Own);
    let held = Standing::Held("orders".to_owned(), "uid-orders".to_owned());
    assert_eq!(standing::of(Some(&live), &other), held);
    let foreign = ObjectMeta {
        labels: None,
        owner_references: None,
        ..live.clone()
    };
    assert_eq!(standing::of(Some(&foreign), &own), Standing::Foreign);
    let elsewhere = Owner {
        proxy: "po02".to_owned(),
        ..other.clone()
    };
    let of_another = Standing::OfAnother("orders".to_owned());
    assert_eq!(standing::of(Some(&live), &elsewhere), of_another);
    let stripped = ObjectMeta {
        labels: None,
        ..live.clone()
    };
    assert_eq!(standing::of(Some(&stripped), &own), Standing::Own);
    let orphan = ObjectMeta {
        owner_references: None,
        ..live
    };
    assert_eq!(standing::of(Some(&orphan), &other), Standing::Own);
}

#[test]
fn an_object_outlives_its_owner_where_another_resource_waits_for_it() {
    let (old, new) = (owner("orders"), owner("orders-2"));
    let mut live = service(&old).metadata;
    assert!(!standing::is_among(&live, &new));
    live.owner_references = Some(standing::waiting(&live, &new));
    let references = |live: &ObjectMeta| -> Vec<(String, bool)> {
        let owners = live.owner_references.iter().flatten();
        owners
            .map(|one| (one.name.clone(), one.controller == Some(true)))
            .collect()
    };
    let expected = [("orders".to_owned(), true), ("orders-2".to_owned(), false)];
    assert_eq!(references(&live), expected);
    // The garbage collector has removed the reference to the one that is gone.
    live.owner_references = Some(standing::without(&live, &old));
    assert_eq!(standing::of(Some(&live), &new), Standing::Own);
    live.owner_references = Some(standing::owned(Some(&live), &new));
    assert_eq!(references(&live), [("orders-2".to_owned(), true)]);
}

#[test]
fn what_others_have_added_stays_and_what_would_lead_elsewhere_does_not() {
    let own = owner("orders");
    let mut live = service(&own);
    let spec = live.spec.as_mut().unwrap();
    spec.cluster_ip = Some("10.0.0.9".to_owned());
    let same = wanted::service(Some(live.clone()), &wish(), "IPv4", made(&own, None));
    assert_eq!(same, live, "nothing differs, so nothing is written");
    let mut edited = live.clone();
    let labels = edited.metadata.labels.as_mut().unwrap();
    labels.insert("team".to_owned(), "shop".to_owned());
    let with_label = edited.clone();
    let spec = edited.spec.as_mut().unwrap();
    spec.selector = Some([("app".to_owned(), "evil".to_owned())].into());
    spec.ports.as_mut().unwrap()[0].port = 9999;
    let healed = wanted::service(Some(edited), &wish(), "IPv4", made(&own, None));
    assert_eq!(healed, with_label);
}

#[test]
fn labels_that_hide_a_service_or_its_slice_from_kube_proxy_go() {
    let own = owner("orders");
    let there = place("192.0.2.7", 3307);
    let slice = |live| wanted::slice(live, "orders-db", there, made(&own, None));
    let (service, of_service) = (service(&own), slice(None));
    for label in [
        "service.kubernetes.io/service-proxy-name",
        "service.kubernetes.io/headless",
    ] {
        let hide = |meta: &mut ObjectMeta| {
            let labels = meta.labels.as_mut().unwrap();
            labels.insert(label.to_owned(), String::new());
        };
        let (mut hidden, mut hidden_slice) = (service.clone(), of_service.clone());
        hide(&mut hidden.metadata);
        hide(&mut hidden_slice.metadata);
        let shown = wanted::service(Some(hidden), &wish(), "IPv4", made(&own, None));
        assert_eq!(shown, service, "{label}");
        assert_eq!(slice(Some(hidden_slice)), of_service, "{label}");
    }
}

#[test]
fn a_slice_leads_to_the_verified_port_alone() {
    let own = owner("orders");
    let slice = |live: Option<EndpointSlice>, port| {
        wanted::slice(
            live,
            "orders-db",
            place("192.0.2.7", port),
            made(&own, None),
        )
    };
    let first = slice(None, 3306);
    assert_eq!(first.metadata.name.as_deref(), Some("orders-db-ipv4"));
    let second = slice(Some(first.clone()), 3307);
    assert_eq!(wanted::place_of(&second), Some(place("192.0.2.7", 3307)));
    let ports = |slice: &EndpointSlice| slice.ports.as_ref().unwrap()[0].port;
    assert_eq!((ports(&first), ports(&second)), (Some(3306), Some(3307)));
    assert_eq!(second.endpoints, first.endpoints);
    let service = service(&own);
    let name = |port: Option<String>| port.unwrap_or_default();
    let of_service = service.spec.unwrap().ports.unwrap().remove(0).name;
    assert_eq!(name(of_service), name(second.ports.unwrap().remove(0).name));
}

#[test]
fn a_config_map_names_the_service_and_the_proxy() {
    let own = owner("orders");
    let data = |front: Front| {
        let others = [("team".to_owned(), "shop".to_owned())];
        let live = ConfigMap {
            data: Some(others.into()),
            ..ConfigMap::default()
        };
        let map = wanted::config_map(
            Some(live),
            "db",
            &front,
            place("192.0.2.7", 3307),
            made(&own, None),
        );
        assert_eq!(wanted::place_in(&map), Some(place("192.0.2.7", 3307)));
        let data = map.data.unwrap();
        assert_eq!(data["team"], "shop", "what others keep in it stays");
        ["host", "port", "proxyHost", "proxyPort"].map(|key| data[key].clone())
    };
    let front = Front::Service("orders-db.shop.svc".to_owned(), 3306);
    assert_eq!(
        data(front),
        ["orders-db.shop.svc", "3306", "192.0.2.7", "3307"]
    );
    let proxy = ["192.0.2.7", "3307", "192.0.2.7", "3307"];
    assert_eq!(data(Front::Proxy), proxy);
    assert_eq!(data(Front::AsItStands(Vec::new())), proxy);
}

#[test]
fn a_service_and_its_slice_take_no_more_than_a_kibibyte_each() {
    let own = Owner {
        namespace: "n".repeat(40),
        name: "r".repeat(40),
        uid: "00000000-0000-0000-0000-000000000000".to_owned(),
        proxy: format!("{}po01", "0".repeat(32)),
        ..owner("orders")
    };
    let wish = ServiceWish {
        name: "s".repeat(40),
        port: 65535,
    };
    let address = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff";
    let service = wanted::service(None, &wish, "IPv6", made(&own, None));
    let slice = wanted::slice(None, &wish.name, place(address, 65534), made(&own, None));
    let sizes = [
        serde_json::to_vec(&service).unwrap().len(),
        serde_json::to_vec(&slice).unwrap().len(),
    ];
    assert!(sizes.iter().all(|size| *size <= 1024), "{sizes:?}");
}

#[test]
fn meshes_take_what_is_published_for_opaque_tcp_in_both_families() {
    let own = owner("orders");
    for (address, family) in [("192.0.2.7", "IPv4"), ("2001:DB8:0:0::7", "IPv6")] {
        let service = wanted::service(None, &wish(), family, made(&own, None));
        let annotations = service.metadata.annotations.unwrap();
        assert_eq!(
            annotations[wanted::OPAQUE_PORTS],
            "3306",
            "that of the Service"
        );
        let spec = service.spec.unwrap();
        assert_eq!(spec.ip_families, Some(vec![family.to_owned()]));
        assert_eq!(spec.ip_family_policy.as_deref(), Some("PreferDualStack"));
        let ports = spec.ports.unwrap();
        let [port] = ports.as_slice() else {
            panic!("one port: {ports:?}");
        };
        let slice = wanted::slice(None, "orders-db", place(address, 3307), made(&own, None));
        assert_eq!(slice.address_type, family);
        let name = wanted::slice_name("orders-db", family);
        assert_eq!(slice.metadata.name, Some(name));
        let of_slice = slice.ports.unwrap();
        let [of_slice] = of_slice.as_slice() else {
            panic!("one port: {of_slice:?}");
        };
        let names = [&port.name, &of_slice.name].map(|name| name.clone().unwrap_or_default());
        assert_eq!(names, ["", ""], "kube-proxy and meshes match them by name");
        assert_eq!(port.app_protocol.as_deref(), Some("tcp"));
        assert_eq!(of_slice.app_protocol, port.app_protocol);
        // An address is stored as Kubernetes spells it.
        let stored = &slice.endpoints[0].addresses;
        let canonical: std::net::IpAddr = address.parse().unwrap();
        assert_eq!(*stored, [canonical.to_string()]);
    }
}
