//! What a query names: figures and labels, held against the catalogue.

use std::collections::BTreeSet;

use taurus_port_operator::telemetry::metrics::catalogue::{FIGURES, Figure, Kind};

/// Labels that a scrape adds, or that promtool and Prometheus make.
const OF_THE_SCRAPE: [&str; 5] = ["cluster", "namespace", "job", "instance", "pod"];

/// The figure that a series belongs to.
pub fn figure_of(series: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|figure| {
        let name = figure.name();
        match figure.kind {
            Kind::Histogram => ["_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| series.strip_suffix(suffix) == Some(&name)),
            Kind::Counter | Kind::Gauge | Kind::Info => series == name,
        }
    })
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The words of a query outside quotes, each with what follows it up to the next word.
fn words(query: &str) -> Vec<(&str, &str)> {
    let mut words = Vec::new();
    let mut rest = query;
    while let Some(begin) = rest.find(|letter: char| letter == '"' || is_word(letter)) {
        rest = &rest[begin..];
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted.split_once('"').map_or("", |(_, after)| after);
            continue;
        }
        let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        words.push((word, after));
        rest = after;
    }
    words
}

/// What is wrong with the names in a query: series that nobody counts, labels that they don't have, words that those never hold.
pub fn faults(query: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut named = BTreeSet::from(OF_THE_SCRAPE);
    let mut of_series = 0;
    for (word, after) in words(query) {
        if !(word.starts_with("taurus_") || word.starts_with("process_")) {
            continue;
        }
        let Some(figure) = figure_of(word) else {
            faults.push(format!("{word} is no figure"));
            continue;
        };
        of_series += 1;
        let labels: BTreeSet<&str> = figure.labels.iter().map(|label| label.name).collect();
        named.extend(&labels);
        if figure.kind == Kind::Histogram {
            named.insert("le");
        }
        let Some(selector) = after.strip_prefix('{') else {
            continue;
        };
        for matcher in selector.split('}').next().unwrap().split("\",") {
            let Some((label, value)) = matcher.split_once('=') else {
                continue;
            };
            let label = label.trim().trim_end_matches('!');
            let is_bound = label == "le" && figure.kind == Kind::Histogram;
            if is_bound || OF_THE_SCRAPE.contains(&label) {
                continue;
            }
            let Some(listed) = figure.labels.iter().find(|listed| listed.name == label) else {
                faults.push(format!("{word} has no label {label}"));
                continue;
            };
            let words = listed.words();
            let value = value.trim_start_matches('~').trim_matches('"');
            let unknown = value.split('|').filter(|value| !words.contains(value));
            faults.extend(unknown.map(|value| format!("{word}: {label} is never {value}")));
        }
    }
    if of_series == 0 {
        faults.push("it names no figure".to_owned());
    }
    for grouping in query.split(" by (").skip(1) {
        for label in grouping.split(')').next().unwrap().split(',') {
            if !named.contains(label.trim()) {
                faults.push(format!("it groups by {label}, which nothing has"));
            }
        }
    }
    faults
}

#[test]
fn what_is_not_there_is_found() {
    let none: [&str; 0] = [];
    let good = "sum by (job, reason) (taurus_resources{state=\"stalled\",reason!~\"JobOverdue|SpecInvalid\"}) > 0";
    assert_eq!(faults(good), none);
    let quantile = "histogram_quantile(0.9, sum by (le) (rate(taurus_change_seconds_bucket[5m])))";
    assert_eq!(faults(quantile), none);
    for (query, fault) in [
        ("taurus_nothing", "taurus_nothing is no figure"),
        (
            "taurus_change_seconds",
            "taurus_change_seconds is no figure",
        ),
        (
            "taurus_leading{state=\"x\"}",
            "taurus_leading has no label state",
        ),
        (
            "taurus_resources{state=~\"ready|x\"}",
            "taurus_resources: state is never x",
        ),
        (
            "sum by (reason) (taurus_leading)",
            "it groups by reason, which nothing has",
        ),
        ("up", "it names no figure"),
    ] {
        assert!(
            faults(query).contains(&fault.to_owned()),
            "{query}: {:?}",
            faults(query)
        );
    }
}
