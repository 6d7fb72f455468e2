//! The operator's calendar, as it is mounted.

use serde_json::{Value, json};

use super::{
    manifests::{apply, one, restricted_namespace, unwarned},
    platforms::{by_helm, by_kustomize},
};
use crate::world::plane;

/// What a Deployment has of the calendar: the file, its mount and its volume.
fn of_calendar(objects: &[Value]) -> (Value, Value, Value) {
    let pod = &one(objects, "Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let named = |list: &Value, name: &str| {
        let entries = list.as_array().into_iter().flatten();
        let mut entries = entries.filter(|entry| entry["name"] == name);
        entries.next().cloned().unwrap_or_default()
    };
    (
        named(&container["env"], "TAURUS_CALENDAR"),
        named(&container["volumeMounts"], "calendar"),
        named(&pod["volumes"], "calendar"),
    )
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_component_mounts_the_calendar_of_the_examples_as_the_chart_does() {
    let plane = &plane::bare().await;
    let example = include_str!("../../../deploy/examples/calendar.yaml");
    let example: Value = serde_saphyr::from_str(example).unwrap();
    let kustomization =
        json!({"resources": ["../../base"], "components": ["../../components/calendar"]});
    let mut objects = by_kustomize(plane, &kustomization, &[]);
    let mounted = of_calendar(&objects);
    let by_helm = by_helm(&json!({"calendar": {"configMap": example["metadata"]["name"]}}));
    assert_eq!(mounted, of_calendar(&by_helm));
    let (file, mount, volume) = mounted;
    let file = file["value"].as_str().unwrap();
    let key = file.strip_prefix(mount["mountPath"].as_str().unwrap());
    let key = key.unwrap().trim_start_matches('/');
    assert!(example["data"][key].is_string(), "{key}");
    assert_eq!(volume["configMap"]["name"], example["metadata"]["name"]);
    let mut deployment = objects.swap_remove(
        objects
            .iter()
            .position(|object| object["kind"] == "Deployment")
            .unwrap(),
    );
    assert_eq!(
        deployment["metadata"]["namespace"],
        example["metadata"]["namespace"]
    );
    let namespace = "with-a-calendar";
    restricted_namespace(plane, namespace);
    deployment["metadata"]["namespace"] = namespace.into();
    unwarned(apply(plane, &[deployment]));
}
