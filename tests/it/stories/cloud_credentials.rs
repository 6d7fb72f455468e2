//! Credentials that are wrong, end, are changed, or would be right if the clock were.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::DeleteParams};
use serde_json::json;
use taurus_port_operator::{clock::Shift, crd::TaurusProxyPort};
use taurus_sim::{Accounts, Entry, Filter, Fleet, Mode, Operation, Options, sample};

use super::cloud_answers::assert_never_stalled;
use crate::world::{
    World, condition, in_all_modes, is_ready, job_id, job_of, message, operator::Setup, options,
    reason,
};

in_all_modes! {
    e11_a_token_that_ends_during_a_job_is_replaced_and_the_job_followed_on: token_ends;
}

/// The first token that a simulator was started with, as its journal names it.
const FIRST_TOKEN: &str = "token 1";

/// Requests that were refused for their credential.
fn refused(world: &World) -> Vec<Entry> {
    let entries = world.sim.journal().into_iter();
    entries
        .filter(|entry| entry.status() == Some(401))
        .collect()
}

/// The same, of requests for jobs.
fn refused_polls(world: &World) -> Vec<Entry> {
    let polls = world.sim.entries(&Filter::on(Operation::Job)).into_iter();
    polls.filter(|entry| entry.status() == Some(401)).collect()
}

/// The same resource with another Secret.
pub fn with_secret(resource: TaurusProxyPort, secret: &str) -> TaurusProxyPort {
    let mut resource = resource;
    secret.clone_into(&mut resource.spec.credentials_ref.as_mut().unwrap().name);
    resource
}

async fn token_ends(mode: Mode) {
    let job = job_of(300);
    // A token of IAM, which the operator fetches anew by itself.
    let world = World::start(Options::stepped().mode(mode).job(job.clone())).await;
    world.until_neighbour_is_ready().await;
    // A Secret of its own: else the neighbour could be the first to meet the end of the token that they share.
    let own = [
        ("username", sample::USER),
        ("password", sample::PASSWORD),
        ("domainName", sample::DOMAIN),
    ];
    world.secret("own", &own).await;
    world
        .create(&with_secret(world.resource(3307), "own"))
        .await;
    world
        .until_true("its job is followed", || followed(&world).len() > 1)
        .await;
    let user = format!("{}/{}", sample::DOMAIN, sample::USER);
    world.sim.expire_tokens(Some(&user), Duration::from_mins(2));
    world.pass(120);
    world
        .until_true("a poll was refused", || !refused_polls(&world).is_empty())
        .await;
    followed_on(world).await;

    // A token that somebody puts into the Secret.
    let (old, new) = ("the-token-of-yesterday", "the-token-of-today");
    let accounts = Accounts::sample().token(old).token(new);
    let options = Options::stepped().mode(mode).job(job).accounts(accounts);
    let world = World::start(options).await;
    world.secret("token", &[("token", old)]).await;
    let mut resource = with_secret(world.resource(3307), "token");
    resource.spec.iam_endpoint = None;
    world.create(&resource).await;
    world
        .until_true("its job is followed", || followed(&world).len() > 1)
        .await;
    world.sim.revoke_tokens(Some(FIRST_TOKEN));
    let revoked = Instant::now();
    world
        .until_true("a poll was refused", || !refused_polls(&world).is_empty())
        .await;
    world.secret("token", &[("token", new)]).await;
    world
        .until("going on", |object| reason(object) == "JobRunning")
        .await;
    // A second is a minute of the operator: once in each it may try a key that was refused.
    let most = 2 + revoked.elapsed().as_secs();
    let refused = refused_polls(&world).len();
    assert!(refused as u64 <= most, "{refused} polls, {most} at most");
    for object in world.recorder.versions_of("orders") {
        assert_ne!(condition(&object, "JobSucceeded"), "False", "{object:#?}");
    }
    followed_on_to_its_end(world).await;
}

async fn followed_on(world: World) {
    assert_never_stalled(&world, "orders");
    followed_on_to_its_end(world).await;
}

