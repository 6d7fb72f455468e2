//! The last check of a change, and the gate through which its first byte leaves.
//!
//! Promises that nothing lies between the check of both clocks, of the lease and of the hours and the write but the write itself: however long
//! a thread was held up after an earlier check, a change that is too late does not leave, nor one of a process that leads no longer.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::{Read, ReadBufCursor, Write};
use k8s_openapi::jiff::Timestamp;

use crate::{clock::Clock, cloud::Acknowledged, leader::Leadership, model::Moment, pace::Pace};

/// Why a change must not be sent after all; else the last instant at which it may leave by its hours, where they end.
pub type Objection<'a> = dyn Fn() -> Result<Option<Timestamp>, &'static str> + Send + Sync + 'a;

/// Said where the hours of a change have ended since it was last asked why it may start.
const CLOSED: &str =
    "too little time was left before the end of its maintenance window, or before a freeze";

/// What whoever sends a change asks right before its first byte leaves.
#[derive(Clone)]
pub struct LastCheck<'a> {
    deadline: Deadline,
    objection: &'a Objection<'a>,
}

/// Said where a change would leave too late after its record.
const TOO_SLOW: &str = "more than 5 s passed between the write of its record and the request: the API server was slow to acknowledge the \
    record (look at webhooks on taurusproxyports/status), or this process was held up";

/// Until when a change may be sent, by the monotonic and by the wall clock: a machine may have been paused. Not after the end of
/// the term in which its record was written, either, nor after its hours.
#[derive(Debug, Clone)]
pub struct Deadline {
    clock: Clock,
    acknowledged: (Moment, Duration),
    looked_at: (Moment, Duration),
    leadership: Arc<Leadership>,
    hours_end: Option<Timestamp>,
}

impl<'a> LastCheck<'a> {
    /// The check of the change that `proof` allows. It rests on a look that began at `looked_at`; `objection` tells what else
    /// speaks against it.
    pub fn new(
        clock: Clock,
        pace: &Pace,
        proof: &Acknowledged,
        looked_at: Moment,
        objection: &'a Objection<'a>,
    ) -> Self {
        let deadline = Deadline {
            clock,
            acknowledged: (proof.at(), pace.send_within),
            looked_at: (looked_at, pace.look_good_for),
            leadership: Arc::clone(proof.leadership()),
            hours_end: None,
        };
        Self {
            deadline,
            objection,
        }
    }

    /// Until when the change may be sent, if it may be sent now.
    ///
    /// # Errors
    ///
    /// What speaks against it.
    pub fn passes(&self) -> Result<Deadline, &'static str> {
        let hours_end = (self.objection)()?;
        let deadline = Deadline {
            hours_end,
            ..self.deadline.clone()
        };
        match deadline.passed() {
            Some(why) => Err(why),
            None => Ok(deadline),
        }
    }
}

impl fmt::Debug for LastCheck<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LastCheck")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl Deadline {
    /// Which time is over by one of the clocks; nothing if none is.
    pub fn passed(&self) -> Option<&'static str> {
        let now = self.clock.now();
        let over = |(since, limit): (Moment, Duration)| {
            now.elapsed(since.uptime).max(now.since(since.wall)) > limit
        };
        if over(self.acknowledged) {
            Some(TOO_SLOW)
        } else if over(self.looked_at) {
            Some("the look at the cloud is too old")
        } else if self.leadership.time_left(now).is_none() {
            Some("this process no longer leads")
        } else if self.hours_end.is_some_and(|end| now.wall > end) {
            Some(CLOSED)
        } else {
            None
        }
    }
}

/// What a connection lets through; shared by the line and its connection.
#[derive(Debug, Default, Clone)]
pub(super) struct Gate(Arc<Mutex<Stage>>);

#[derive(Debug, Default)]
enum Stage {
    /// Nothing is to be sent yet.
    #[default]
    Closed,
    /// A change may leave until then.
    Armed(Deadline),
    /// Its first byte has left.
    Passed,
    /// It was too late.
    Refused(&'static str),
}

/// What left through a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Some of the change has left, or all of it.
    Begun,
    /// Nothing, for it was too late.
    TooLate(&'static str),
    /// Nothing, for the connection took nothing.
    Nothing,
}

impl Gate {
    /// A change may leave until the deadline.
    pub(super) fn arm(&self, deadline: Deadline) {
        *self.stage() = Stage::Armed(deadline);
    }

