//! What applications reach a proxy by: a Service with its EndpointSlice, and a ConfigMap, which follow the verified port.
//!
//! `wanted` is pure: from what is wished for and what was read to objects. `standing` is pure: whose an object is that exists.
//! `networks` is pure: where proxies may lie. `contest` is pure: how soon edits are put right.
//! `filed` is an order as it is kept. `mark` stands for UIDs and versions that are only compared. `publisher` alone calls the API server,
//! by way of `calls`. Promises that only what the cloud's list gave for the proxy is published, never a port that was not read, that an
//! endpoint which was once published is not withdrawn before the proxy is known to be gone, and that an object of somebody else is left
//! alone.

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
