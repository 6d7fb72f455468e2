//! The dashboard: every query is one that Prometheus takes, and names what there is.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::{promtool::promtool, queries};
use crate::world::tools::{printed, refusal, root};

/// Units that Grafana knows, of those that are used.
const UNITS: [&str; 5] = ["short", "s", "bytes", "percentunit", "cpm"];

fn dashboard() -> Value {
    let text = fs::read_to_string(root().join("deploy/monitoring/dashboard.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn array<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("{key}: {value}"))
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    array(dashboard, "panels")
        .iter()
        .filter(|panel| panel["type"] != "row")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Every query, as Prometheus gets it once Grafana has filled in its variables.
fn queries_of(dashboard: &Value) -> Vec<String> {
    let of_panels = panels(dashboard).flat_map(|panel| array(panel, "targets"));
    let of_annotations = array(&dashboard["annotations"], "list");
    let queries = of_panels
        .chain(of_annotations)
        .map(|target| text(target, "expr").to_owned());
    queries.collect()
}

fn filled_in(query: &str) -> String {
    let filled = query
        .replace("$__rate_interval", "2m")
        .replace("$cluster", ".*")
        .replace("$namespace", ".*")
        .replace("$job", ".*");
    assert!(
        !filled.contains('$'),
        "a variable that nobody fills in: {query}"
    );
    filled
}

/// What promtool says of rules that ask these queries.
fn judged(queries: &[String]) -> std::process::Output {
    let rules: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(number, query)| json!({"record": format!("panel:query{number}"), "expr": query}))
        .collect();
    let file = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), file.to_string()).unwrap();
    promtool(
        folder.path(),
        &["check", "rules", "--lint=none", "rules.yaml"],
    )
}

#[taurus_needs::test]
fn every_query_is_one_that_prometheus_takes_and_names_what_there_is() {
    let queries: Vec<String> = queries_of(&dashboard())
        .iter()
        .map(|query| filled_in(query))
        .collect();
    assert!(queries.len() > 40, "{}", queries.len());
    let said = printed(judged(&queries));
    assert!(
        said.contains(&format!("SUCCESS: {} rules found", queries.len())),
        "{said}"
    );
    for query in &queries {
        let none: [&str; 0] = [];
        assert_eq!(queries::faults(query), none, "{query}");
        // Only the operators that the variables choose.
        let selectors = query
            .matches(r#"{cluster=~".*",namespace=~".*",job=~".*""#)
            .count();
        let figures = query.matches("taurus_").count() + query.matches("process_").count();
        assert_eq!(selectors, figures, "{query}");
    }
    refusal(&judged(&["sum(taurus_leading".to_owned()]));
}

#[test]
fn every_panel_has_a_title_a_description_and_a_unit_and_its_own_place() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in array(&dashboard, "panels") {
        assert!(!text(panel, "title").is_empty(), "{panel}");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|it| panel["gridPos"][it].as_u64().unwrap());
        assert!(x + w <= 24, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "another one is there already: {panel}");
        }
    }
    for panel in panels(&dashboard) {
        assert!(text(panel, "description").ends_with('.'), "{panel}");
        let unit = text(&panel["fieldConfig"]["defaults"], "unit");
        assert!(UNITS.contains(&unit), "{unit:?}: {panel}");
        for target in array(panel, "targets") {
            assert_eq!(
                text(&target["datasource"], "uid"),
                "${datasource}",
                "{target}"
            );
            assert!(!text(target, "legendFormat").is_empty(), "{target}");
        }
    }
}

#[test]
fn plans_that_wait_and_the_calendar_are_drawn() {
    let dashboard = dashboard();
    let targets = panels(&dashboard).flat_map(|panel| array(panel, "targets"));
    let drawn: Vec<&str> = targets.map(|target| text(target, "expr")).collect();
    for figure in [
        "taurus_plans_waiting",
        "taurus_oldest_plan_made_timestamp_seconds",
        "taurus_freeze_active",
        "taurus_window_open",
        "taurus_calendar_broken",
    ] {
        let selected = format!("{figure}{{");
        let is_drawn = drawn.iter().any(|query| query.contains(&selected));
        assert!(is_drawn, "{figure}");
    }
}

#[test]
fn it_can_be_imported_and_asks_for_its_variables() {
    let dashboard = dashboard();
    // An id of its own would collide with another dashboard; the uid is what links keep.
    assert!(dashboard["id"].is_null());
    assert_eq!(text(&dashboard, "uid"), "taurus-port-operator");
    let variables = array(&dashboard["templating"], "list");
    let names: Vec<&str> = variables.iter().map(|it| text(it, "name")).collect();
    assert_eq!(names, ["datasource", "cluster", "namespace", "job"]);
    assert_eq!(text(&variables[0], "type"), "datasource");
    for variable in &variables[1..] {
        let definition = text(variable, "definition");
        assert!(
            definition.starts_with("label_values(taurus_build_info"),
            "{definition}"
        );
    }
}
