//! The token of the service account, which is swapped in its file while the process runs.
//!
//! Takes the place of kube's own reader, which takes an empty file for a token and keeps it for a minute. Promises that a new
//! token is in use soon after it was written, that the last good one is used while the file is away, empty or no token, and that
//! a file system that hangs holds up nobody for long: renewals of the lease are among the requests.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use kube::{Client, Error, client::Body};
use tower_service::Service;

use crate::{clock::Clock, one_at_a_time::OneAtATime};

/// How often the file is read: an old token may be revoked soon after the new one was written.
const READ_EVERY: Duration = Duration::from_secs(10);

/// A request waits for the file no longer than this; it is in memory mostly.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// There was never a token in the file.
#[derive(Debug, thiserror::Error)]
#[error("there is no token in {}", .0.display())]
struct NoToken(PathBuf);

/// A client that does what `inner` does, with the token of this file.
pub fn client(inner: Client, path: PathBuf, clock: Clock) -> Client {
    let namespace = inner.default_namespace().to_owned();
    let service = Authorizing {
        inner,
        token: Arc::new(TokenFile::new(path)),
        clock,
    };
    Client::new(service, namespace)
}

struct TokenFile {
    path: PathBuf,
    state: Mutex<State>,
    reads: OneAtATime,
}

#[derive(Default)]
struct State {
    last: Option<HeaderValue>,
    /// Uptime at which it was read last.
    read: Option<Duration>,
}

impl TokenFile {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            state: Mutex::default(),
            reads: OneAtATime::default(),
        }
    }

    /// The header for a request at this uptime.
    async fn header(self: Arc<Self>, uptime: Duration) -> Result<HeaderValue, NoToken> {
        if self.begin(uptime) {
            let file = Arc::clone(&self);
            // Where the file hangs, the last token does. What is read later counts from then on.
            let reading = self
                .reads
                .read(READ_WITHIN, move || file.end(file.in_file()));
            reading.await;
        }
        let last = self.lock().last.clone();
        last.ok_or_else(|| NoToken(self.path.clone()))
    }

    /// Whether it is to be read.
    fn begin(&self, uptime: Duration) -> bool {
        let mut state = self.lock();
        let due = state.read.is_none_or(|read| uptime >= read + READ_EVERY);
        let begins = !self.reads.is_reading() && (due || state.last.is_none());
        if begins {
            state.read = Some(uptime);
        }
        begins
    }

    fn end(&self, found: Option<HeaderValue>) {
        let mut state = self.lock();
        state.last = found.or(state.last.take());
    }

    fn in_file(&self) -> Option<HeaderValue> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        let token = text.trim();
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        (!token.is_empty()).then_some(header)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Authorizing {
    inner: Client,
    token: Arc<TokenFile>,
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
        let token = Arc::clone(&self.token);
        let (inner, uptime) = (self.inner.clone(), self.clock.now().uptime);
        async move {
            let header = token.header(uptime).await;
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

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[tokio::test]
    async fn the_last_good_token_is_used_until_there_is_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let file = Arc::new(TokenFile::new(path.clone()));
        let header = |second| Arc::clone(&file).header(at(second));
        let error = header(1).await.unwrap_err().to_string();
        assert!(error.contains("token"), "{error}");
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(header(2).await.unwrap(), "Bearer one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(header(3).await.unwrap(), "Bearer one", "not yet");
        for odd in ["", " \n", "two\u{1}words"] {
            std::fs::write(&path, odd).unwrap();
            assert_eq!(header(20).await.unwrap(), "Bearer one", "{odd:?}");
            file.lock().read = None;
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(header(40).await.unwrap(), "Bearer one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(header(60).await.unwrap(), "Bearer two");
    }

    #[tokio::test]
    async fn r01_a_file_that_hangs_is_read_once_and_holds_up_nobody_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "one").unwrap();
        let file = Arc::new(TokenFile::new(path.clone()));
        let header = |second| Arc::clone(&file).header(at(second));
        assert_eq!(header(0).await.unwrap(), "Bearer one");
        // Who reads a pipe waits for somebody who writes.
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        for second in [20, 40, 60] {
            assert_eq!(header(second).await.unwrap(), "Bearer one");
        }
        std::fs::write(&path, "two").unwrap();
        while file.reads.is_reading() {
            tokio::task::yield_now().await;
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(header(60).await.unwrap(), "Bearer two");
    }
}
