//! Runs schedules by the thousand, or plays a single one and tells what happens.
#![allow(
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a program for people"
)]

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use taurus_schedules::{Schedule, Verdict, play_gated, play_publishing, play_with};

/// Most of what a schedule does is to make small values and to drop them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Progress is kept after so many schedules of a shard.
const STRIDE: u64 = 1000;

/// Whole operators over an in-memory API server and cloud, by seeded schedules.
#[derive(Parser)]
struct Arguments {
    /// Play this one schedule and tell what happens
    #[arg(long)]
    seed: Option<u64>,
    /// Resources also publish where their proxies are
    #[arg(long)]
    publishing: bool,
    /// People also say when changes may start, and approve them
    #[arg(long, conflicts_with = "publishing")]
    gated: bool,
    /// How many schedules to play
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many threads; each has its own range of seeds
    #[arg(long, default_value_t = threads())]
    threads: u64,
    /// A file that keeps how far each range has come; the next run goes on there
    #[arg(long)]
    progress: Option<PathBuf>,
}

fn threads() -> u64 {
    std::thread::available_parallelism().map_or(1, |count| u64::try_from(count.get()).unwrap_or(1))
}

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::parse();
    // A broken rule of status panics; it is caught and told with its seed.
    std::panic::set_hook(Box::new(|_| ()));
    if let Some(seed) = arguments.seed {
        let verdict = arguments.play(seed, true);
        tell(seed, &arguments.schedule(seed), &verdict);
        return Ok(code(verdict.breaches.is_empty()));
    }
    run(&arguments)
}

fn code(passed: bool) -> ExitCode {
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Arguments {
    fn schedule(&self, seed: u64) -> Schedule {
        if self.publishing {
            Schedule::publishing(seed)
        } else if self.gated {
            Schedule::gated(seed)
        } else {
            Schedule::of(seed)
        }
    }

    fn play(&self, seed: u64, traced: bool) -> Verdict {
        if self.publishing {
            play_publishing(seed, None, traced)
        } else if self.gated {
            play_gated(seed, None, traced)
        } else {
            play_with(seed, None, traced)
        }
    }

    /// How one of them is played again.
    fn again(&self, seed: u64) -> String {
        format!("make schedules SEED={seed}{}", self.kind())
    }

    /// What is played beside crashes and faults, as the Makefile takes it.
    fn kind(&self) -> &'static str {
        match (self.publishing, self.gated) {
            (true, _) => " PUBLISHING=1",
            (_, true) => " GATED=1",
            (false, false) => "",
        }
    }
}

fn tell(seed: u64, schedule: &Schedule, verdict: &Verdict) {
    println!("schedule {seed}: {schedule:#?}");
    for line in &verdict.trace {
        println!("{line}");
    }
    println!(
        "{} changes were asked for, {} versions were written, {} s passed",
        verdict.requests,
        verdict.versions,
        verdict.took.as_secs()
    );
    for breach in &verdict.breaches {
        println!("BROKEN: {breach}");
    }
}

/// What all shards have done in this run.
#[derive(Default)]
struct Sums {
    played: AtomicU64,
    requests: AtomicU64,
    failed: Mutex<Vec<u64>>,
}

fn run(arguments: &Arguments) -> io::Result<ExitCode> {
    let began = Instant::now();
    let sums = Sums::default();
    let progress = Progress::open(arguments)?;
    std::thread::scope(|scope| {
        for shard in 0..arguments.threads {
            let (sums, progress) = (&sums, &progress);
            scope.spawn(move || play_shard(arguments, shard, sums, progress));
        }
    });
    let played = sums.played.load(Ordering::SeqCst);
    let mut failed = sums
        .failed
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    failed.sort_unstable();
    let took = began.elapsed();
    // All of it was played: the next run begins anew.
    if let Some(file) = &arguments.progress {
        fs::remove_file(file)?;
    }
    println!(
        "{played} schedules with {} changes in {} s, {} threads: {} a second and thread; {} broke a promise",
        sums.requests.load(Ordering::SeqCst),
        took.as_secs(),
        arguments.threads,
        rate(played, took, arguments.threads),
        failed.len(),
    );
    for seed in &failed {
        println!("  {}", arguments.again(*seed));
    }
    Ok(code(failed.is_empty()))
}

fn rate(played: u64, took: Duration, threads: u64) -> u128 {
    let spent = took.as_millis().max(1) * u128::from(threads.max(1));
    u128::from(played) * 1000 / spent
}

fn play_shard(arguments: &Arguments, shard: u64, sums: &Sums, progress: &Progress) {
    let each = arguments.count.div_ceil(arguments.threads.max(1));
    let first = arguments.from + shard * each;
    let end = (first + each).min(arguments.from + arguments.count);
    for seed in progress.reached(first)..end {
        let verdict = arguments.play(seed, false);
        sums.played.fetch_add(1, Ordering::SeqCst);
        let requests = u64::try_from(verdict.requests).unwrap_or_default();
        sums.requests.fetch_add(requests, Ordering::SeqCst);
        if let Some(breach) = verdict.breaches.first() {
            let shown: String = breach.chars().take(1000).collect();
            let schedule = arguments.schedule(seed);
            println!("schedule {seed} BROKE: {shown}\n{schedule:?}");
            sums.failed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(seed);
        }
        if (seed + 1) % STRIDE == 0 || seed + 1 == end {
            progress.keep(first, seed + 1);
        }
    }
}

/// How far each range of seeds has come, by its first seed.
struct Progress {
    file: Option<PathBuf>,
    reached: Mutex<BTreeMap<u64, u64>>,
}

impl Progress {
    fn open(arguments: &Arguments) -> io::Result<Self> {
        let key = format!(
            "{} {} {}{}",
            arguments.from,
            arguments.count,
            arguments.threads,
            arguments.kind(),
        );
        let reached = match &arguments.progress {
            Some(file) if file.exists() => read(file, &key)?,
            _ => BTreeMap::new(),
        };
        if !reached.is_empty() {
            println!("going on where the last run ended: {reached:?}");
        }
        let file = arguments.progress.clone();
        if let Some(file) = &file {
            fs::write(file, format!("{key}\n"))?;
        }
        let progress = Self {
            file,
            reached: Mutex::new(reached),
        };
        progress.write(&key);
        Ok(progress)
    }

    fn reached(&self, first: u64) -> u64 {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.get(&first).copied().unwrap_or(first)
    }

    fn keep(&self, first: u64, next: u64) {
        self.reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(first, next);
        let Some(file) = &self.file else { return };
        if let Ok(text) = fs::read_to_string(file) {
            self.write(text.lines().next().unwrap_or_default());
        }
    }

    fn write(&self, key: &str) {
        let Some(file) = &self.file else { return };
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = reached
            .iter()
            .map(|(first, next)| format!("{first} {next}\n"));
        // Whoever loses this plays some schedules once more.
        fs::write(file, format!("{key}\n{}", lines.collect::<String>())).ok();
    }
}

/// The ranges of an earlier run of the same kind.
fn read(file: &Path, key: &str) -> io::Result<BTreeMap<u64, u64>> {
    let text = fs::read_to_string(file)?;
    let mut lines = text.lines();
    if lines.next() != Some(key) {
        return Ok(BTreeMap::new());
    }
    let ranges = lines.filter_map(|line| {
        let (first, next) = line.split_once(' ')?;
        Some((first.parse().ok()?, next.parse().ok()?))
    });
    Ok(ranges.collect())
}
