//! `docs/iam.md` names an action for each call that the operator makes, and its policies grant these and no others.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use taurus_port_operator::{
    cloud::{
        observer::Operation,
        request::{Request, Tasks},
    },
    model::{InstanceId, JobId, Port, ProjectId, ProxyId},
};
use taurus_sim::sample;

use super::Page;

/// One call, as the page has it.
struct Row {
    request: String,
    /// The actions, by version of the policy.
    actions: BTreeMap<&'static str, BTreeSet<String>>,
}

/// What stands between backticks in a cell.
fn words(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

fn table(page: &Page) -> BTreeMap<String, Row> {
    let section = page.section(2, "Which call needs what");
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.split('|').collect();
        let [_, call, request, identity, role, _] = cells[..] else {
            panic!("{line}")
        };
        let actions = [("5.0", identity), ("1.1", role)];
        let row = Row {
            request: words(request).next().unwrap(),
            actions: actions
                .map(|(version, cell)| (version, words(cell).collect()))
                .into(),
        };
        (words(call).next().unwrap(), row)
    });
    rows.collect()
}

/// For whom a policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Changes,
    Looks,
    SecurityGroups,
}

impl For {
    /// Whether it is for a call.
    fn grants(self, call: &str) -> bool {
        match self {
            Self::Changes => call != "group_rules",
            Self::Looks => call != "group_rules" && call != "change_port",
            Self::SecurityGroups => call == "group_rules" || call == "instance_windows",
        }
    }
}

/// The policies of the page: version, actions, and for whom it is.
fn policies(page: &Page) -> Vec<(String, BTreeSet<String>, For)> {
    let mut policies = Vec::new();
    let mut before = "";
    for (place, part) in page.text.split("```").enumerate() {
        let Some(json) = part.strip_prefix("json\n").filter(|_| place % 2 == 1) else {
            before = part;
            continue;
        };
        let policy: Value = serde_json::from_str(json).unwrap();
        let [statement] = &policy["Statement"].as_array().unwrap()[..] else {
            panic!("one statement: {policy}")
        };
        assert_eq!(statement["Effect"], "Allow", "{policy}");
        let actions = statement["Action"].as_array().unwrap().iter();
        let actions = actions.map(|action| action.as_str().unwrap().to_owned());
        let version = policy["Version"].as_str().unwrap().to_owned();
        let whom = if actions.clone().any(|action| action.starts_with("vpc:")) {
            For::SecurityGroups
        } else if before.contains("To look only") {
            For::Looks
        } else {
            For::Changes
        };
        policies.push((version, actions.collect(), whom));
    }
    policies
}

#[test]
fn each_policy_grants_what_the_calls_need_and_nothing_else() {
    let page = Page::read("docs/iam.md");
    let table = table(&page);
    let policies = policies(&page);
    let kinds: Vec<(&str, For)> = policies.iter().map(|it| (it.0.as_str(), it.2)).collect();
    assert_eq!(
        kinds,
        [
            ("5.0", For::Changes),
            ("5.0", For::Looks),
            ("1.1", For::Changes),
            ("1.1", For::Looks),
            ("5.0", For::SecurityGroups),
            ("1.1", For::SecurityGroups),
        ]
    );
    for (version, granted, whom) in &policies {
        let calls = table.iter().filter(|(call, _)| whom.grants(call));
        let needed: BTreeSet<String> = calls
            .flat_map(|(_, row)| row.actions[version.as_str()].clone())
            .collect();
        assert_eq!(*granted, needed, "{version}, {whom:?}");
    }
}

#[test]
fn each_call_that_is_made_is_in_the_table_with_the_actions_that_it_needs() {
    let table = table(&Page::read("docs/iam.md"));
    let of_code: BTreeSet<String> = Operation::iter()
        .map(|operation| <&str>::from(operation).to_owned())
        .collect();
    let of_page: BTreeSet<String> = table.keys().cloned().collect();
    assert_eq!(of_page, of_code);
    for (call, row) in &table {
        for (version, actions) in &row.actions {
            assert_eq!(actions.is_empty(), call == "token", "{call} in {version}");
        }
    }
}

#[test]
fn the_requests_of_the_table_are_those_that_are_sent() {
    let table = table(&Page::read("docs/iam.md"));
    let project = ProjectId::parse(sample::PROJECT).unwrap();
    let instance = InstanceId::parse(sample::INSTANCE).unwrap();
    let proxy = ProxyId::parse(sample::PROXY).unwrap();
    let job = JobId::parse("2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541").unwrap();
    let requests = [
        Request::proxies(&project, &instance, 0),
        Request::instance_windows(&project, std::slice::from_ref(&instance)),
        Request::group_rules(&project, sample::SECURITY_GROUP, None),
        Request::job(&project, &job),
        Request::tasks(&project, Tasks::Running, 0),
        Request::tasks(&project, Tasks::Since(Timestamp::now()), 0),
        Request::change(&project, &instance, &proxy, Port::new(3307).unwrap()),
    ];
    for request in requests {
        let path = request
            .path
            .replace(sample::PROJECT, "{project}")
            .replace(sample::INSTANCE, "{instance}")
            .replace(sample::PROXY, "{proxy}");
        let call: &str = request.operation.into();
        assert_eq!(table[call].request, format!("{} {path}", request.method));
    }
}
