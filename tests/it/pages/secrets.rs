//! `docs/secrets.md`: definitions of the tools take the examples, which make the keys that the operator reads, and the commands work.

use std::collections::BTreeSet;

use serde_json::Value;
use taurus_controlplane::needs;
use taurus_sim::{Mode, sample};

use super::{Page, commands::Person};
use crate::{
    install::manifests::parse,
    world::{
        World, job_of, options, plane,
        shell::blocks,
        tools::{found, printed, refusal, root},
    },
};

const EXAMPLES: &str = "deploy/examples/secrets";

/// The objects of an example.
fn example(name: &str) -> Vec<Value> {
    parse(&std::fs::read_to_string(root().join(EXAMPLES).join(name)).unwrap())
}

/// The one object of this kind.
fn of_kind(example: &str, kind: &str) -> Value {
    let objects = self::example(example).into_iter();
    let mut objects = objects.filter(|object| object["kind"] == kind);
    objects.next().expect(kind)
}

/// The keys of an object.
fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn each_example_makes_the_keys_that_the_operator_reads_under_the_name_of_the_sample() {
    let external = of_kind("external-secrets.yaml", "ExternalSecret");
    let sealed = of_kind("sealed-secrets.yaml", "SealedSecret");
    let of_vault = of_kind("vault-secrets-operator.yaml", "VaultStaticSecret");
    let (target, template) = (&external["spec"]["target"], &sealed["spec"]["template"]);
    let destination = &of_vault["spec"]["destination"];
    assert_eq!(destination["transformation"]["excludeRaw"], true);
    let included = destination["transformation"]["includes"].as_array();
    let included = included.unwrap().iter().map(|pattern| {
        let pattern = pattern.as_str().unwrap();
        let key = pattern
            .strip_prefix('^')
            .and_then(|it| it.strip_suffix('$'));
        key.expect("the whole key").to_owned()
    });

    let sample = include_str!("../../../deploy/examples/orders-proxy.yaml");
    let sample: Value = serde_saphyr::from_str(sample).unwrap();
    let name = &sample["spec"]["credentialsRef"]["name"];
    let read = BTreeSet::from(["accessKey", "secretKey"].map(str::to_owned));
    for (of, keys) in [
        (&target["name"], keys(&target["template"]["data"])),
        (
            &template["metadata"]["name"],
            keys(&sealed["spec"]["encryptedData"]),
        ),
        (&destination["name"], included.collect()),
    ] {
        assert_eq!(of, name);
        assert_eq!(keys, read);
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_definitions_of_the_tools_take_the_examples_and_the_commands_of_the_page_work() {
    let Some(definitions) = found("tests/gitops/definitions", "all") else {
        needs::lacking(
            "GitOps tools",
            "the definitions of tools for Secrets are not fetched: run `make gitops-tools`",
        )
    };
    let plane = &plane::with("deploy/base").await;
    printed(plane::kubectl(plane, &["create", "namespace", "shop"]));
    let folder = definitions.to_str().unwrap();
    let apply = ["apply", "--server-side", "-f"];
    printed(plane::kubectl(plane, &[&apply[..], &[folder]].concat()));
    let wait = ["wait", "crd", "--all", "--for=condition=Established"];
    printed(plane::kubectl(plane, &wait));

    // The resource of the commands is Ready with a Secret that has the keys of the examples.
    let job = options(Mode::M2).job(job_of(1));
    let mut world = World::without_neighbour(plane, job).await;
    let pairs = [
        ("accessKey", sample::ACCESS_KEY),
        ("secretKey", sample::SECRET_KEY),
    ];
    let name = "taurus-credentials";
    world.secret(name, &pairs).await;
    world.create(&world.resource_with(3307, name)).await;
    world.start_operator().await;
    world.until_ready(3307).await;
    let page = Page::read("docs/secrets.md");
    let person = Person::at(plane, &world.namespace);
    let mut said = Vec::new();
    for block in blocks(&page.text) {
        said.push(person.types(block).await);
    }
    let [keys, external, sealed, ready] = &said[..] else {
        panic!("four blocks: {said:?}")
    };
    assert_eq!(keys, "accessKey\nsecretKey\n");
    assert!(external.contains(&format!("externalsecret.external-secrets.io/{name}")));
    assert!(sealed.contains(&format!("sealedsecret.bitnami.com/{name}")));
    assert!(ready.contains("condition met"), "{ready}");

    // The definitions judge: what is misspelt they refuse.
    for (file, right, wrong) in [
        ("external-secrets.yaml", "extract:", "extracted:"),
        ("external-secrets.yaml", "mountPath:", "mount:"),
        ("sealed-secrets.yaml", "encryptedData:", "encrypted:"),
    ] {
        let text = std::fs::read_to_string(root().join(EXAMPLES).join(file)).unwrap();
        assert!(text.contains(right), "{file}: {right}");
        let misspelt = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        std::fs::write(misspelt.path(), text.replace(right, wrong)).unwrap();
        let path = misspelt.path().to_str().unwrap();
        let said = refusal(&plane::kubectl(plane, &[&apply[..], &[path]].concat()));
        let field = wrong.trim_end_matches(':');
        assert!(said.contains(field), "{said}");
    }
}
