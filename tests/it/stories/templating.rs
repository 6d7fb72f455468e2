//! Manifests that were filled or put together before they are applied: variables in a text, and kustomize.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;
use taurus_sim::{Filter, Mode, sample};

use crate::world::{
    NAME, World, condition, is_ready_with, message, options, reason,
    tools::{copy_into, printed, refusal, tool},
};

/// What became of a text with variables.
enum Outcome {
    /// The resource was stored, with this port.
    Port(i32),
    /// The API server refused it, for this field.
    Refused(&'static str),
    /// Nothing came out that could be applied, for this variable.
    NotFilled(&'static str),
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c15_a_variable_in_a_text_gives_a_number_or_is_refused_with_the_name_of_the_field() {
    let world = World::without_operator(options(Mode::M2)).await;
    let refused = || Outcome::Refused("spec.port");
    let cases = [
        ("${P}", Some("3307"), false, Outcome::Port(3307)),
        ("\"${P}\"", Some("3307"), false, refused()),
        ("${P}", None, false, refused()),
        ("\"${P}\"", None, false, refused()),
        ("${P}", Some(""), false, refused()),
        ("${P:=3307}", None, false, Outcome::Port(3307)),
        ("${P:=3307}", Some("3308"), false, Outcome::Port(3308)),
        ("\"${P:=3307}\"", None, false, refused()),
        // A line end is no part of a number, but of a text.
        ("${P}", Some("3307\n"), false, Outcome::Port(3307)),
        ("\"${P}\"", Some("3307\n"), false, refused()),
        ("${P}", Some("3307.0"), false, Outcome::Port(3307)),
        ("${P}", Some("3307.5"), false, refused()),
        ("${P}", None, true, Outcome::NotFilled("\"P\"")),
        ("${P}", Some("3307"), true, Outcome::Port(3307)),
    ];
    for (port, value, strict, outcome) in cases {
        let what = format!("port: {port} with {value:?}");
        let text = world.manifest(NAME, &[("port", port)]);
        let filled = fill(&text, value, strict);
        if let Outcome::NotFilled(variable) = outcome {
            let said = refusal(&filled);
            assert!(said.contains(variable), "{what}: {said}");
            continue;
        }
        let applied = world.apply(&printed(filled));
        if let Outcome::Port(port) = outcome {
            assert!(applied.status.success(), "{what}: {applied:?}");
            assert_eq!(world.get().await.spec.port, port, "{what}");
            world.delete().await;
        } else if let Outcome::Refused(field) = outcome {
            let said = refusal(&applied);
            assert!(said.contains(field), "{what}: {said}");
            assert!(world.api().get_opt(NAME).await.unwrap().is_none());
        }
    }
}

/// Fills a text with one variable or none.
fn fill(text: &str, value: Option<&str>, strict: bool) -> std::process::Output {
    let mut filling = Command::new(tool("envsubst"))
        .args(strict.then_some("--strict"))
        .env_clear()
        .envs(value.map(|value| ("P", value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = filling.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    filling.wait_with_output().unwrap()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c16_a_reference_follows_the_name_of_a_generated_secret_and_a_rotation_moves_no_port() {
    let world = World::start(options(Mode::M2)).await;
    let folder = tempfile::tempdir().unwrap();
    let example = "deploy/examples/kustomize";
    copy_into(folder.path(), example);
    copy_into(folder.path(), "deploy/components");
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
    let keys = |key: &str, secret: &str| {
        write(
            &format!("{example}/keys.env"),
            &format!("accessKey={key}\nsecretKey={secret}\n"),
        );
    };
    keys(sample::ACCESS_KEY, sample::SECRET_KEY);
    let overlay = overlay(&world, folder.path(), &format!("../{example}"));
    let apply = || world.kubectl(&["apply", "-k", &overlay]);

    // Without the component the resource goes on to name what nobody has made.
    let kustomization = format!("{example}/kustomization.yaml");
    let complete = std::fs::read_to_string(folder.path().join(&kustomization)).unwrap();
    let component = "components:\n  - ../../components/credentials-ref\n";
    assert!(complete.contains(component), "{complete}");
    write(&kustomization, &complete.replace(component, ""));
    assert!(apply().status.success());
    let missing = world
        .until("without its Secret", |object| {
            reason(object) == "CredentialsMissing"
        })
        .await;
    let said = message(&missing);
    assert!(said.contains("Secret taurus-credentials"), "{said}");
    assert_eq!(condition(&missing, "Stalled"), "True");

    write(&kustomization, &complete);
    assert!(apply().status.success());
    let first = world.until_ready(3307).await;
    let named = |object: &taurus_port_operator::crd::TaurusProxyPort| {
        object.spec.credentials_ref.clone().unwrap().name
    };
    assert!(named(&first).starts_with("taurus-credentials-"));

    // Rotated: other keys make another Secret, and the old key is not believed any more.
    let key = "SIMULATORACCESSKEY02";
    world.sim.set_access_key(key, "another-key-of-no-worth");
    world.sim.remove_access_key(sample::ACCESS_KEY).unwrap();
    keys(key, "another-key-of-no-worth");
    assert!(apply().status.success());
    let rotated = world
        .until("rotated", |object| {
            object.metadata.generation == Some(3) && is_ready_with(object, 3307)
        })
        .await;
    assert_ne!(named(&rotated), named(&first));
    let with_new_key = Filter::all().credential(key).instance(sample::INSTANCE);
    assert!(world.sim.count(&with_new_key) > 0);
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

/// An overlay, beside the copy of an example, that leads its resource to the simulator; gives its path.
fn overlay(world: &World, folder: &Path, base: &str) -> String {
    let spec = serde_json::to_value(world.resource(3307).spec).unwrap();
    let set =
        |name: &str| json!({"op": "add", "path": format!("/spec/{name}"), "value": spec[name]});
    let mut patch: Vec<_> = [
        "projectID",
        "instanceID",
        "proxyID",
        "endpoint",
        "iamEndpoint",
    ]
    .map(set)
    .into();
    patch.push(json!({"op": "remove", "path": "/spec/region"}));
    let kustomization = json!({
        "resources": [base],
        "namespace": world.namespace,
        "patches": [{"target": {"kind": "TaurusProxyPort"}, "patch": json!(patch).to_string()}],
    });
    let overlay = folder.join("overlay");
    std::fs::create_dir(&overlay).unwrap();
    std::fs::write(
        overlay.join("kustomization.yaml"),
        kustomization.to_string(),
    )
    .unwrap();
    overlay.to_str().unwrap().to_owned()
}
