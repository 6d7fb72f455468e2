//! What all reconciles share.

use std::{future::Future, sync::Arc, time::Duration};

use futures::channel::mpsc::UnboundedSender;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use tokio::sync::watch;

use crate::{
    calendar::store::Store,
    chance::Chance,
    clock::{self, Clock},
    cloud::{Connect, defaults::Defaults},
    controller::{
        accounts::Accounts,
        events::Publisher,
        journal::{Definition, Journal, JournalError},
        memory::Memories,
        meter::Meter,
        published::Disturbed,
        roster::Roster,
        secrets::GoodFor,
        surveys::Surveys,
        timing::{InstanceWindow, Waiting},
    },
    crd::{PlanRecord, TaurusProxyPort},
    desired::Desired,
    fleet::{
        claims::{Claims, Opening, Other, Standing, Woken},
        directory,
        lengths::Lengths,
        moves::Moves,
        verified::Verified,
    },
    health::work::Work,
    leader::Leadership,
    model::ResourceName,
    pace::Pace,
    permits::{Asker, Permits, Trace, limits::Limits},
    place::InstanceKey,
    plan::record::Record,
    probe::Probe,
    publish::{self, networks::Networks},
    seats,
};

/// Name under which events and requests appear.
pub const MANAGER: &str = "taurus-port-operator";

/// What is set for all reconciles.
pub struct Settings {
    /// The clocks.
    pub clock: Clock,
    /// Chance.
    pub chance: Chance,
    /// The durations.
    pub pace: Pace,
    /// How many changes there may be over all resources.
    pub limits: Limits,
    /// How often a settled resource is looked at.
    pub resync: Duration,
    /// Makes connections to the cloud.
    pub connect: Arc<dyn Connect>,
    /// The operator's own credentials, if there are any.
    pub defaults: Option<Defaults>,
    /// When changes may start, for all resources.
    pub calendar: Arc<Store>,
    /// Connects to proxies.
    pub probe: Arc<dyn Probe>,
    /// Where proxies may lie.
    pub networks: Networks,
    /// Counts.
    pub meter: Arc<dyn Meter>,
    /// Whether this process may act.
    pub leadership: Arc<Leadership>,
    /// Told what is at work.
    pub work: Arc<Work>,
}

/// What all reconciles share.
pub struct Context {
    pub(super) clock: Clock,
    pub(super) chance: Chance,
    pub(super) pace: Pace,
    pub(super) resync: Duration,
    pub(super) leading_since: Duration,
    /// What counts as time for which this process has led before it did.
    pub(super) led_before: Duration,
    pub(super) journal: Journal,
    pub(super) accounts: Accounts,
    pub(super) publications: publish::publisher::Publisher,
    pub(super) published: Disturbed,
    pub(super) surveys: Arc<Surveys>,
    pub(super) claims: Claims,
    pub(super) permits: Permits,
    pub(super) lengths: Lengths,
    pub(super) verified: Verified,
    pub(super) moves: Moves,
    pub(super) calendar: Arc<Store>,
    pub(super) waiting: Waiting,
    /// The namespace of this process.
    pub(super) own_namespace: String,
    pub(super) memories: Memories,
    pub(super) publisher: Arc<Publisher>,
    pub(super) definition: Definition,
    pub(super) probe: Arc<dyn Probe>,
    pub(super) networks: Networks,
    pub(super) meter: Arc<dyn Meter>,
    pub(super) roster: Roster,
    pub(super) leadership: Arc<Leadership>,
    pub(super) work: Arc<Work>,
    /// Held by all that sees to changes of deleted resources.
    pub(super) deleted: Arc<()>,
    draining: watch::Sender<bool>,
    wake: UnboundedSender<ResourceName>,
}

