//! Addresses that may be called: never one with a user, never plain http unasked, never a host that is on no list.
//!
//! Input: hosts that are allowed in the first line, parted by blanks; an address below.

use taurus_port_operator::{config::endpoint::Endpoint, place::endpoints::AllowList};
use url::Url;

use crate::look;

/// The domain under which the region table's hosts are.
const VENDOR: &str = ".myhuaweicloud.com";

/// Checks hosts and an address.
pub fn check(input: &[u8]) -> bool {
    let input = look::body(input);
    let (hosts, address) = input.split_once('\n').unwrap_or(("", &input));
    let hosts: Vec<String> = hosts
        .split(' ')
        .filter_map(|host| Endpoint::parse(host).ok())
        .map(Endpoint::into_text)
        .collect();
    for host in &hosts {
        let alone = AllowList::new([host.clone()], true).without_regions();
        for scheme in ["http", "https"] {
            let address = format!("{scheme}://{host}");
            assert!(
                alone.check(&address).is_ok(),
                "{address} is allowed in vain"
            );
        }
    }
    let mut understood = false;
    for allow_http in [false, true] {
        let list = AllowList::new(hosts.clone(), allow_http);
        let Ok(called) = list.check(address) else {
            continue;
        };
        understood = true;
        check_called(&called, &hosts, allow_http);
        assert_eq!(list.check(&called).as_ref(), Ok(&called));
        if list.clone().without_regions().check(address).is_ok() {
            assert!(!hosts.is_empty(), "{called} is on no list");
        }
    }
    understood
}

fn check_called(called: &str, hosts: &[String], allow_http: bool) {
    let url = Url::parse(called).expect("what is called is an address");
    assert!(
        url.username().is_empty() && url.password().is_none(),
        "{called}"
    );
    assert_eq!((url.path(), url.query(), url.fragment()), ("/", None, None));
    let host = url.host_str().expect("what is called has a host");
    let port = url.port_or_known_default().expect("it has a port");
    let with_port = format!("{host}:{port}");
    let ours = hosts
        .iter()
        .any(|allowed| *allowed == host || *allowed == with_port);
    let theirs = host.ends_with(VENDOR) && url.port().is_none() && url.scheme() == "https";
    assert!(ours || theirs, "{called} is on no list");
    match url.scheme() {
        "https" => {}
        "http" => assert!(ours && allow_http, "{called} is plain http"),
        other => assert_eq!(other, "https", "{called}"),
    }
}
