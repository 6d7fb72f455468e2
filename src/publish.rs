//! What applications reach a proxy by: a Service with its EndpointSlice, and a ConfigMap, which follow the verified port.
//!
//! `wanted` is pure: from what is wished for and what was read to objects. `standing` is pure: whose an object is that exists.
//! `networks` is pure: where proxies may lie. `absence` is pure: when a proxy is gone for sure; `contest` is: how soon edits are put right.
//! `filed` is an order as it is kept. `mark` stands for UIDs and versions that are only compared. `publisher` alone calls the API server,
//! by way of `calls`. Promises that only what the cloud's list gave for the proxy is published, never a port that was not read, that an
//! endpoint which was once published is not withdrawn before the proxy is known to be gone, and that an object of somebody else is left
//! alone.

pub mod absence;
mod calls;
pub mod contest;
pub mod filed;
pub mod networks;
pub mod order;
pub mod publisher;
pub mod said;
pub mod standing;
pub mod wanted;

#[cfg(test)]
mod tests;

/// What a resource wishes to be published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// The Service.
    pub service: Option<ServiceWish>,
    /// Name of the ConfigMap.
    pub config_map: Option<String>,
}

/// The Service that is wished for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceWish {
    /// Its name.
    pub name: String,
    /// The port that applications connect to.
    pub port: u16,
}

impl Wish {
    /// Whether nothing is wished for.
    pub fn is_empty(&self) -> bool {
        self.service.is_none() && self.config_map.is_none()
    }
}
