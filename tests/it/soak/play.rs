//! How the events of a plan come about.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use taurus_sim::{JobPlan, PortShows};
use tokio::{task::JoinSet, time::Instant};

use super::{
    plan::{Event, Kill, PORTS},
    replica::Replica,
    stage::Stage,
    trouble,
};

/// Somebody leads within this after the one that led is gone, where nothing else goes wrong.
const LED_WITHIN: Duration = Duration::from_secs(20);

impl Stage {
    /// Lets everything happen at its time, and waits until all of it is over.
    pub async fn play(self: &Arc<Self>, plan: &[(Duration, Event)]) {
        let began = Instant::now();
        let end = began + self.settings.length;
        let mut happening = JoinSet::new();
        for (number, (at, event)) in plan.iter().enumerate() {
            tokio::time::sleep_until(began + *at).await;
            let (stage, event) = (Arc::clone(self), event.clone());
            happening.spawn(async move { stage.happen(number, event, end).await });
            while let Some(over) = happening.try_join_next() {
                over.unwrap();
            }
        }
        while let Some(over) = happening.join_next().await {
            over.unwrap();
        }
        tokio::time::sleep_until(end).await;
    }

    async fn happen(&self, number: usize, event: Event, end: Instant) {
        self.log.say(&format!("{event:?}"));
        let people = &self.people;
        let left = |long: Duration| long.min(end.saturating_duration_since(Instant::now()));
        match event {
            Event::Want(resource, port) => people.want(resource, port).await,
            Event::ToAndFro(resource, ports) => people.want_in_turn(resource, &ports).await,
            Event::Policy(resource, policy) => {
                people.set_policy(resource, policy).await;
            }
            Event::Suspend(resource, suspend) => people.suspend(resource, suspend).await,
            Event::Request(resource) => people.request(resource, &number.to_string()).await,
            Event::Recreate(resource, how) => {
                let port = PORTS[number % PORTS.len()];
                people.recreate(resource, how, port).await;
            }
            Event::Drift(resource, port) => people.drift(resource, port),
            Event::TouchSecret(resource) => {
                let namespace = people.places[resource].namespace;
                self.secrets.touch(namespace, number as u64).await;
            }
            Event::RotateSecret(resource) => {
                self.secrets.rotate(people.places[resource].namespace).await;
            }
            Event::LoseSecret(resource, long) => {
                let namespace = people.places[resource].namespace;
                self.secrets.lose(namespace, left(long)).await;
            }
            Event::Strangers(first, count, long) => {
                people
                    .send_strangers(number, first, count, left(long))
                    .await;
            }
            Event::ExpireTokens => {
                self.sim.revoke_tokens(None);
            }
            Event::Jobs(plan) => self.sim.default_job(plan),
            Event::NextJob(resource, plan) => self.next_job(resource, plan),
            Event::Foreign(resource, long) => {
                let instance = &people.places[resource].instance;
                let plan = JobPlan::lasting(left(long));
                self.sim.start_job(instance, "Backup", plan).unwrap();
            }
            Event::Cloud(trouble, long) => {
                trouble::of_cloud(&self.sim, &people.places, trouble, left(long)).await;
            }
            Event::ApiServer(replica, trouble, long) => {
                let replica = &self.replicas[replica];
                if !trouble::of_api_server(replica, &people.places, trouble, left(long)).await {
                    self.log.say(&format!(
                        "{trouble:?} is passed over: there is other trouble"
                    ));
                }
            }
            Event::Kill(kill) => self.kill(kill).await,
        }
    }

    fn next_job(&self, resource: usize, plan: JobPlan) {
        if plan.port_shows == PortShows::Never {
            self.people.ledger.lie(resource);
        }
        let proxy = &self.people.places[resource].proxy;
        self.sim.next_job_of(proxy, plan);
    }

    async fn kill(&self, kill: Kill) {
        let leader = self.leader().await;
        let cause = |why: &str| self.hand_overs.cause(self.log.elapsed(), why);
        match kill {
            Kill::Leader => {
                cause("SIGKILL");
                self.note_end();
                leader.kill().await;
            }
            Kill::Terminate => {
                cause("SIGTERM");
                if !leader.terminate().await {
                    self.note_end();
                    let told = format!("replica {} did not end in time", leader.number + 1);
                    self.overstayed.lock().unwrap().push(told);
                }
            }
            Kill::Freeze(seconds) => {
                cause("SIGSTOP");
                leader.freeze(Duration::from_secs(seconds)).await;
            }
            Kill::Standby => {
                let standby = &self.replicas[1 - leader.number];
                self.note_end();
                standby.kill().await;
            }
        }
    }

    /// Who leads. While nobody does it is waited for; the first one where that takes too long.
    async fn leader(&self) -> &Replica {
        let began = Instant::now();
        while began.elapsed() < LED_WITHIN {
            for replica in &self.replicas {
                if replica.process().await.is_some_and(|(_, leads)| leads) {
                    return replica;
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        &self.replicas[0]
    }

    fn note_end(&self) {
        self.ends.lock().unwrap().push(Timestamp::now());
    }
}
