//! A machine that runs the operator, and starts it anew whenever it has ended.
//!
//! The process is put together as the shipped one is: the campaign for the lease, then roster, fleet, queue and reconciler.

use std::{sync::Arc, time::Duration};

use futures::{Stream, future::pending};
use k8s_openapi::jiff::Timestamp;
use kube::{Client, runtime::watcher};
use rand::RngExt as _;
use taurus_port_operator::{
    chance::Chance,
    clock::{Clock, Shift},
    controller::{
        self, Guarded,
        act::Outcome,
        context::{Context, Settings},
        meter::{Ending, Meter},
    },
    crd::{ChangeRecord, LastChange, TaurusProxyPort},
    leader::{Elector, Leadership},
    model::{Moment, Reason, Uid},
    pace::Pace,
    permits::{Permits, limits::Limits},
    publish::networks::Networks,
    telemetry::metrics::Metrics,
};
use tokio::sync::mpsc;

use crate::{
    cluster::Delivery,
    flaw::{self, Flaw},
    greeter::Greeter,
    life::Life,
    link::Links,
    server::client,
    world::{Shared, wall},
};

/// How often a settled resource is looked at.
pub const RESYNC: Duration = Duration::from_mins(10);

/// How many reconciles run at once, as shipped.
pub const CONCURRENCY: u16 = 16;

/// A machine.
pub struct Machine {
    pub number: usize,
    pub shared: Shared,
    /// How often a settled resource is looked at.
    pub resync: Duration,
    /// By how much its clock is off.
    pub shift: &'static Shift,
}

impl Machine {
    /// Runs one process after the other. The first one has run for `head_start` before the schedule begins.
    pub async fn run(self, mut head_start: Duration) {
        for number in 0.. {
            let life = Life::new(self.number, format!("operator-{}-{number}", self.number));
            self.shared.lock().lives[self.number] = Some(Arc::clone(&life));
            let process = self.process(Arc::clone(&life), head_start);
            let own = Arc::clone(&life);
            let process = tokio::spawn(async move {
                Box::pin(process).await;
                own.end();
            });
            life.ended().await;
            process.abort();
            head_start = Duration::ZERO;
            let pause = {
                let mut world = self.shared.lock();
                world.say(|| format!("{} has ended", life.identity));
                world.random.random_range(500..20_000)
            };
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if self.shared.lock().retired == Some(self.number) {
                return;
            }
        }
    }

    fn process(
        &self,
        life: Arc<Life>,
        head_start: Duration,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (shared, shift, resync) = (self.shared.clone(), self.shift, self.resync);
        async move {
            let (seed, now, election, flaw, calls) = {
                let mut world = shared.lock();
                let election = world.election && world.flaw != Some(Flaw::BothLead);
                let (now, seed) = (world.now(), world.random.random());
                (seed, now, election, world.flaw, world.call_limit)
            };
            let clock = Clock::with_head_start(head_start)
                .from_dawn(wall(now))
                .shifted(shift);
            let calendar = match flaw {
                Some(Flaw::OverlooksTheCalendar) => Arc::default(),
                _ => Arc::clone(&shared.lock().calendar),
            };
            let client = client(shared.clone(), Arc::clone(&life));
            let metrics = shared.lock().begin_figures();
            let meter: Arc<dyn Meter> = Arc::new(Witness(shared.clone(), metrics));
            let links = Arc::new(Links::new(
                shared.clone(),
                Arc::clone(&life),
                clock,
                &Pace::real(),
                calls,
            ));
            let settings = |leadership| Settings {
                clock,
                chance: Chance::seeded(seed),
                pace: flaw::pace(flaw, Pace::real()),
                limits: Limits::default(),
                resync,
                connect: Arc::clone(&links) as _,
                defaults: None,
                calendar: calendar.clone(),
                probe: Arc::new(Greeter(shared.clone())),
                networks: Networks::any(),
                meter: Arc::clone(&meter),
                leadership,
                work: Arc::default(),
            };
            if !election {
                let settings = settings(Arc::new(Leadership::alone()));
                let stop = life.asked_to_stop();
                Box::pin(control(&shared, &life, client, settings, CONCURRENCY, stop)).await;
                return;
            }
            let identity = life.identity.clone();
            let mut elector = Elector::new(client.clone(), ("ops", "operator"), identity, clock);
            let left = elector.acquire(|_| ()).await;
            links.entrances().take_over(left);
            {
                let mut world = shared.lock();
                world.led_since = Some(world.now());
                world.say(|| format!("{} leads", life.identity));
            }
            let settings = settings(elector.leadership());
            let (depose, deposed) = tokio::sync::oneshot::channel::<()>();
            let stop = async {
                tokio::select! {
                    _ = deposed => {}
                    () = life.asked_to_stop() => {}
                }
            };
            let controlling = control(&shared, &life, client, settings, CONCURRENCY, stop);
            let keeping = async {
                elector.keep().await;
                drop(depose);
                pending::<bool>().await
            };
            let idle = tokio::select! {
                biased;
                idle = controlling => idle,
                idle = keeping => idle,
            };
            if idle {
                shared
                    .lock()
                    .say(|| format!("{} leaves nothing in flight", life.identity));
            }
            let left = links.entrances().hand_over();
            elector.release(idle, left).await;
        }
    }
}

