//! How this process stands, asked anew whenever somebody looks.

use std::sync::{Arc, OnceLock};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{gauge::Gauge, info::Info},
    registry::Registry,
};

use super::catalogue;
use crate::{
    calendar::{Hours, store::Store},
    clock::Clock,
    health::{
        heartbeat::Heartbeat,
        readiness::{Readiness, Stage},
        work::Work,
    },
    leader::Leadership,
    model::Moment,
    version,
};

/// What is asked.
#[derive(Debug)]
pub struct Watched {
    /// Whether this process leads.
    pub leadership: Arc<Leadership>,
    /// Whether it is ready.
    pub readiness: Arc<Readiness>,
    /// When the watch was heard of.
    pub heartbeat: Arc<Heartbeat>,
    /// What is at work.
    pub work: Arc<Work>,
    /// The operator's calendar.
    pub calendar: Arc<Store>,
    /// The clocks.
    pub clock: Clock,
    /// How many calls a minute a credential may make.
    pub calls_per_minute: u32,
}

/// The gauges; all zero until there is something to ask.
#[derive(Debug, Default)]
pub(super) struct State {
    watched: OnceLock<Watched>,
    leading: Gauge,
    ready: Gauge,
    watch_silence: Gauge,
    longest_reconcile: Gauge,
    unsaved_jobs: Gauge,
    calls_per_minute: Gauge,
    calendar_broken: Gauge,
    calendar_missing: Gauge,
    freeze_active: Gauge,
    window_open: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
    commit: &'static str,
    target: &'static str,
}

impl State {
    /// From now on these are asked.
    pub(super) fn watch(&self, watched: Watched) {
        // There is one of each a process; a second one changes nothing.
        let _ = self.watched.set(watched);
    }

    /// Now, once there are clocks to ask.
    pub(super) fn now(&self) -> Option<Moment> {
        self.watched.get().map(|watched| watched.clock.now())
    }

    /// Takes in how things stand.
    pub(super) fn refresh(&self) {
        let Some(watched) = self.watched.get() else {
            return;
        };
        let now = watched.clock.now();
        let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        let leads = watched.leadership.time_left(now).is_some();
        self.leading.set(leads.into());
        let ready = matches!(watched.readiness.stage(), Stage::Ready | Stage::Standby(_));
        self.ready.set(ready.into());
        let silence = watched.heartbeat.silence(now).as_secs();
        self.watch_silence.set(seconds(silence));
        let longest = watched.work.longest(now).as_secs();
        self.longest_reconcile.set(seconds(longest));
        let unsaved = i64::try_from(watched.work.unsaved_jobs()).unwrap_or(i64::MAX);
        self.unsaved_jobs.set(unsaved);
        self.calls_per_minute.set(watched.calls_per_minute.into());
        self.calendar_broken
            .set(watched.calendar.fault().is_some().into());
        let calendar = watched.calendar.current();
        self.calendar_missing.set(calendar.missing.is_some().into());
        let mut freezes = calendar.freezes.iter();
        let is_frozen = freezes.any(|freeze| freeze.covers(now.wall));
        self.freeze_active.set(is_frozen.into());
        let hours = Hours {
            windows: calendar.windows.clone(),
            ..Hours::default()
        };
        let is_open = calendar.missing.is_none() && hours.is_open_at(now.wall);
        self.window_open.set(is_open.into());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let build = Build {
            version: version::RELEASE,
            commit: version::COMMIT,
            target: version::TARGET,
        };
        catalogue::BUILD.register(registry, Info::new(build));
        for (figure, gauge) in [
            (catalogue::LEADING, &self.leading),
            (catalogue::READY, &self.ready),
            (catalogue::WATCH_SILENCE, &self.watch_silence),
            (catalogue::LONGEST_RECONCILE, &self.longest_reconcile),
            (catalogue::UNSAVED_JOBS, &self.unsaved_jobs),
            (catalogue::CALLS_PER_MINUTE_LIMIT, &self.calls_per_minute),
            (catalogue::CALENDAR_BROKEN, &self.calendar_broken),
            (catalogue::CALENDAR_MISSING, &self.calendar_missing),
            (catalogue::FREEZE_ACTIVE, &self.freeze_active),
            (catalogue::WINDOW_OPEN, &self.window_open),
        ] {
            figure.register(registry, gauge.clone());
        }
    }
}
