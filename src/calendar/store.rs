//! The operator's own calendar, read from its file again and again.
//!
//! Promises that a calendar stands until another one was read whole: a file that is broken, empty or gone lifts no freeze. As long as
//! none was read at all, no change may start.

use std::{
    convert::Infallible,
    fs::File,
    future::pending,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    Calendar,
    file::{self, CalendarFault},
};
use crate::{clock, one_at_a_time::OneAtATime};

/// How often the file is read.
pub const EVERY: Duration = Duration::from_secs(10);

/// A read that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the file gives no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// It can't be read.
    #[error("{path} can't be read ({why})")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// It is no calendar.
    #[error("{path}: {fault}")]
    NoCalendar {
        /// The file.
        path: String,
        /// What is wrong with it.
        fault: CalendarFault,
    },
}

/// What a look at the file has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nothing new.
    None,
    /// Another calendar, or the same one again after a fault.
    Calendar,
    /// The file has a fault, and had none or another one before.
    Fault(Arc<str>),
}

/// The calendar of an operator.
#[derive(Debug, Default)]
pub struct Store {
    path: Option<PathBuf>,
    reads: OneAtATime,
    state: RwLock<State>,
    others: Notify,
}

#[derive(Debug, Default)]
struct State {
    calendar: Arc<Calendar>,
    fault: Option<Arc<str>>,
}

impl Store {
    /// The calendar of a file, read once before this returns; none where there is no file.
    pub fn open(path: Option<&str>) -> Self {
        let path = path.map(str::trim).filter(|path| !path.is_empty());
        let path = path.map(PathBuf::from);
        let state = path.as_deref().map(|path| match read(path) {
            Ok(calendar) => State {
                calendar: Arc::new(calendar),
                fault: None,
            },
            Err(fault) => {
                let fault: Arc<str> = fault.to_string().into();
                let missing = Calendar {
                    missing: Some(Arc::clone(&fault)),
                    ..Calendar::default()
                };
                State {
                    calendar: Arc::new(missing),
                    fault: Some(fault),
                }
            }
        });
        Self {
            path,
            reads: OneAtATime::default(),
            state: RwLock::new(state.unwrap_or_default()),
            others: Notify::new(),
        }
    }

    /// The calendar that is in force.
    pub fn current(&self) -> Arc<Calendar> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state.calendar)
    }

    /// What is wrong with the file, as it was read last.
    pub fn fault(&self) -> Option<Arc<str>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.fault.clone()
    }

    /// Reads the file again and again. Never ends.
    pub async fn keep(&self) -> Infallible {
        if let Some(fault) = self.fault() {
            tracing::error!(error = %fault, "there is no calendar: no change starts until there is one");
        }
        while self.path.is_some() {
            clock::pause(EVERY).await;
            match self.look_again().await {
                News::None => {}
                News::Calendar => {
                    tracing::info!("another calendar is in force");
                    self.others.notify_waiters();
                }
                News::Fault(fault) => {
                    tracing::error!(error = %fault, "the calendar can't be read; the last good one stays in force");
                }
            }
        }
        pending().await
    }

    /// Waits until another calendar is in force.
    pub async fn another(&self) {
        self.others.notified().await;
    }

    /// Reads the file again.
    pub async fn look_again(&self) -> News {
        let Some(path) = self.path.clone() else {
            return News::None;
        };
        let shown = path.display().to_string();
        let late = || {
            Err(FileFault::Unreadable {
                path: shown,
                why: format!("no answer within {} s", PATIENCE.as_secs()),
            })
        };
        let reading = self.reads.read(PATIENCE, move || read(&path)).await;
        let found = reading.unwrap_or_else(late);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(calendar) => {
                let had_fault = state.fault.take().is_some();
                if *state.calendar == calendar && !had_fault {
                    return News::None;
                }
                state.calendar = Arc::new(calendar);
                News::Calendar
            }
            Err(fault) => {
                let fault: Arc<str> = fault.to_string().into();
                if state.fault.as_ref() == Some(&fault) {
                    return News::None;
                }
                state.fault = Some(Arc::clone(&fault));
                News::Fault(fault)
            }
        }
    }
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Calendar, FileFault> {
    let shown = path.display().to_string();
    let unreadable = |error: &io::Error| FileFault::Unreadable {
        path: shown.clone(),
        why: error.to_string(),
    };
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut text = String::new();
    let length = file
        .take(file::LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(&error))?;
    if u64::try_from(length).is_ok_and(|length| length > file::LONGEST) {
        return Err(unreadable(&io::Error::other("longer than 1 MiB")));
    }
    file::parse(&text).map_err(|fault| FileFault::NoCalendar { path: shown, fault })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const FREEZE: &str =
        "freezes: [{from: 2026-01-01T00:00:00Z, until: 2026-02-01T00:00:00Z, reason: stop}]";

    #[tokio::test]
    async fn a_calendar_stands_until_another_one_was_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calendar.yaml");
        fs::write(&path, FREEZE).unwrap();
        let store = Store::open(path.to_str());
        let freezes = || store.current().freezes.len();
        assert_eq!((freezes(), store.fault()), (1, None));
        assert_eq!(store.look_again().await, News::None);
        for broken in ["freezes: [", "", "freeze: []"] {
            fs::write(&path, broken).unwrap();
            assert!(
                matches!(store.look_again().await, News::Fault(_)),
                "{broken}"
            );
            assert_eq!(store.look_again().await, News::None, "said once");
            assert!(freezes() == 1 && store.fault().is_some());
        }
        fs::remove_file(&path).unwrap();
        let News::Fault(fault) = store.look_again().await else {
            panic!("it is gone");
        };
        assert!(fault.contains("calendar.yaml can't be read"), "{fault}");
        fs::write(&path, FREEZE).unwrap();
        assert_eq!(store.look_again().await, News::Calendar);
        assert_eq!(store.fault(), None);
        fs::write(&path, "freezes: []").unwrap();
        assert_eq!(store.look_again().await, News::Calendar);
        assert_eq!(freezes(), 0);
    }

    #[tokio::test]
    async fn as_long_as_none_was_read_no_change_may_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calendar.yaml");
        let store = Store::open(path.to_str());
        assert!(!store.current().is_silent_about("shop"));
        assert!(store.current().hours("shop", &[]).missing.is_some());
        fs::write(&path, "freezes: []").unwrap();
        assert_eq!(store.look_again().await, News::Calendar);
        assert!(store.current().is_silent_about("shop"));
    }

    #[tokio::test]
    async fn without_a_file_there_is_nothing_to_keep() {
        for path in [None, Some(""), Some(" ")] {
            let store = Store::open(path);
            assert!(store.current().is_silent_about("shop"));
            assert_eq!(store.look_again().await, News::None);
        }
    }
}
