//! The web proxy that the environment names, for calls by https.
//!
//! Plain http is spoken to the hosts of --allow-http only; they are near, and no proxy lies between. Promises that a proxy that
//! is named is either used or refused at the start: no call ever goes past it because its address can't be read.

use std::sync::Arc;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// Which variables name the proxy, in the order in which they count.
const NAMED_BY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Which variables name the hosts that are called directly.
const NOT_FOR: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Whether a call goes through a proxy, and through which.
#[derive(Debug, Clone)]
pub struct Egress(Arc<Matcher>);

/// A proxy that can't be used. Its address is not shown: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EgressFault {
    /// A kind of proxy that is not supported.
    #[error(
        "{0} names a SOCKS proxy, and only proxies for CONNECT are supported: give http://[user:password@]host[:port] or \
         https://[user:password@]host[:port]"
    )]
    Socks(&'static str),
    /// No address.
    #[error(
        "{0} can't be read as the address of a proxy: give http://[user:password@]host[:port] or \
         https://[user:password@]host[:port], with special characters of user and password percent-encoded"
    )]
    Unreadable(&'static str),
}

impl Egress {
    /// Every call goes directly.
    pub fn direct() -> Self {
        Self(Arc::new(Matcher::builder().build()))
    }

    /// As the environment says: `variable` has the value of each of its variables, where it is set.
    pub fn new(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EgressFault> {
        let value = |name: &&'static str| variable(name).map(|value| (*name, value));
        // As other programs take them: the first that is set counts, even where it is empty; empty ones name no proxy.
        let (https, all) = NAMED_BY.split_at(2);
        let named = [https, all]
            .into_iter()
            .filter_map(|names| names.iter().find_map(value))
            .find(|(_, value)| !value.trim().is_empty());
        let Some((name, address)) = named else {
            return Ok(Self::direct());
        };
        check(name, address.trim())?;
        let exempt = NOT_FOR.iter().find_map(value);
        let exempt = exempt.map_or_else(String::new, |(_, hosts)| hosts);
        let matcher = Matcher::builder().https(address.trim()).no(exempt).build();
        Ok(Self(Arc::new(matcher)))
    }

    /// The proxy that a call of `target` goes through.
    pub fn of(&self, target: &Uri) -> Option<Intercept> {
        (target.scheme_str() == Some("https"))
            .then(|| self.0.intercept(target))
            .flatten()
    }
}

fn check(name: &'static str, address: &str) -> Result<(), EgressFault> {
    let scheme = address
        .split_once("://")
        .map_or("http", |(scheme, _)| scheme);
    if scheme.to_ascii_lowercase().starts_with("socks") {
        return Err(EgressFault::Socks(name));
    }
    let any = Uri::from_static("https://any.invalid");
    let read = Matcher::builder().https(address).build().intercept(&any);
    let usable = read.is_some_and(|proxy| {
        proxy.uri().authority().is_some_and(|named| {
            // Whatever else is left was not read as it was meant: a user that is not percent-encoded, a port that is no number.
            let rest = named.as_str().strip_prefix(named.host());
            !named.host().is_empty()
                && (rest == Some("") || named.port_u16().is_some())
                && !named.as_str().contains('@')
        })
    });
    if usable {
        Ok(())
    } else {
        Err(EgressFault::Unreadable(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(variables: &[(&str, &str)]) -> Result<Egress, EgressFault> {
        Egress::new(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn proxy(variables: &[(&str, &str)], target: &str) -> Option<String> {
        let found = egress(variables).unwrap().of(&target.parse().unwrap());
        found.map(|proxy| proxy.uri().to_string())
    }

    #[test]
    fn https_goes_through_the_proxy_and_plain_http_and_exempt_hosts_do_not() {
        let address = "http://proxy.example.test:3128/";
        let variables = [
            ("HTTPS_PROXY", address),
            ("NO_PROXY", "exempt.example.test,10.0.0.0/8,fd00::/8"),
        ];
        for (url, through) in [
            ("https://cloud.example.test/v3", true),
            ("https://127.0.0.1:9000/v3", true),
            ("https://[fe80::1]/v3", true),
            ("http://cloud.example.test/v3", false),
            ("https://exempt.example.test/v3", false),
            ("https://a.exempt.example.test/v3", false),
            ("https://10.1.2.3/v3", false),
            ("https://[fd00::1]/v3", false),
        ] {
            let expected = through.then(|| address.to_owned());
            assert_eq!(proxy(&variables, url), expected, "{url}");
        }
    }

    #[test]
    fn the_variables_count_in_the_order_in_which_other_programs_take_them() {
        let target = "https://cloud.example.test";
        let one = |variables: &[(&str, &str)]| proxy(variables, target);
        let (first, second) = ("http://one.test/", "https://two.test/");
        for (variables, expected) in [
            (
                &[("HTTPS_PROXY", first), ("https_proxy", second)][..],
                Some(first),
            ),
            (
                &[("https_proxy", second), ("ALL_PROXY", first)],
                Some(second),
            ),
            (&[("HTTPS_PROXY", ""), ("ALL_PROXY", first)], Some(first)),
            (&[("all_proxy", second)], Some(second)),
            (&[("HTTP_PROXY", first)], None),
            (&[], None),
        ] {
            assert_eq!(one(variables).as_deref(), expected, "{variables:?}");
        }
        assert_eq!(
            one(&[("HTTPS_PROXY", " one.test ")]).as_deref(),
            Some(first)
        );
    }

    #[test]
    fn user_and_password_arrive_whatever_their_letters_are() {
        let variables = [("HTTPS_PROXY", "https://u:p%40%2F%3Ax@proxy.example.test:1")];
        let target = "https://cloud.example.test".parse().unwrap();
        let found = egress(&variables).unwrap().of(&target).unwrap();
        assert_eq!(found.basic_auth().unwrap(), "Basic dTpwQC86eA==");
        assert!(!format!("{:?}", egress(&variables)).contains("p@"));
    }

    #[test]
    fn h06_a_proxy_that_can_t_be_used_is_refused_by_the_name_of_its_variable() {
        for scheme in ["socks4", "socks4a", "socks5", "socks5h", "SOCKS5"] {
            let address = format!("{scheme}://user:hunter2@proxy.example.test:1080");
            for name in NAMED_BY {
                let fault = egress(&[(name, &address)]).unwrap_err();
                assert_eq!(fault, EgressFault::Socks(name), "{address}");
                let told = fault.to_string();
                assert!(
                    told.starts_with(name) && !told.contains("hunter2"),
                    "{told}"
                );
            }
        }
        for address in [
            "ftp://user:hunter2@proxy.example.test",
            "http://user:hunter2@two@proxy.example.test",
            "http://user:hunter2@",
            "http://",
            "hunter2 3128",
            "http://proxy.example.test:port",
        ] {
            let fault = egress(&[("https_proxy", address)]).unwrap_err();
            assert_eq!(fault, EgressFault::Unreadable("https_proxy"), "{address}");
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
    }
}
