//! Turns on several threads that wait aside for all that turns wait for, give up waiting, and are called for meanwhile.
//!
//! What only happens between threads is invisible to the schedules, which play everything on one. The queue, its seats, budgets,
//! shared reads and permits are the shipped ones. What turns do in them is chance, and so is how threads interleave.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use futures::{FutureExt as _, channel::mpsc};
use tokio_util::sync::CancellationToken;

use super::{Call, attend_with};
use crate::{
    clock::{self, Clock},
    cloud::{
        Urgency,
        budget::{Budget, CallLimit},
    },
    fleet::directory::shared_read::SharedRead,
    model::ResourceName,
    pace::Pace,
    permits::{Asker, Permits, limits::Limits},
    place::InstanceKey,
    seats::{self, Group, Seats},
};

const NAMESPACES: usize = 6;
/// By namespace.
const CREDENTIALS: usize = 3;
const RESOURCES: usize = 120;
/// So many resources are on each instance.
const ON_EACH: usize = 2;
const SEATS: usize = 4;
/// Each resource has so many turns while the storm lasts, and again when it is over.
const TURNS: usize = 15;

/// What one credential shares.
struct Account {
    budget: Arc<Budget>,
    list: SharedRead<usize>,
    reading: AtomicBool,
}

struct Resource {
    name: ResourceName,
    group: Group,
    account: usize,
    instance: InstanceKey,
    at_work: AtomicBool,
    turns: AtomicUsize,
}

struct World {
    resources: Vec<Resource>,
    by_name: HashMap<ResourceName, usize>,
    accounts: Vec<Account>,
    permits: Permits,
    held: Mutex<HashMap<InstanceKey, usize>>,
    clock: Clock,
    /// No turn gives up waiting any more.
    is_calm: AtomicBool,
    broken: Mutex<Vec<String>>,
}

impl World {
    fn new(wake: mpsc::UnboundedSender<Call>) -> Self {
        let clock = Clock::start();
        let accounts = (0..NAMESPACES * CREDENTIALS).map(|_| {
            // Dry most of the time.
            let limit = CallLimit {
                calls: 60,
                per: Duration::from_millis(20),
                is_even: false,
            };
            Account {
                budget: Budget::new(limit, clock, Arc::new(())),
                list: SharedRead::default(),
                reading: AtomicBool::new(false),
            }
        });
        let resources: Vec<Resource> = (0..RESOURCES)
            .map(|number| {
                let account = number % (NAMESPACES * CREDENTIALS);
                let namespace = account % NAMESPACES;
                let instance = format!("{:032x}in07", number / ON_EACH);
                Resource {
                    name: ResourceName::new(&namespace.to_string(), &number.to_string()),
                    group: Group {
                        namespace: namespace as u64,
                        credentials: account as u64,
                    },
                    account,
                    instance: InstanceKey::somewhere(&instance),
                    at_work: AtomicBool::new(false),
                    turns: AtomicUsize::new(0),
                }
            })
            .collect();
        let limits = Limits {
            concurrent: RESOURCES / ON_EACH / 4,
            hourly: usize::MAX,
            ..Limits::default()
        };
        let permits = Permits::new(limits, &Pace::real(), clock, move |asker| {
            let name = ResourceName::new(&asker.namespace, &asker.name);
            let _ = wake.unbounded_send(Call::usual(name));
        });
        let names = resources.iter().enumerate();
        let by_name = names.map(|(number, resource)| (resource.name.clone(), number));
        Self {
            by_name: by_name.collect(),
            resources,
            accounts: accounts.collect(),
            permits,
            held: Mutex::default(),
            clock,
            is_calm: AtomicBool::new(false),
            broken: Mutex::default(),
        }
    }

    fn expect(&self, holds: bool, what: &str) {
        if !holds {
            self.broken.lock().unwrap().push(what.to_owned());
        }
    }

