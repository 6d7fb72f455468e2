//! What a run is asked for, and where it leaves what happened.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

/// How long, how large, and by which plan.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For how long things go wrong.
    pub length: Duration,
    /// How many resources there are.
    pub resources: usize,
    /// What the plan is made from.
    pub seed: u64,
    /// Where the log of events and those of the operators go.
    pub folder: PathBuf,
}

impl Settings {
    /// As `make soak` hands them on: `SOAK_MINUTES`, `SOAK_RESOURCES` and `SOAK_SEED`; a seed that nobody gave is another one
    /// each time.
    pub fn from_environment() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seed = given("SOAK_SEED").unwrap_or_else(|| now.unwrap().as_secs());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("soak-{seed}"));
        fs::create_dir_all(&folder).unwrap();
        let minutes: u64 = given("SOAK_MINUTES").unwrap_or(60);
        Self {
            length: Duration::from_secs(minutes * 60),
            resources: given("SOAK_RESOURCES").unwrap_or(200),
            seed,
            folder,
        }
    }
}

fn given<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    let value = text.parse().ok();
    Some(value.unwrap_or_else(|| panic!("{name}: {text:?} is no whole number")))
}

/// Tells what happens in a file, line by line, with the seconds since the beginning.
pub struct Log {
    file: Mutex<File>,
    began: Instant,
    path: PathBuf,
}

impl Log {
    pub fn new(folder: &Path) -> Self {
        let path = folder.join("events.log");
        Self {
            file: Mutex::new(File::create(&path).unwrap()),
            began: Instant::now(),
            path,
        }
    }

    pub fn say(&self, what: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        writeln!(self.file.lock().unwrap(), "{seconds:>9.3}  {what}").unwrap();
    }

    /// How long it has been told so far.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}
