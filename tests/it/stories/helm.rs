//! Manifests that Helm renders, from the chart of `deploy/examples`.

use std::{path::Path, process::Output};

use serde_json::json;
use taurus_sim::{Mode, sample};

use crate::world::{
    World, options,
    tools::{copy_into, helm, printed, refusal},
};

const CHART: &str = "deploy/examples/helm/proxy-port";

/// Any value, as it stands in front of Helm's schema.
const SKIP: &str = "--skip-schema-validation";

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn g07_a_port_that_helm_renders_is_a_number_or_is_refused_by_schema_or_api_server() {
    let world = World::without_operator(options(Mode::M2)).await;
    let folder = chart(None);
    let set = |flag: &'static str, value: &'static str| vec![flag, value];
    let numbers = [
        (vec![], 3307),
        (set("--set", "proxy.port=3310"), 3310),
        (set("--set-json", "proxy.port=3307.0"), 3307),
        (vec!["-f", "port-3311.yaml"], 3311),
    ];
    std::fs::write(folder.path().join("port-3311.yaml"), "proxy: {port: 3311}").unwrap();
    for (flags, port) in numbers {
        for skip in [&[][..], &[SKIP]] {
            let rendered = printed(template(folder.path(), &[&flags, skip].concat()));
            let applied = world.apply(&rendered);
            assert!(applied.status.success(), "{flags:?}: {applied:?}");
            let stored = world.get().await;
            assert_eq!(stored.spec.port, port, "{flags:?}");
            let annotations = stored.metadata.annotations.unwrap();
            assert_eq!(annotations["example.com/owner"], "shop");
            assert_eq!(annotations["example.com/ticket"], "1234");
            world.delete().await;
        }
    }

    // What the schema catches; without it `default` takes nothing for absent, and a text becomes a number, since the
    // template does not quote it.
    let caught = [
        (set("--set-string", "proxy.port=3310"), Some(3310)),
        (set("--set", "proxy.port="), Some(3307)),
        (set("--set", "proxy.port=0"), Some(3307)),
        (set("--set", "proxy.port=null"), Some(3307)),
        (set("--set-json", "proxy.port=3307.5"), None),
        (set("--set", "proxy.port=abc"), None),
        (set("--set", "proxy.port=20000"), None),
    ];
    for (flags, without) in caught {
        let said = refusal(&template(folder.path(), &flags));
        assert!(said.contains("/proxy/port"), "{flags:?}: {said}");
        let rendered = printed(template(folder.path(), &[&flags[..], &[SKIP]].concat()));
        let applied = world.apply(&rendered);
        if let Some(port) = without {
            assert!(applied.status.success(), "{flags:?}: {applied:?}");
            assert_eq!(world.get().await.spec.port, port, "{flags:?}");
            world.delete().await;
        } else {
            let said = refusal(&applied);
            assert!(said.contains("spec.port"), "{flags:?}: {said}");
        }
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn g07_a_template_that_quotes_the_port_or_leaves_it_empty_is_refused_with_its_name() {
    let world = World::without_operator(options(Mode::M2)).await;
    for template_of_port in [
        "{{ .Values.proxy.port | quote }}",
        "{{ .Values.proxy.port | default 3307 | quote }}",
        "{{ .Values.proxy.port }}",
    ] {
        let folder = chart(Some(template_of_port));
        let rendered = printed(template(folder.path(), &[]));
        let said = refusal(&world.apply(&rendered));
        assert!(said.contains("spec.port"), "{template_of_port}: {said}");
        assert!(world.api().get_opt("orders").await.unwrap().is_none());
    }
}

/// A copy of the chart, with another template for the port where one is given.
fn chart(port: Option<&str>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_into(folder.path(), CHART);
    let values = json!({
        "proxy": {"projectID": sample::PROJECT, "instanceID": sample::INSTANCE, "proxyID": sample::PROXY},
        "nameOverride": "orders",
        "annotations": {"example.com/owner": "shop", "example.com/ticket": "1234"},
    });
    std::fs::write(folder.path().join("values.json"), values.to_string()).unwrap();
    if let Some(port) = port {
        let path = folder.path().join(CHART).join("templates/proxy.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        let shipped = "{{ .Values.proxy.port | default 3307 }}";
        assert!(text.contains(shipped), "{text}");
        std::fs::write(&path, text.replace(shipped, port)).unwrap();
    }
    folder
}

/// `helm template`, with the values that lie beside the chart.
fn template(folder: &Path, flags: &[&str]) -> Output {
    helm(folder)
        .current_dir(folder)
        .args(["template", "orders", CHART, "-f", "values.json"])
        .args(flags)
        .output()
        .unwrap()
}