impl Context {
    /// A context over `client`, with a roster that the watch fills.
    /// Resources that have to look anew for another reason than a change of their own are sent to `wake`.
    pub fn new(client: Client, settings: Settings, wake: UnboundedSender<ResourceName>) -> Self {
        let Settings {
            clock,
            chance,
            pace,
            limits,
            resync,
            connect,
            defaults,
            calendar,
            probe,
            networks,
            meter,
            leadership,
            work,
        } = settings;
        let call = wake.clone();
        let permits = Permits::new(limits, &pace, clock, move |asker| {
            let resource = ResourceName::new(&asker.namespace, &asker.name);
            // Nobody listens any longer once the controller ends.
            let _ = call.unbounded_send(resource);
        });
        meter.permits(&permits);
        let own_namespace = client.default_namespace().to_owned();
        let good_for = GoodFor {
            watched: pace.watch_retry,
            unwatched: pace.secret_sweep,
        };
        Self {
            journal: Journal::new(
                client.clone(),
                clock,
                chance.clone(),
                Arc::clone(&leadership),
                Arc::clone(&work),
            ),
            accounts: Accounts::new(
                client.clone(),
                clock,
                connect,
                defaults,
                good_for,
                resync,
                wake.clone(),
            ),
            publications: publish::publisher::Publisher::new(
                client.clone(),
                clock,
                Arc::clone(&leadership),
            ),
            published: Disturbed::default(),
            surveys: Arc::new(Surveys::new(client.clone(), clock)),
            wake,
            publisher: Arc::new(Publisher::new(client, chance.clone())),
            definition: Definition::default(),
            claims: Claims::default(),
            permits,
            lengths: Lengths::new(clock),
            verified: Verified::default(),
            moves: Moves::new(pace.list_lag),
            calendar,
            waiting: Waiting::default(),
            own_namespace,
            memories: Memories::default(),
            leading_since: leadership.since(),
            led_before: if leadership.has_nothing_before_it() {
                pace.settle_window()
            } else {
                Duration::ZERO
            },
            leadership,
            work,
            deleted: Arc::default(),
            draining: watch::Sender::new(false),
            clock,
            chance,
            pace,
            resync,
            probe,
            networks,
            meter,
            roster: Roster::default(),
        }
    }

    /// From now on no change is started; what is at work is recorded.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// What lets one resource look anew, for who tells of the end of what it waits for.
    pub(super) fn caller(&self) -> UnboundedSender<ResourceName> {
        self.wake.clone()
    }

    /// Lets these look anew: what they waited for may be over.
    pub(super) fn wake(&self, woken: Woken) {
        for name in woken {
            // Nobody listens any longer once the controller ends.
            let _ = self.wake.unbounded_send(name);
        }
    }

    /// What a look gives, unless the operator is stopping, or a person changes or deletes the resource meanwhile: then nothing is
    /// waited for that changes nothing, however long it would take. A change on `record` is followed whatever people want.
    pub(super) async fn while_wanted<T>(
        &self,
        record: &Record,
        looking: impl Future<Output = T>,
    ) -> Result<T, JournalError> {
        let mut draining = self.draining.subscribe();
        let is_interruptible = record.change.is_none();
        tokio::select! {
            biased;
            seen = looking => Ok(seen),
            _ = draining.wait_for(|draining| *draining) => Err(JournalError::Stopping),
            () = seats::called_again(), if is_interruptible => Err(JournalError::Interrupted),
        }
    }

    /// Wakes those whose turn to change something comes by time alone. Never ends by itself.
    pub async fn call_in_time(&self) {
        self.permits.call_in_time().await;
    }

    /// Forgets now and then what was read and is of no use any more. Never ends by itself.
    pub async fn tidy(&self) {
        loop {
            clock::pause(directory::KEPT).await;
            self.accounts.tidy();
            self.verified.tidy(self.clock.now().uptime);
            self.surveys.tidy(self.clock.now().uptime);
        }
    }

