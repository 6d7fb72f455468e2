//! Reads proxies from the cloud, with the operator's own client: its budget of calls, its locks, its checks of addresses.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use taurus_port_operator::{
    clock::{self, Clock},
    cloud::{
        Cloud, CloudError, Instance, Meaning, Proxies, Urgency,
        auth::secret::Credential,
        authorities::Authorities,
        budget::CallLimit,
        connector::{Connector, Policy},
        egress::Egress,
        http::HttpCloud,
        names::Names,
    },
    model::{InstanceId, ProjectId, ProxyId},
    pace::Pace,
    place::{
        InstanceKey, Subject,
        endpoints::{self, AllowList},
    },
};

use super::{
    Found, Place, credentials,
    progress::{Asked, Earlier, Progress},
};
use crate::{cli::ImportArguments, cluster::Cluster, failure::Failure, surroundings::Surroundings};

/// So many instances are read at once; the budget bounds them all.
const AT_ONCE: usize = 4;

/// So often a call is made that fails in a way that passes.
const TRIES: u32 = 5;

/// The first pause after such a failure; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(2);

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// The proxies.
    pub found: Vec<Found>,
    /// What could not be read, with the reason.
    pub unread: Vec<String>,
    /// What of it an earlier run has read.
    pub earlier: Option<Earlier>,
}

/// What was found, and what could not be read; an error where the command is interrupted.
pub async fn read(
    cluster: Option<&Cluster>,
    arguments: &ImportArguments,
    around: &mut Surroundings<'_>,
) -> Result<Read, Failure> {
    let tally = Tally::default();
    let reading = Box::pin(read_all(cluster, arguments, around, &tally));
    tokio::select! {
        read = reading => read,
        Ok(()) = tokio::signal::ctrl_c() => Err(Failure::Interrupted(tally.when_interrupted(arguments))),
    }
}

/// How far a run came.
#[derive(Debug, Default)]
struct Tally {
    read: Cell<usize>,
    asked_for: Cell<usize>,
}

impl Tally {
    /// What is said of a run that is interrupted.
    fn when_interrupted(&self, arguments: &ImportArguments) -> String {
        let (read, asked_for) = (self.read.get(), self.asked_for.get());
        let came = match asked_for {
            0 => "no instance was read".to_owned(),
            _ => format!("{read} of {asked_for} instances were read"),
        };
        match &arguments.resume {
            Some(file) if read > 0 => format!(
                "{came}, and no manifest was written; go on with --resume {}",
                file.display()
            ),
            Some(_) => format!("{came}, and nothing was written"),
            None => {
                format!("{came}, and nothing was written; --resume FILE keeps what was read")
            }
        }
    }
}

async fn read_all(
    cluster: Option<&Cluster>,
    arguments: &ImportArguments,
    around: &mut Surroundings<'_>,
    tally: &Tally,
) -> Result<Read, Failure> {
    let place = Place::of(arguments);
    let credential = credentials::find(cluster, arguments, around).await?;
    let connector = connector(arguments, around)?;
    let asked = Asked::of(&place, arguments);
    let mut reading = Reading {
        progress: Progress::open(arguments.resume.as_deref(), asked)?,
        place,
        arguments,
        tally,
        now: around.now,
        listed: BTreeSet::new(),
        partly: Vec::new(),
        unread: BTreeMap::new(),
    };
    // A token is of one project, and says nothing of the others where it is refused.
    let is_token = matches!(credential, Credential::Token(_));
    let mut refusals = Vec::new();
    let mut left = arguments.projects.iter();
    while let Some(project) = left.next() {
        let refusal = match client(&connector, arguments, project, &credential)? {
            Ok(cloud) => reading.project(&cloud, project).await?,
            Err(error) => Some(error),
        };
        let Some(error) = refusal else {
            continue;
        };
        refusals.push(refused(project, &error));
        if ends_all(&error) && !(is_token && error.meaning == Meaning::Unauthenticated) {
            refusals.extend(left.map(|project| format!("project {project}: not asked after that")));
            break;
        }
    }
    if refusals.len() == arguments.projects.len() && reading.progress.is_empty() {
        let text = format!("the cloud can't be read: {}", refusals.join("\n"));
        return Err(Failure::Usage(text));
    }
    Ok(reading.end(refusals))
}

