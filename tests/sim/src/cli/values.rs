//! Values of flags that are more than a word. Errors never repeat a secret.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use taurus_sim::PortListens;

/// `[PROJECT/]ID`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InstanceFlag {
    pub(super) project: Option<String>,
    pub(super) id: String,
}

/// `INSTANCE/KEY=VALUE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TagFlag {
    pub(super) instance: String,
    pub(super) key: String,
    pub(super) value: String,
}

/// `INSTANCE/PROXY=PORT`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProxyFlag {
    pub(super) instance: String,
    pub(super) id: String,
    pub(super) port: u16,
}

/// `AK:SK[:SECURITY-TOKEN]`
#[derive(Clone, PartialEq, Eq)]
pub(super) struct AccessKeyFlag {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) security_token: Option<String>,
}

/// `DOMAIN/NAME:PASSWORD`
#[derive(Clone, PartialEq, Eq)]
pub(super) struct UserFlag {
    pub(super) domain: String,
    pub(super) name: String,
    pub(super) password: String,
}

impl FromStr for InstanceFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (project, id) = match text.split_once('/') {
            Some((project, id)) => (Some(project.to_owned()), id),
            None => (None, text),
        };
        Ok(Self {
            project,
            id: id.to_owned(),
        })
    }
}

impl FromStr for TagFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let tag = text.split_once('/').and_then(|(instance, tag)| {
            let (key, value) = tag.split_once('=')?;
            Some(Self {
                instance: instance.to_owned(),
                key: key.to_owned(),
                value: value.to_owned(),
            })
        });
        tag.ok_or_else(|| "it is INSTANCE/KEY=VALUE".to_owned())
    }
}

impl FromStr for ProxyFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ids, port) = text
            .rsplit_once('=')
            .ok_or("it is INSTANCE/PROXY=PORT, and = is missing")?;
        let (instance, id) = ids
            .split_once('/')
            .ok_or("it is INSTANCE/PROXY=PORT, and / is missing")?;
        let port = port.parse().ok().filter(|port| *port > 0);
        let port = port.ok_or("the port is a number from 1 to 65535")?;
        Ok(Self {
            instance: instance.to_owned(),
            id: id.to_owned(),
            port,
        })
    }
}

impl FromStr for AccessKeyFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, secrets) = text
            .split_once(':')
            .ok_or("it is AK:SK or AK:SK:SECURITY-TOKEN")?;
        let (secret, security_token) = match secrets.split_once(':') {
            Some((secret, token)) => (secret, Some(token)),
            None => (secrets, None),
        };
        if id.is_empty() || secret.is_empty() || security_token.is_some_and(str::is_empty) {
            return Err("no part of AK:SK:SECURITY-TOKEN may be empty".to_owned());
        }
        Ok(Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            security_token: security_token.map(str::to_owned),
        })
    }
}

impl FromStr for UserFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(domain, rest)| Some((domain, rest.split_once(':')?)));
        match parts {
            Some((domain, (name, password))) if ![domain, name, password].contains(&"") => {
                Ok(Self {
                    domain: domain.to_owned(),
                    name: name.to_owned(),
                    password: password.to_owned(),
                })
            }
            _ => Err("it is DOMAIN/NAME:PASSWORD, and no part may be empty".to_owned()),
        }
    }
}

/// An identity provider and a token of it.
pub(super) fn id_token(text: &str) -> Result<(String, String), String> {
    let parts = text
        .split_once(':')
        .map(|(provider, token)| [provider, token]);
    match parts {
        Some([provider, token]) if ![provider, token].contains(&"") => {
            Ok((provider.to_owned(), token.to_owned()))
        }
        _ => Err("it is PROVIDER:TEXT, and no part may be empty".to_owned()),
    }
}

/// A token that a header can carry.
pub(super) fn token(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("a token is visible ASCII without blanks".to_owned())
    }
}

/// `90s`, `1m 30s`, `500ms`, `24h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text
        .parse()
        .map_err(|_| "it is a time such as 90s, 1m 30s or 500ms".to_owned())?;
    duration
        .try_into()
        .map_err(|_| "it is not negative".to_owned())
}

/// `at-end`, `before=2s`, `down=2s`.
pub(super) fn port_listens(text: &str) -> Result<PortListens, String> {
    if text == "at-end" {
        return Ok(PortListens::AtEnd);
    }
    match text.split_once('=') {
        Some(("before", lead)) => duration(lead).map(PortListens::Before),
        Some(("down", lag)) => duration(lag).map(PortListens::Down),
        _ => Err("it is at-end, before=TIME or down=TIME".to_owned()),
    }
}

impl std::fmt::Debug for AccessKeyFlag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AccessKeyFlag")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for UserFlag {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { domain, name, .. } = self;
        formatter
            .debug_struct("UserFlag")
            .field("domain", domain)
            .field("name", name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        assert_eq!(
            "p/i".parse(),
            Ok(InstanceFlag {
                project: Some("p".to_owned()),
                id: "i".to_owned()
            })
        );
        assert_eq!(
            "i".parse(),
            Ok(InstanceFlag {
                project: None,
                id: "i".to_owned()
            })
        );
        assert_eq!(
            "i/x=3306".parse(),
            Ok(ProxyFlag {
                instance: "i".to_owned(),
                id: "x".to_owned(),
                port: 3306
            })
        );
        let key: AccessKeyFlag = "a:s:t:u".parse().unwrap();
        assert_eq!(
            (&*key.id, &*key.secret, key.security_token.as_deref()),
            ("a", "s", Some("t:u"))
        );
        let user: UserFlag = "d/n:p:/q".parse().unwrap();
        assert_eq!(
            (&*user.domain, &*user.name, &*user.password),
            ("d", "n", "p:/q")
        );
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        let second = Duration::from_secs(1);
        for (text, listens) in [
            ("at-end", PortListens::AtEnd),
            ("before=1s", PortListens::Before(second)),
            ("down=1s", PortListens::Down(second)),
        ] {
            assert_eq!(port_listens(text), Ok(listens));
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for odd in ["i/x", "i=3306", "i/x=0", "i/x=70000", "i/x=", ""] {
            assert!(odd.parse::<ProxyFlag>().is_err(), "{odd}");
        }
        for odd in ["canary", ":canary", "a:", "a:canary:"] {
            assert!(
                !odd.parse::<AccessKeyFlag>().unwrap_err().contains("canary"),
                "{odd}"
            );
        }
        for odd in ["canary", "d/canary", "d/:canary", "/n:canary", "d/n:"] {
            assert!(
                !odd.parse::<UserFlag>().unwrap_err().contains("canary"),
                "{odd}"
            );
        }
        assert!(!token("canary canary").unwrap_err().contains("canary"));
        for odd in ["", "5", "-5s", "soon"] {
            assert!(duration(odd).is_err(), "{odd}");
            assert!(port_listens(&format!("before={odd}")).is_err(), "{odd}");
            assert!(port_listens(odd).is_err(), "{odd}");
        }
    }
}
