//! Connections and requests: everything between a socket and the service's work.

mod arrival;
mod bent;
mod connection;
mod cut_body;
mod exchange;
mod lines;
mod response;
mod server;
mod slow_body;

pub(crate) use lines::Lines;
pub(crate) use server::serve;
