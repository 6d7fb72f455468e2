//! What the cloud was asked, counted while it happens: the simulator's journal keeps the last requests only.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Mutex,
};

use taurus_sim::{Control, Entry, Filter, JobState, JobView, Operation, Outcome};

use crate::world::recorder;

/// Counts the requests of a simulator.
pub struct Book {
    cloud: Control,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    /// All requests up to this one are counted.
    last: u64,
    /// Further ones that are: an older one has no answer yet.
    counted: BTreeSet<u64>,
    requests: BTreeMap<String, usize>,
    changes: Vec<Entry>,
    listed: HashSet<(String, u16)>,
}

/// What became of the requests for a change of one proxy.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub requests: usize,
    /// Those that the cloud let come to nothing: refused, lost on their way, or with a job that failed.
    pub fruitless: usize,
}

impl Book {
    pub fn new(cloud: Control) -> Self {
        let pages = Mutex::default();
        Self { cloud, pages }
    }

    /// Counts what was answered since the last time. An answer is in the journal before it leaves, so whatever an operator
    /// has done upon one, the answer is counted.
    pub fn catch_up(&self) {
        let mut pages = self.pages.lock().unwrap();
        for entry in self.cloud.entries(&Filter::all().since(pages.last)) {
            if entry.outcome != Outcome::Open && pages.counted.insert(entry.number) {
                pages.count(entry);
            }
        }
        loop {
            let next = pages.last + 1;
            if !pages.counted.remove(&next) {
                break;
            }
            pages.last = next;
        }
    }

    /// Whether a list has ever shown this port of a proxy.
    pub fn has_listed(&self, proxy: &str, port: u16) -> bool {
        let pages = self.pages.lock().unwrap();
        pages.listed.contains(&(proxy.to_owned(), port))
    }

    /// How many requests of each kind there were.
    pub fn requests(&self) -> BTreeMap<String, usize> {
        self.pages.lock().unwrap().requests.clone()
    }

    /// All requests for a change.
    pub fn changes(&self) -> Vec<Entry> {
        self.pages.lock().unwrap().changes.clone()
    }

    /// What became of the requests for a change, by the id of the proxy.
    pub fn changes_by_proxy(&self) -> HashMap<String, Changes> {
        let jobs = self.cloud.jobs();
        let failed: HashSet<&str> = jobs
            .iter()
            .filter(|job| matches!(job.state, JobState::Failed | JobState::Canceled))
            .map(|job| &*job.id)
            .collect();
        let mut of: HashMap<String, Changes> = HashMap::new();
        for change in self.changes() {
            let job = change.job_id.as_deref();
            let fruitless = !change.work_done || job.is_some_and(|job| failed.contains(job));
            let of_proxy = of.entry(change.proxy.unwrap_or_default()).or_default();
            of_proxy.requests += 1;
            of_proxy.fruitless += usize::from(fruitless);
        }
        of
    }

    /// Requests for a change that came while a job of ours was at work on the same instance.
    pub fn collisions(&self) -> Vec<String> {
        let jobs = self.cloud.jobs();
        let meets = |change: &Entry, job: &JobView| {
            job.proxy.is_some()
                && Some(&job.instance) == change.instance.as_ref()
                && Some(&job.id) != change.job_id.as_ref()
                && job.accepted <= change.at
                && job.ends.is_none_or(|end| change.at < end)
        };
        let changes = self.changes();
        let pairs = changes.iter().filter_map(|change| {
            let met = jobs.iter().find(|job| meets(change, job))?;
            Some(format!("{change} at {} met {met:?}", change.at))
        });
        pairs.collect()
    }
}

impl Pages {
    fn count(&mut self, entry: Entry) {
        let kind = format!("{:?}", entry.operation).to_lowercase();
        *self.requests.entry(kind).or_default() += 1;
        self.listed.extend(recorder::ports_shown(&entry));
        if entry.operation == Operation::Change {
            self.changes.push(entry);
        }
    }
}