/// Sees what the reconciler catches, and passes on what is counted where somebody wants to know.
struct Witness(Shared, Option<Arc<Metrics>>);

impl Meter for Witness {
    fn reconciled(&self, ending: Ending, took: Duration) {
        self.counting(|metrics| metrics.reconciled(ending, took));
        if ending == Ending::Panicked {
            self.0.lock().broken("a reconcile panicked".to_owned());
        }
    }

    fn waited(&self, call: &'static str, took: Duration) {
        self.counting(|metrics| metrics.waited(call, took));
    }

    fn edit_sent(&self, was_held: bool, took: Duration) {
        self.counting(|metrics| metrics.edit_sent(was_held, took));
    }

    fn change_answered(&self, outcome: &Outcome) {
        self.counting(|metrics| metrics.change_answered(outcome));
    }

    fn applied_now(&self) {
        self.counting(Meter::applied_now);
    }

    fn drift_corrected(&self) {
        self.counting(Meter::drift_corrected);
    }

    fn probed(&self, outcome: &'static str) {
        self.counting(|metrics| metrics.probed(outcome));
    }

    fn published(&self, reason: Reason) {
        self.counting(|metrics| metrics.published(reason));
    }

    fn restored(&self) {
        self.counting(Meter::restored);
    }

    fn change_ended(&self, last: &LastChange) {
        self.counting(|metrics| metrics.change_ended(last));
    }

    fn resource(&self, uid: &Uid, object: &TaurusProxyPort, now: Moment) {
        self.counting(|metrics| metrics.resource(uid, object, now));
    }

    fn undecodable(&self, uid: &Uid, begun: Option<Timestamp>, now: Moment) {
        self.counting(|metrics| metrics.undecodable(uid, begun, now));
    }

    fn followed(&self, uid: &Uid, change: Option<&ChangeRecord>, now: Moment) {
        self.counting(|metrics| metrics.followed(uid, change, now));
    }

    fn followed_no_longer(&self, uid: &Uid) {
        self.counting(|metrics| metrics.followed_no_longer(uid));
    }

    fn permits(&self, permits: &Permits) {
        self.counting(|metrics| metrics.permits(permits));
    }

    fn forget(&self, uid: &str) {
        self.counting(|metrics| metrics.forget(uid));
    }
}

impl Witness {
    fn counting(&self, count: impl FnOnce(&Metrics)) {
        if let Some(metrics) = &self.1 {
            count(metrics);
        }
    }
}

/// Reconciles until it is to stop, and then until what is at work has ended; says whether that leaves nothing in flight.
pub async fn control(
    shared: &Shared,
    life: &Arc<Life>,
    client: Client,
    settings: Settings,
    concurrency: u16,
    stop: impl Future<Output = ()> + Send,
) -> bool {
    let (sender, deliveries) = mpsc::unbounded_channel();
    {
        let mut world = shared.lock();
        world.cluster.watched_since = world.now();
        world.cluster.watch(life.machine, sender);
    }
    let (wake, mut woken) = futures::channel::mpsc::unbounded();
    // Held for as long as the process runs.
    let (_silent, unheard) = futures::channel::mpsc::unbounded();
    if shared.lock().flaw == Some(Flaw::WakesNobody) {
        woken = unheard;
    }
    let watcher_client = client.clone();
    let context = Arc::new(Context::new(client, settings, wake));
    let events = events(deliveries);
    let publishing = shared.lock().publishing;
    let watching = async {
        if publishing {
            controller::watch_published(&context, watcher_client, None).await;
        }
        pending::<bool>().await
    };
    let attending = controller::attend_all(
        Arc::clone(&context),
        events,
        || (),
        woken,
        concurrency,
        stop,
    );
    tokio::select! {
        biased;
        idle = attending => idle,
        idle = watching => idle,
    }
}

/// What a watch delivers, each event when it is due.
fn events(
    deliveries: mpsc::UnboundedReceiver<Delivery>,
) -> impl Stream<Item = Result<watcher::Event<Guarded>, watcher::Error>> + Send + 'static {
    futures::stream::unfold(deliveries, |mut deliveries| async {
        let (at, event) = deliveries.recv().await?;
        tokio::time::sleep_until(at).await;
        Some((Ok(event), deliveries))
    })
}
