//! Which hosts may be called: those of the region table, and those that the operator was started with.
//!
//! Hosts are compared to the letter, never by suffix: buckets and websites of strangers live under the vendor's domain too.
//! Host names are not one pattern; the table holds the regions that the vendor's pages and clients name.

use std::{collections::BTreeSet, net::IpAddr};

use url::{Host, Url};

/// A cloud, as far as its addresses go.
struct Vendor {
    /// The end of all its hosts.
    domain: &'static str,
    /// First label of the TaurusDB host, and the regions where it is that.
    services: &'static [(&'static str, &'static [&'static str])],
    /// Whether its API sets the port of a proxy.
    sets_ports: bool,
}

/// Huawei Cloud, and Open Telekom Cloud with the same software. The TaurusDB pages of the latter (April 2026) have the same lists of proxies,
/// and no call that changes the port of one.
static VENDORS: [Vendor; 2] = [
    Vendor {
        domain: "myhuaweicloud.com",
        services: &[
            (
                "gaussdb",
                &[
                    "cn-north-2",
                    "cn-north-4",
                    "cn-north-9",
                    "cn-east-3",
                    "cn-south-1",
                    "cn-south-4",
                    "cn-southwest-2",
                    "ap-southeast-3",
                    "ap-southeast-4",
                    "sa-brazil-1",
                    "ru-northwest-2",
                ],
            ),
            (
                "gaussdbformysql",
                &[
                    "ap-southeast-1",
                    "ap-southeast-2",
                    "cn-north-11",
                    "tr-west-1",
                    "me-east-1",
                ],
            ),
            (
                "gaussdb-mysql",
                &["af-south-1", "cn-east-5", "la-north-2", "cn-southwest-3"],
            ),
        ],
        sets_ports: true,
    },
    Vendor {
        domain: "otc.t-systems.com",
        services: &[("gaussdb-mysql", &["eu-de"])],
        sets_ports: false,
    },
];

/// Address of the TaurusDB API in a region.
pub fn service_of(region: &str) -> Result<String, PlaceError> {
    let found = of_region(region).map(|(vendor, label)| {
        let domain = vendor.domain;
        format!("https://{label}.{region}.{domain}")
    });
    found.ok_or_else(|| unknown(region))
}

/// Address of the IAM API in a region.
pub fn iam_of(region: &str) -> Result<String, PlaceError> {
    let found = of_region(region).map(|(vendor, _)| {
        let domain = vendor.domain;
        format!("https://iam.{region}.{domain}")
    });
    found.ok_or_else(|| unknown(region))
}

/// Address of the VPC API of the region whose TaurusDB API has this checked address; nothing where that is not in the table.
pub fn vpc_beside(service: &str) -> Option<String> {
    let host = service.strip_prefix("https://")?;
    let vendor = of_host(host)?;
    let region = host.split('.').nth(1)?;
    let domain = vendor.domain;
    Some(format!("https://vpc.{region}.{domain}"))
}

/// Whether the API to which a region or, in its place, an address leads can set the port of a proxy. What is not in the table is believed to.
pub fn sets_ports(region: Option<&str>, endpoint: Option<&str>) -> bool {
    let vendor = match (endpoint, region) {
        (Some(address), _) => host_of(address).and_then(|host| of_host(&host)),
        (None, Some(region)) => of_region(region).map(|(vendor, _)| vendor),
        (None, None) => None,
    };
    vendor.is_none_or(|vendor| vendor.sets_ports)
}

/// The cloud that has a region, and the first label of its TaurusDB host there.
fn of_region(region: &str) -> Option<(&'static Vendor, &'static str)> {
    VENDORS.iter().find_map(|vendor| {
        let mut services = vendor.services.iter();
        let (label, _) = services.find(|(_, regions)| regions.contains(&region))?;
        Some((vendor, *label))
    })
}

/// The cloud of which a host is in the table.
fn of_host(host: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| {
        let rest = host.strip_suffix(vendor.domain);
        let rest = rest.and_then(|rest| rest.strip_suffix('.'));
        let Some((first, region)) = rest.and_then(|rest| rest.split_once('.')) else {
            return false;
        };
        let mut services = vendor.services.iter();
        services.any(|(label, regions)| {
            [*label, "iam", "vpc"].contains(&first) && regions.contains(&region)
        })
    })
}

