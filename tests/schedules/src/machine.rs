//! A machine that runs the operator, and starts it anew whenever it has ended.
//!
//! The process is put together as the shipped one is: the campaign for the lease, then the reflector, the fleet and the
//! reconciler. In place of kube's runner stands a loop that is the same each time: kube's picks among resources that are due
//! at once by the order of a hash table, so no schedule could be played twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{
    FutureExt as _, Stream, StreamExt as _,
    future::{Either, pending},
    stream::FuturesUnordered,
};
use kube::{
    Client, ResourceExt as _,
    runtime::{
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use rand::RngExt as _;
use taurus_port_operator::{
    chance::Chance,
    clock::{Clock, Shift},
    controller::{
        self, Guarded,
        context::{Context, Settings},
        meter::{Ending, Meter},
    },
    fleet::limits::Limits,
    leader::{Elector, Leadership},
    pace::Pace,
};
use tokio::sync::{Notify, mpsc};

use crate::{
    cluster::Delivery,
    flaw::Flaw,
    life::Life,
    link::Link,
    server::client,
    world::{Shared, wall},
};

/// How often a settled resource is looked at.
pub const RESYNC: Duration = Duration::from_mins(10);

/// A machine.
pub struct Machine {
    pub number: usize,
    pub shared: Shared,
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
                process.await;
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
        let (shared, shift) = (self.shared.clone(), self.shift);
        async move {
            let (seed, now, election) = {
                let mut world = shared.lock();
                let election = world.election && world.flaw != Some(Flaw::BothLead);
                (world.random.random(), world.now(), election)
            };
            let clock = Clock::with_head_start(head_start)
                .from_dawn(wall(now))
                .shifted(shift);
            let client = client(shared.clone(), Arc::clone(&life));
            let settings = |leadership| Settings {
                clock,
                chance: Chance::seeded(seed),
                pace: Pace::real(),
                limits: Limits::default(),
                resync: RESYNC,
                connect: Arc::new(Link {
                    shared: shared.clone(),
                    life: Arc::clone(&life),
                    access_key: "".into(),
                }),
                defaults: None,
                meter: Arc::new(Witness(shared.clone())),
                leadership,
                work: Arc::default(),
            };
            if !election {
                let settings = settings(Arc::new(Leadership::alone()));
                return control(&shared, &life, client, settings, pending()).await;
            }
            let identity = life.identity.clone();
            let mut elector = Elector::new(client.clone(), ("ops", "operator"), identity, clock);
            elector.acquire(|_| ()).await;
            shared.lock().say(|| format!("{} leads", life.identity));
            let settings = settings(elector.leadership());
            let (depose, deposed) = tokio::sync::oneshot::channel::<()>();
            let controlling = control(&shared, &life, client, settings, deposed.map(drop));
            let keeping = async {
                elector.keep().await;
                drop(depose);
                pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = controlling => {}
                () = keeping => {}
            }
            elector.release().await;
        }
    }
}

/// Sees what the reconciler catches.
struct Witness(Shared);

impl Meter for Witness {
    fn reconciled(&self, ending: Ending, _: Duration) {
        if ending == Ending::Panicked {
            self.0.lock().broken("a reconcile panicked".to_owned());
        }
    }
}

/// Reconciles until it is to stop, and then until what is at work has ended.
pub async fn control(
    shared: &Shared,
    life: &Arc<Life>,
    client: Client,
    settings: Settings,
    stop: impl Future<Output = ()> + Send,
) {
    let (sender, deliveries) = mpsc::unbounded_channel();
    shared.lock().cluster.watch(life.machine, sender);
    let (store, writer) = reflector::store();
    let (wake, mut woken) = futures::channel::mpsc::unbounded::<ObjectRef<Guarded>>();
    let context = Arc::new(Context::new(client, settings, store.clone(), wake));
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let tell = move || drop(tell);
    let calls = controller::calls(events(deliveries), writer, Arc::clone(&context), tell);
    let mut calling = Box::pin(context.call_in_time());
    let (mut calls, mut stop, mut told) = (Box::pin(calls), Box::pin(stop.fuse()), told.fuse());
    let mut synced = false;
    let stopping = Arc::new(AtomicBool::new(false));
    let mut bells: BTreeMap<String, Arc<Notify>> = BTreeMap::new();
    let mut rounds = FuturesUnordered::new();
    while !(stopping.load(Ordering::SeqCst) && (rounds.is_empty() || !synced)) {
        tokio::select! {
            biased;
            () = &mut stop => {
                context.drain();
                stopping.store(true, Ordering::SeqCst);
                for bell in bells.values() {
                    bell.notify_one();
                }
            }
            _ = &mut told, if !synced => synced = true,
            // As kube's runner does: nothing is reconciled before the first list is in the store.
            Some(()) = rounds.next(), if synced && !rounds.is_empty() => {}
            // Another resource has found their Secret changed, or its turn to change something has come.
            Some(resource) = woken.next() => {
                if let Some(bell) = bells.get(&resource.name) {
                    bell.notify_one();
                }
            }
            () = &mut calling => {}
            Some(Ok(call)) = calls.next(), if !stopping.load(Ordering::SeqCst) => {
                let name = call.name_any();
                let bell = bells.entry(name.clone()).or_insert_with(|| {
                    let bell = Arc::new(Notify::new());
                    let resource = ObjectRef::new(&name).within(crate::NAMESPACE);
                    let (store, context) = (store.clone(), Arc::clone(&context));
                    rounds.push(attend(resource, Arc::clone(&bell), store, context, Arc::clone(&stopping)));
                    bell
                });
                bell.notify_one();
            }
        }
    }
}

/// Looks after one resource: when it is called for, and when that is due.
async fn attend(
    resource: ObjectRef<Guarded>,
    bell: Arc<Notify>,
    store: Store<Guarded>,
    context: Arc<Context>,
    stopping: Arc<AtomicBool>,
) {
    let mut delay = None;
    loop {
        let due = match delay {
            Some(delay) => Either::Left(tokio::time::sleep(delay)),
            None => Either::Right(pending()),
        };
        tokio::select! {
            biased;
            () = bell.notified() => {}
            () = due => {}
        }
        if stopping.load(Ordering::SeqCst) {
            return;
        }
        delay = match store.get(&resource) {
            Some(object) => controller::attend(&object, &context).await,
            None => None,
        };
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
