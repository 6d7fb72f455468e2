//! The objects that are wanted, made from what exists: what others have added is kept, what would lead elsewhere is not.

use std::net::IpAddr;

use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Service, ServicePort},
        discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};

use super::standing::Owner;
use crate::desired::ServiceWish;

/// Who manages an object, in its labels.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The same for EndpointSlices: no other controller touches those of this manager.
pub const SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// The Service of a slice.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Linkerd takes connections to these ports for opaque ones: a MySQL server speaks first.
pub const OPAQUE_PORTS: &str = "config.linkerd.io/opaque-ports";

/// Labels that take an object out of kube-proxy's sight: whoever connects to the Service waits in vain.
const HIDING: [&str; 2] = [
    "service.kubernetes.io/service-proxy-name",
    "service.kubernetes.io/headless",
];

/// The proxy that an object leads to, in its labels.
pub const PROXY: &str = "taurusdb.huaweicloud.com/proxy";

/// The name under which an object was made, in its annotations: a copy of another name has it as well.
pub const MADE_AS: &str = "taurusdb.huaweicloud.com/name";

/// The value of [`MANAGED_BY`].
pub const MANAGER: &str = "taurus-port-operator";

/// Where the proxy is, as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its address.
    pub address: Address,
    /// Its verified port.
    pub port: u16,
}

/// An address that may be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(IpAddr);

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.socket().fmt(formatter)
    }
}

/// Why an address is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is a host name, or nothing that can be read.
    #[error("it is no IP address, and names are resolved by nobody in an EndpointSlice")]
    NoIp,
    /// It leads to the node itself, to its link, or to nobody.
    #[error("it is an unspecified, loopback, link-local or multicast address")]
    Local,
    /// It is none of a host, or another one in disguise.
    #[error("it is a reserved address, or one of IPv6 that stands for one of IPv4")]
    Reserved,
    /// It lies outside of where proxies are.
    #[error("it lies in none of the networks of --proxy-networks")]
    Elsewhere,
}

impl Place {
    /// For who connects to it.
    pub fn socket(self) -> std::net::SocketAddr {
        std::net::SocketAddr::new(self.address.0, self.port)
    }

    /// Reads what [`Display`](std::fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let place: std::net::SocketAddr = text.parse().ok()?;
        Some(Self {
            address: Address::parse(&place.ip().to_string()).ok()?,
            port: Some(place.port()).filter(|port| *port > 0)?,
        })
    }
}

impl Address {
    /// Reads the address of a list.
    ///
    /// # Errors
    ///
    /// If it is no IP address, or one that no proxy has: that Kubernetes refuses in an EndpointSlice, that is reserved, or in which
    /// another one is hidden.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let address: IpAddr = text.trim().parse().map_err(|_| AddressError::NoIp)?;
        let address = address.to_canonical();
        let is_link_local = match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        let is_local = address.is_unspecified() || address.is_loopback();
        if is_local || is_link_local || address.is_multicast() {
            return Err(AddressError::Local);
        }
        if is_reserved(address) {
            return Err(AddressError::Reserved);
        }
        Ok(Self(address))
    }

    /// The address itself.
    pub fn ip(self) -> IpAddr {
        self.0
    }

    /// The family, as slices and Services name it.
    pub fn family(self) -> &'static str {
        match self.0 {
            IpAddr::V4(_) => "IPv4",
            IpAddr::V6(_) => "IPv6",
        }
    }
}

/// Whether no proxy has this address: translators and tunnels (NAT64, 6to4, Teredo) lead from addresses of IPv6 to such of IPv4.
fn is_reserved(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            first == 0 || first >= 240
        }
        IpAddr::V6(address) => matches!(
            address.segments(),
            [0x64, 0xff9b, ..] | [0x2002, ..] | [0x2001, 0, ..] | [0, 0, 0, 0, 0, 0, ..]
        ),
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What an object is made for.
#[derive(Debug, Clone)]
pub struct Made<'a> {
    /// The resource that wishes for it.
    pub owner: &'a Owner,
    /// The references to all owners that it has then.
    pub owners: Vec<OwnerReference>,
}

