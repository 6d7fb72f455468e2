//! What is said of what is published: one condition for the Service, one for the ConfigMap.

use k8s_openapi::jiff::Timestamp;

use super::{
    contest::Mend,
    order::{Ahead, Urge},
    wanted::{AddressError, Place},
};
use crate::model::Reason;

/// When a name is taken that somebody else has.
const ONCE_FREE: &str = "the operator takes the name within a minute after it is free, or at the next look where this resource does not \
                         manage the proxy, or at once after the annotation requestedAt";

/// How one object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It leads to the port that was read last.
    Published,
    /// It leads to this port by a greeting, ahead of any list.
    Ahead(u16, Ahead),
    /// It leads to the first place, which was not read: it was found there. The second one is on record, if there is one.
    Unread(Place, Option<Place>),
    /// It is new, and was not published yet.
    Pending,
    /// Nothing was read yet that could be published.
    NothingRead,
    /// The proxy is gone, so that its Service leads nowhere.
    Withdrawn,
    /// The proxy is gone, and the ConfigMap still says where it was.
    Outdated,
    /// Another resource manages the proxy.
    NotManaging,
    /// The address can't be published.
    Unusable(String, AddressError),
    /// The Service has no address of the family of the proxy's.
    NoFamily(String, &'static str),
    /// An object of that name is somebody else's: its kind and name.
    Taken(&'static str, String),
    /// An object of that name is of a resource for another proxy: its kind and name, and the name of the resource.
    OfAnother(&'static str, String, String),
    /// An EndpointSlice of somebody else leads from the Service to elsewhere, or would: both names.
    Mixed(String, String),
    /// Another resource for the same proxy has it: the kind and name of the object, and the name of the resource.
    Held(&'static str, String, String),
    /// An object of that name is being deleted, and a finalizer holds it: its kind and name.
    Ending(&'static str, String),
    /// It is edited again and again: what was put right last, and when an edit is put right again.
    Contested(Box<Mend>, Timestamp),
    /// It was edited or deleted, and is put right at this time.
    Edited(Timestamp),
    /// The operator may not do it: the verb, and the kind of objects.
    Forbidden(&'static str, &'static str),
    /// The API server refuses it, and goes on to do so until somebody changes something.
    Refused(String),
    /// The same of a Service, which leads to this place meanwhile.
    Stays(Place, Box<Said>),
    /// The ConfigMap sends applications through this Service, which is not known to lead to the proxy: it leads to this place, if that is
    /// known.
    Through(String, Option<Place>),
    /// The API server failed or did not answer.
    Failed(String),
    /// This process no longer leads: another one says how it stands.
    NotLeading,
    /// Nothing is wished for any longer, and an object could not be removed: its kind and name, and why.
    Left(&'static str, String, Box<Said>),
    /// It is published, and one of an earlier name could not be removed yet: its kind and name, and why.
    PublishedBeside(&'static str, String, Box<Said>),
}

impl Said {
    /// The status of the condition.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Published | Self::PublishedBeside(..) | Self::Ahead(_, Ahead::During(_)) => {
                "True"
            }
            Self::Ahead(_, Ahead::Unproven)
            | Self::Unread(..)
            | Self::Through(..)
            | Self::Edited(_)
            | Self::Pending
            | Self::Failed(_)
            | Self::NotLeading => "Unknown",
            _ => "False",
        }
    }

    /// The reason of the condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Published
            | Self::PublishedBeside(..)
            | Self::Ahead(..)
            | Self::Unread(..)
            | Self::Through(..)
            | Self::Edited(_) => Reason::Published,
            Self::Pending => Reason::Publishing,
            Self::Withdrawn => Reason::EndpointWithdrawn,
            Self::NothingRead | Self::Outdated | Self::NotManaging => Reason::NothingToPublish,
            Self::Unusable(..) | Self::NoFamily(..) => Reason::AddressUnusable,
            Self::Taken(..) | Self::OfAnother(..) | Self::Mixed(..) | Self::Held(..) => {
                Reason::NameTaken
            }
            Self::Contested(..) => Reason::EditContested,
            Self::Forbidden(..) => Reason::Forbidden,
            Self::Ending(..) | Self::Refused(_) | Self::Failed(_) | Self::NotLeading => {
                Reason::PublishFailed
            }
            Self::Left(_, _, why) | Self::Stays(_, why) => why.reason(),
        }
    }

    /// How soon it has to be tried again.
    pub fn urge(&self) -> Urge {
        match self {
            Self::Ending(..) | Self::Failed(_) | Self::NotLeading => Urge::Failed,
            Self::Refused(_) => Urge::Refused,
            Self::Forbidden(..) => Urge::Denied,
            Self::Taken(..) | Self::OfAnother(..) | Self::Mixed(..) => Urge::Taken,
            Self::Held(..) => Urge::Held,
            Self::Left(_, _, why) | Self::PublishedBeside(_, _, why) | Self::Stays(_, why) => {
                why.urge()
            }
            _ => Urge::None,
        }
    }

    /// Whether the object is there and leads to the proxy, as far as anybody knows.
    pub fn leads_there(&self) -> bool {
        self.is_sure() || matches!(self, Self::Unread(..) | Self::Through(..))
    }

    /// Whether a ConfigMap of which this is said is this resource's and may hold what was published before.
    pub fn may_name_what_was(&self) -> bool {
        matches!(
            self,
            Self::Failed(_)
                | Self::Refused(_)
                | Self::Forbidden(..)
                | Self::Contested(..)
                | Self::Edited(_)
                | Self::NotLeading
        )
    }

    /// Whether it is not known how the object stands, or that passes by itself or by the hand of a person: what leads applications
    /// through it stays as it is.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Stays(_, why) => why.leaves_open(),
            other => matches!(
                other,
                Self::Pending
                    | Self::NothingRead
                    | Self::Ending(..)
                    | Self::Forbidden(..)
                    | Self::Refused(_)
                    | Self::Failed(_)
                    | Self::NotLeading
            ),
        }
    }

    /// Whether it is a refusal that leaves an object as it was.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Forbidden(..) | Self::Refused(_))
    }

    /// Whether who is sent to the Service of which this is said is led to where the proxy is known to be.
    pub fn is_sure(&self) -> bool {
        matches!(
            self,
            Self::Published | Self::PublishedBeside(..) | Self::Ahead(..) | Self::Held(..)
        )
    }

    /// The own words, and what the other side said.
    pub fn text(&self) -> (String, Option<String>) {
        let own = match self {
            Self::Published => "leads to the port that was read last".to_owned(),
            Self::Ahead(port, Ahead::During(job)) => format!(
                "leads to port {port}, at which a MySQL greeting was read during job {job}; it is verified once the job has ended and a list \
                 of the cloud shows it"
            ),
            Self::Ahead(port, Ahead::Unproven) => format!(
                "leads to port {port}, at which a MySQL greeting was read during the last job, which did not succeed as far as the cloud \
                 said; it leads to the port that is listed once the list can't lag behind that any more"
            ),
            Self::Unread(place, on_record) => unread(*place, *on_record),
            Self::Pending => "what spec says now was not published yet".to_owned(),
            Self::NothingRead => {
                "no address and port of the proxy is known that could be published".to_owned()
            }
            Self::Withdrawn => {
                "the proxy was gone, so the EndpointSlice was deleted; it is made anew once the proxy is read again"
                    .to_owned()
            }
            Self::Outdated => {
                "the proxy is gone; the ConfigMap still says where it was".to_owned()
            }
            Self::NotManaging => {
                "another resource manages the proxy, so this one publishes nothing".to_owned()
            }
            Self::Unusable(address, why) => {
                format!("the cloud gives the proxy the address {address:?}: {why}")
            }
            Self::NoFamily(name, family) => format!(
                "the proxy has an {family} address and Service {name} none, so nobody is led to the proxy: the cluster, or the Service, is of \
                 the other family alone"
            ),
            Self::Taken(kind, name) => taken(kind, name),
            Self::OfAnother(kind, name, by) => format!(
                "{kind} {name} belongs to resource {by}, which is about another proxy: choose another name in spec; {ONCE_FREE}"
            ),
            Self::Mixed(service, slice) => format!(
                "EndpointSlice {slice} was not made for this resource, and leads connections to a Service {service} elsewhere: delete it, \
                 and what has made it; {ONCE_FREE}"
            ),
            Self::Held(kind, name, by) => format!(
                "{kind} {name} belongs to resource {by}, which is about the same proxy; this one takes it over once that one is deleted or \
                 names it no longer"
            ),
            Self::Ending(kind, name) => format!(
                "{kind} {name} is being deleted, and is still there: look at its metadata.finalizers; within a minute after it has gone, the \
                 operator makes it"
            ),
            Self::Contested(last, until) => last.contested(*until),
            Self::Edited(until) => format!(
                "was published, and somebody has edited or deleted it since: it may lead applications elsewhere until the operator puts it \
                 right, not before {}",
                until.strftime("%Y-%m-%dT%H:%M:%SZ")
            ),
            Self::Forbidden(verb, kind) => format!(
                "the operator may not {verb} {kind}: install its component deploy/components/services, or set services.enabled in its \
                 chart; the operator tries again within 15 minutes of that"
            ),
            Self::Refused(said) => {
                return (
                    "the API server refuses it; it is tried again, at ever longer intervals"
                        .to_owned(),
                    Some(said.clone()),
                );
            }
            Self::Failed(said) => {
                return (
                    "the API server failed, or did not answer; it is tried again within a minute"
                        .to_owned(),
                    Some(said.clone()),
                );
            }
            Self::NotLeading => "another process of the operator leads".to_owned(),
            Self::Stays(place, why) => {
                let (why, said) = why.text();
                return (format!("leads to {place}: {why}"), said);
            }
            Self::Through(service, place) => through(service, *place),
            Self::Left(kind, name, why) => {
                let (why, said) = why.text();
                let own = format!("{kind} {name} is no longer wished for and is still there: {why}");
                return (own, said);
            }
            Self::PublishedBeside(kind, name, why) => {
                let (why, said) = why.text();
                let own = format!(
                    "leads to the port that was read last; {kind} {name}, which is no longer wished for, is still there: {why}"
                );
                return (own, said);
            }
        };
        (own, None)
    }
}

fn unread(place: Place, on_record: Option<Place>) -> String {
    let on_record = on_record.map_or_else(
        || "no place of the proxy is on record".to_owned(),
        |on_record| format!("{on_record} is on record"),
    );
    format!(
        "leads to {place}, where it was found and which was not read; {on_record}; it is led to where the proxy is once that is read, after \
         the end of a change that is at work"
    )
}

fn taken(kind: &str, name: &str) -> String {
    let field = match kind {
        "ConfigMap" => "spec.configMap.name",
        _ => "spec.service.name",
    };
    format!(
        "{kind} {name} exists and does not belong to this resource, so the operator leaves it as it is: set another {field}; delete {kind} \
         {name} only if nothing uses it; {ONCE_FREE}"
    )
}

fn through(service: &str, place: Option<Place>) -> String {
    let place = place.map_or_else(
        || "is not known to lead to the proxy".to_owned(),
        |place| format!("leads to {place}"),
    );
    format!(
        "proxyHost and proxyPort are those that were read last; host and port lead through Service {service}, which {place}: \
         ServicePublished says why"
    )
}
