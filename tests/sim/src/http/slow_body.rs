//! A body that comes in small parts, with pauses by the real clock.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// Yields some bytes after each pause.
#[derive(Debug)]
pub(super) struct SlowBody {
    left: Bytes,
    bytes: usize,
    every: Duration,
    pause: Pin<Box<Sleep>>,
}

impl SlowBody {
    /// The whole body, `bytes` at a time (at least one), with a pause before each part.
    pub(super) fn new(body: Bytes, bytes: usize, every: Duration) -> Self {
        Self {
            left: body,
            bytes: bytes.max(1),
            every,
            pause: Box::pin(sleep(every)),
        }
    }
}

impl Body for SlowBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.pause.as_mut().poll(context));
        let count = self.bytes.min(self.left.len());
        let part = self.left.split_to(count);
        self.pause = Box::pin(sleep(self.every));
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
