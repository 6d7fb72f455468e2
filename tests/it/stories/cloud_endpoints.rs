//! Where credentials may be taken from and where they may be sent to.

use taurus_sim::{Filter, Fleet, Mode, Simulator};

use super::cloud_credentials::with_secret;
use crate::world::{World, condition, message, options, plane, reason};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn f10_nobody_reaches_credentials_of_others_or_sends_any_to_a_host_of_their_own() {
    let world = World::start(options(Mode::M2)).await;
    let stranger = Simulator::start(options(Mode::M2)).await.unwrap();

    // A host of their own, for the service and for its sign-in.
    let mut elsewhere = world.numbered(0, 3307);
    elsewhere.spec.endpoint = Some(stranger.url());
    let mut sign_in = with_secret(world.numbered(1, 3307), "user");
    sign_in.spec.iam_endpoint = Some(stranger.url());
    for resource in [&elsewhere, &sign_in] {
        world.create(resource).await;
        let name = resource.metadata.name.as_deref().unwrap();
        let told = world
            .recorder
            .until(name, "refused", |object| {
                reason(object) == "EndpointNotAllowed"
            })
            .await;
        assert_eq!(condition(&told, "Stalled"), "True");
        assert!(
            message(&told).contains("--allowed-endpoint"),
            "{}",
            message(&told)
        );
    }

    // A Secret of another namespace, by its name and with that of its namespace.
    let platform = plane::new_namespace(&world.client).await;
    let foreign = world.secret_in(&platform, "platform").await;
    let borrowed = with_secret(world.numbered(2, 3307), &foreign);
    world.create(&borrowed).await;
    let told = world
        .recorder
        .until("numbered-2", "refused", |object| {
            reason(object) == "CredentialsMissing"
        })
        .await;
    assert_eq!(condition(&told, "Stalled"), "True");
    for name in [
        format!("{platform}/{foreign}"),
        format!("../{platform}/{foreign}"),
    ] {
        let resource = with_secret(world.numbered(3, 3307), &name);
        let created = world
            .api()
            .create(&kube::api::PostParams::default(), &resource)
            .await;
        match created {
            Err(kube::Error::Api(status)) => assert!(status.is_invalid(), "{status:?}"),
            other => panic!("{name} was taken: {other:?}"),
        }
    }
    world.want(3307).await;
    world.until_ready(3307).await;
    for number in 0..4 {
        let instance = Fleet::numbered_instance(number);
        assert_eq!(world.sim.count(&Filter::all().instance(&instance)), 0);
    }
    assert!(stranger.journal().is_empty());
    world.finish().await;
}
