//! `maintenanceWindows`, `approval` and `approvedPlan`.

use serde_json::json;

use super::{
    judge::{Judge, each},
    written::Written,
};

#[taurus_needs::test]
async fn windows_that_can_not_be_are_refused() {
    let seventeen = format!(
        "[{}]",
        vec!["{start: '02:00', duration: 1h}"; 17].join(", ")
    );
    let forms = [
        "[]",
        "[{duration: 1h}]",
        "[{start: '02:00'}]",
        "[{start: '24:00', duration: 1h}]",
        "[{start: '2:00', duration: 1h}]",
        "[{start: '02:60', duration: 1h}]",
        "[{start: 2, duration: 1h}]",
        "[{start: '02:00', duration: 29m}]",
        "[{start: '02:00', duration: 24h1s}]",
        "[{start: '02:00', duration: 1d}]",
        "[{start: '02:00', duration: 1h, days: []}]",
        "[{start: '02:00', duration: 1h, days: [Monday]}]",
        "[{start: '02:00', duration: 1h, days: [Mon, Mon]}]",
        "[{start: '02:00', duration: 1h, weeksOfMonth: [0]}]",
        "[{start: '02:00', duration: 1h, weeksOfMonth: [6]}]",
        "[{start: '02:00', duration: 1h, timeZone: ''}]",
        "[{start: '02:00', duration: 1h, timeZone: '+02:00'}]",
        &seventeen,
    ];
    let cases = each("maintenanceWindows", &forms);
    Judge::new().await.keep_refusals("windows", &cases).await;
}

#[taurus_needs::test]
async fn windows_are_stored_as_they_are_written() {
    let judge = Judge::new().await;
    let sixteen = vec![json!({"start": "02:00", "duration": "30m"}); 16];
    for windows in [
        json!([{"start": "00:00", "duration": "24h"}]),
        json!([{
            "days": ["Mon", "Sun"], "weeksOfMonth": [1, 5], "start": "23:59", "duration": "2h30m",
            "timeZone": "America/Argentina/Buenos_Aires"
        }]),
        json!([{"start": "02:00", "duration": "1h", "timeZone": "Etc/GMT+5"}]),
        json!(sixteen),
    ] {
        let written = Written::good().with("maintenanceWindows", &windows.to_string());
        assert_eq!(judge.stored(&written).await["maintenanceWindows"], windows);
    }
}

#[taurus_needs::test]
async fn approvals_are_words_and_ids_of_plans() {
    let judge = Judge::new().await;
    let words = ["manual", "Never", "true", "\"\""];
    let mut cases = each("approval", &words);
    let ids = [
        "0123456789abcde",
        "0123456789ABCDEF",
        "\"0123456789abcdef0\"",
        "\"\"",
    ];
    cases.extend(each("approvedPlan", &ids));
    judge.keep_refusals("approval", &cases).await;
    for word in ["Automatic", "Manual"] {
        let written = Written::good().with("approval", word);
        assert_eq!(judge.stored(&written).await["approval"], json!(word));
    }
    let written = Written::good().with("approvedPlan", "\"0123456789abcdef\"");
    let stored = judge.stored(&written).await;
    assert_eq!(stored["approvedPlan"], json!("0123456789abcdef"));
}
