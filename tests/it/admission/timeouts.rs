//! `changeTimeout`: a duration between a minute and a day.

use serde_json::json;

use super::{
    judge::{Judge, each},
    written::Written,
};

#[taurus_needs::test]
async fn durations_of_another_form_or_length_are_refused() {
    let forms = [
        "0s",
        "59s",
        "59s0h",
        "24h1s",
        "25h",
        "1441m",
        "86401s",
        "100000s",
        "99999h",
        "9999999999999h", // more than the engine can hold
        "90",
        "\"90\"",
        "3 h",
        "1d",
        "1.5h",
        "-5m",
        "+5m",
        "5M",
        "PT5M",
        "1h 30m",
        "5minutes",
        "\"30m\\n\"",
        "\" 30m\"",
        "\"\"",
        "m",
        "1m1m1m1m1m1m1m1m1m",
    ];
    let cases = each("changeTimeout", &forms);
    Judge::new().await.keep_refusals("timeouts", &cases).await;
}

#[taurus_needs::test]
async fn durations_from_a_minute_to_a_day_are_taken() {
    let judge = Judge::new().await;
    for text in [
        "1m",
        "60s",
        "61s",
        "30s30s",
        "1h30m",
        "30m1h",
        "23h59m59s",
        "24h",
        "1440m",
        "86400s",
    ] {
        let written = Written::good().with("changeTimeout", text);
        assert_eq!(judge.stored(&written).await["changeTimeout"], json!(text));
        let changed = judge.stored_as_change(&written).await;
        assert_eq!(changed["changeTimeout"], json!(text));
    }
}
