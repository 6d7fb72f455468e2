//! Where in the cloud something is: the hosts that may be called, and one key for each instance and proxy however its address is spelled.
//!
//! Pure. Relies on the words of the domain alone.

pub mod endpoints;
pub mod key;

pub use key::{InstanceKey, ProxyKey, Subject};
