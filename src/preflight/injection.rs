//! Whether pods are in a mesh, and which ports it takes for plain TCP there: labels and annotations of a namespace and of pods.
//!
//! Linkerd and Istio take some ports for TCP without being told, and wait on others for the client to speak first, as clients of this
//! database never do. What goes around the mesh has no such trouble.

use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::network::is_within;

/// The ports that Linkerd takes for opaque TCP by itself.
const LINKERD: [u16; 8] = [25, 587, 3306, 4444, 5432, 6379, 9300, 11211];

/// The ports that Istio takes for TCP by itself.
const ISTIO: [u16; 4] = [25, 53, 3306, 27017];

/// What annotations that are looked at begin with.
const LOOKED_AT: [&str; 4] = [
    "linkerd.io/",
    "config.linkerd.io/",
    "sidecar.istio.io/",
    "traffic.sidecar.istio.io/",
];

/// Whether an annotation of this name is looked at: all others of a pod need not be kept.
pub(super) fn is_looked_at(annotation: &str) -> bool {
    LOOKED_AT
        .iter()
        .any(|prefix| annotation.starts_with(prefix))
}

/// What says whether pods are in a mesh.
#[derive(Debug, Clone, Copy)]
pub struct Marks<'a> {
    /// Their namespace.
    pub namespace: &'a ObjectMeta,
    /// One of them, or what they are made from.
    pub pod: &'a ObjectMeta,
}

impl<'a> Marks<'a> {
    fn of_pod(&self, name: &str) -> Option<&'a str> {
        annotation(self.pod, name)
    }

    /// An annotation of the pod, else of its namespace.
    fn annotation(&self, name: &str) -> Option<&'a str> {
        self.of_pod(name)
            .or_else(|| annotation(self.namespace, name))
    }

    fn label(&self, name: &str) -> Option<&'a str> {
        label(self.pod, name)
    }

    /// The meshes that take the port that goes for TCP, and the one that comes not; `declares` says whether Istio was told of a port.
    pub fn losing(
        &self,
        address: Option<IpAddr>,
        (from, to): (u16, u16),
        declares: impl Fn(u16) -> bool,
    ) -> Vec<&'static str> {
        let linkerd = |port: u16| self.linkerd_takes(address, port);
        let istio =
            |port: u16| ISTIO.contains(&port) || declares(port) || self.passes_istio(address, port);
        let lost = [
            (
                "Linkerd",
                self.is_in_linkerd() && linkerd(from) && !linkerd(to),
            ),
            ("Istio", self.is_in_istio() && istio(from) && !istio(to)),
        ];
        let lost = lost.into_iter().filter(|(_, is_lost)| *is_lost);
        lost.map(|(mesh, _)| mesh).collect()
    }

    fn is_in_linkerd(&self) -> bool {
        let wished = self.annotation("linkerd.io/inject");
        match wished {
            Some("disabled") => false,
            Some("enabled" | "ingress") => true,
            // The injector leaves this on what it has injected.
            _ => self.of_pod("linkerd.io/proxy-version").is_some(),
        }
    }

    fn linkerd_takes(&self, address: Option<IpAddr>, port: u16) -> bool {
        let is_opaque = self
            .annotation("config.linkerd.io/opaque-ports")
            .map_or_else(|| LINKERD.contains(&port), |ports| has_port(ports, port));
        let skipped = self.annotation("config.linkerd.io/skip-outbound-ports");
        let subnets = self.annotation("config.linkerd.io/skip-subnets");
        is_opaque
            || skipped.is_some_and(|ports| has_port(ports, port))
            || subnets.is_some_and(|subnets| has_address(subnets, address))
    }

    fn is_in_istio(&self) -> bool {
        let name = "sidecar.istio.io/inject";
        let switch = self.label(name).or_else(|| self.of_pod(name));
        if let Some(switch) = switch {
            return switch == "true";
        }
        if self.of_pod("sidecar.istio.io/status").is_some() {
            return true;
        }
        let rev = "istio.io/rev";
        match label(self.namespace, "istio-injection") {
            Some("enabled") => true,
            Some("disabled") => false,
            _ => label(self.namespace, rev).is_some() || self.label(rev).is_some(),
        }
    }

    /// Whether connections to a port go around Istio's proxy.
    fn passes_istio(&self, address: Option<IpAddr>, port: u16) -> bool {
        let of = |name: &str| self.of_pod(&format!("traffic.sidecar.istio.io/{name}"));
        let only = of("includeOutboundIPRanges").filter(|ranges| ranges.trim() != "*");
        of("excludeOutboundPorts").is_some_and(|ports| has_port(ports, port))
            || of("excludeOutboundIPRanges").is_some_and(|ranges| has_address(ranges, address))
            || only.is_some_and(|ranges| address.is_some() && !has_address(ranges, address))
    }
}

fn annotation<'a>(object: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    let value = object.annotations.as_ref()?.get(name)?;
    Some(value.as_str())
}

fn label<'a>(object: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    let value = object.labels.as_ref()?.get(name)?;
    Some(value.as_str())
}

/// Whether a port is in a list like `25,3306-3310`.
fn has_port(list: &str, port: u16) -> bool {
    list.split(',').any(|range| {
        let range = range.trim();
        let (from, until) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.trim().parse::<u16>().ok();
        let ends = number(from).zip(number(until));
        ends.is_some_and(|(from, until)| (from..=until).contains(&port))
    })
}

/// Whether an address is in a list of blocks.
fn has_address(list: &str, address: Option<IpAddr>) -> bool {
    let mut blocks = list.split(',');
    address.is_some_and(|address| blocks.any(|block| is_within(block.trim(), address)))
}