/// The Service, without selector: its slice says where it leads.
pub fn service(live: Option<Service>, wish: &ServiceWish, family: &str, made: Made<'_>) -> Service {
    let mut service = live.unwrap_or_default();
    let labels = [(MANAGED_BY, MANAGER)];
    mark(&mut service.metadata, &wish.name, made, &labels);
    show(&mut service.metadata);
    let annotations = service.metadata.annotations.get_or_insert_default();
    annotations.insert(OPAQUE_PORTS.to_owned(), wish.port.to_string());
    annotations.insert(MADE_AS.to_owned(), wish.name.clone());
    let spec = service.spec.get_or_insert_default();
    let known = spec.ports.take().unwrap_or_default();
    let port = i32::from(wish.port);
    // A node port or a target port that the API server has set stays.
    let known = known.into_iter().find(|known| known.port == port);
    spec.ports = Some(vec![ServicePort {
        name: None,
        port,
        protocol: Some("TCP".to_owned()),
        app_protocol: Some("tcp".to_owned()),
        ..known.unwrap_or_default()
    }]);
    spec.selector = None;
    spec.external_name = None;
    spec.type_ = Some("ClusterIP".to_owned());
    // The endpoint is on no node: local ones alone would be none.
    spec.internal_traffic_policy = Some("Cluster".to_owned());
    match &spec.ip_families {
        // Of both families where the cluster has both: the proxy may get an address of the other one.
        None => {
            spec.ip_families = Some(vec![family.to_owned()]);
            spec.ip_family_policy = Some("PreferDualStack".to_owned());
        }
        Some(families) if !families.iter().any(|known| known == family) => {
            spec.ip_family_policy = Some("PreferDualStack".to_owned());
        }
        Some(_) => {}
    }
    service
}

/// Whether a Service has an address of this family.
pub fn has_family(service: &Service, family: &str) -> bool {
    let spec = service.spec.as_ref();
    let families = spec.and_then(|spec| spec.ip_families.as_ref());
    families.is_none_or(|families| families.iter().any(|known| known == family))
}

/// Whether a Service has no address: its name leads to the proxy itself, past the port that applications connect to. That can't be
/// put right but by a new one.
pub fn is_headless(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.is_some_and(|spec| spec.cluster_ip.as_deref() == Some("None"))
}

/// The slice of a Service: one endpoint, which is ready.
pub fn slice(
    live: Option<EndpointSlice>,
    service: &str,
    place: Place,
    made: Made<'_>,
) -> EndpointSlice {
    let mut slice = live.unwrap_or_default();
    let name = slice_name(service, place.address.family());
    let labels = [(SLICE_MANAGED_BY, MANAGER), (SERVICE_NAME, service)];
    mark(&mut slice.metadata, &name, made, &labels);
    show(&mut slice.metadata);
    place.address.family().clone_into(&mut slice.address_type);
    slice.endpoints = vec![Endpoint {
        addresses: vec![place.address.to_string()],
        conditions: Some(EndpointConditions {
            ready: Some(true),
            serving: Some(true),
            terminating: Some(false),
        }),
        ..Endpoint::default()
    }];
    slice.ports = Some(vec![EndpointPort {
        // As the API server stores it; that of the Service has none either.
        name: Some(String::new()),
        port: Some(place.port.into()),
        protocol: Some("TCP".to_owned()),
        app_protocol: Some("tcp".to_owned()),
    }]);
    slice
}

/// Whether an object is a copy that somebody has made under another name, with labels and owners.
pub fn is_copy(metadata: &ObjectMeta) -> bool {
    let annotations = metadata.annotations.as_ref();
    let made_as = annotations.and_then(|annotations| annotations.get(MADE_AS));
    made_as.is_some_and(|made_as| Some(made_as) != metadata.name.as_ref())
}

/// Where a slice leads, if that is one place.
pub fn place_of(slice: &EndpointSlice) -> Option<Place> {
    let [endpoint] = slice.endpoints.as_slice() else {
        return None;
    };
    let [address] = endpoint.addresses.as_slice() else {
        return None;
    };
    let [port] = slice.ports.as_deref()? else {
        return None;
    };
    Some(Place {
        address: Address::parse(address).ok()?,
        port: u16::try_from(port.port?).ok()?,
    })
}

/// Whether somebody else has set where a slice leads, by its managed fields: who has only added a label has not.
pub fn is_led_by_others(slice: &EndpointSlice) -> bool {
    is_set_by_others(&slice.metadata, &["/f:endpoints", "/f:ports"])
}