/// Where a region or, in its place, an address leads to, in one spelling for all ways to write it: the host in lower case and
/// without a dot at its end, with the port where that is not the scheme's own. What can't be called stays as it is written.
pub fn place(region: Option<&str>, endpoint: Option<&str>) -> String {
    match (endpoint, region) {
        (Some(address), _) => host_of(address).unwrap_or_else(|| address.to_owned()),
        (None, Some(region)) => service_of(region)
            .ok()
            .and_then(|address| host_of(&address))
            .unwrap_or_else(|| format!("region {region}")),
        (None, None) => String::new(),
    }
}

fn host_of(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let host = match url.host()? {
        // The same machine as by its address of version 4.
        Host::Ipv6(address) => match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(_) => named(&Host::Ipv6(address)),
        },
        host => named(&host),
    };
    let port = url.port().map(|port| format!(":{port}"));
    Some(host + &port.unwrap_or_default())
}

/// Who knows the users of a checked address: all regions of a cloud know the same ones, any other host its own.
pub fn realm(address: &str) -> &str {
    let host = address.strip_prefix("https://").unwrap_or(address);
    of_host(host).map_or(address, |vendor| vendor.domain)
}

/// What may be called.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    allowed: BTreeSet<String>,
    allow_http: bool,
    without_regions: bool,
}

impl AllowList {
    /// Hosts beside those of the region table, as `host` (any port) or `host:port`; `http` only where `allow_http` is set.
    pub fn new(hosts: impl IntoIterator<Item = String>, allow_http: bool) -> Self {
        let allowed = hosts
            .into_iter()
            .map(|host| host.to_ascii_lowercase())
            .collect();
        Self {
            allowed,
            allow_http,
            without_regions: false,
        }
    }

    /// The same without the hosts of the region table: for an operator that must never call a real cloud.
    #[must_use]
    pub fn without_regions(self) -> Self {
        Self {
            without_regions: true,
            ..self
        }
    }

    /// Checks an address and returns it as scheme, host and port, without a slash at the end.
    pub fn check(&self, address: &str) -> Result<String, PlaceError> {
        self.judge(address).map_err(|why| {
            let text = format!("the operator does not call the address: {why}");
            PlaceError::NotAllowed(text)
        })
    }

    /// Checks the address of a field that was set, and says what can be done about it.
    pub fn check_field(&self, field: Field, address: &str) -> Result<String, PlaceError> {
        self.judge(address).map_err(|why| {
            let (name, otherwise) = match field {
                Field::Region => ("spec.region", "delete this resource and create it anew"),
                Field::Endpoint => (
                    "spec.endpoint",
                    "delete this resource and create it anew with another one, since it can't be changed",
                ),
                Field::IamEndpoint => ("spec.iamEndpoint", "set another one"),
            };
            let text = format!("the operator does not call the host of {name}: {why}; else {otherwise}");
            PlaceError::NotAllowed(text)
        })
    }

    /// The checked address, or why it is not called.
    fn judge(&self, address: &str) -> Result<String, String> {
        let url = Url::parse(address).map_err(|_| "it is not http(s)://host[:port]")?;
        let plain = url.username().is_empty() && url.password().is_none();
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !plain || !bare || !matches!(url.scheme(), "http" | "https") {
            return Err("it must be http(s)://host[:port] without user, path and query".to_owned());
        }
        let host = url
            .host()
            .map(|host| named(&host))
            .ok_or("it names no host")?;
        let with_port = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        let port = url
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        let ours = self.allowed.contains(&host) || self.allowed.contains(&with_port);
        if url.scheme() == "http" && !(self.allow_http && ours) {
            return Err(format!(
                "plain http to {host}{port} needs --allowed-endpoint={host}{port} and --allow-http"
            ));
        }
        let known = !self.without_regions && of_host(&host).is_some() && url.port().is_none();
        if !(ours || known) {
            let because = if self.without_regions {
                "this operator is hurried by --pace and calls only what is named"
            } else {
                "it is not in the table of regions"
            };
            return Err(format!(
                "{because}; start the operator with --allowed-endpoint={host}{port} to allow it"
            ));
        }
        Ok(format!("{}://{host}{port}", url.scheme()))
    }
}