/// The job that was begun is the only one that is asked for, and it ends well.
async fn followed_on_to_its_end(world: World) {
    let job = job_id(&world.get().await).unwrap().to_owned();
    world
        .until_true("it is followed", || followed(&world).len() > 1)
        .await;
    let before = followed(&world).len();
    world
        .until_true("it is followed on", || followed(&world).len() > before + 1)
        .await;
    world.pass(300);
    world.until_ready(3307).await;
    assert!(followed(&world).iter().all(|id| *id == job));
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

/// The jobs that were asked for, of the story's proxy.
fn followed(world: &World) -> Vec<String> {
    let polls = Filter::on(Operation::Job).proxy(sample::PROXY);
    let polls = world.sim.entries(&polls).into_iter();
    polls
        .filter(|entry| entry.status() == Some(200))
        .filter_map(|entry| entry.query.into_iter().find(|(name, _)| name == "id"))
        .map(|(_, id)| id)
        .collect()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e09_a_clock_that_is_off_is_named_with_its_difference_and_not_called_a_wrong_key() {
    let shift = Shift::forever();
    shift.set_wall(-20 * 60);
    let mut world = World::without_operator(options(Mode::M2)).await;
    let setup = Setup {
        shift: Some(shift),
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    world.want(3307).await;
    let told = world
        .until("told of the clock", |object| reason(object) == "ClockSkew")
        .await;
    let said = message(&told);
    assert!(
        said.contains("clock") && said.contains("20 min behind"),
        "{said}"
    );
    // Five minutes of the contract.
    let began = refused(&world)[0].after;
    let lasted = || {
        let journal = world.sim.journal();
        journal[journal.len() - 1].after.saturating_sub(began)
    };
    world.ask("again").await;
    world
        .until_true("five minutes", || lasted() >= Duration::from_secs(5))
        .await;
    let within = Duration::from_secs(5);
    let failing = refused(&world);
    let failing = failing
        .iter()
        .filter(|entry| entry.after.saturating_sub(began) <= within);
    assert!(failing.count() <= 5);
    assert_eq!(world.sim.blocked_until(sample::ACCESS_KEY), None);

    shift.set_wall(0);
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e10_a_wrong_key_that_many_share_is_never_locked_by_us() {
    const MANY: usize = 30;
    let fleet = Fleet::sample().numbered(MANY);
    let mut world = World::start(options(Mode::M2).fleet(fleet)).await;
    let wrong = [("accessKey", sample::ACCESS_KEY), ("secretKey", "mistyped")];
    let right = [
        ("accessKey", sample::ACCESS_KEY),
        ("secretKey", sample::SECRET_KEY),
    ];
    world.secret("keys", &wrong).await;
    for number in 0..MANY {
        world.create(&world.numbered(number, sample::PORT)).await;
    }
    let all_told = async |world: &World| {
        for number in 0..MANY {
            let name = format!("numbered-{number}");
            let told = |object: &TaurusProxyPort| reason(object) == "CredentialsInvalid";
            world.recorder.until(&name, "told of the key", told).await;
        }
    };
    all_told(&world).await;
    world
        .until_true("tried twice", || refused(&world).len() >= 2)
        .await;
    world.kill_operator();
    world.start_operator().await;
    world
        .until_true("tried again", || refused(&world).len() >= 3)
        .await;
    all_told(&world).await;
    // Three minutes of the simulator's, in which a lock would last.
    world.pass(180);
    world
        .until_true("tried twice again", || refused(&world).len() >= 4)
        .await;
    world.secret("keys", &right).await;
    for number in 0..MANY {
        let name = format!("numbered-{number}");
        world.recorder.until(&name, "Ready", is_ready).await;
    }
    let refused = refused(&world);
    assert!(refused.len() <= 5, "{} failures", refused.len());
    assert_eq!(world.sim.blocked_until(sample::ACCESS_KEY), None);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e12_changed_credentials_are_taken_up_without_a_restart_and_without_a_burst_of_refusals() {
    const MANY: usize = 10;
    let fleet = Fleet::sample().numbered(MANY);
    let mut world = World::without_operator(options(Mode::M2).fleet(fleet)).await;
    let setup = Setup {
        resync: Duration::from_millis(500),
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    let secret = |number: usize| {
        (
            format!("ROTATEDKEY{number:010}"),
            format!("secret-{number}"),
        )
    };
    let first = secret(0);
    world.sim.set_access_key(&first.0, &first.1);
    let pairs = |(key, secret): &(String, String)| {
        [("accessKey", key.clone()), ("secretKey", secret.clone())]
    };
    let write = async |world: &World, name: &str, secret: &(String, String)| {
        let [(key, id), (secret_key, value)] = pairs(secret);
        world
            .secret(name, &[(key, &id), (secret_key, &value)])
            .await;
    };
    write(&world, "rotated", &first).await;
    for number in 0..MANY {
        let resource = world.numbered(number, sample::PORT);
        world.create(&with_secret(resource, "rotated")).await;
    }
    for number in 0..MANY {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "Ready", is_ready).await;
    }
    for rotation in 1..=3 {
        let (old, new) = (secret(rotation - 1), secret(rotation));
        world.sim.set_access_key(&new.0, &new.1);
        world.sim.remove_access_key(&old.0).unwrap();
        let before = world.sim.journal().len();
        match rotation {
            1 => write(&world, "rotated", &new).await,
            2 => {
                let secrets: Api<Secret> = Api::namespaced(world.client.clone(), &world.namespace);
                let deleted = secrets.delete("rotated", &DeleteParams::default()).await;
                deleted.unwrap();
                write(&world, "rotated", &new).await;
            }
            _ => {
                write(&world, "rotated-anew", &new).await;
                for number in 0..MANY {
                    let patch = json!({"spec": {"credentialsRef": {"name": "rotated-anew"}}});
                    let name = format!("numbered-{number}");
                    let merge = kube::api::Patch::Merge(patch);
                    let patched = world
                        .api()
                        .patch(&name, &kube::api::PatchParams::default(), &merge)
                        .await;
                    patched.unwrap();
                }
            }
        }
        let by_new = Filter::on(Operation::List).credential(&new.0);
        // Each of them with the new key, and Ready by it.
        let served = || {
            let lists = world.sim.entries(&by_new);
            let lists = lists.iter().filter(|entry| entry.status() == Some(200));
            let instances: std::collections::BTreeSet<_> =
                lists.filter_map(|entry| entry.instance.clone()).collect();
            instances.len()
        };
        world
            .until_true("all use the new key", || served() == MANY)
            .await;
        for number in 0..MANY {
            let name = format!("numbered-{number}");
            world.recorder.until(&name, "Ready", is_ready).await;
        }
        let journal = world.sim.journal();
        let refused = journal[before..]
            .iter()
            .filter(|entry| entry.status() == Some(401));
        let refused = refused.count();
        assert!(refused <= 4, "rotation {rotation}: {refused} refusals");
    }
    world.finish().await;
}
