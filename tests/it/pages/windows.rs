//! `docs/windows.md`: its commands are typed as the people that it tells of, and the API server takes what it shows in YAML.

use std::{io::Write as _, process::Output, time::Duration};

use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;
use taurus_port_operator::calendar;
use taurus_sim::sample;

use super::{Page, commands::Person};
use crate::{
    install::manifests,
    world::{
        NAME, PATIENCE, plane,
        shell::blocks,
        tools::{printed, refusal},
    },
};

const PAGE: &str = "docs/windows.md";

/// The namespace that the page names.
const NAMESPACE: &str = "shop";

/// The plan that the page shows.
const PLAN: &str = "5f0c1d9a44e27b83";

/// The blocks of YAML of a page.
fn snippets(page: &Page) -> impl Iterator<Item = &str> {
    let rest = page.text.split("```yaml\n").skip(1);
    rest.map(|rest| rest.split("```").next().unwrap())
}

/// A whole resource, of what a page shows of one: a part of it that has a `spec`, or fields of that.
fn whole(name: &str, part: &str) -> String {
    let spec = if part.starts_with("spec:\n") {
        part.to_owned()
    } else {
        format!("spec:\n  {}\n", part.trim_end().replace('\n', "\n  "))
    };
    let (project, instance, proxy) = (sample::PROJECT, sample::INSTANCE, sample::PROXY);
    format!(
        "apiVersion: taurusdb.huaweicloud.com/v1alpha1\n\
         kind: TaurusProxyPort\n\
         metadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
         {spec}  region: ap-southeast-1\n  projectID: {project}\n  instanceID: {instance}\n  proxyID: {proxy}\n  port: 3307\n"
    )
}

/// Applies a text as it is.
fn applied(plane: &ControlPlane, text: &str, flags: &[&str]) -> Output {
    let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let apply = ["apply", "--server-side", "-f", path];
    plane::kubectl(plane, &[&apply[..], flags].concat())
}

/// A control plane with the namespace that the page names.
async fn with_namespace() -> plane::Plane {
    let plane = plane::with("deploy/base").await;
    let create = ["create", "namespace", NAMESPACE];
    printed(plane::kubectl(&plane, &create));
    plane
}

/// What the API server keeps of the story's resource.
fn kept(plane: &ControlPlane) -> Value {
    let get = ["get", "tpp", NAME, "-n", NAMESPACE, "-o", "json"];
    serde_json::from_str(&printed(plane::kubectl(plane, &get))).unwrap()
}

/// Puts the plan that the page shows where the operator would, and gives the status of which it is a part.
fn put_plan(plane: &ControlPlane, page: &Page) -> Value {
    let mut shown = snippets(page).filter(|part| part.starts_with("status:\n"));
    let status: Value = serde_saphyr::from_str(shown.next().expect("a plan")).unwrap();
    assert_eq!(shown.next(), None, "one plan");
    let text = status.to_string();
    let patch = ["patch", "tpp", NAME, "-n", NAMESPACE];
    let status_of = ["--subresource=status", "--type=merge", "-p", &text];
    printed(plane::kubectl(plane, &[&patch[..], &status_of].concat()));
    status["status"].clone()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_takes_what_the_page_on_windows_shows_and_its_calendar_is_one() {
    let plane = &with_namespace().await;
    let page = Page::read(PAGE);
    let dry = ["--dry-run=server"];
    let (mut calendars, mut resources) = (0, 0);
    for part in snippets(&page) {
        let shown: Value = serde_saphyr::from_str(part).unwrap();
        let keys = shown.as_object().unwrap().keys();
        let keys: Vec<&str> = keys.map(String::as_str).collect();
        let text = match keys[..] {
            ["spec" | "maintenanceWindows"] => whole("shown", part),
            ["status"] => continue,
            _ => {
                let read = calendar::file::parse(part);
                let read = read.unwrap_or_else(|fault| panic!("{fault}: {part}"));
                assert!(!read.windows.is_empty() && !read.freezes.is_empty());
                calendars += 1;
                continue;
            }
        };
        printed(applied(plane, &text, &dry));
        // Of zones and days the API server knows nothing.
        let resource: Value = serde_saphyr::from_str(&text).unwrap();
        let windows = &resource["spec"]["maintenanceWindows"];
        if !windows.is_null() {
            let windows = json!({"windows": windows}).to_string();
            let read = calendar::file::parse(&windows);
            assert!(read.is_ok(), "{read:?}: {part}");
        }
        resources += 1;
    }
    assert!(
        calendars == 1 && resources > 5,
        "{calendars} and {resources}"
    );
    let mistyped = whole("shown", "maintenanceWindow:\n  - {start: \"02:00\"}\n");
    let said = refusal(&applied(plane, &mistyped, &dry));
    assert!(said.contains("maintenanceWindow"), "{said}");

    let approval = whole(NAME, "approval: Manual\n");
    printed(applied(plane, &approval, &[]));
    let status = put_plan(plane, &page);
    assert_eq!(status["plan"]["id"], PLAN);
    assert_eq!(
        kept(plane)["status"]["plan"],
        status["plan"],
        "nothing was dropped"
    );
}

/// Lets somebody act in the page's namespace.
fn bind(plane: &ControlPlane, who: &str, role: &str) {
    let name = format!("{who}-{role}");
    let (role, user) = (format!("--clusterrole={role}"), format!("--user={who}"));
    let create = ["create", "rolebinding", &name, "-n", NAMESPACE];
    let to = [role.as_str(), &user];
    printed(plane::kubectl(plane, &[&create[..], &to].concat()));
}

/// The API server takes up rights and policies after a moment.
async fn until(what: &str, is: impl Fn() -> bool) {
    let asking = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, asking).await;
    assert!(in_time.is_ok(), "it did not happen: {what}");
}

