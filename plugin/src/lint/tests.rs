use super::*;

const GOOD: &str = "\
apiVersion: taurusdb.huaweicloud.com/v1alpha1
kind: TaurusProxyPort
metadata:
  name: orders
spec:
  region: ap-southeast-1
  projectID: 0483b6b16e954cb88930a360d2c4e663
  instanceID: e80a4b6f13c2457d9ab05c7712f4d3e6in07
  proxyID: 4d1f0a77c2b94e5f8a6031d7be92c405po01
  port: 3307
";

fn lint(texts: &[&str]) -> Report {
    let sources: Vec<Source> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| Source {
            name: format!("{number}.yaml"),
            text: (*text).to_owned(),
        })
        .collect();
    check(&sources).unwrap()
}

/// The place, the field and the message of each fault.
fn faults(texts: &[&str]) -> Vec<String> {
    let line = |fault: &Finding| {
        format!(
            "{}:{} {}: {}",
            fault.file, fault.line, fault.field, fault.message
        )
    };
    lint(texts).faults.iter().map(line).collect()
}

#[test]
fn a_good_manifest_has_no_fault_and_all_rules_of_the_definition_are_run() {
    let report = lint(&[GOOD]);
    assert_eq!(
        report,
        Report {
            resources: 1,
            ..Report::default()
        }
    );
    let rules = include_str!("../../../crds/taurusproxyports.taurusdb.huaweicloud.com.yaml");
    assert_eq!(
        Judge::new().unwrap().rules(),
        rules.matches(" rule: ").count()
    );
}

#[test]
fn faults_are_told_with_line_field_and_the_words_of_the_api_server() {
    let bad = GOOD
        .replace("3307", "1024")
        .replace("po01", "po02")
        .replace("  region: ap-southeast-1\n", "  changeTimeout: 1d\n");
    let timeout = "0.yaml:6 spec.changeTimeout: Invalid value: \"1d\": ";
    let proxy = "0.yaml:9 spec.proxyID: Invalid value: \"4d1f0a77c2b94e5f8a6031d7be92c405po02\": ";
    assert_eq!(
        faults(&[&bad]),
        [
            "0.yaml:5 spec.region: Required value: region or endpoint must be set (or both)".to_owned(),
            format!(
                "{timeout}changeTimeout must be between 1m and 24h, in whole numbers with the units h, m and s, such as 30m or 1h30m"
            ),
            format!("{timeout}spec.changeTimeout in body should match '^([0-9]+(h|m|s))+$'"),
            format!("{proxy}proxyID must be 32 letters or digits followed by po01, without dashes"),
            format!("{proxy}spec.proxyID in body should match '^[A-Za-z0-9]{{32}}po01$'"),
            "0.yaml:10 spec.port: Invalid value: 1024: spec.port in body should be greater than or equal to 1025".to_owned(),
        ]
    );
}

#[test]
fn a_fault_hides_no_other() {
    let bad = GOOD
        .replace("name: orders", "name: Orders")
        .replace("  projectID:", "  projetID:")
        .replace("po01", "po02")
        .replace("port: 3307", "port: \"3307\"\n  changeTimeout: 1d");
    let other = bad.replace("Orders", "Users");
    let found = lint(&[&format!("{bad}---\na: [\n---\n{other}")]);
    let told = |file: &[Finding]| -> Vec<(usize, String)> {
        file.iter()
            .map(|fault| (fault.line, fault.field.clone()))
            .collect()
    };
    let of_one = [
        (4, "metadata.name"),
        (5, "spec.projectID"),
        (7, "spec.projetID"),
        (9, "spec.proxyID"),
        (9, "spec.proxyID"),
        (10, "spec.port"),
        (11, "spec.changeTimeout"),
        (11, "spec.changeTimeout"),
    ];
    let of_one = |passed: usize| of_one.map(|(line, field)| (line + passed, field.to_owned()));
    let (first, rest) = found.faults.split_at(8);
    assert_eq!(told(first), of_one(0));
    assert!(rest[0].message.starts_with("not YAML: "), "{rest:?}");
    assert_eq!(told(&rest[1..]), of_one(14));
    // A rule that needs what is missing or misshapen says nothing of it.
    let of_port = found
        .faults
        .iter()
        .filter(|fault| fault.field == "spec.port");
    assert!(
        of_port
            .clone()
            .all(|fault| fault.message.contains("must be of type integer"))
    );
    assert_eq!(of_port.count(), 2);
}

#[test]
fn reserved_ports_are_refused_by_the_rule_of_the_definition() {
    for port in taurus_port_operator::model::RESERVED {
        let found = faults(&[&GOOD.replace("3307", &port.to_string())]);
        assert!(
            found.len() == 1 && found[0].contains("port is reserved by the service"),
            "{found:?}"
        );
    }
}

#[test]
fn two_resources_for_one_proxy_are_found_whatever_their_spelling() {
    let other = GOOD
        .replace("name: orders", "name: copy")
        .replace("4d1f0a77c2b9", "4D1F0A77C2B9");
    let found = faults(&[GOOD, &other]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("1.yaml:9 spec.proxyID: orders in 0.yaml:1 names the same proxy"),
        "{found:?}"
    );
    let observed = format!("{other}  managementPolicy: Observe\n");
    assert!(faults(&[GOOD, &observed]).is_empty());
    let elsewhere = other.replace("ap-southeast-1", "cn-north-4");
    assert!(faults(&[GOOD, &elsewhere]).is_empty());
    let named_twice = faults(&[GOOD, GOOD]);
    assert!(
        named_twice.len() == 1
            && named_twice[0].contains("metadata.name: the same resource stands in 0.yaml:1"),
        "{named_twice:?}"
    );
}

