//! The operator's own calendar, read from its file again and again.
//!
//! Promises that a calendar stands until another one was read whole: a file that is broken, empty or gone lifts no freeze. As long as
//! none was read at all, no change may start. A file that hangs holds up nobody for longer than [`PATIENCE`].

use std::{
    convert::Infallible,
    fs::File,
    future::pending,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::watch;

use super::{
    Calendar,
    file::{self, CalendarFault},
};
use crate::{clock, one_at_a_time::OneAtATime};

/// How often the file is read.
pub const EVERY: Duration = Duration::from_secs(10);

/// A read that takes longer counts as failed.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no calendar before the first read.
const NOT_READ: &str = "the file was not read yet";

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
    /// Moves on with each other calendar that comes in force, and with each fault that comes or goes.
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    calendar: Arc<Calendar>,
    fault: Option<Arc<str>>,
}

impl Store {
    /// The calendar of a file, which is not read yet; none where there is no file.
    pub fn new(path: Option<&str>) -> Self {
        let path = path.map(str::trim).filter(|path| !path.is_empty());
        let state = path.map_or_else(State::default, |_| State {
            calendar: Arc::new(missing(NOT_READ.into())),
            fault: Some(NOT_READ.into()),
        });
        Self {
            path: path.map(PathBuf::from),
            state: RwLock::new(state),
            ..Self::default()
        }
    }

    /// The calendar of a file, read once before this returns, if it can be read in time.
    pub async fn open(path: Option<&str>) -> Self {
        let store = Self::new(path);
        store.look_again().await;
        store
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
        while self.path.is_some() {
            self.look_and_tell().await;
            clock::pause(EVERY).await;
        }
        pending().await
    }

    async fn look_and_tell(&self) {
        match self.look_again().await {
            News::None => {}
            News::Calendar => {
                let calendar = self.current();
                let (windows, freezes) = (calendar.windows.len(), calendar.freezes.len());
                tracing::info!(
                    windows,
                    freezes,
                    "a calendar is in force that was read just now"
                );
            }
            News::Fault(fault) if self.current().missing.is_some() => {
                tracing::error!(error = %fault, "there is no calendar: no change starts until there is one");
            }
            News::Fault(fault) => {
                tracing::error!(error = %fault, "the calendar can't be read; the last good one stays in force");
            }
        }
    }

    /// Tells of other calendars and of faults, from now on.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Waits until the file was read, or until that has failed or takes too long; not at all where there is no file.
    pub async fn first_read(&self) {
        let mut news = self.news();
        while self.fault().is_some_and(|fault| fault.as_ref() == NOT_READ) {
            if news.changed().await.is_err() {
                return;
            }
        }
    }

    /// Reads the file again.
    pub async fn look_again(&self) -> News {
        self.look_within(PATIENCE).await
    }

    async fn look_within(&self, patience: Duration) -> News {
        let Some(path) = self.path.clone() else {
            return News::None;
        };
        let shown = path.display().to_string();
        let late = || {
            Err(FileFault::Unreadable {
                path: shown,
                why: format!("no answer within {patience:?}"),
            })
        };
        let reading = self.reads.read(patience, move || read(&path)).await;
        let found = reading.unwrap_or_else(late);
        self.take_in(found)
    }

    /// What a read of the file has given is in force from now on, if it is a calendar.
    pub fn take_in(&self, found: Result<Calendar, FileFault>) -> News {
        let news = self.take(found);
        if news != News::None {
            self.news.send_modify(|version| *version += 1);
        }
        news
    }

    fn take(&self, found: Result<Calendar, FileFault>) -> News {
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
                if state.calendar.missing.is_some() {
                    state.calendar = Arc::new(missing(Arc::clone(&fault)));
                }
                state.fault = Some(Arc::clone(&fault));
                News::Fault(fault)
            }
        }
    }
}

/// There should be a calendar, and is none.
fn missing(why: Arc<str>) -> Calendar {
    Calendar {
        missing: Some(why),
        ..Calendar::default()
    }
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Calendar, FileFault> {
    let text = text(path)?;
    let shown = path.display().to_string();
    file::parse(&text).map_err(|fault| FileFault::NoCalendar { path: shown, fault })
}

/// What stands in a file.
pub(super) fn text(path: &Path) -> Result<String, FileFault> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|error| unreadable(&shown, &error))?;
    text_of(file, &shown)
}

/// What a reader gives, unless that is too long; `path` names it in faults.
pub(super) fn text_of(reader: impl io::Read, path: &str) -> Result<String, FileFault> {
    let mut text = String::new();
    let length = reader
        .take(file::LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(path, &error))?;
    if u64::try_from(length).is_ok_and(|length| length > file::LONGEST) {
        return Err(unreadable(path, &io::Error::other("longer than 1 MiB")));
    }
    Ok(text)
}

fn unreadable(path: &str, error: &io::Error) -> FileFault {
    FileFault::Unreadable {
        path: path.to_owned(),
        why: error.to_string(),
    }
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
        let store = Store::open(path.to_str()).await;
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
        let store = Store::open(path.to_str()).await;
        assert!(!store.current().is_silent_about("shop"));
        assert!(store.current().hours("shop", &[]).missing.is_some());
        fs::write(&path, "freezes: []").unwrap();
        assert_eq!(store.look_again().await, News::Calendar);
        assert!(store.current().is_silent_about("shop"));
    }

    #[tokio::test]
    async fn without_a_file_there_is_nothing_to_keep() {
        for path in [None, Some(""), Some(" ")] {
            let store = Store::open(path).await;
            assert!(store.current().is_silent_about("shop"));
            assert_eq!(store.look_again().await, News::None);
        }
    }

    #[tokio::test]
    async fn whoever_waits_for_news_misses_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calendar.yaml");
        fs::write(&path, FREEZE).unwrap();
        let store = Store::new(path.to_str());
        assert!(store.current().missing.is_some(), "it was not read yet");
        let mut news = store.news();
        let ((), looked) = tokio::join!(store.first_read(), store.look_again());
        assert_eq!(looked, News::Calendar);
        // Nobody waited when it came.
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        assert_eq!(store.look_again().await, News::None);
        assert!(!news.has_changed().unwrap());
        store.first_read().await;
    }

    /// A file whose reader waits for a writer, as that of a volume whose server is gone.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_hangs_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calendar.yaml");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let store = Store::new(path.to_str());
        let soon = Duration::from_millis(20);
        let News::Fault(fault) = store.look_within(soon).await else {
            panic!("nobody writes it");
        };
        assert!(fault.contains("no answer within 20ms"), "{fault}");
        assert!(store.current().missing.is_some());
        store.first_read().await;
        assert_eq!(
            store.look_within(soon).await,
            News::None,
            "one read at a time"
        );
        // The reader gets what it has waited for.
        fs::write(&path, "freezes: []").unwrap();
    }
}
