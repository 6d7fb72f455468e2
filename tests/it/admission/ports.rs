//! Ports: bounds, reserved numbers, and what YAML makes of a number.

use serde_json::json;

use super::{
    judge::{Judge, NAME, each, in_order, printed},
    written::Written,
};
use crate::kept::{kept, table};

const REFUSED: [&str; 13] = [
    "1024", "1033", "5342", "5343", "5344", "5345", "12017", "20000", "20201", "20202", "33062",
    "33071", "65535",
];

const ACCEPTED: [i32; 18] = [
    1025, 1032, 1034, 5341, 5346, 12016, 12018, 19999, 20001, 20200, 20203, 33060, 33061, 33063,
    33070, 33072, 65534, 3306,
];

#[taurus_needs::test]
async fn d04_bounds_and_reserved_ports_are_refused_and_their_neighbours_taken() {
    let judge = Judge::new().await;
    judge.keep_refusals("ports", &each("port", &REFUSED)).await;
    for port in ACCEPTED {
        let written = Written::good().with("port", &port.to_string());
        assert_eq!(judge.stored(&written).await["port"], json!(port));
        assert_eq!(judge.stored_as_change(&written).await["port"], json!(port));
    }
}

#[taurus_needs::test]
async fn numbers_that_are_no_ports_are_refused() {
    let numbers = [
        "0",
        "-1",
        "-3307",
        "65536",
        "68843", // 3307 in 16 bits
        "2147483648",
        "4294970603", // 3307 in 32 bits
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709554923", // 3307 in 64 bits
        "1e300",
        "3307.5",
        "3307.0000001",
    ];
    let cases = each("port", &numbers);
    Judge::new()
        .await
        .keep_refusals("ports-numbers", &cases)
        .await;
}

#[taurus_needs::test]
async fn d01_a_port_in_quotes_is_refused_and_never_stored() {
    let forms = [
        "\"3306\"",
        "'3306'",
        "\"3306 \"",
        "\"0x0CEA\"",
        "\"\"",
        "|\n    3306",
    ];
    let cases = each("port", &forms);
    Judge::new()
        .await
        .keep_refusals("ports-quoted", &cases)
        .await;
}

#[taurus_needs::test]
async fn what_is_no_number_is_no_port() {
    let forms = [
        "",
        "null",
        "~",
        "true",
        "yes",
        "[3307]",
        "{number: 3307}",
        "3307/tcp",
        "55:06",
    ];
    let cases = each("port", &forms);
    Judge::new()
        .await
        .keep_refusals("ports-types", &cases)
        .await;
}

#[taurus_needs::test]
async fn d03_numbers_in_other_bases_are_what_kubectl_makes_of_them_or_refused() {
    let judge = Judge::new().await;
    // The operator can't undo what the reader of YAML did; the column Desired shows it before anything is changed.
    for (form, read) in [
        ("03306", 1734),
        ("0o3306", 1734),
        ("0xCEA", 3306),
        ("0b110011101010", 3306),
        ("3_306", 3306),
        ("+3306", 3306),
        ("3306.0", 3306),
        ("3.306e3", 3306),
    ] {
        let written = Written::good().with("port", form);
        assert_eq!(judge.stored(&written).await["port"], json!(read), "{form}");
        let changed = judge.stored_as_change(&written).await;
        assert_eq!(changed["port"], json!(read), "{form}");
    }
    let refused = each("port", &["03307.5", "00", "0o1000", "0x1FFFF"]);
    judge.keep_refusals("ports-bases", &refused).await;
}

#[taurus_needs::test]
async fn numbers_that_are_none_never_leave_kubectl() {
    let judge = Judge::new().await;
    let mut rows = Vec::new();
    for form in [".inf", ".nan", "1e400"] {
        let document = Written::good().with("port", form).document(NAME, None);
        let refused = judge.kubectl(&["create", "--dry-run=server", "-f"], &document);
        rows.push((format!("port: {form}"), printed(&refused).unwrap_err()));
    }
    kept("ports-no-numbers", &table(&rows), &[]);
}

#[taurus_needs::test]
async fn server_side_apply_refuses_other_types_in_its_own_words() {
    let judge = Judge::new().await;
    let mut rows = Vec::new();
    for form in [
        "\"3306\"", "3306.5", "true", "null", "[3307]", "1024", "1033",
    ] {
        let document = Written::good().with("port", form).document(NAME, None);
        let refused = judge.kubectl(&["apply", "--server-side", "-f"], &document);
        let said = in_order(&printed(&refused).unwrap_err());
        rows.push((format!("port: {form}"), said));
    }
    kept("ports-server-side", &table(&rows), &[]);
}
