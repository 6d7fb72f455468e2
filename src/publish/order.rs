//! What is to be published, and what came of it, as values.

use super::{
    contest::Mend,
    said::Said,
    standing::Owner,
    wanted::{AddressError, Place},
};
use crate::{crd::PublishedService, desired::Wish, model::JobId};

/// Where the proxy is, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is gone.
    Gone,
    /// It was gone, and was not read since: what was published since stays, and nothing is made.
    Withdrawn,
    /// It has this address and this verified port.
    At(Place),
    /// What was published stays as it is, since nothing was read now that would be better, or a change is at work. Only where nothing is
    /// published, this is, if it is known.
    Keep(Option<Place>),
    /// It has this address, which can't be published.
    Unusable(String, AddressError),
}

impl Known {
    /// Whether the proxy is known to be at a place to which applications are led. Where that is not known, somebody may have led them
    /// there.
    pub fn confirms(&self, place: &Place) -> bool {
        self.place().is_some_and(|known| known == *place)
    }

    /// Where the proxy is, by what was read or by what is on record.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::At(place) => Some(*place),
            Self::Keep(place) => *place,
            Self::Gone | Self::Withdrawn | Self::Unusable(..) => None,
        }
    }
}

/// What is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The resource.
    pub owner: Owner,
    /// What it wishes for.
    pub wish: Wish,
    /// What it was said to have by its status: names that may be wished for no longer.
    pub before: Names,
    /// Whether there may be objects of which the status says nothing: they are looked for.
    pub sweeps: bool,
    /// Where the proxy is.
    pub known: Known,
    /// The same by verified ports alone, where a greeting has told more: of that, the ConfigMap says nothing.
    pub verified: Option<Known>,
    /// What has led applications to the known place, where no list has.
    pub ahead: Option<Ahead>,
    /// The verified place on record of a resource at rest, where nothing was read: it goes before what somebody else has written.
    pub firm: Option<Place>,
    /// Whether another resource manages the proxy.
    pub waits: bool,
    /// Whether the resource is being deleted: what exists is kept true, and nothing is made.
    pub ends: bool,
    /// Other resources of the namespace for a proxy of the same id, whatever project or instance they name.
    pub rivals: Vec<Rival>,
}

/// What has led applications to a port that no list has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ahead {
    /// A greeting that was read there during this job, whose change goes on.
    During(JobId),
    /// The same; the change has not succeeded, as far as the cloud said, and lists may lag behind its end.
    Unproven,
}

/// Another resource of the namespace for a proxy of the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The names that it wishes for.
    pub wishes: Names,
    /// Those of them that are on record as its own.
    pub has: Names,
}

/// The names of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the Service.
    pub service: Option<String>,
    /// Of the ConfigMap.
    pub config_map: Option<String>,
}

impl Order {
    /// Where something leads of which nothing better was read: to where it leads now, unless that is the work `of_others` and another
    /// place is on record for sure.
    pub fn kept(
        &self,
        now: Option<Place>,
        on_record: Option<Place>,
        of_others: bool,
    ) -> Option<Place> {
        let sure = self.firm.filter(|_| of_others);
        sure.or(now).or(on_record)
    }

    /// The names that are wished for.
    pub fn names(&self) -> Names {
        Names {
            service: self.wish.service.as_ref().map(|wish| wish.name.clone()),
            config_map: self.wish.config_map.clone(),
        }
    }
}

/// Where applications were led last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Places {
    /// By the Service, perhaps by a greeting.
    pub led: Option<Place>,
    /// By verified ports alone.
    pub verified: Option<Place>,
}

impl Places {
    /// Takes in what was published.
    pub fn take_in(&mut self, order: &Order) {
        let verified = order.verified.as_ref().unwrap_or(&order.known);
        for (place, known) in [
            (&mut self.led, &order.known),
            (&mut self.verified, verified),
        ] {
            match known {
                Known::At(known) => *place = Some(*known),
                Known::Gone | Known::Unusable(..) => *place = None,
                Known::Keep(_) | Known::Withdrawn => {}
            }
        }
    }
}

impl Order {
    /// The same for who puts back what somebody has edited or deleted: what was published last stands, also while a change is at work.
    /// What a greeting has told stays out of what follows verified ports alone.
    #[must_use]
    pub fn restored(mut self, places: Places) -> Self {
        let is_open = |known: &Known| matches!(known, Known::Keep(_) | Known::Withdrawn);
        let verified = self.verified.take().unwrap_or_else(|| self.known.clone());
        let at = |known: Known, place: Option<Place>| match place {
            Some(place) if is_open(&known) => Known::At(place),
            _ => known,
        };
        let verified = at(verified, places.verified);
        self.known = at(self.known, places.led);
        self.verified = Some(verified).filter(|verified| *verified != self.known);
        self
    }
}

/// What the status shows of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Slot<T> {
    /// It could not be read: what was shown stands.
    #[default]
    AsBefore,
    /// This.
    Is(T),
    /// There is none.
    Empty,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// How the Service stands; nothing where none is wished for.
    pub service: Option<Said>,
    /// The Service, for the status.
    pub service_slot: Slot<PublishedService>,
    /// How the ConfigMap stands; nothing where none is wished for.
    pub config_map: Option<Said>,
    /// The name of the ConfigMap, for the status.
    pub map_slot: Slot<String>,
    /// A Service that is wished for no longer and could not be removed yet: its name, and why.
    pub service_left: Option<Box<(String, Said)>>,
    /// The same of a ConfigMap.
    pub map_left: Option<Box<(String, Said)>>,
    /// Objects of which the status says nothing could not be looked for: they have to be still.
    pub is_unswept: bool,
    /// What was made or replaced.
    pub mends: Vec<Mend>,
}

/// How soon a publication is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urge {
    /// Not before the next look.
    None,
    /// Somebody else has the name, or leads from it elsewhere: it may become free.
    Taken,
    /// Another resource for the same proxy has the name: it may go.
    Held,
    /// A right is missing.
    Denied,
    /// The API server refuses what it was asked for.
    Refused,
    /// The API server failed, or did not answer.
    Failed,
}

impl Published {
    fn all(&self) -> impl Iterator<Item = &Said> {
        let left = [&self.service_left, &self.map_left];
        let left = left.into_iter().flatten().map(|left| &left.1);
        let own = [&self.service, &self.config_map];
        own.into_iter().flatten().chain(left)
    }

    /// How soon it has to be tried again.
    pub fn urge(&self) -> Urge {
        self.all().map(Said::urge).max().unwrap_or(Urge::None)
    }

    /// Why it is not known that applications are led to the port, where that passes by itself.
    pub fn failure(&self) -> Option<&Said> {
        let own = [&self.service, &self.config_map];
        let mut own = own.into_iter().flatten();
        // One that is being deleted may stay for as long as somebody likes.
        own.find(|said| said.urge() == Urge::Failed && !matches!(said, Said::Ending(..)))
    }
}