    /// A turn of the resource with this number.
    async fn turn(&self, number: usize) -> Option<Duration> {
        let resource = &self.resources[number];
        let overlaps = resource.at_work.swap(true, Ordering::SeqCst);
        self.expect(!overlaps, "two turns of one resource overlap");
        let interrupted = async {
            if self.is_calm.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            } else {
                seats::called_again().await;
            }
        };
        tokio::select! {
            biased;
            () = self.work(number) => {}
            () = interrupted => {}
        }
        resource.at_work.store(false, Ordering::SeqCst);
        resource.turns.fetch_add(1, Ordering::SeqCst);
        Some(Duration::ZERO)
    }

    async fn work(&self, number: usize) {
        let account = &self.accounts[self.resources[number].account];
        let patience = if self.is_calm.load(Ordering::SeqCst) {
            Duration::from_mins(5)
        } else {
            Duration::from_micros(rand::random_range(0..3000))
        };
        match rand::random_range(0..4) {
            0 => seats::aside(tokio::task::yield_now()).await,
            1 => {
                let calls = account
                    .budget
                    .allow(Urgency::Change, rand::random_range(1..6));
                if let Ok(Ok(allowance)) = tokio::time::timeout(patience, calls).await {
                    let spent = allowance.spend().await;
                    tokio::task::yield_now().await;
                    if let Ok(paid) = spent {
                        paid.made();
                    }
                }
            }
            2 => {
                let came = self.clock.now().uptime;
                let uptime = || self.clock.now().uptime;
                let list = account.list.fresh(uptime, || self.read(account).boxed());
                if let Ok(list) = tokio::time::timeout(patience, list).await {
                    self.expect(list.is_ok(), "a read has failed");
                    self.expect(self.clock.now().uptime >= came, "time ran backwards");
                }
            }
            _ => self.change(number).await,
        }
    }

    async fn read(&self, account: &Account) -> Result<usize, crate::cloud::CloudError> {
        let _turn = account.budget.allow(Urgency::Job, 1).await?;
        // Whoever gives up leaves it set: only the next reader finds it, and begins anew.
        account.reading.store(true, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.expect(
            account.reading.swap(false, Ordering::SeqCst),
            "two reads of one list overlap",
        );
        Ok(7)
    }

    async fn change(&self, number: usize) {
        let Resource { name, instance, .. } = &self.resources[number];
        let asker = Asker {
            uid: number.to_string(),
            namespace: name.namespace().to_owned(),
            name: name.name().to_owned(),
        };
        let Ok(permit) = self.permits.acquire(&asker, instance) else {
            if rand::random_range(0..2) == 0 {
                self.permits.leave(&asker.uid);
            }
            return;
        };
        let holder = Held::new(self, number);
        if rand::random_range(0..2) == 0 {
            permit.begun();
        }
        permit.count(rand::random_range(0..2) == 0);
        seats::aside(tokio::task::yield_now()).await;
        drop(holder);
        drop(permit);
    }
}

/// Notes who holds an instance, also where its turn is given up.
struct Held<'a> {
    world: &'a World,
    number: usize,
}

impl<'a> Held<'a> {
    fn new(world: &'a World, number: usize) -> Self {
        let instance = world.resources[number].instance.clone();
        let other = world.held.lock().unwrap().insert(instance, number);
        world.expect(other.is_none(), "an instance has two permits");
        Self { world, number }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let instance = &self.world.resources[self.number].instance;
        self.world.held.lock().unwrap().remove(instance);
    }
}

/// What people do: they call for whatever resource, until this is cancelled.
fn people(world: &World, calls: &mpsc::UnboundedSender<Call>, ended: &CancellationToken) {
    while !ended.is_cancelled() {
        let number = rand::random_range(0..RESOURCES);
        let call = Call::of_people(world.resources[number].name.clone());
        let _ = calls.unbounded_send(call);
        // No faster than the queue takes them.
        thread::park_timeout(Duration::from_micros(50));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn n01_after_a_storm_of_turns_on_several_threads_nothing_is_lost_and_nothing_held() {
    let (sender, calls) = mpsc::unbounded();
    let world = Arc::new(World::new(sender.clone()));
    for resource in &world.resources {
        sender
            .unbounded_send(Call::usual(resource.name.clone()))
            .unwrap();
    }
    let seats = Seats::new(SEATS);
    let (storm, all) = (CancellationToken::new(), CancellationToken::new());
    let (of, attended) = (Arc::clone(&world), Arc::clone(&world));
    let attending = attend_with(
        seats.clone(),
        calls,
        all.clone().cancelled_owned(),
        move |name| of.resources[of.by_name[name]].group,
        move |name| {
            let world = Arc::clone(&attended);
            async move { world.turn(world.by_name[&name]).await }
        },
    );
    let attending = tokio::spawn(attending);
    let (crowd, ended) = (Arc::clone(&world), storm.clone());
    let people = thread::spawn(move || people(&crowd, &sender, &ended));
    let has_had = |turns: usize| {
        let had = |resource: &Resource| resource.turns.load(Ordering::SeqCst);
        let late = world
            .resources
            .iter()
            .filter(|resource| had(resource) < turns);
        late.map(|resource| format!("{}: {}", resource.name, had(resource)))
            .collect::<Vec<_>>()
    };
    let until = async |turns: usize| {
        let deadline = world.clock.now().uptime + Duration::from_mins(10);
        while !has_had(turns).is_empty() {
            let late = world.clock.now().uptime > deadline;
            assert!(!late, "without their turns: {:?}", has_had(turns));
            clock::pause(Duration::from_millis(5)).await;
        }
    };
    until(TURNS).await;
    world.is_calm.store(true, Ordering::SeqCst);
    storm.cancel();
    people.join().unwrap();
    let most = world
        .resources
        .iter()
        .map(|resource| resource.turns.load(Ordering::SeqCst));
    let most = most.max().unwrap();
    until(most + TURNS).await;
    all.cancel();
    attending.await.unwrap();
    assert_eq!(*world.broken.lock().unwrap(), [""; 0]);
    assert!(seats.are_all_free(SEATS), "{seats:?}");
    assert!(world.held.lock().unwrap().is_empty());
    assert_eq!(world.permits.figures().under_way, 0);
    assert!(world.permits.is_idle());
    for account in &world.accounts {
        // Whoever comes is the first.
        assert!(account.budget.nobody_waits());
        account.budget.allow(Urgency::Change, 5).await.unwrap();
    }
}