#[test]
fn lists_are_taken_apart_and_other_kinds_are_passed_over() {
    let indented: Vec<String> = GOOD
        .lines()
        .enumerate()
        .map(|(number, line)| {
            if number == 0 {
                format!("- {line}")
            } else {
                format!("  {line}")
            }
        })
        .collect();
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n{}\n",
        indented.join("\n").replace("3307", "x")
    );
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: orders}\n";
    let report = lint(&[&format!("{service}---\n{list}")]);
    assert_eq!((report.resources, report.others), (1, 1));
    assert_eq!(
        (report.faults[0].line, report.faults[0].field.as_str()),
        (17, "spec.port")
    );
}

#[test]
fn versions_names_and_keys_that_can_not_be_are_faults() {
    for (text, field) in [
        (GOOD.replace("v1alpha1", "v2"), "apiVersion"),
        (
            GOOD.replace("taurusdb.huawei", "taurus.huawei"),
            "apiVersion",
        ),
        (
            GOOD.replace("kind: TaurusProxyPort", "kind: TaurusProxyPorts"),
            "kind",
        ),
        (GOOD.replace("kind: TaurusProxyPort\n", ""), "kind"),
        (
            GOOD.replace("name: orders", "name: Orders"),
            "metadata.name",
        ),
        (
            GOOD.replace("  name: orders", "  name: orders\n  label: x"),
            "metadata.label",
        ),
        (
            GOOD.replace("  name: orders", "  labels: {}"),
            "metadata.name",
        ),
        (format!("{GOOD}  port: 3308\n"), "spec.port"),
        (format!("{GOOD}  prot: 3308\n"), "spec.prot"),
        ("a: [".to_owned(), ""),
    ] {
        let report = lint(&[&text]);
        assert_eq!(report.faults.len(), 1, "{text}: {:?}", report.faults);
        assert_eq!(report.faults[0].field, field, "{text}");
    }
}

#[test]
fn what_may_not_be_wanted_is_a_warning_and_no_fault() {
    let report = lint(&[&GOOD
        .replace("3307", "33060")
        .replace("ap-southeast-1", "xx-nowhere-1")]);
    assert!(report.faults.is_empty());
    let fields: Vec<&str> = report
        .warnings
        .iter()
        .map(|warning| warning.field.as_str())
        .collect();
    assert_eq!(fields, ["spec.port", "spec.region"]);
}

#[test]
fn a_zone_that_nobody_knows_is_told_before_the_operator_refuses_it() {
    let windows = |zone: &str| {
        format!(
            "{GOOD}  maintenanceWindows:\n  - start: \"02:00\"\n    duration: 3h\n    timeZone: {zone}\n"
        )
    };
    let good = lint(&[&windows("Europe/Berlin")]);
    assert_eq!((good.faults, good.warnings), (vec![], vec![]));
    let report = lint(&[&windows("Europe/Nowhere")]);
    let told: Vec<&str> = report.faults.iter().map(|it| it.message.as_str()).collect();
    assert!(
        matches!(told[..], [told] if told.contains("the operator will refuse it") && told.contains("Europe/Nowhere")),
        "{told:?}"
    );
    let bad = lint(&[&windows("Europe/Berlin").replace("02:00", "2 am")]);
    let fields: Vec<&str> = bad
        .faults
        .iter()
        .map(|fault| fault.field.as_str())
        .collect();
    assert!(
        fields.contains(&"spec.maintenanceWindows[0].start"),
        "{fields:?}"
    );
    assert_eq!(bad.faults[0].line, 12);
}

#[test]
fn a_change_of_what_stays_is_refused_as_a_change() {
    let judge = Judge::new().unwrap();
    let read = |text: &str| yaml::documents(text).unwrap().remove(0).value;
    let (old, new) = (
        read(GOOD),
        read(&GOOD.replace("po01", "xpo01").replace("4d1f", "5d1")),
    );
    let found = judge.faults(&new, Some(&old));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0]
            .message
            .starts_with("Forbidden: proxyID can't be changed")
    );
}

#[test]
fn a_port_that_begins_with_a_zero_is_told_with_the_number_that_is_read() {
    let odd = GOOD.replace("port: 3307", "port: 03306");
    assert_ne!(odd, GOOD);
    let listed = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}",
        odd.trim_start_matches("---\n")
            .trim_end()
            .replace('\n', "\n  ")
    );
    for text in [&odd, &listed] {
        let source = Source {
            name: "a.yaml".to_owned(),
            text: text.clone(),
        };
        let report = check(&[source]).unwrap();
        assert!(report.faults.is_empty(), "{report:?}");
        let told: Vec<(&str, &str)> = report
            .warnings
            .iter()
            .map(|it| (it.field.as_str(), it.message.as_str()))
            .collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "spec.port");
        assert!(
            told[0]
                .1
                .starts_with("03306 begins with a zero and is read as 1734"),
            "{told:?}"
        );
    }
}
