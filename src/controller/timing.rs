//! The time of changes, as the controller sees to it: what holds for a resource, also right before its request, and who waits.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::{api::core::v1::ObjectReference, jiff::Timestamp};

use crate::{
    calendar::{Calendar, Window},
    cloud::CloudError,
    controller::{context::Context, events},
    crd::{PlanRecord, TaurusProxyPort},
    desired::{self, Desired},
    fleet::claims::Woken,
    model::{Class, ResourceName, Uid},
    plan::{
        step::Step,
        timing::{self, OfInstance, Terms},
    },
};

/// By how much those who wait for the same window come apart, at most. Each second of it is lost to a window that is barely long enough.
const SPREAD: Duration = Duration::from_secs(2);

/// The window of an instance is believed for so long where it can't be read any more.
const BELIEVED_FOR: Duration = Duration::from_hours(1);

/// Said of a window that nobody could read again.
const TOO_OLD: &str = "it was read more than an hour ago";

/// What was read of the window that the cloud has for an instance.
#[derive(Debug, Clone)]
pub struct InstanceWindow {
    /// The last one that was read, and the uptime at which its read began: others may have asked for it.
    read: Option<(Window, Duration)>,
    /// Why the last try came to nothing.
    fault: Arc<str>,
    /// Uptime at which the last try began.
    pub(super) tried: Duration,
}

