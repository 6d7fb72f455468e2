//! The two processes: each is started again whenever it has ended, as a kubelet would, and it is told why it did.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::ExitStatus,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{DIVISOR, LEASE_NAMESPACE, RESYNC, settings::Log};
use crate::world::{plane, program::Program, relay::Relay};

/// So long after trouble with the API server, or a freeze, a process may find that it has been deposed, and end.
const AFTERMATH: Duration = Duration::from_mins(1);

/// A pod that is asked to end is killed after this.
const GRACE: Duration = Duration::from_mins(1);

/// One of the two.
pub struct Replica {
    pub number: usize,
    pub relay: tokio::sync::Mutex<Relay>,
    program: tokio::sync::Mutex<Option<Program>>,
    facts: Mutex<Facts>,
    /// Leads to the relay; its token is good for an hour, so each process gets another one.
    kubeconfig: Value,
    endpoint: String,
    log: Arc<Log>,
    /// Where it logs.
    pub path: PathBuf,
}

#[derive(Default)]
struct Facts {
    /// The signal that is to end it.
    doomed: Option<i32>,
    excused_until: Option<Instant>,
    ended: usize,
    unexpected: Vec<String>,
}

impl Replica {
    /// Prepares one; it logs into this folder.
    pub async fn new(
        number: usize,
        endpoint: &str,
        folder: &std::path::Path,
        log: Arc<Log>,
    ) -> Arc<Self> {
        let path = folder.join(format!("operator-{}.log", number + 1));
        // Each process of it adds to the file.
        std::fs::write(&path, "").unwrap();
        let relay = Relay::start(&*plane::shared().await).await;
        let kubeconfig = std::fs::read_to_string(relay.kubeconfig()).unwrap();
        Arc::new(Self {
            number,
            kubeconfig: serde_json::from_str(&kubeconfig).unwrap(),
            relay: tokio::sync::Mutex::new(relay),
            program: tokio::sync::Mutex::default(),
            facts: Mutex::default(),
            endpoint: endpoint.to_owned(),
            log,
            path,
        })
    }

    /// Keeps a process running for as long as this is polled.
    pub async fn keep_running(&self) {
        loop {
            let started = self.start().await;
            *self.program.lock().await = Some(started);
            self.log.say(&format!("replica {} starts", self.number + 1));
            let status = loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let mut program = self.program.lock().await;
                let running = program.as_mut().expect("it was started");
                if !running.is_running() {
                    break running.ended().await;
                }
            };
            self.ended(status);
        }
    }

    async fn start(&self) -> Program {
        let kubeconfig = self.path.with_extension("kubeconfig");
        let fresh = plane::operator_kubeconfig(&*plane::shared().await).await;
        let fresh: Value = serde_json::from_str(&fresh).unwrap();
        let mut through_relay = self.kubeconfig.clone();
        through_relay["users"] = fresh["users"].clone();
        std::fs::write(&kubeconfig, through_relay.to_string()).unwrap();
        let pace = DIVISOR.to_string();
        let resync = format!("{}s", RESYNC.as_secs());
        let environment = [
            ("KUBECONFIG", kubeconfig.to_str().unwrap()),
            ("TAURUS_PACE", &pace),
        ];
        let flags = [
            "--leader-elect",
            "--lease-namespace",
            LEASE_NAMESPACE,
            "--resync",
            &resync,
            // Far more happens to these proxies than limits are made for.
            "--max-concurrent-changes=50",
            "--max-changes-per-hour=10000",
            "--halt-after-failures=1000",
            "--calls-per-minute=600",
        ];
        Program::launch(&self.endpoint, &self.path, &environment, &flags)
    }

    fn ended(&self, status: ExitStatus) {
        let mut facts = self.facts.lock().unwrap();
        let excused = facts
            .excused_until
            .is_some_and(|until| Instant::now() < until);
        let deposed = excused && status.code() == Some(1);
        let expected = match facts.doomed.take() {
            Some(KILL) => status.signal() == Some(KILL),
            Some(_) => status.code() == Some(0) || deposed,
            None => deposed,
        };
        let told = format!("replica {} ends: {status}", self.number + 1);
        self.log.say(&told);
        facts.ended += 1;
        if !expected {
            facts.unexpected.push(told);
        }
    }

    /// From now on, and for a while after this, it may find that it no longer leads.
    pub fn excuse(&self, long: Duration) {
        let until = Instant::now() + long + AFTERMATH;
        let mut facts = self.facts.lock().unwrap();
        facts.excused_until = facts.excused_until.max(Some(until));
    }

    /// Kills it.
    pub async fn kill(&self) {
        self.facts.lock().unwrap().doomed = Some(KILL);
        self.signal("KILL").await;
    }

    /// Asks it to end, and waits until it has; false if it had to be killed after its time of grace.
    pub async fn terminate(&self) -> bool {
        let before = {
            let mut facts = self.facts.lock().unwrap();
            facts.doomed = Some(TERM);
            facts.ended
        };
        self.signal("TERM").await;
        let ending = async {
            while self.facts.lock().unwrap().ended == before {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(GRACE, ending).await.is_ok();
        if !in_time {
            self.kill().await;
        }
        in_time
    }

    /// Stops it for a while, and lets it go on.
    pub async fn freeze(&self, long: Duration) {
        self.excuse(long);
        self.signal("STOP").await;
        tokio::time::sleep(long).await;
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        if let Some(program) = &*self.program.lock().await
            && program.id().is_some()
        {
            program.signal(name).await;
        }
    }

    /// The process, and whether it says that it leads.
    pub async fn process(&self) -> Option<(u32, bool)> {
        let (id, asking) = {
            let program = self.program.lock().await;
            let program = program.as_ref()?;
            (program.id()?, program.ask("/metrics"))
        };
        let figures = tokio::time::timeout(Duration::from_secs(1), asking).await;
        let leads = figures.ok().flatten();
        let leads = leads.is_some_and(|(_, figures)| figures.contains("taurus_leading 1"));
        Some((id, leads))
    }

    /// How many times it ended, and the ends that nobody explains.
    pub fn ends(&self) -> (usize, Vec<String>) {
        let facts = self.facts.lock().unwrap();
        (facts.ended, facts.unexpected.clone())
    }

    /// Ends it for good.
    pub async fn stop(&self) {
        self.program.lock().await.take();
    }
}

const KILL: i32 = 9;
const TERM: i32 = 15;
