//! The list of proxies: every value that a decision hangs on stands in the answer, in the row of that proxy.

use serde_json::Value;
use taurus_port_operator::cloud::{
    Proxy, ProxyStatus,
    excerpt::Cleaner,
    wire::{self, Cleaned as _, ProxyPage},
};

use crate::look;

/// Checks a body.
pub fn check(input: &[u8]) -> bool {
    let body = look::body(input);
    let Ok(page) = wire::proxies(&body) else {
        return false;
    };
    let Some(json) = look::json(&body) else {
        return true;
    };
    let rows = json["proxy_list"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(page.rows, rows.len());
    let is_list = json["proxy_list"].is_array();
    assert_eq!(page.has_gaps, !is_list || page.proxies.len() < page.rows);
    let mut left = rows.iter();
    for proxy in &page.proxies {
        let row = left
            .find(|row| look::says(&row["proxy"]["pool_id"], proxy.id.as_str()))
            .expect("a proxy stands in the list, in its place");
        check_row(&row["proxy"], proxy);
    }
    for proxy in &page.proxies {
        let proxy = proxy.clone();
        let one = ProxyPage {
            rows: 1,
            proxies: vec![proxy],
            has_gaps: false,
        };
        for shown in one.cleaned(&Cleaner::new(&[])).proxies {
            look::assert_shown(shown.status.word());
            look::assert_shown(&shown.name);
            look::assert_shown(shown.address.as_deref().unwrap_or_default());
        }
    }
    let written_anew = wire::proxies(&json.to_string());
    assert_eq!(
        written_anew.as_ref(),
        Ok(&page),
        "only values matter, not how they are written"
    );
    !page.proxies.is_empty()
}

fn check_row(row: &Value, proxy: &Proxy) {
    assert_eq!(proxy.port, port(&row["port"]), "{}", row["port"]);
    assert_eq!(
        proxy.status == ProxyStatus::Active,
        look::says(&row["status"], "ACTIVE"),
        "{}",
        row["status"]
    );
}

fn port(value: &Value) -> Option<u16> {
    let digits = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let digits = digits.strip_prefix('+').unwrap_or(&digits);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.trim_start_matches('0').parse().ok()?;
    (number != 0).then_some(number)
}
