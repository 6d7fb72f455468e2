//! What is to be published, and what came of it, as values.

use super::{
    Wish,
    said::Said,
    standing::Owner,
    wanted::{AddressError, Place},
};
use crate::crd::PublishedService;

/// Where the proxy is, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It was not read yet.
    Nothing,
    /// It is gone.
    Gone,
    /// It has this address and this verified port.
    At(Place),
    /// It has this address, which can't be published.
    Unusable(String, AddressError),
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
    /// Where the proxy is.
    pub known: Known,
    /// Whether another resource manages the proxy.
    pub waits: bool,
}

/// The names of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the Service.
    pub service: Option<String>,
    /// Of the ConfigMap.
    pub config_map: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// How the Service stands; nothing where none is wished for.
    pub service: Option<Said>,
    /// The Service, for the status.
    pub shown: Option<PublishedService>,
    /// How the ConfigMap stands; nothing where none is wished for.
    pub config_map: Option<Said>,
    /// What could not be removed yet, and why.
    pub left: Option<Said>,
}

impl Published {
    /// Whether it has to be tried again before the next look.
    pub fn is_unfinished(&self) -> bool {
        let all = [&self.service, &self.config_map, &self.left];
        all.into_iter()
            .flatten()
            .any(|said| matches!(said, Said::Failed(_)))
    }
}

impl Published {
    /// Whether a right is missing.
    pub fn is_forbidden(&self) -> bool {
        let all = [&self.service, &self.config_map, &self.left];
        let mut all = all.into_iter().flatten();
        all.any(|said| matches!(said, Said::Forbidden(..)))
    }
}