    /// A change is no longer on record of a resource: its end counts once, whoever tells of it first. One that was refused leaves none, but
    /// perhaps that of an earlier one. Whether it has counted now.
    pub(super) fn change_ended(&self, change: &str, trace: &Trace) -> bool {
        let last = trace.last.as_ref().filter(|last| last.id == change);
        let (Some(last), Some((_, of))) = (last, &trace.target) else {
            return false;
        };
        let at = last.finished_at.0;
        let is_new = self.permits.ended(change, last.outcome, of.clone(), at);
        if is_new {
            self.meter.change_ended(last);
        }
        is_new
    }

    /// For how long this process has led, or counts as having led.
    pub(super) fn leading_for(&self) -> Duration {
        let since = self.clock.now().elapsed(self.leading_since);
        since.saturating_add(self.led_before)
    }

    /// Whether nothing that this process, or one before it, has sent can still be unknown to who comes next: no change is on
    /// record or followed, also of what was deleted, none was taken from a record lately, nobody has let go of a proxy so lately that
    /// others wait for its return, none has ended so lately that lists may lag behind it, and it has led for long enough to know.
    pub(super) fn leaves_nothing_in_flight(&self) -> bool {
        let now = self.clock.now();
        self.leads()
            && self.leading_for() >= self.pace.settle_window()
            && self.permits.is_idle()
            && Arc::strong_count(&self.deleted) == 1
            && !self.memories.any_in_doubt(now, &self.pace)
            && !self.claims.any_is_late(now.uptime, self.pace.take_over)
            && !self.moves.any(now.uptime)
    }

    /// Whether this process may act now.
    pub(super) fn leads(&self) -> bool {
        self.leadership.time_left(self.clock.now()).is_some()
    }

    /// Why a change that was decided on, of a proxy that has the port `from`, must not be sent after all; else until when it may leave,
    /// where its hours end.
    ///
    /// # Errors
    ///
    /// What speaks against it.
    pub(super) fn objection(
        &self,
        object: &TaurusProxyPort,
        desired: &Desired,
        from: u16,
        plan: Option<&PlanRecord>,
        instance: Option<&InstanceWindow>,
    ) -> Result<Option<Timestamp>, &'static str> {
        if *self.draining.borrow() {
            return Err("the operator is stopping");
        }
        if !self.leads() {
            return Err("this process no longer leads");
        }
        if self.permits.is_halted() {
            return Err("too many changes have failed meanwhile");
        }
        let namespace = object.namespace().unwrap_or_default();
        let name = ResourceName::new(&namespace, &object.name_any());
        let known = self.roster.get(&name);
        let Some(known) = known.and_then(|guarded| guarded.0.ok()) else {
            return Err("the resource is gone");
        };
        if known.uid() != object.uid() || known.metadata.deletion_timestamp.is_some() {
            Err("the resource is gone")
        } else if known.metadata.generation > Some(desired.generation) {
            Err("the resource was changed")
        } else if self.standing(object, Some(from)) != Standing::Owner {
            Err("another resource names the same proxy by now")
        } else {
            self.timely(&known, desired, plan, instance)
        }
    }

    /// How a resource stands to its proxy, which has the port `in_place` where that is known.
    pub(super) fn standing(&self, object: &TaurusProxyPort, in_place: Option<u16>) -> Standing {
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        let uptime = self.clock.now().uptime;
        self.claims
            .standing(uid, in_place, uptime, self.pace.take_over)
    }

    /// For whom a resource waits that may not act yet, since another one for its proxy may come before it.
    pub(super) fn opening(&self, object: &TaurusProxyPort) -> Opening {
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        let uptime = self.clock.now().uptime;
        self.claims.opening(uid, uptime, self.pace.take_over)
    }

    /// Whose change on an instance goes first, as far as a resource of `namespace` may be told.
    pub(super) fn goes_first(&self, instance: &InstanceKey, asker: &Asker) -> Option<Other> {
        let first = self.permits.first_on(instance, &asker.uid)?;
        if first.is_deleted {
            return Some(Other::Deleted);
        }
        let name = self.claims.name_of(&first.uid)?;
        Some(Other::of(&name, &asker.namespace))
    }
}
