//! The token of the service account, which is swapped in its file while the process runs.
//!
//! Takes the place of kube's own reader, which takes an empty file for a token and keeps it for a minute. Promises that a new
//! token is in use soon after it was written, and that the last good one is used while the file is away, empty or no token.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use kube::{Client, Error, client::Body};
use tower_service::Service;

use crate::clock::Clock;

/// How often the file is read: an old token may be revoked soon after the new one was written.
const READ_EVERY: Duration = Duration::from_secs(10);

/// There was never a token in the file.
#[derive(Debug, thiserror::Error)]
#[error("there is no token in {}", .0.display())]
struct NoToken(PathBuf);

/// A client that does what `inner` does, with the token of this file.
pub fn client(inner: Client, path: PathBuf, clock: Clock) -> Client {
    let namespace = inner.default_namespace().to_owned();
    let token = Arc::new(Mutex::new(TokenFile {
        path,
        last: None,
        read: None,
    }));
    let service = Authorizing {
        inner,
        token,
        clock,
    };
    Client::new(service, namespace)
}

struct TokenFile {
    path: PathBuf,
    last: Option<HeaderValue>,
    /// Uptime at which it was read last.
    read: Option<Duration>,
}

impl TokenFile {
    /// The header for a request at this uptime.
    fn header(&mut self, uptime: Duration) -> Result<HeaderValue, NoToken> {
        let due = self.read.is_none_or(|read| uptime >= read + READ_EVERY);
        if due || self.last.is_none() {
            self.read = Some(uptime);
            self.last = self.in_file().or(self.last.take());
        }
        self.last.clone().ok_or_else(|| NoToken(self.path.clone()))
    }

    fn in_file(&self) -> Option<HeaderValue> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        let token = text.trim();
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        (!token.is_empty()).then_some(header)
    }
}

struct Authorizing {
    inner: Client,
    token: Arc<Mutex<TokenFile>>,
    clock: Clock,
}

impl Service<Request<Body>> for Authorizing {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let uptime = self.clock.now().uptime;
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let header = token.header(uptime);
        let inner = self.inner.clone();
        async move {
            let header = header.map_err(|error| Error::Service(error.into()))?;
            request.headers_mut().insert(AUTHORIZATION, header);
            inner.send(request).await
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_token_is_used_until_there_is_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut file = TokenFile {
            path: path.clone(),
            last: None,
            read: None,
        };
        let at = Duration::from_secs;
        let error = file.header(at(1)).unwrap_err().to_string();
        assert!(error.contains("token"), "{error}");
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(file.header(at(2)).unwrap(), "Bearer one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(file.header(at(3)).unwrap(), "Bearer one", "not yet");
        for odd in ["", " \n", "two\u{1}words"] {
            std::fs::write(&path, odd).unwrap();
            assert_eq!(file.header(at(20)).unwrap(), "Bearer one", "{odd:?}");
            file.read = None;
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.header(at(40)).unwrap(), "Bearer one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(file.header(at(60)).unwrap(), "Bearer two");
    }
}
