//! From what went wrong on the way to what it means.
//!
//! Texts name what failed and never the address with its query.

use std::error::Error;

use super::{CloudError, Meaning};
use crate::cloud::{excerpt::excerpt, tls};

/// A failure that passes by itself.
pub fn transient(text: &str) -> CloudError {
    failure(Meaning::Transient, text)
}

/// A read failed before its answer was whole.
pub fn of_reqwest(error: &reqwest::Error) -> CloudError {
    if let Some(fault) = tls_fault(error) {
        return failure(Meaning::TlsFailed, &fault);
    }
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the answer broke off"
    };
    failure(Meaning::Transient, &with_cause(what, error.source()))
}

/// A connection could not be opened.
pub fn of_connecting(error: &(dyn Error + 'static)) -> CloudError {
    match tls_fault(error) {
        Some(fault) => failure(Meaning::TlsFailed, &fault),
        None => failure(
            Meaning::Transient,
            &with_cause("no connection", Some(error)),
        ),
    }
}

/// A connection broke while it carried a change.
pub fn of_hyper(error: &hyper::Error) -> CloudError {
    failure(
        Meaning::Transient,
        &with_cause("the connection broke", Some(error)),
    )
}

/// What is wrong with the certificate or the handshake, if that is the cause. Errors of I/O hide what they wrap from
/// [`Error::source`], also from each other.
fn tls_fault(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(fault) = error.downcast_ref::<rustls::Error>() {
        return Some(format!(
            "the server's certificate or its TLS is not accepted: {}",
            tls::describe(fault)
        ));
    }
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    match wrapped {
        Some(wrapped) => tls_fault(wrapped),
        None => error.source().and_then(tls_fault),
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The deepest cause says it in the fewest words.
fn with_cause(what: &str, error: Option<&(dyn Error + 'static)>) -> String {
    match error.and_then(|error| causes(error).last()) {
        Some(cause) => format!("{what}: {cause}"),
        None => what.to_owned(),
    }
}

fn failure(meaning: Meaning, text: &str) -> CloudError {
    CloudError::local(meaning, excerpt(text, &[]))
}
