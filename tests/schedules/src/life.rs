//! The life of one process: it can end at any of its calls, before or after the call has had its effect.
//!
//! Who calls for a dead process waits for ever, so whatever is left of it does nothing more.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use rand::RngExt as _;
use tokio::sync::Notify;

use crate::world::Shared;

/// More calls than any schedule needs: who makes them never comes to rest.
pub const MOST_CALLS: u64 = 60_000;

/// One process.
#[derive(Debug)]
pub struct Life {
    /// On which machine it runs.
    pub machine: usize,
    /// Its name in the campaign for the lease.
    pub identity: String,
    alive: AtomicBool,
    /// It dies at this call from now on, counted from one; never, if zero.
    fuse: AtomicU32,
    after: AtomicBool,
    died: Notify,
    stops: Notify,
}

impl Life {
    pub fn new(machine: usize, identity: String) -> Arc<Self> {
        Arc::new(Self {
            machine,
            identity,
            alive: AtomicBool::new(true),
            fuse: AtomicU32::new(0),
            after: AtomicBool::new(false),
            died: Notify::new(),
            stops: Notify::new(),
        })
    }

    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    pub fn end(&self) {
        self.alive.store(false, Ordering::SeqCst);
        self.died.notify_one();
    }

    /// Lets it die at its `call`-th call from now on, before that has its effect or after.
    pub fn end_at(&self, call: u32, after: bool) {
        self.fuse.store(call, Ordering::SeqCst);
        self.after.store(after, Ordering::SeqCst);
    }

    /// Asks it to end in good order.
    pub fn stop(&self) {
        self.stops.notify_one();
    }

    /// Waits until it is asked to end in good order.
    pub async fn asked_to_stop(&self) {
        self.stops.notified().await;
    }

    /// Waits for its end.
    pub async fn ended(&self) {
        while self.is_alive() {
            self.died.notified().await;
        }
    }

    /// Makes a call: `effect` happens some milliseconds later, and the answer is there when it is done. Calls of the campaign
    /// for the lease don't count: it has no rest.
    pub async fn call<T>(
        &self,
        shared: &Shared,
        counts: bool,
        effect: impl Future<Output = T>,
    ) -> T {
        let wait = {
            let mut world = shared.lock();
            world.calls += u64::from(counts);
            if world.calls == world.most_calls {
                world.broken("it never comes to rest: too many calls".to_owned());
            }
            if world.calls >= world.most_calls {
                self.end();
            }
            Duration::from_millis(world.random.random_range(1..40))
        };
        let dies = counts && self.fuse.load(Ordering::SeqCst) == 1;
        let after = self.after.load(Ordering::SeqCst);
        let burn = |fuse: u32| fuse.checked_sub(u32::from(counts));
        self.fuse
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, burn)
            .ok();
        if dies && !after {
            shared
                .lock()
                .say(|| format!("{} dies before a call", self.identity));
            self.end();
        }
        self.go_on().await;
        tokio::time::sleep(wait).await;
        self.go_on().await;
        let answer = effect.await;
        if dies && after {
            shared
                .lock()
                .say(|| format!("{} dies after a call", self.identity));
            self.end();
        }
        self.go_on().await;
        answer
    }

    async fn go_on(&self) {
        if !self.is_alive() {
            pending::<()>().await;
        }
    }
}
