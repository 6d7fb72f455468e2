//! Reads proxies from the cloud, with the operator's own client: its budget of calls, its locks, its checks of addresses.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use taurus_port_operator::{
    clock::{self, Clock},
    cloud::{
        Cloud, CloudError, Instance, Meaning, Urgency,
        budget::CallLimit,
        connector::{Connector, Policy},
        egress::Egress,
        endpoints::AllowList,
        http::HttpCloud,
        names::Names,
    },
    config::authorities::Authorities,
    controller::read::Subject,
    fleet::claims::InstanceKey,
    model::{InstanceId, ProjectId, ProxyId},
    pace::Pace,
};

use super::{
    Found, Place, credentials,
    progress::{Asked, Progress},
};
use crate::{cli::ImportArguments, cluster::Cluster, failure::Failure, surroundings::Surroundings};

/// So many instances are read at once; the budget bounds them all.
const AT_ONCE: usize = 4;

/// So often a call is made that fails in a way that passes.
const TRIES: u32 = 5;

/// The first pause after such a failure; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(2);

/// What was found, and what could not be read.
pub async fn read(
    cluster: Option<&Cluster>,
    arguments: &ImportArguments,
    around: &mut Surroundings<'_>,
) -> Result<(Vec<Found>, Vec<String>), Failure> {
    if arguments.projects.is_empty() {
        return Err(Failure::Usage("name the project with --project".to_owned()));
    }
    if arguments.region.is_none() && arguments.endpoint.is_none() {
        let text = "say where the cloud is: --region, or --endpoint for a private cloud";
        return Err(Failure::Usage(text.to_owned()));
    }
    let place = Place {
        region: arguments.region.clone(),
        endpoint: arguments.endpoint.clone(),
        iam_endpoint: arguments.iam_endpoint.clone(),
    };
    let credential = credentials::find(cluster, arguments, around).await?;
    let connector = connector(arguments, around)?;
    let asked = Asked::of(&place, arguments);
    let mut progress = Progress::open(arguments.resume.as_deref(), asked)?;
    let mut unread = Vec::new();
    for project in &arguments.projects {
        let cloud = client(&connector, arguments, project, credential.clone())?;
        let instances = instances(&cloud, arguments, project).await?;
        let left = instances
            .into_iter()
            .filter(|instance| !progress.has(instance.id.as_str()));
        let left: Vec<Instance> = left.collect();
        let bar = bar(left.len());
        let cloud = &cloud;
        let mut reading = stream::iter(left)
            .map(|instance| async move {
                let read =
                    again(|| async { turn(cloud).await?.list_proxies(&instance.id).await }).await;
                (instance, read)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((instance, read)) = reading.next().await {
            bar.inc(1);
            let id = instance.id.as_str();
            match read {
                Ok(proxies) => {
                    let found = proxies
                        .iter()
                        .map(|proxy| Found::of(&place, project, &instance, proxy));
                    progress.take(id, found.collect())?;
                }
                Err(error) if is_fatal(&error) => {
                    bar.finish_and_clear();
                    return Err(refused(project, &error));
                }
                Err(error) => unread.push(format!("{id} ({}): {error}", instance.name)),
            }
        }
        bar.finish_and_clear();
    }
    let is_whole = unread.is_empty();
    unread.sort();
    Ok((progress.end(is_whole), unread))
}

/// The instances that are named, or all of the project.
async fn instances(
    cloud: &HttpCloud,
    arguments: &ImportArguments,
    project: &str,
) -> Result<Vec<Instance>, Failure> {
    if arguments.instances.is_empty() {
        let listed = again(|| async { cloud.list_instances().await }).await;
        let mut listed = listed.map_err(|error| refused(project, &error))?;
        listed.retain(|instance| {
            let has = |(key, value): &(String, String)| instance.tags.get(key) == Some(value);
            arguments.tags.iter().all(has)
        });
        return Ok(listed);
    }
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

/// What every other instance would be told as well.
fn is_fatal(error: &CloudError) -> bool {
    matches!(
        error.meaning,
        Meaning::Unauthenticated
            | Meaning::ClockSkew
            | Meaning::Locked
            | Meaning::Denied
            | Meaning::EndpointNotAllowed
            | Meaning::RegionUnknown
            | Meaning::TlsFailed
    )
}

fn refused(project: &str, error: &CloudError) -> Failure {
    let hint = match error.meaning {
        Meaning::Denied => "; docs/iam.md has the policy for import",
        Meaning::NotFound => "; is the project of this region?",
        _ => "",
    };
    Failure::Usage(format!(
        "the cloud can't be read for project {project}: {error}{hint}"
    ))
}

fn client(
    connector: &Connector,
    arguments: &ImportArguments,
    project: &str,
    credential: taurus_port_operator::cloud::auth::secret::Credential,
) -> Result<HttpCloud, Failure> {
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
    connector
        .open(&subject, credential)
        .map_err(|error| refused(project, &error))
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
        .map(host);
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
            calls: arguments.calls_per_minute.max(CallLimit::LEAST),
            per: Duration::from_mins(1),
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