    /// Nothing leaves from now on that has not begun to.
    pub(super) fn shut(&self) -> Leaving {
        let mut stage = self.stage();
        match *stage {
            Stage::Passed => Leaving::Begun,
            Stage::Refused(why) => Leaving::TooLate(why),
            Stage::Closed | Stage::Armed(_) => {
                *stage = Stage::Closed;
                Leaving::Nothing
            }
        }
    }

    /// Asked right before each write.
    fn pass(&self) -> io::Result<()> {
        let mut stage = self.stage();
        if let Stage::Armed(deadline) = &*stage {
            let late = deadline.passed();
            *stage = late.map_or(Stage::Passed, Stage::Refused);
        }
        match *stage {
            Stage::Passed => Ok(()),
            Stage::Refused(why) => Err(io::Error::other(why)),
            Stage::Closed | Stage::Armed(_) => Err(io::Error::other("nothing may be sent yet")),
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection with a gate before it.
#[derive(Debug)]
pub(super) struct Gated<T> {
    stream: T,
    gate: Gate,
}

impl<T> Gated<T> {
    pub(super) fn new(stream: T, gate: Gate) -> Self {
        Self { stream, gate }
    }
}

impl<T: Read + Unpin> Read for Gated<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: Write + Unpin> Write for Gated<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.gate.pass()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.gate.pass()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Shift;

    const SECOND: Duration = Duration::from_secs(1);

    fn deadline(shift: &'static Shift) -> Deadline {
        let clock = Clock::start().shifted(shift);
        let now = clock.now();
        Deadline {
            clock,
            acknowledged: (now, 5 * SECOND),
            looked_at: (now, 30 * SECOND),
            leadership: Arc::new(Leadership::alone()),
            hours_end: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn r01_the_first_byte_itself_finds_that_it_is_too_late() {
        for (passes, wall, leaves) in [(0, 0, true), (5, 0, true), (6, 0, false), (0, 6, false)] {
            let shift = Shift::forever();
            let gate = Gate::default();
            assert!(gate.pass().is_err(), "nothing leaves before it may");
            gate.arm(deadline(shift));
            // Whatever held the thread up since the check before.
            shift.pass(passes * SECOND);
            if wall > 0 {
                shift.set_wall(wall);
            }
            assert_eq!(gate.pass().is_ok(), leaves, "{passes} {wall}");
            shift.pass(60 * SECOND);
            assert_eq!(
                gate.pass().is_ok(),
                leaves,
                "what has begun to leave goes on"
            );
            assert_eq!(gate.shut() == Leaving::Begun, leaves);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn r01_the_first_byte_itself_finds_that_the_hours_of_the_change_are_over() {
        for (held_up, leaves) in [(0, true), (2, true), (4, false)] {
            let shift = Shift::forever();
            let end = Clock::start().shifted(shift).now().after(3 * SECOND);
            let in_hours = Deadline {
                hours_end: Some(end),
                ..deadline(shift)
            };
            let gate = Gate::default();
            gate.arm(in_hours);
            shift.pass(held_up * SECOND);
            assert_eq!(gate.pass().is_ok(), leaves, "{held_up}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn r01_the_first_byte_itself_finds_that_this_process_leads_no_longer() {
        for (held_up, leaves) in [(0, true), (2, true), (4, false)] {
            let shift = Shift::forever();
            let renewed = Clock::start().shifted(shift).now();
            shift.pass(12 * SECOND);
            let leading = Deadline {
                leadership: Arc::new(Leadership::leading(renewed)),
                ..deadline(shift)
            };
            let gate = Gate::default();
            assert_eq!(leading.passed(), None);
            gate.arm(leading);
            shift.pass(held_up * SECOND);
            assert_eq!(gate.pass().is_ok(), leaves, "{held_up}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_not_begun_to_leave_never_does_once_the_gate_is_shut() {
        let gate = Gate::default();
        gate.arm(deadline(Shift::forever()));
        assert_eq!(gate.shut(), Leaving::Nothing);
        assert!(gate.pass().is_err());
    }
}
