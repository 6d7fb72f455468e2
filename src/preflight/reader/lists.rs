//! Lists of the API server, and what of them could not be read.
//!
//! Promises that what can't be read is named, with the API server's words.

use std::fmt::Debug;

use kube::{Api, api::ListParams};
use serde::de::DeserializeOwned;

/// How many objects of a kind the operator looks at: a namespace with more is told of, and takes no more memory.
pub const MOST: u32 = 500;

/// Something that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What it is, in the plural.
    pub what: &'static str,
    /// Why.
    pub why: Why,
    /// The same for people, in the API server's words; another one each time, perhaps.
    pub said: String,
    /// Whether it is of no namespace.
    pub is_everywhere: bool,
}

/// Why something was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The right to read it is missing.
    Forbidden,
    /// The API server failed.
    Failed,
    /// There is more of it than is looked at.
    TooMany,
}

/// What is read, and what of it was not.
pub(super) type Part<T> = (T, Vec<Unread>);

/// A list, and whether there is more of it.
pub(super) type Listed<K> = Result<(Vec<K>, bool), kube::Error>;

/// What was read; nothing of what was not, which is noted.
pub(super) fn taken<K>(what: &'static str, read: Listed<K>) -> Part<Vec<K>> {
    match read {
        Ok((items, false)) => (items, Vec::new()),
        Ok((items, true)) => {
            let unread = Unread {
                what,
                why: Why::TooMany,
                said: format!("only the first {MOST} were looked at"),
                is_everywhere: false,
            };
            (items, vec![unread])
        }
        Err(error) => (Vec::new(), vec![failed(what, &error)]),
    }
}

/// Nothing of it was read.
pub(super) fn failed(what: &'static str, error: &kube::Error) -> Unread {
    let why = match error {
        kube::Error::Api(refusal) if refusal.code == 403 => Why::Forbidden,
        _ => Why::Failed,
    };
    Unread {
        what,
        why,
        said: said(error),
        is_everywhere: false,
    }
}

/// Whether a list goes on after its last item.
pub(super) fn goes_on(token: Option<&str>) -> bool {
    token.is_some_and(|token| !token.is_empty())
}

/// Why something could not be read. The error's own text holds the whole answer.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(refusal) => refusal.message.clone(),
        error => error.to_string(),
    }
}

/// A list of what is there, as far as the parameters let it.
pub(super) async fn all<K>(api: Api<K>, params: &ListParams) -> Listed<K>
where
    K: Clone + DeserializeOwned + Debug,
{
    let list = api.list(params).await?;
    let goes_on = goes_on(list.metadata.continue_.as_deref());
    Ok((list.items, goes_on))
}
