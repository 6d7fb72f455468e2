//! Who may move a proxy where several resources name it.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Mode, sample};

use crate::world::{
    World, condition, in_all_modes, is_ready_with, message, operator::Setup, options, plane, reason,
};

in_all_modes! {
    b22_of_two_namespaces_that_name_one_proxy_the_older_resource_owns_it: two_namespaces;
}

async fn two_namespaces(mode: Mode) {
    let plane = plane::of_its_own(|_| ()).await;
    let mut world = World::on(plane, options(mode)).await;
    let everywhere = || Setup {
        everywhere: true,
        ..Setup::default()
    };
    world.start_operator_with(everywhere()).await;
    world.want(3307).await;
    world.until_ready(3307).await;

    let other = plane::new_namespace(&world.client).await;
    let keys = [
        ("accessKey", sample::ACCESS_KEY),
        ("secretKey", sample::SECRET_KEY),
    ];
    let keys = keys.map(|(key, value)| (key.to_owned(), ByteString(value.into())));
    let secret = Secret {
        metadata: named("keys", &other),
        data: Some(keys.into_iter().collect()),
        ..Secret::default()
    };
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), &other);
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    world.until_the_next_second().await;
    let theirs: Api<TaurusProxyPort> = Api::namespaced(world.client.clone(), &other);
    let mut second = world.resource(3308);
    second.metadata = named("second", &other);
    theirs
        .create(&PostParams::default(), &second)
        .await
        .unwrap();
    let get = async || theirs.get("second").await.unwrap();
    world
        .until_true_async("claimed", async || reason(&get().await) == "ProxyClaimed")
        .await;
    let claimed = get().await;
    assert_eq!(condition(&claimed, "Stalled"), "True");
    for foreign in [world.namespace.as_str(), "orders"] {
        assert!(
            !message(&claimed).contains(foreign),
            "{}",
            message(&claimed)
        );
    }

    world.stop_operator().await;
    world.start_operator_with(everywhere()).await;
    world.until_neighbour_is_ready().await;
    world
        .until_true_async("still claimed", async || {
            reason(&get().await) == "ProxyClaimed"
        })
        .await;
    assert_eq!(world.asked_for(), [3307]);

    world.delete().await;
    world
        .until_true_async("taken over", async || {
            world.pass(1);
            is_ready_with(&get().await, 3308)
        })
        .await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    // Two minutes of the contract lie between, here seconds.
    theirs
        .delete("second", &DeleteParams::default())
        .await
        .unwrap();
    world.finish().await;
}

fn named(name: &str, namespace: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ObjectMeta::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_see_a_proxy_keeps_nobody_from_it() {
    let world = World::start(options(Mode::M2)).await;
    world
        .secret(
            "wrong",
            &[
                ("accessKey", "SOMEBODYELSESKEY0001"),
                ("secretKey", "guessed"),
            ],
        )
        .await;
    let mut squatter = world.resource_with(3399, "wrong");
    squatter.metadata.name = Some("squatter".to_owned());
    world.create(&squatter).await;
    world
        .recorder
        .until("squatter", "refused", |object| {
            reason(object) == "CredentialsInvalid"
        })
        .await;
    world.until_the_next_second().await;
    world.want(3307).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}
