//! What is said of what is published: one condition for the Service, one for the ConfigMap.

use super::wanted::AddressError;
use crate::model::Reason;

/// How one object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It leads to the port that was read last.
    Published,
    /// Nothing was read yet that could be published.
    NothingRead,
    /// The proxy is gone, so that its Service leads nowhere.
    ProxyGone,
    /// Another resource manages the proxy.
    NotManaging,
    /// The address can't be published.
    Unusable(String, AddressError),
    /// An object of that name is somebody else's: its kind and name.
    Taken(&'static str, String),
    /// Another resource for the same proxy has it: the kind and name of the object, and the name of the resource.
    Held(&'static str, String, String),
    /// The operator may not do it: the verb, and the kind of objects.
    Forbidden(&'static str, &'static str),
    /// The API server refused it or did not answer.
    Failed(String),
}

impl Said {
    /// The status of the condition.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Published => "True",
            Self::Failed(_) => "Unknown",
            _ => "False",
        }
    }

    /// The reason of the condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Published => Reason::Published,
            Self::NothingRead | Self::ProxyGone | Self::NotManaging => Reason::NothingToPublish,
            Self::Unusable(..) => Reason::AddressUnusable,
            Self::Taken(..) | Self::Held(..) => Reason::NameTaken,
            Self::Forbidden(..) => Reason::Forbidden,
            Self::Failed(_) => Reason::PublishFailed,
        }
    }

    /// The own words, and what the other side said.
    pub fn text(&self) -> (String, Option<String>) {
        let own = match self {
            Self::Published => "leads to the port that was read last".to_owned(),
            Self::NothingRead => {
                "the address and the port of the proxy were not read yet".to_owned()
            }
            Self::ProxyGone => "the proxy is gone, so nothing is published".to_owned(),
            Self::NotManaging => {
                "another resource manages the proxy, so this one publishes nothing".to_owned()
            }
            Self::Unusable(address, why) => {
                format!("the cloud gives the proxy the address {address:?}: {why}")
            }
            Self::Taken(kind, name) => format!(
                "{kind} {name} exists and was not made by this operator for this proxy: delete it, or choose another name in spec"
            ),
            Self::Held(kind, name, by) => format!(
                "{kind} {name} belongs to resource {by}, which is about the same proxy; this one takes it over once that one is deleted or \
                 names it no longer"
            ),
            Self::Forbidden(verb, kind) => format!(
                "the operator may not {verb} {kind}: install its component deploy/components/services, or set services.enabled in its \
                 chart"
            ),
            Self::Failed(said) => {
                return (
                    "the API server refused, or did not answer; it is tried again within a minute"
                        .to_owned(),
                    Some(said.clone()),
                );
            }
        };
        (own, None)
    }
}
