//! A host that the person who runs the operator allows to be called, in the form in which addresses are compared with it.

use url::{Host, Url};

/// A host, with a port if only that one is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    text: String,
    loopback: bool,
}

/// What is given is not a host.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    /// It holds what belongs to a URL.
    #[error("{0:?} is more than a host: give host or host:port, without scheme, path and query")]
    NotBare(String),
    /// It may hold a password and is not repeated.
    #[error("a value holds a user part ('@'): give host or host:port only")]
    UserPart,
    /// It is no host that could be called.
    #[error(
        "{0:?} is not a host: give a name or an IP address, with or without :port; there are no wildcards, each host is \
         named"
    )]
    NotAHost(String),
}

impl Endpoint {
    /// Takes `host` or `host:port`, in the plain form that a URL of it would have.
    pub fn parse(text: &str) -> Result<Self, EndpointFault> {
        if text.contains('@') {
            return Err(EndpointFault::UserPart);
        }
        if text.contains(['/', '\\', '?', '#']) {
            return Err(EndpointFault::NotBare(text.to_owned()));
        }
        let fault = || EndpointFault::NotAHost(text.to_owned());
        // A URL does not keep a port that is its scheme's own: the other scheme then tells.
        let [secure, plain] =
            ["https", "http"].map(|scheme| Url::parse(&format!("{scheme}://{text}")));
        let (secure, plain) = (secure.map_err(|_| fault())?, plain.map_err(|_| fault())?);
        let host = secure.host().filter(is_nameable).ok_or_else(fault)?;
        let port = secure.port().or(plain.port());
        if port == Some(0) || text.ends_with(':') {
            return Err(fault());
        }
        let name = host.to_string();
        let name = name.trim_end_matches('.');
        Ok(Self {
            text: port.map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")),
            loopback: is_loopback(&host),
        })
    }

    /// Whether it leads nowhere but to this machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// As the allow-list takes it.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// Names are of letters, digits and '-' in parts; anything else, `*` above all, would be allowed in vain.
fn is_nameable(host: &Host<&str>) -> bool {
    let Host::Domain(name) = host else {
        return true;
    };
    let is_part = |part: &str| {
        let letters = part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        letters && !part.is_empty()
    };
    name.strip_suffix('.')
        .unwrap_or(name)
        .split('.')
        .all(is_part)
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::endpoints::AllowList;

    #[test]
    fn a_host_is_taken_in_the_form_in_which_addresses_are_compared() {
        for (given, text) in [
            ("cloud.example.test", "cloud.example.test"),
            ("Cloud.Example.test.", "cloud.example.test"),
            ("cloud.example.test:443", "cloud.example.test:443"),
            ("cloud.example.test:80", "cloud.example.test:80"),
            ("127.1:9000", "127.0.0.1:9000"),
            ("[::1]:9000", "[::1]:9000"),
        ] {
            assert_eq!(Endpoint::parse(given).unwrap().into_text(), text, "{given}");
        }
    }

    #[test]
    fn what_is_allowed_can_be_called() {
        for (given, address) in [
            ("cloud.example.test:443", "https://cloud.example.test"),
            ("cloud.example.test", "https://cloud.example.test:8443"),
            ("127.1:80", "http://127.0.0.1"),
            ("[::1]:9000", "http://[::1]:9000"),
        ] {
            let endpoint = Endpoint::parse(given).unwrap();
            let list = AllowList::new([endpoint.into_text()], true);
            assert_eq!(list.check(address).unwrap(), address, "{given}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (given, loopback) in [
            ("localhost:9000", true),
            ("127.8.8.8", true),
            ("[::1]:9000", true),
            ("localhost.example.test", false),
            ("127.0.0.1.example.test", false),
            ("0.0.0.0:9000", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(
                Endpoint::parse(given).unwrap().is_loopback(),
                loopback,
                "{given}"
            );
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for given in [
            "https://cloud.example.test",
            "cloud.example.test/v3",
            "a.test?x=1",
        ] {
            assert_eq!(
                Endpoint::parse(given),
                Err(EndpointFault::NotBare(given.to_owned()))
            );
        }
        for given in [
            "",
            "*",
            "*.example.test",
            ".example.test",
            "a..test",
            "a b",
            "a.test:",
            "a.test:0",
            "a.test:65536",
            "a.test:x",
            "::1",
            "a_b.test",
        ] {
            assert_eq!(
                Endpoint::parse(given),
                Err(EndpointFault::NotAHost(given.to_owned()))
            );
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let fault = Endpoint::parse("user:hunter2@cloud.example.test").unwrap_err();
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
    }
}
