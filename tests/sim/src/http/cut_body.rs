//! A body that breaks off: its head promises more than ever comes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::lines::{Ending, Line};

/// Yields a part of a body; when hyper comes for the rest, it has flushed that part, and the connection is reset.
#[derive(Debug)]
pub(super) struct CutBody {
    part: Option<Bytes>,
    promised: u64,
    line: Arc<Line>,
}

impl CutBody {
    /// The first `after` bytes of a body, half of it without a number, but never all.
    pub(super) fn new(mut body: Bytes, after: Option<usize>, line: Arc<Line>) -> Self {
        let promised = body.len().max(1);
        body.truncate(after.unwrap_or(body.len() / 2).min(promised - 1));
        Self {
            part: Some(body).filter(|part| !part.is_empty()),
            promised: promised as u64,
            line,
        }
    }
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(part) = self.part.take() {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        self.line.end(Ending::Reset);
        Poll::Pending // nobody will wake us: the connection is dropped
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}
