//! The applications: real pools of clients, each a program of its own that says of each query when it ended and how.

use std::{
    fmt,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use taurus_controlplane::needs;

use crate::world::{PATIENCE, tools};

/// The folder of what the story is played with; it ends the test where it was not built.
pub fn built() -> PathBuf {
    let asked = Command::new(tools::root().join("tests/applications/build"))
        .arg("--find")
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let path = String::from_utf8(asked.stdout).unwrap();
    if path.is_empty() {
        let way = "database and applications are not built: run `make applications`";
        needs::lacking("applications", way);
    }
    PathBuf::from(path.trim())
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// A query that has ended.
#[derive(Debug, Clone)]
struct Query {
    at: u64,
    worker: usize,
    /// Nothing where it succeeded.
    error: Option<String>,
}

/// How the pools are set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settings {
    /// As they are by themselves.
    Defaults,
    /// Each connection is checked before it is used.
    Checks,
    /// The same, and a query that fails is repeated for ten seconds.
    Retries,
}

impl Settings {
    /// As the applications are told of it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::Checks => "checks",
            Self::Retries => "retries",
        }
    }
}

/// How many workers an application has.
const WORKERS: usize = 4;

/// For how long a connection that was cut may still have answered, in milliseconds.
const CUT_WITHIN: u64 = 50;

/// A running application; it ends with the story.
pub struct Pool {
    /// For people.
    pub name: &'static str,
    child: Child,
    _input: ChildStdin,
    queries: Arc<Mutex<Vec<Query>>>,
}

/// What an application saw.
#[derive(Debug, Clone, Copy)]
pub struct Tally {
    pub queries: usize,
    pub failed: usize,
    /// The longest time between two successful queries.
    pub gap: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queries,
            failed,
            gap,
        } = self;
        write!(f, "{queries}, {failed}, {gap}")
    }
}

impl Pool {
    /// All of them, which find their database there.
    pub fn all(host: &str, port: u16, settings: Settings) -> Vec<Self> {
        let folder = built();
        let go = Command::new(folder.join("go-pool"));
        let mut java = Command::new("java");
        let java_folder = folder.join("java");
        let path = format!("{0}:{0}/*", java_folder.display());
        java.args(["-Xmx128m", "-XX:+UseSerialGC", "-cp", &path, "Pool"]);
        let mut python = Command::new(folder.join("python/bin/python"));
        python.arg(folder.join("python/pool.py"));
        [
            ("Go, database/sql", go),
            ("Java, HikariCP", java),
            ("Python, SQLAlchemy", python),
        ]
        .into_iter()
        .map(|(name, mut command)| {
            command.args([host, &port.to_string(), settings.word()]);
            Self::start(name, command)
        })
        .collect()
    }

    fn start(name: &'static str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let queries = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&queries);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let (at, rest) = line.split_once(' ').unwrap();
                let (worker, outcome) = rest.split_once(' ').unwrap();
                let query = Query {
                    at: at.parse().unwrap(),
                    worker: worker.parse().unwrap(),
                    error: (outcome != "ok").then(|| outcome.to_owned()),
                };
                kept.lock().unwrap().push(query);
            }
        });
        Self {
            name,
            _input: child.stdin.take().unwrap(),
            child,
            queries,
        }
    }

    /// Waits for ten more queries that succeed.
    pub async fn queries_again(&self) {
        let since = now();
        let again = |query: &&Query| query.at > since && query.error.is_none();
        self.until(|queries| queries.iter().filter(again).count() >= 10)
            .await;
    }

    /// Waits for a query that fails.
    pub async fn until_failed(&self) {
        let since = now();
        let failed = |query: &Query| query.at > since && query.error.is_some();
        self.until(|queries| queries.iter().any(failed)).await;
    }

    /// Waits until each worker has queried again since then, and gives how long each took, in milliseconds. What a connection may have
    /// answered before it was cut does not count.
    pub async fn until_back(&self, since: u64) -> Vec<u64> {
        let back = |queries: &[Query]| -> Vec<u64> {
            let workers = 0..WORKERS;
            let times = workers.filter_map(|worker| first_since(queries, worker, since));
            times.collect()
        };
        self.until(|queries| back(queries).len() == WORKERS).await;
        let queries = self.queries.lock().unwrap();
        back(queries.as_slice())
    }

    async fn until(&self, is: impl Fn(&[Query]) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is(&self.queries.lock().unwrap()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(waited.await.is_ok(), "{}: {}", self.name, self.log());
    }

    /// What it saw since then; the gap begins with the last success before.
    pub fn since(&self, began: u64) -> Tally {
        let queries = self.queries.lock().unwrap();
        let of_part = || queries.iter().filter(|query| query.at >= began);
        let mut successes: Vec<u64> = queries
            .iter()
            .filter(|query| query.error.is_none())
            .map(|query| query.at)
            .collect();
        successes.sort_unstable();
        let gaps = successes.windows(2).filter(|pair| pair[1] >= began);
        Tally {
            queries: of_part().count(),
            failed: of_part().filter(|query| query.error.is_some()).count(),
            gap: gaps.map(|pair| pair[1] - pair[0]).max().unwrap_or_default(),
        }
    }

    /// Its last errors.
    pub fn log(&self) -> String {
        let queries = self.queries.lock().unwrap();
        let errors = queries
            .iter()
            .rev()
            .filter_map(|query| Some(format!("{} {}", query.at, query.error.as_ref()?)));
        errors.take(5).collect::<Vec<_>>().join("\n")
    }
}

/// How long after that a worker has queried again, in milliseconds.
fn first_since(queries: &[Query], worker: usize, since: u64) -> Option<u64> {
    let mut queries = queries.iter();
    let first = queries.find(|query| {
        query.worker == worker && query.error.is_none() && query.at > since + CUT_WITHIN
    });
    first.map(|query| query.at - since)
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
