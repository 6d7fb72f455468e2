//! The Dockerfile says the same as the manifests, the toolchain and the workspace.

use std::collections::BTreeSet;

use clap::Parser as _;
use serde_json::Value;
use taurus_port_operator::cli::{Cli, Command};

use crate::world::tools::root;

const DOCKERFILE: &str = include_str!("../../../Dockerfile");
const DEPLOYMENT: &str = include_str!("../../../deploy/base/deployment.yaml");
const DEVCONTAINER: &str = include_str!("../../../.devcontainer/Dockerfile");
const TOOLCHAIN: &str = include_str!("../../../rust-toolchain.toml");
const WORKSPACE: &str = include_str!("../../../Cargo.toml");
const CONTEXT: &str = include_str!("../../../.dockerignore");

/// What follows an instruction, each time that it is there; the image itself begins with the last FROM.
fn instructions<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let lines = text.lines();
    lines
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .collect()
}

fn of_image(name: &str) -> Vec<&'static str> {
    let (_, image) = DOCKERFILE.rsplit_once("\nFROM ").unwrap();
    instructions(image, name)
}

fn one<'a>(of: &[&'a str]) -> &'a str {
    let [one] = of else {
        panic!("one is wanted: {of:?}");
    };
    one
}

fn words(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap()
}

/// The one container, and what holds for all containers of the pod.
fn container() -> (Value, Value) {
    let deployment: Value = serde_saphyr::from_str(DEPLOYMENT).unwrap();
    let pod = &deployment["spec"]["template"]["spec"];
    (pod["containers"][0].clone(), pod["securityContext"].clone())
}

#[test]
fn the_user_of_the_image_is_the_one_of_the_deployment_and_not_root() {
    let (container, pod) = container();
    let user = format!("{}:{}", pod["runAsUser"], pod["runAsGroup"]);
    assert_eq!(one(&of_image("USER")), user);
    assert_ne!(pod["runAsUser"], 0);
    assert_eq!(pod["runAsNonRoot"], true);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
}

#[test]
fn the_image_runs_what_the_deployment_asks_for_and_says_where_it_listens() {
    let (container, _) = container();
    let program = words(one(&of_image("ENTRYPOINT")));
    assert_eq!(program, ["/taurus-port-operator"]);
    let arguments = words(one(&of_image("CMD")));
    assert_eq!(container["command"], Value::Null, "the one of the image");
    assert_eq!(container["args"], serde_json::json!(arguments));
    let Command::Run(run) = Cli::parse_from(program.iter().chain(&arguments)).command else {
        panic!("it runs the operator");
    };
    let port = one(&of_image("EXPOSE"));
    assert_eq!(run.admin_address, format!("[::]:{port}"));
    assert_eq!(container["ports"][0]["containerPort"].to_string(), port);
}

#[test]
fn versions_are_those_of_the_toolchain_and_of_the_package() {
    let named = |text: &'static str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split('"').nth(1).unwrap()
    };
    let arguments = instructions(DOCKERFILE, "ARG");
    let default = |name: &str| {
        let given = arguments.iter().filter_map(|it| it.split_once('='));
        let mut values = given.filter(|(it, _)| *it == name).map(|(_, value)| value);
        let value = values.next().expect(name);
        assert_eq!(values.next(), None, "{name}");
        value
    };
    assert_eq!(default("RUST_VERSION"), named(TOOLCHAIN, "channel"));
    // Who develops in a container has the same.
    let developed_in = instructions(DEVCONTAINER, "FROM").pop().unwrap();
    let channel = named(TOOLCHAIN, "channel");
    assert!(
        developed_in.contains(&format!("rust:{channel}-")),
        "{developed_in}"
    );
    assert_eq!(default("VERSION"), env!("CARGO_PKG_VERSION"));
    let (container, _) = container();
    let image = container["image"].as_str().unwrap();
    assert_eq!(image.rsplit_once(':').unwrap().1, default("VERSION"));
}

#[test]
fn all_that_is_copied_is_there_and_reaches_the_builder() {
    let copied: BTreeSet<&str> = instructions(DOCKERFILE, "COPY")
        .into_iter()
        .filter(|line| !line.starts_with("--"))
        .flat_map(|line| line.rsplit_once(' ').unwrap().0.split(' '))
        .collect();
    for path in &copied {
        assert!(root().join(path).exists(), "{path}");
        let kept = CONTEXT.lines().filter_map(|line| line.strip_prefix('!'));
        let mut kept = kept.map(|pattern| pattern.split_once('*').unwrap_or((pattern, "")));
        assert!(
            kept.any(|(begin, end)| path.starts_with(begin) && path.ends_with(end)),
            "{path} is left out by .dockerignore"
        );
    }
    let members = WORKSPACE.lines().find(|it| it.starts_with("members = "));
    let (_, members) = members.unwrap().split_once(" = ").unwrap();
    let members = words(members);
    assert!(members.len() > 3, "{members:?}");
    for member in members {
        let manifest = format!("{member}/Cargo.toml");
        assert!(copied.contains(manifest.as_str()), "{manifest}");
    }
}

#[test]
fn the_image_has_what_its_script_lays_out_and_nothing_else() {
    assert!(DOCKERFILE.contains("\nFROM scratch\n"));
    assert_eq!(of_image("COPY"), ["--from=build /image/ /"]);
    assert!(of_image("ADD").is_empty() && of_image("RUN").is_empty());
    assert!(DOCKERFILE.contains(" build/image-root /image "));
}