/// Waits until somebody has a right on resources.
async fn until_may(plane: &ControlPlane, who: &str, verb: &str) {
    let of = "taurusproxyports.taurusdb.huaweicloud.com";
    let ask = [
        "auth", "can-i", verb, of, "-n", NAMESPACE, "--as", who, "--quiet",
    ];
    let may = || plane::kubectl(plane, &ask).status.success();
    until(&format!("{who} may {verb}"), may).await;
}

/// Waits until what this patch asks for is refused to alice, who may edit.
async fn until_refused(plane: &ControlPlane, spec: &Value) {
    let text = json!({"spec": spec}).to_string();
    let patch = ["patch", "tpp", NAME, "-n", NAMESPACE, "--type=merge"];
    let trying = ["--dry-run=server", "--as", "alice", "-p", &text];
    let trying = [&patch[..], &trying].concat();
    let refused = || !plane::kubectl(plane, &trying).status.success();
    until(&format!("alice may not: {text}"), refused).await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_command_of_the_page_on_windows_works_for_whom_it_is_meant() {
    let plane = &with_namespace().await;
    let page = Page::read(PAGE);
    let person = Person::at(plane, NAMESPACE);
    // A resource that is older than the policies, with a plan; a calendar, and an event that tells of it.
    let approval = whole(NAME, "approval: Manual\n");
    printed(applied(plane, &approval, &[]));
    put_plan(plane, &page);
    person
        .types("kubectl apply -f deploy/examples/calendar.yaml")
        .await;
    let namespace = "taurus-system";
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "calendar-read", "namespace": namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": "taurus-port-operator-0", "namespace": namespace},
        "type": "Normal", "reason": "CalendarRead", "message": "windows 1, freezes 2",
    });
    printed(manifests::apply(plane, &[event]));
    for role in ["view", "edit"] {
        bind(plane, "alice", &format!("taurus-port-operator-{role}"));
    }
    until_may(plane, "alice", "get").await;
    until_may(plane, "alice", "patch").await;
    let policies = "deploy/policies";
    person
        .types(&format!(
            "kubectl apply --server-side -f {policies}/approval.yaml -f {policies}/four-eyes.yaml"
        ))
        .await;
    until_refused(plane, &json!({"port": 3309})).await;
    until_refused(plane, &json!({"instanceWindow": "Follow"})).await;

    let (mut count, mut shown) = (0, String::new());
    for block in blocks(&page.text) {
        // The page says who types it.
        let who = if block.contains("portSetBy=") || block.contains("portSetBy\"") {
            Some("alice")
        } else if block.contains("kubectl annotate") {
            until_may(plane, "bob", "approve").await;
            Some("bob")
        } else {
            None
        };
        let typed = match who {
            Some(who) => format!("kubectl() {{ command kubectl --as {who} \"$@\"; }}\n{block}"),
            None => format!("export KUBE_EDITOR='sed -i s/year-end/stocktaking/'\n{block}"),
        };
        if block.contains("approve-") {
            // What is taken back here was given before, in the words of the page.
            let approve = format!(
                "kubectl annotate tpp {NAME} --overwrite taurusdb.huaweicloud.com/approve={PLAN}"
            );
            assert!(page.text.contains(&format!("`{approve}`")), "{approve}");
            person.types(&format!("{approve} --as bob")).await;
            let annotations = &kept(plane)["metadata"]["annotations"];
            for name in ["approve", "applyNow"] {
                let name = format!("taurusdb.huaweicloud.com/{name}");
                assert_eq!(annotations[&name], PLAN, "{name}");
            }
        }
        shown.push_str(&person.types(&typed).await);
        count += 1;
    }
    assert!(count > 7, "{count}");
    let without = page.text.matches("```bash\n").count();
    assert_eq!(without, 1, "the one that needs a pod, as the page says");
    for told in [
        "NEXT",
        "2026-03-03T01:00:00Z",
        "CalendarRead",
        "alice",
        PLAN,
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }

    let resource = kept(plane);
    assert_eq!(resource["spec"]["port"], 3308);
    let annotations = resource["metadata"]["annotations"].as_object().unwrap();
    let names: Vec<&String> = annotations.keys().collect();
    assert_eq!(names, ["taurusdb.huaweicloud.com/portSetBy"]);
    let get = ["get", "configmap", "taurus-calendar", "-n", namespace];
    let edited = plane::kubectl(plane, &[&get[..], &["-o", "yaml"]].concat());
    assert!(printed(edited).contains("reason: stocktaking"));
}