fn is_set_by_others(meta: &ObjectMeta, fields: &[&str]) -> bool {
    let managers = meta.managed_fields.iter().flatten();
    let mut others = managers.filter(|entry| entry.manager.as_deref() != Some(MANAGER));
    others.any(|entry| {
        let set = entry.fields_v1.as_ref();
        set.is_some_and(|set| fields.iter().any(|field| set.0.pointer(field).is_some()))
    })
}

/// Where a ConfigMap sends applications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Front {
    /// To the proxy itself.
    Proxy,
    /// To this host and port, of a Service.
    Service(String, u16),
    /// Where it sends them now, if that is one of these hosts of Services; else to the proxy.
    AsItStands(Vec<String>),
}

impl Front {
    /// The host and the port; nothing for those of the proxy.
    fn place(&self, live: &ConfigMap) -> Option<(String, String)> {
        match self {
            Self::Proxy => None,
            Self::Service(host, port) => Some((host.clone(), port.to_string())),
            Self::AsItStands(hosts) => {
                let data = live.data.as_ref()?;
                let host = data.get(HOST).filter(|host| hosts.contains(*host))?;
                let port = data.get(PORT)?;
                let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
                is_port.then(|| (host.clone(), port.clone()))
            }
        }
    }
}

/// The ConfigMap: where applications connect to, and where the proxy is. What others keep in it stays.
pub fn config_map(
    live: Option<ConfigMap>,
    name: &str,
    front: &Front,
    place: Place,
    made: Made<'_>,
) -> ConfigMap {
    let mut map = live.unwrap_or_default();
    mark(&mut map.metadata, name, made, &[(MANAGED_BY, MANAGER)]);
    let annotations = map.metadata.annotations.get_or_insert_default();
    annotations.insert(MADE_AS.to_owned(), name.to_owned());
    let (proxy_host, proxy_port) = (place.address.to_string(), place.port.to_string());
    let (host, port) = front
        .place(&map)
        .unwrap_or_else(|| (proxy_host.clone(), proxy_port.clone()));
    let values = [
        (HOST, host),
        (PORT, port),
        (PROXY_HOST, proxy_host),
        (PROXY_PORT, proxy_port),
    ];
    let data = map.data.get_or_insert_default();
    data.extend(values.map(|(key, value)| (key.to_owned(), value)));
    map
}

const HOST: &str = "host";
const PORT: &str = "port";
const PROXY_HOST: &str = "proxyHost";
const PROXY_PORT: &str = "proxyPort";

/// Where a ConfigMap says that the proxy is, if it says so.
pub fn place_in(map: &ConfigMap) -> Option<Place> {
    let data = map.data.as_ref()?;
    let port: u16 = data.get(PROXY_PORT)?.parse().ok()?;
    Some(Place {
        address: Address::parse(data.get(PROXY_HOST)?).ok()?,
        port: Some(port).filter(|port| *port > 0)?,
    })
}

/// Whether somebody else has set where a ConfigMap says that the proxy is.
pub fn is_filled_by_others(map: &ConfigMap) -> bool {
    is_set_by_others(
        &map.metadata,
        &["/f:data/f:proxyHost", "/f:data/f:proxyPort"],
    )
}

/// The Service of its namespace through which a ConfigMap sends applications, if it does.
pub fn service_in(map: &ConfigMap, namespace: &str) -> Option<String> {
    let sent_to = map.data.as_ref()?.get(HOST)?;
    let name = sent_to.strip_suffix(host("", namespace).as_str())?;
    Some(name.to_owned())
}

/// The name under which applications reach a Service, in all namespaces.
pub fn host(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc")
}

/// The address family can't be changed: each has a slice of its own.
pub fn slice_name(service: &str, family: &str) -> String {
    format!("{service}-{}", family.to_lowercase())
}

/// The families, as slices and Services name them.
pub const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];

fn mark(metadata: &mut ObjectMeta, name: &str, made: Made<'_>, labels: &[(&str, &str)]) {
    metadata.name = Some(name.to_owned());
    metadata.namespace = Some(made.owner.namespace.clone());
    metadata.owner_references = Some(made.owners);
    let known = metadata.labels.get_or_insert_default();
    known.insert(PROXY.to_owned(), made.owner.proxy.clone());
    for (key, value) in labels {
        known.insert((*key).to_owned(), (*value).to_owned());
    }
}

/// Brings an object into kube-proxy's sight.
fn show(metadata: &mut ObjectMeta) {
    if let Some(labels) = &mut metadata.labels {
        labels.retain(|label, _| !HIDING.contains(&label.as_str()));
    }
}
