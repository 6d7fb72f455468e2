use super::*;
use crate::import::Place;

fn nothing() -> Existing {
    Existing::default()
}

fn found(name: &str, proxy: &str, port: Option<u16>) -> Found {
    Found {
        place: Place {
            region: Some("ap-southeast-1".to_owned()),
            ..Place::default()
        },
        project: "0483b6b16e954cb88930a360d2c4e663".to_owned(),
        instance: "e80a4b6f13c2457d9ab05c7712f4d3e6in07".to_owned(),
        instance_name: "shop".to_owned(),
        tags: [("team", "shop"), ("cost center", "0042")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        proxy: proxy.to_owned(),
        name: name.to_owned(),
        status: if port == Some(3308) {
            "ABNORMAL"
        } else {
            "ACTIVE"
        }
        .to_owned(),
        unhealthy: port == Some(3308),
        port,
        contradiction: None,
    }
}

fn proxy(number: u32) -> String {
    format!("{number:08x}{}po01", "a".repeat(24))
}

fn settings() -> Settings {
    Settings {
        namespace: Some("shop".to_owned()),
        secret: Some("taurus-credentials".to_owned()),
    }
}

#[test]
fn a_manifest_only_observes_and_holds_the_port_as_it_was_read() {
    let (manifests, _) = sorted_out(
        vec![found("Orders_Proxy", &proxy(1), Some(3307))],
        &nothing(),
        &settings(),
    )
    .unwrap();
    insta::assert_snapshot!("manifest", manifests[0].text);
}

#[test]
fn an_instance_without_a_name_is_named_by_its_id() {
    let mut nameless = found("orders", &proxy(1), Some(3307));
    nameless.instance_name.clear();
    let (manifests, _) = sorted_out(vec![nameless], &nothing(), &settings()).unwrap();
    let said =
        "# proxy \"orders\" of instance e80a4b6f13c2457d9ab05c7712f4d3e6in07, read as ACTIVE\n";
    assert!(manifests[0].text.starts_with(said), "{}", manifests[0].text);
}

#[test]
fn what_two_sources_say_otherwise_gets_no_manifest() {
    let mut one = found("orders", &proxy(1), Some(3307));
    one.contradiction = Some("--region is a, and the state says b".to_owned());
    let all = vec![one, found("stock", &proxy(2), Some(3307))];
    let (manifests, report) = sorted_out(all, &nothing(), &settings()).unwrap();
    assert_eq!(manifests.len(), 1);
    assert!(!report.is_whole());
    assert!(report.skipped[0].ends_with("--region is a, and the state says b"));
}

#[test]
fn names_follow_from_the_proxy_alone() {
    let name = |found_one: Found| {
        let (manifests, _) = sorted_out(vec![found_one], &nothing(), &settings()).unwrap();
        manifests[0].name.clone()
    };
    for (given, expected) in [
        ("orders", "orders-00000001"),
        ("Orders  of_2024!", "orders-of-2024-00000001"),
        ("订单", "proxy-00000001"),
        ("", "proxy-00000001"),
        ("--x--", "x-00000001"),
    ] {
        assert_eq!(
            name(found(given, &proxy(1), Some(3307))),
            expected,
            "{given}"
        );
    }
    let long = name(found(&"a".repeat(200), &proxy(1), Some(3307)));
    assert!(long.len() <= 63, "{long}");
}

#[test]
fn two_proxies_never_share_a_name_and_the_order_does_not_matter() {
    let one = format!("{}{}po01", "b".repeat(8), "1".repeat(24));
    let other = format!("{}{}po01", "b".repeat(8), "2".repeat(24));
    let mut all = vec![
        found("x", &one, Some(3307)),
        found("x", &other, Some(3307)),
        found("a", &proxy(3), Some(3307)),
    ];
    let (first, _) = sorted_out(all.clone(), &nothing(), &settings()).unwrap();
    all.reverse();
    let (second, _) = sorted_out(all, &nothing(), &settings()).unwrap();
    assert_eq!(first, second);
    let names: BTreeSet<&str> = first
        .iter()
        .map(|manifest| manifest.name.as_str())
        .collect();
    assert_eq!(names.len(), 3);
    for manifest in &first {
        assert!(
            manifest
                .text
                .contains(&format!("name: {}\n", manifest.name)),
            "{}",
            manifest.text
        );
    }
}

#[test]
fn what_is_managed_or_can_be_no_resource_is_told_and_not_printed() {
    let all = vec![
        found("managed", &proxy(1), Some(3306)),
        found("fresh", &proxy(2), Some(3306)),
        found("ill", &proxy(3), Some(3308)),
        found("portless", &proxy(4), None),
        found("reserved", &proxy(5), Some(1033)),
        found("fresh", &proxy(2), Some(3306)),
    ];
    let mut existing = nothing();
    existing.looked = Looked::Everywhere;
    existing.manage("managed-00000001", &key_of(&all[0]));
    let (manifests, report) = sorted_out(all, &existing, &settings()).unwrap();
    let names: Vec<&str> = manifests
        .iter()
        .map(|manifest| manifest.name.as_str())
        .collect();
    assert_eq!(names, ["fresh-00000002", "ill-00000003"]);
    assert_eq!((report.found, report.instances), (5, 1));
    assert_eq!((report.managed.len(), report.unmanaged.len()), (1, 4));
    assert_eq!(
        (
            report.on_default_port.len(),
            report.unhealthy.len(),
            report.skipped.len()
        ),
        (2, 1, 2)
    );
    assert!(!report.is_whole(), "two have no manifest");
    insta::assert_snapshot!("report", report.shown());
    let fresh = vec![found("fresh", &proxy(2), Some(3306))];
    let (_, report) = sorted_out(fresh, &existing, &settings()).unwrap();
    assert!(report.is_whole());
}

#[test]
fn where_one_namespace_was_looked_at_nothing_is_said_of_the_others() {
    let mut existing = nothing();
    existing.looked = Looked::In("shop".to_owned());
    let all = vec![found("x", &proxy(1), Some(3306))];
    let (_, report) = sorted_out(all.clone(), &existing, &settings()).unwrap();
    let shown = report.shown();
    assert!(
        shown.contains("0 managed by resources of namespace shop; 1 not there, and not known"),
        "{shown}"
    );
    assert!(!report.cluster_was_read);
    let (_, report) = sorted_out(all, &nothing(), &settings()).unwrap();
    assert!(report.shown().contains("was not asked"));
}

/// Two proxies of one name, with the same beginning of their ids.
fn twins() -> [Found; 2] {
    ["1", "2"].map(|digit| {
        let id = format!("{}{}po01", "b".repeat(8), digit.repeat(24));
        found("x", &id, Some(3307))
    })
}

#[test]
fn a_name_of_another_proxy_gets_the_whole_id_whoever_holds_it() {
    let [one, other] = twins();
    let whole = |proxy: &Found| format!("x-{}", proxy.proxy);
    let name = |proxy: &Found, existing: &Existing| {
        let (manifests, _) = sorted_out(vec![proxy.clone()], existing, &settings()).unwrap();
        manifests[0].name.clone()
    };
    assert_eq!(name(&other, &nothing()), "x-bbbbbbbb");
    let mut existing = nothing();
    existing.manage("x-bbbbbbbb", &key_of(&one));
    assert_eq!(name(&other, &existing), whole(&other));
    let mut own = nothing();
    own.manage("x-cccccccc", &key_of(&one));
    assert_eq!(name(&other, &own), "x-bbbbbbbb");
    // One that is managed in another namespace is in nobody's way there, but later runs find both.
    let both = vec![one.clone(), other.clone()];
    let (manifests, _) = sorted_out(both, &existing, &settings()).unwrap();
    assert_eq!(manifests.len(), 1);
    assert_eq!(manifests[0].name, whole(&other));
}

#[test]
fn a_later_run_writes_the_new_proxy_of_the_same_name_and_leaves_the_first_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let write = |all: &[&Found]| {
        let mut existing = nothing();
        existing.read_folder(folder.path()).unwrap();
        let all = all.iter().copied().cloned().collect();
        let (manifests, _) = sorted_out(all, &existing, &settings()).unwrap();
        crate::import::split::write(folder.path(), &manifests).unwrap()
    };
    let files = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<BTreeSet<String>>()
    };
    let [one, other] = twins();
    assert_eq!(write(&[&one]).new, 1);
    let second = write(&[&other, &one]);
    assert_eq!((second.new, second.same, second.kept), (1, 1, Vec::new()));
    for run in [&[&one][..], &[&other], &[&one, &other]] {
        let again = write(run);
        assert_eq!((again.new, again.same), (0, run.len()));
    }
    let expected = [
        "kustomization.yaml".to_owned(),
        "x-bbbbbbbb.yaml".to_owned(),
        format!("x-{}.yaml", other.proxy),
    ];
    assert_eq!(files(), expected.into());

    // A file under another name stays the only one of its proxy.
    let path = |file: &str| folder.path().join(file);
    std::fs::rename(path("x-bbbbbbbb.yaml"), path("mine.yaml")).unwrap();
    let renamed = write(&[&one]);
    assert_eq!((renamed.new, renamed.same), (0, 1));
    assert!(files().contains("mine.yaml") && !files().contains("x-bbbbbbbb.yaml"));
}

