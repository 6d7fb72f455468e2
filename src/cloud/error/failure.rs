//! From what went wrong on the way to what it means.
//!
//! Texts name what failed and never the address with its query.

use std::error::Error;

use super::{CloudError, Meaning};
use crate::cloud::{dial::Proxied, excerpt::excerpt, tls};

/// A failure that passes by itself.
pub fn transient(text: &str) -> CloudError {
    failure(Meaning::Transient, text)
}

/// No call was made; `what` is said of those that are under way.
pub fn unasked(what: &str) -> CloudError {
    failure(Meaning::Unasked, what)
}

/// A read failed before its answer began.
pub fn of_request(error: &hyper_util::client::legacy::Error) -> CloudError {
    if error.is_connect() {
        return of_connecting(error);
    }
    failure(
        Meaning::Transient,
        &with_cause("the connection broke", error.source()),
    )
}

/// An answer broke off, or is longer than what is read.
pub fn of_body(error: &(dyn Error + 'static)) -> CloudError {
    if error.is::<http_body_util::LengthLimitError>() {
        return transient("the answer is longer than 4 MiB");
    }
    failure(
        Meaning::Transient,
        &with_cause("the answer broke off", Some(error)),
    )
}

/// A connection could not be opened.
pub fn of_connecting(error: &(dyn Error + 'static)) -> CloudError {
    let proxy = causes(error).find_map(|cause| cause.downcast_ref::<Proxied>());
    if let Some(fault) = tls_fault(error) {
        let whose = proxy.map_or("the server's".to_owned(), |proxied| {
            format!("proxy {}'s", proxied.proxy)
        });
        return failure(
            Meaning::TlsFailed,
            &format!("{whose} certificate or its TLS is not accepted: {fault}"),
        );
    }
    let what = proxy.map_or("no connection".to_owned(), |proxied| {
        format!("no connection {proxied}")
    });
    failure(Meaning::Transient, &with_cause(&what, Some(error)))
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
        return Some(tls::describe(fault));
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