/// Why an address is not called. The text names the field and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The table has no host for the region.
    #[error("{0}")]
    RegionUnknown(String),
    /// The host is neither in the table nor on the allow-list, or the address is none.
    #[error("{0}")]
    NotAllowed(String),
}

/// A field from which an address comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `spec.region`, by the table.
    Region,
    /// `spec.endpoint`.
    Endpoint,
    /// `spec.iamEndpoint`.
    IamEndpoint,
}

/// The host as it is compared: lower case, without the dot of a fully qualified name.
fn named(host: &Host<&str>) -> String {
    host.to_string().trim_end_matches('.').to_owned()
}

fn unknown(region: &str) -> PlaceError {
    let text = format!(
        "the operator knows no host for spec.region {region}: delete this resource and create it anew with spec.endpoint (and \
         spec.iamEndpoint for passwords), since spec.region can't be changed"
    );
    PlaceError::RegionUnknown(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_on_networks_has_each_host() {
        let page = include_str!("../../docs/network.md");
        for vendor in &VENDORS {
            for (label, regions) in vendor.services {
                let row = format!(
                    "| `{label}.REGION.{}` | {} |",
                    vendor.domain,
                    regions.join(", ")
                );
                assert!(page.contains(&row), "{row}");
            }
        }
    }

    #[test]
    fn hosts_of_regions_are_not_one_pattern() {
        for (region, host) in [
            (
                "ap-southeast-3",
                "https://gaussdb.ap-southeast-3.myhuaweicloud.com",
            ),
            (
                "ap-southeast-1",
                "https://gaussdbformysql.ap-southeast-1.myhuaweicloud.com",
            ),
            (
                "af-south-1",
                "https://gaussdb-mysql.af-south-1.myhuaweicloud.com",
            ),
        ] {
            assert_eq!(service_of(region).unwrap(), host);
            assert_eq!(AllowList::default().check(host).unwrap(), host);
        }
        assert_eq!(
            iam_of("cn-north-4").unwrap(),
            "https://iam.cn-north-4.myhuaweicloud.com"
        );
        assert!(matches!(
            service_of("eu-west-101"),
            Err(PlaceError::RegionUnknown(_))
        ));
    }

    #[test]
    fn vpc_is_at_the_region_of_the_service() {
        for region in ["cn-north-4", "af-south-1", "eu-de"] {
            let vpc = vpc_beside(&service_of(region).unwrap()).unwrap();
            assert!(vpc.starts_with(&format!("https://vpc.{region}.")), "{vpc}");
            assert_eq!(AllowList::default().check(&vpc).unwrap(), vpc);
            assert_eq!(realm(&vpc), realm(&iam_of(region).unwrap()));
        }
        for other in [
            "http://127.0.0.1:9000",
            "https://cloud.example.test",
            "https://gaussdb.cn-north-4.myhuaweicloud.com:8443",
        ] {
            assert_eq!(vpc_beside(other), None, "{other}");
        }
    }

    #[test]
    fn open_telekom_cloud_has_a_table_of_its_own_and_sets_no_ports() {
        let service = "https://gaussdb-mysql.eu-de.otc.t-systems.com";
        assert_eq!(service_of("eu-de").unwrap(), service);
        let iam = iam_of("eu-de").unwrap();
        assert_eq!(iam, "https://iam.eu-de.otc.t-systems.com");
        assert_eq!(AllowList::default().check(&iam).unwrap(), iam);
        assert_eq!(realm(service), realm(&iam));
        assert_ne!(realm(service), realm(&service_of("cn-north-4").unwrap()));
        assert!(!sets_ports(Some("eu-de"), None));
        assert!(!sets_ports(
            None,
            Some("https://GaussDB-MySQL.eu-de.otc.t-systems.com:443/")
        ));
        assert!(!sets_ports(Some("cn-north-4"), Some(service)));
        for other in [
            (Some("cn-north-4"), None),
            (Some("eu-de"), Some("https://cloud.example.test")),
            (None, Some("http://127.0.0.1:9000")),
            (Some("nowhere-1"), None),
        ] {
            assert!(sets_ports(other.0, other.1), "{other:?}");
        }
        for strange in [
            "https://gaussdb.eu-de.otc.t-systems.com",
            "https://gaussdb-mysql.eu-de.myhuaweicloud.com",
            "https://gaussdb-mysql.af-south-1.otc.t-systems.com",
        ] {
            assert!(AllowList::default().check(strange).is_err(), "{strange}");
        }
    }

    #[test]
    fn r07_a_place_has_one_spelling_whatever_is_written() {
        let region = "ap-southeast-3";
        let by_region = place(Some(region), None);
        for spelt in [
            "https://gaussdb.ap-southeast-3.myhuaweicloud.com",
            "https://gaussdb.ap-southeast-3.myhuaweicloud.com/",
            "https://gaussdb.ap-southeast-3.myhuaweicloud.com:443",
            "https://gaussdb.ap-southeast-3.myhuaweicloud.com.",
            "https://gaussdb.ap-southeast-3.myhuaweicloud.com.:443/",
            "HTTPS://GaussDB.AP-Southeast-3.MyHuaweiCloud.com",
        ] {
            assert_eq!(place(Some("cn-north-4"), Some(spelt)), by_region, "{spelt}");
            assert_eq!(
                AllowList::default().check(spelt).unwrap(),
                format!("https://{by_region}"),
                "{spelt} is called at another place"
            );
        }
        let plain = place(None, Some("http://127.0.0.1:9000"));
        for spelt in [
            "http://127.1:9000",
            "http://0x7f.1:9000/",
            "http://2130706433:9000",
            "http://[::ffff:127.0.0.1]:9000",
            "https://127.0.0.1:9000",
        ] {
            assert_eq!(place(None, Some(spelt)), plain, "{spelt}");
        }
        for other in [
            "http://127.0.0.1",
            "http://127.0.0.2:9000",
            "http://[::1]:9000",
        ] {
            assert_ne!(place(None, Some(other)), plain);
        }
        assert_ne!(place(Some("cn-north-4"), None), by_region);
        assert_ne!(
            place(Some("nowhere-1"), None),
            place(Some("nowhere-2"), None)
        );
        assert_ne!(place(None, Some("not an address")), place(None, Some("")));
    }

    #[test]
    fn regions_know_the_same_users_and_other_hosts_their_own() {
        let service = service_of("cn-north-4").unwrap();
        let iam = iam_of("ap-southeast-3").unwrap();
        assert_eq!(realm(&service), realm(&iam));
        for other in [
            "https://cloud.example.test",
            "http://gaussdb.cn-north-4.myhuaweicloud.com",
            "https://gaussdb.cn-north-4.myhuaweicloud.com:8443",
        ] {
            assert_eq!(realm(other), other);
        }
    }

    #[test]
    fn foreign_hosts_and_odd_addresses_are_refused() {
        let list = AllowList::new(["127.0.0.1:9000".to_owned()], true);
        for address in [
            "https://example.test",
            "https://bucket.obs.cn-north-4.myhuaweicloud.com",
            "https://gaussdb.cn-north-4.myhuaweicloud.com.example.test",
            "https://gaussdb.cn-north-4.myhuaweicloud.com:8443",
            "http://gaussdb.cn-north-4.myhuaweicloud.com",
            "http://169.254.169.254",
            "http://127.0.0.1:9001",
            "http://127.1:80",
            "http://[::ffff:127.0.0.1]:9000",
            "http://user:password@127.0.0.1:9000",
            "http://127.0.0.1:9000/v3",
            "http://127.0.0.1:9000?x=1",
            "ftp://127.0.0.1:9000",
            "127.0.0.1:9000",
            "",
        ] {
            let error = list.check(address).unwrap_err();
            let PlaceError::NotAllowed(text) = error else {
                panic!("{address}: {error:?}")
            };
            assert!(!text.contains("password@"), "{text}");
        }
    }

    #[test]
    fn allowed_hosts_are_taken_in_their_plain_form() {
        let list = AllowList::new(
            ["127.0.0.1:9000".to_owned(), "Cloud.Example.test".to_owned()],
            true,
        );
        for (address, plain) in [
            ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
            ("https://cloud.example.test.", "https://cloud.example.test"),
            (
                "https://CLOUD.example.test:8443",
                "https://cloud.example.test:8443",
            ),
        ] {
            assert_eq!(list.check(address).unwrap(), plain);
        }
        let strict = AllowList::new(["127.0.0.1:9000".to_owned()], false);
        assert!(strict.check("http://127.0.0.1:9000").is_err());
    }
}