#[test]
fn a_file_that_was_edited_is_kept_and_the_kustomization_names_all() {
    let folder = tempfile::tempdir().unwrap();
    let write = |numbers: &[u32]| {
        let all = numbers
            .iter()
            .map(|number| found("x", &proxy(*number), Some(3307)))
            .collect();
        let (manifests, _) = sorted_out(all, &nothing(), &settings()).unwrap();
        crate::import::split::write(folder.path(), &manifests).unwrap()
    };
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
    assert_eq!(write(&[1, 2]).new, 2);
    assert_eq!(write(&[1, 2]).same, 2);
    std::fs::write(folder.path().join("x-00000001.yaml"), "edited").unwrap();
    let third = write(&[1, 3]);
    assert_eq!(
        (third.new, third.kept),
        (1, vec!["x-00000001.yaml".to_owned()])
    );
    assert_eq!(read("x-00000001.yaml"), "edited");
    let all = ["1", "2", "3"].map(|number| format!("  - x-0000000{number}.yaml\n"));
    assert!(
        read("kustomization.yaml").ends_with(&all.concat()),
        "{}",
        read("kustomization.yaml")
    );
    let theirs = read("kustomization.yaml").replace("  - ", "- ") + "namespace: shop # theirs\n";
    std::fs::write(folder.path().join("kustomization.yaml"), &theirs).unwrap();
    assert_eq!(write(&[4]).unlisted, Vec::<String>::new());
    let with_one = theirs.replace("namespace", "- x-00000004.yaml\nnamespace");
    assert_eq!(read("kustomization.yaml"), with_one);
    std::fs::write(folder.path().join("kustomization.yaml"), "mine").unwrap();
    let fifth = write(&[5]);
    assert_eq!(fifth.unlisted, ["x-00000005.yaml"]);
    assert!(
        fifth.shown().ends_with("resources: x-00000005.yaml"),
        "{}",
        fifth.shown()
    );
    assert_eq!(read("kustomization.yaml"), "mine");
    std::fs::rename(
        folder.path().join("kustomization.yaml"),
        folder.path().join("kustomization.yml"),
    )
    .unwrap();
    assert_eq!(write(&[5]).unlisted, ["x-00000005.yaml"]);
    assert!(!folder.path().join("kustomization.yaml").exists());
}

#[test]
fn ids_that_look_like_numbers_stay_texts_for_kubectl() {
    for project in [
        "12345678901234567890123456789012",
        "01234567012345670123456701234567",
        "1234567890123456789012345678901e",
    ] {
        let mut one = found("x", &proxy(1), Some(3307));
        one.project = project.to_owned();
        let (manifests, report) = sorted_out(vec![one], &nothing(), &settings()).unwrap();
        assert_eq!(manifests.len(), 1, "{project}: {report:?}");
    }
}