impl InstanceWindow {
    /// After a try that began at an uptime, and told the window as the cloud writes it, if it has one, or failed. What was known `before`
    /// stands for a while.
    pub(super) fn after(
        before: Option<&Self>,
        (uptime, told): (Duration, Result<Option<String>, CloudError>),
    ) -> Self {
        let found = match told {
            Ok(Some(text)) => {
                Window::of_instance(&text).ok_or_else(|| format!("the cloud tells {text:?}"))
            }
            Ok(None) => Err("the cloud tells none".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match found {
            Ok(window) => Self {
                read: Some((window, uptime)),
                fault: TOO_OLD.into(),
                tried: uptime,
            },
            Err(fault) => Self {
                read: before.and_then(|before| before.read.clone()),
                fault: fault.into(),
                tried: uptime,
            },
        }
    }

    /// How old what was read may be for who looks each `resync`: what is known when a window opens must still be believed.
    pub(super) fn good_for(resync: Duration) -> Duration {
        resync.min(BELIEVED_FOR / 2)
    }

    /// For how long it need not be read again; zero once it is due.
    pub(super) fn fresh_for(&self, resync: Duration, uptime: Duration) -> Duration {
        let due = self.tried.saturating_add(Self::good_for(resync));
        due.saturating_sub(uptime)
    }

    /// The window, as far as it is still believed.
    pub(super) fn known(&self, uptime: Duration) -> OfInstance {
        let read = self.read.as_ref();
        let believed = read.filter(|(_, read)| uptime.saturating_sub(*read) < BELIEVED_FOR);
        believed.map_or_else(
            || Err(Arc::clone(&self.fault)),
            |(window, _)| Ok(window.clone()),
        )
    }
}

/// Who waits for the time of a change.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<BTreeMap<Uid, ResourceName>>);

impl Waiting {
    /// A resource waits, or no longer does.
    pub(super) fn note(&self, uid: &Uid, name: &ResourceName, waits: bool) {
        let mut names = self.lock();
        if waits {
            names.insert(Uid::clone(uid), name.clone());
        } else {
            names.remove(uid);
        }
    }

    /// A resource is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// All of them. Who still waits says so again.
    fn take(&self) -> Woken {
        std::mem::take(&mut *self.lock()).into_values().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uid, ResourceName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Context {
    /// What holds for the time of a resource's changes, with what is known of the window of its instance.
    pub(super) fn terms(
        &self,
        object: &TaurusProxyPort,
        desired: &Desired,
        instance: Option<&InstanceWindow>,
    ) -> Option<Box<Terms>> {
        let calendar = self.calendar.current();
        let takes = || self.lengths.longest(&desired.subject.instance);
        let uptime = self.clock.now().uptime;
        let instance = instance.map(|window| window.known(uptime));
        let nonce = self.chance.number();
        timing::terms(object, desired, &calendar, instance.as_ref(), takes, nonce)
    }

    /// Until when a change that was decided on with `plan` may leave by its hours, where it has any, or why it must not be sent after all:
    /// `known` is the resource as the watch has it.
    pub(super) fn timely(
        &self,
        known: &TaurusProxyPort,
        desired: &Desired,
        plan: Option<&PlanRecord>,
        instance: Option<&InstanceWindow>,
    ) -> Result<Option<Timestamp>, &'static str> {
        let Some(terms) = self.terms(known, desired, instance) else {
            return Ok(None);
        };
        let wishes = desired::read(known).ok();
        if wishes.is_none_or(|wishes| wishes.timing != desired.timing) {
            return Err("its maintenance windows, its approval or applyNow were edited");
        }
        let plan = plan.map(|plan| plan.id.as_str());
        let (now, timing) = (self.clock.now().wall, desired.timing.as_deref());
        // One that leaves later is withdrawn anyway.
        timing::may_start_until(&terms, timing, plan, now, self.pace.send_within).map(Some)
    }

    /// Whether other hours hold for a resource that waits than those that it was judged by: then nobody has woken it for them.
    pub(super) fn are_other_hours(
        &self,
        object: &TaurusProxyPort,
        desired: &Desired,
        judged: Option<&Terms>,
        instance: Option<&InstanceWindow>,
    ) -> bool {
        let terms = self.terms(object, desired, instance);
        terms.as_deref().map(|terms| &terms.hours) != judged.map(|terms| &terms.hours)
    }

    /// For how long a step waits that is due after `delay`. A window that opens meanwhile is not waited beyond: each second of it may
    /// count. Nor is the time at which something follows, as people were told.
    pub(super) fn wait(&self, step: &Step, delay: Duration) -> Duration {
        let wait = self.chance.jittered(delay);
        let Step::Hold(cause, _) = step else {
            return wait;
        };
        let now = self.clock.now().wall;
        let until = |time: Timestamp| Duration::try_from(time.duration_since(now));
        let until = |time| until(time).unwrap_or_default();
        if let Some(opens) = cause.opens().map(until).filter(|opens| *opens <= wait) {
            return opens.saturating_add(self.chance.part_of(SPREAD));
        }
        let follows = cause.follows().map(until);
        let follows = follows.filter(|follows| !follows.is_zero() && *follows < wait);
        follows.map_or(wait, |follows| {
            let spread = follows.saturating_add(self.chance.part_of(SPREAD));
            spread.min(wait)
        })
    }

    /// Wakes those who wait when another calendar is in force, and tells people of it and of faults of the file. Never ends by itself.
    pub(super) async fn keep_calendar(&self) {
        let mut news = self.calendar.news();
        let mut known = self.calendar.current();
        let mut told: Option<Arc<str>> = None;
        loop {
            let (current, fault) = (self.calendar.current(), self.calendar.fault());
            let is_other = !Arc::ptr_eq(&known, &current);
            if is_other {
                self.wake(self.waiting.take());
            }
            if let Some(fault) = fault.as_ref().filter(|fault| told.as_ref() != Some(fault)) {
                let (reason, text) = broken(fault, current.missing.is_some());
                self.tell_of_calendar(Class::Stalled, reason, &text);
            } else if fault.is_none() && (told.is_some() || is_other) {
                let (reason, text) = read_whole(&current);
                self.tell_of_calendar(Class::Ready, reason, &text);
            }
            (known, told) = (current, fault);
            if news.changed().await.is_err() {
                // Nobody reads it any more.
                return pending().await;
            }
        }
    }

    /// The calendar is no resource: the pod of this process stands for it.
    fn tell_of_calendar(&self, class: Class, reason: &str, text: &str) {
        let host = gethostname::gethostname();
        let about = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(host.to_string_lossy().to_lowercase()),
            namespace: Some(self.own_namespace.clone()),
            ..ObjectReference::default()
        };
        events::publish(self, about, class, reason, text);
    }
}

fn broken(fault: &str, is_missing: bool) -> (&'static str, String) {
    let follows = if is_missing {
        "no change of any resource starts until it can be read"
    } else {
        "the last good one stays in force"
    };
    let text = format!("the calendar can't be read, and {follows}: {fault}");
    ("CalendarBroken", text)
}

fn read_whole(calendar: &Calendar) -> (&'static str, String) {
    let (windows, freezes) = (calendar.windows.len(), calendar.freezes.len());
    let text =
        format!("the calendar was read and is in force: windows {windows}, freezes {freezes}");
    ("CalendarRead", text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Meaning;

    #[test]
    fn nobody_who_is_gone_is_woken_and_a_successor_of_the_same_name_still_is() {
        let waiting = Waiting::default();
        let name = ResourceName::new("shop", "orders");
        let [old, new]: [Uid; 2] = ["old".into(), "new".into()];
        waiting.note(&old, &name, true);
        waiting.note(&new, &name, true);
        waiting.forget(&old);
        assert_eq!(waiting.take(), Woken::from([name.clone()]));
        assert!(waiting.take().is_empty(), "told once");
        waiting.note(&new, &name, true);
        waiting.note(&new, &name, false);
        assert!(waiting.take().is_empty());
    }

    #[test]
    fn a_window_that_was_read_before_it_opens_is_still_believed_when_it_does_or_read_again() {
        for resync in [10, 30, 90, 600].map(Duration::from_mins) {
            let good_for = InstanceWindow::good_for(resync);
            assert!(good_for <= resync && good_for < BELIEVED_FOR, "{resync:?}");
        }
    }

    #[test]
    fn the_window_of_an_instance_is_believed_for_an_hour_after_its_read_began() {
        let hour = |hours: u64| Duration::from_hours(hours);
        let told = |text: &str, begun| (begun, Ok(Some(text.to_owned())));
        let known = |window: &InstanceWindow, at| window.known(at).map_err(|why| why.to_string());
        // Somebody else has asked for it, an hour ago.
        let first = InstanceWindow::after(None, told("18:00-22:00", hour(1)));
        assert_eq!(first.tried, hour(1));
        let window = Window::of_instance("18:00-22:00").unwrap();
        assert_eq!(known(&first, hour(1)), Ok(window.clone()));
        let moved = InstanceWindow::after(Some(&first), told("10:00-12:00", hour(1)));
        assert_ne!(known(&moved, hour(1)), Ok(window.clone()));
        let soon = hour(1) + Duration::from_mins(59);
        for told in [
            (soon, Ok(None)),
            told("whenever", soon),
            (soon, Err(CloudError::local(Meaning::Denied, "no"))),
        ] {
            let failed = InstanceWindow::after(Some(&first), told);
            assert_eq!(failed.tried, soon);
            assert_eq!(known(&failed, soon), Ok(window.clone()));
            assert!(known(&failed, hour(2)).is_err());
        }
        assert_eq!(known(&first, hour(2)), Err(TOO_OLD.to_owned()));
        let never = InstanceWindow::after(None, told("whenever", hour(1)));
        assert_eq!(
            known(&never, hour(1)),
            Err("the cloud tells \"whenever\"".to_owned())
        );
    }

    #[test]
    fn a_fault_of_the_calendar_says_what_follows_from_it() {
        let (reason, text) = broken("calendar.yaml: it is empty", false);
        assert_eq!(reason, "CalendarBroken");
        assert!(text.contains("last good one") && text.ends_with("it is empty"));
        assert!(broken("gone", true).1.contains("no change of any resource"));
        let (reason, text) = read_whole(&Calendar::default());
        assert!(reason == "CalendarRead" && text.ends_with("windows 0, freezes 0"));
    }
}