/// What a run has read so far.
struct Reading<'a> {
    place: Place,
    arguments: &'a ImportArguments,
    tally: &'a Tally,
    now: fn() -> Timestamp,
    progress: Progress,
    /// The instances that are asked for and are in the list of a project.
    listed: BTreeSet<String>,
    /// The proxies of instances that have more which can't be understood.
    partly: Vec<Found>,
    /// Why instances could not be read, by their ids.
    unread: BTreeMap<String, String>,
}

impl Reading<'_> {
    /// Reads a project; gives the error that ended it.
    async fn project(
        &mut self,
        cloud: &HttpCloud,
        project: &str,
    ) -> Result<Option<CloudError>, Failure> {
        let listed = again(|| async { cloud.list_instances().await }).await;
        // Who may not list instances may read the named ones, if they are of this project.
        let is_guess = !self.arguments.instances.is_empty()
            && matches!(&listed, Err(error) if error.meaning == Meaning::Denied);
        let instances = match listed {
            Ok(instances) => instances,
            Err(_) if is_guess => named_ones(self.arguments)?,
            Err(error) => return Ok(Some(error)),
        };
        let asked_for = instances.into_iter().filter(|one| self.asks_for(one));
        let asked_for: Vec<Instance> = asked_for.collect();
        if !is_guess {
            let ids = asked_for.iter().map(|one| one.id.as_str().to_owned());
            self.listed.extend(ids);
        }
        let total = asked_for.len();
        let left = asked_for.into_iter();
        let left = left.filter(|one| !self.progress.has(one.id.as_str()));
        let left: Vec<Instance> = left.collect();
        let Tally { read, asked_for } = self.tally;
        asked_for.set(asked_for.get() + total);
        read.set(read.get() + total - left.len());
        let bar = bar(left.len());
        let mut reading = stream::iter(left)
            .map(|instance| async move {
                let read =
                    again(|| async { turn(cloud).await?.list_proxies(&instance.id).await }).await;
                (instance, read)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((instance, read)) = reading.next().await {
            bar.inc(1);
            match read {
                Ok(proxies) => self.take(project, &instance, &proxies)?,
                Err(error) if is_fatal(&error) => {
                    bar.finish_and_clear();
                    return Ok(Some(error));
                }
                Err(error) if is_guess && error.meaning == Meaning::NotFound => {}
                Err(error) => self.miss(&instance, &why(&error)),
            }
        }
        bar.finish_and_clear();
        Ok(None)
    }

    /// Whether the command line names the instance, or none, and the instance has the tags.
    fn asks_for(&self, instance: &Instance) -> bool {
        let named = &self.arguments.instances;
        let is_it = |id: &String| id.eq_ignore_ascii_case(instance.id.as_str());
        let has = |(key, value): &(String, String)| instance.tags.get(key) == Some(value);
        (named.is_empty() || named.iter().any(is_it)) && self.arguments.tags.iter().all(has)
    }

    fn take(
        &mut self,
        project: &str,
        instance: &Instance,
        proxies: &Proxies,
    ) -> Result<(), Failure> {
        let found = proxies
            .iter()
            .map(|proxy| Found::of(&self.place, project, instance, proxy));
        let found: Vec<Found> = found.collect();
        if proxies.has_gaps {
            self.miss(
                instance,
                "its list of proxies has entries that can't be understood",
            );
            self.partly.extend(found);
            return Ok(());
        }
        self.unread.remove(instance.id.as_str());
        self.progress
            .take(instance.id.as_str(), found, (self.now)())?;
        self.tally.read.set(self.tally.read.get() + 1);
        Ok(())
    }

    /// An instance can't be read, or not all of it.
    fn miss(&mut self, instance: &Instance, why: &str) {
        let text = format!("{}: {why}", named(instance));
        self.unread.insert(instance.id.as_str().to_owned(), text);
    }

    /// What was found, and what could not be read beside these projects.
    fn end(self, refusals: Vec<String>) -> Read {
        let whose = if refusals.is_empty() {
            "it is in none of the projects"
        } else {
            "it is in none of the projects that could be read"
        };
        let asked_for = self.arguments.instances.iter();
        let missing = asked_for
            .map(|id| id.to_ascii_lowercase())
            .filter(|id| !self.listed.contains(id) && !self.progress.has(id))
            .filter(|id| !self.unread.contains_key(id))
            .map(|id| format!("{id}: {whose}"));
        let missing: Vec<String> = missing.collect();
        let instances: BTreeSet<String> = missing
            .into_iter()
            .chain(self.unread.into_values())
            .collect();
        let mut unread = refusals;
        unread.extend(instances);
        let earlier = self.progress.earlier().cloned();
        let mut found = self.progress.end(unread.is_empty());
        found.extend(self.partly);
        Read {
            found,
            unread,
            earlier,
        }
    }
}

/// The instances that the command line names, of which no more is known.
fn named_ones(arguments: &ImportArguments) -> Result<Vec<Instance>, Failure> {
    let named = arguments.instances.iter().map(|id| {
        Ok(Instance {
            id: InstanceId::parse(id).map_err(|error| Failure::Usage(error.to_string()))?,
            name: String::new(),
            status: String::new(),
            tags: BTreeMap::new(),
        })
    });
    named.collect()
}

/// What an instance is called in a report.
fn named(instance: &Instance) -> String {
    if instance.name.is_empty() {
        instance.id.to_string()
    } else {
        format!("{} ({})", instance.id, instance.name)
    }
}

/// Nobody else waits for these calls: all of the budget is theirs.
async fn turn(cloud: &HttpCloud) -> Result<Arc<dyn Cloud>, CloudError> {
    cloud.turn(Urgency::Change, 1).await
}

/// Calls again what fails in a way that passes.
async fn again<T, F, R>(call: F) -> Result<T, CloudError>
where
    F: Fn() -> R,
    R: Future<Output = Result<T, CloudError>>,
{
    let mut pause = PAUSE;
    let mut tries = 1;
    loop {
        match call().await {
            Err(error) if passes(&error) && tries < TRIES => {
                clock::pause(error.retry_after.unwrap_or(pause)).await;
                pause *= 2;
                tries += 1;
            }
            result => return result,
        }
    }
}

fn passes(error: &CloudError) -> bool {
    matches!(
        error.meaning,
        Meaning::Busy
            | Meaning::Throttled
            | Meaning::OutOfCalls
            | Meaning::Slow
            | Meaning::Transient
            | Meaning::Unasked
            | Meaning::Malformed
    )
}

/// What every other instance of the project would be told as well.
fn is_fatal(error: &CloudError) -> bool {
    error.meaning == Meaning::Denied || ends_all(error)
}

/// What every other project would be told as well; where keys are refused, they are locked after some more.
fn ends_all(error: &CloudError) -> bool {
    matches!(
        error.meaning,
        Meaning::Unauthenticated
            | Meaning::ClockSkew
            | Meaning::Locked
            | Meaning::EndpointNotAllowed
            | Meaning::RegionUnknown
            | Meaning::TlsFailed
    )
}

/// Why a project can't be read.
fn refused(project: &str, error: &CloudError) -> String {
    let hint = if error.meaning == Meaning::NotFound {
        "; is the project of this region?"
    } else {
        ""
    };
    format!("project {project}: {}{hint}", why(error))
}

/// What went wrong, in words for those who import: the operator's own ones name its flags and fields of resources.
fn why(error: &CloudError) -> String {
    let is_of_the_cloud = error.code.is_some() || error.status.is_some();
    match error.meaning {
        Meaning::RegionUnknown => {
            "a user's password is exchanged at IAM, whose address is not known here: give --iam-endpoint"
                .to_owned()
        }
        Meaning::EndpointNotAllowed => {
            "an address can't be called: give --endpoint and --iam-endpoint as https://HOST or https://HOST:PORT"
                .to_owned()
        }
        Meaning::OutOfCalls => {
            "the calls of --calls-per-minute are used up, or the cloud asked for fewer: try again later"
                .to_owned()
        }
        Meaning::Locked if !is_of_the_cloud => {
            "the cloud refused this key or user several times, and locks it after more refusals: find out why before the next try"
                .to_owned()
        }
        Meaning::ClockSkew => {
            let text = error.to_string();
            text.replace("the operator's clock", "this machine's clock")
        }
        Meaning::Denied => format!("{error}; docs/adopt.md has the policy for import"),
        Meaning::TlsFailed => format!("{error}; --extra-ca names further authorities"),
        _ => error.to_string(),
    }
}

/// A client, or why there can be none.
fn client(
    connector: &Connector,
    arguments: &ImportArguments,
    project: &str,
    credential: &Credential,
) -> Result<Result<HttpCloud, CloudError>, Failure> {
    let usage = |text: String| Failure::Usage(text);
    // A subject names a proxy; nothing of it but project and place is asked for here.
    let nobody = "0".repeat(32);
    let project_id = ProjectId::parse(project).map_err(|error| usage(error.to_string()))?;
    let instance = InstanceId::parse(&format!("{nobody}in07"));
    let instance = instance.map_err(|error| usage(error.to_string()))?;
    let place = (arguments.region.as_deref(), arguments.endpoint.as_deref());
    let subject = Subject {
        region: arguments.region.clone(),
        endpoint: arguments.endpoint.clone(),
        iam_endpoint: arguments.iam_endpoint.clone(),
        instance: InstanceKey::new(place, &project_id, instance),
        project: project_id,
        proxy: ProxyId::parse(&format!("{nobody}po01"))
            .map_err(|error| usage(error.to_string()))?,
    };
    Ok(connector.open(&subject, credential))
}

fn connector(arguments: &ImportArguments, around: &Surroundings<'_>) -> Result<Connector, Failure> {
    let usage = |text: String| Failure::Usage(text);
    let host = |address: &String| {
        let host = address
            .split_once("://")
            .map_or(address.as_str(), |(_, host)| host);
        host.trim_end_matches('/').to_owned()
    };
    // Whoever types an address has allowed it.
    let named = arguments
        .endpoint
        .iter()
        .chain(&arguments.iam_endpoint)
        .flat_map(|address| {
            [
                host(address),
                endpoints::place(None, Some(address.as_str())),
            ]
        });
    let extra_authorities = match &arguments.extra_ca {
        Some(file) => {
            Authorities::read(file).map_err(|error| usage(format!("--extra-ca: {error}")))?
        }
        None => Authorities::none(),
    };
    let pace = Pace::real();
    let policy = Policy {
        allow: AllowList::new(named, arguments.allow_http),
        call_timeout: pace.call_timeout,
        lock_out: pace.lock_out(),
        throttle_pause: pace.throttled,
        extra_authorities,
        egress: Egress::new(around.variable).map_err(|error| usage(error.to_string()))?,
        names: Names::of_the_system(),
        call_limit: CallLimit {
            calls: arguments.calls_per_minute,
            per: Duration::from_mins(1),
            is_even: true,
        },
        calls_at_once: AT_ONCE,
        clock: Clock::start(),
        observer: Arc::new(()),
    };
    Connector::new(policy).map_err(|error| usage(error.to_string()))
}

/// At a terminal; elsewhere nothing is drawn.
fn bar(length: usize) -> ProgressBar {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} instances, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_run_says_how_far_it_came_and_how_to_go_on() {
        let said = |read: usize, asked_for: usize, resume: bool| {
            let tally = Tally {
                read: Cell::new(read),
                asked_for: Cell::new(asked_for),
            };
            let arguments = ImportArguments {
                resume: resume.then(|| "kept.json".into()),
                ..ImportArguments::default()
            };
            tally.when_interrupted(&arguments)
        };
        assert_eq!(
            said(5, 299, true),
            "5 of 299 instances were read, and no manifest was written; go on with --resume kept.json"
        );
        assert_eq!(
            said(5, 299, false),
            "5 of 299 instances were read, and nothing was written; --resume FILE keeps what was read"
        );
        assert_eq!(
            said(0, 0, true),
            "no instance was read, and nothing was written"
        );
    }

    #[test]
    fn nobody_who_imports_reads_of_the_operator_or_of_fields_of_a_resource() {
        let local = |meaning: Meaning, text: &str| CloudError::local(meaning, text);
        let region = CloudError::from(endpoints::service_of("nowhere-1").unwrap_err());
        let address = AllowList::default().check("http://cloud.test");
        let address = CloudError::from(address.unwrap_err());
        let clock = "the operator's clock is 20 min behind the cloud's clock";
        for (error, flag) in [
            (region, "--iam-endpoint"),
            (address, "--endpoint"),
            (
                local(Meaning::OutOfCalls, "the operator's --calls-per-minute"),
                "--calls-per-minute",
            ),
            (local(Meaning::Locked, "the operator waits"), "refused"),
            (
                local(Meaning::ClockSkew, clock),
                "this machine's clock is 20 min",
            ),
            (local(Meaning::Denied, "no"), "docs/adopt.md"),
            (local(Meaning::TlsFailed, "unknown issuer"), "--extra-ca"),
        ] {
            let text = why(&error);
            assert!(text.contains(flag), "{text}");
            for word in ["operator", "spec.", "this resource", "--allowed-endpoint"] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }
}
