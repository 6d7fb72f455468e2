//! Addresses in place of a region's, and what they ask for.

use serde_json::json;

use super::{
    judge::{Judge, each},
    written::Written,
};

const REFUSED: [&str; 14] = [
    "host",
    "host:443",
    "//host",
    "ftp://host",
    "HTTPS://host",
    "https://",
    "https://host/",
    "https://host/v3",
    "https://host?x=y",
    "https://host#part",
    "http://user:secret@host",
    "\"https://host \"",
    "\"https://host\\n\"",
    "https://hôst",
];

#[taurus_needs::test]
async fn addresses_of_another_form_are_refused() {
    let judge = Judge::new().await;
    let long = format!("https://{}", "h".repeat(300));
    for field in ["endpoint", "iamEndpoint"] {
        let mut forms = REFUSED.to_vec();
        forms.extend([&long, "\"\"", "443"]);
        judge.keep_refusals(field, &each(field, &forms)).await;
    }
}

#[taurus_needs::test]
async fn addresses_of_hosts_are_taken() {
    let judge = Judge::new().await;
    for address in [
        "https://host",
        "https://host:8443",
        "http://[::1]:80",
        "http://127.0.0.1:1",
    ] {
        for field in ["endpoint", "iamEndpoint"] {
            let spec = judge.stored(&Written::good().with(field, address)).await;
            assert_eq!(spec[field], json!(address));
        }
    }
    let changed = Written::good().with("iamEndpoint", "https://host");
    assert_eq!(
        judge.stored_as_change(&changed).await["iamEndpoint"],
        json!("https://host")
    );
}

#[taurus_needs::test]
async fn rules_between_fields_are_kept() {
    let judge = Judge::new().await;
    let anonymous = || Written::good().without("credentialsRef");
    let with = |field| anonymous().with(field, "https://host");
    let cases = [
        (
            "neither region nor endpoint",
            Written::good().without("region"),
        ),
        (
            "iamEndpoint alone",
            Written::good()
                .without("region")
                .with("iamEndpoint", "https://host"),
        ),
        ("endpoint without credentialsRef", with("endpoint")),
        ("iamEndpoint without credentialsRef", with("iamEndpoint")),
        (
            "endpoint without credentialsRef or region",
            with("endpoint").without("region"),
        ),
    ];
    let cases = cases.map(|(case, written)| (case.to_owned(), written));
    judge.keep_refusals("endpoints-rules", &cases).await;

    let placed = Written::good()
        .without("region")
        .with("endpoint", "https://host:8443");
    assert_eq!(
        judge.stored(&placed).await["endpoint"],
        json!("https://host:8443")
    );
    assert_eq!(judge.stored(&anonymous()).await.get("credentialsRef"), None);
    assert_eq!(
        judge
            .stored_as_change(&anonymous())
            .await
            .get("credentialsRef"),
        None
    );
}

#[taurus_needs::test]
async fn regions_of_another_form_are_refused() {
    let judge = Judge::new().await;
    let long = format!("ap-{}", "x".repeat(30));
    let forms = [
        "AP-1",
        "ap",
        "a-southeast-1",
        "ap_southeast_1",
        "ap-southeast-1.",
        "\"\"",
        "1",
        "null",
        &long,
    ];
    judge
        .keep_refusals("regions", &each("region", &forms))
        .await;
    for region in [
        "cn-north-4",
        "ap-southeast-1",
        &format!("ap-{}", "x".repeat(29)),
    ] {
        let spec = judge.stored(&Written::good().with("region", region)).await;
        assert_eq!(spec["region"], json!(region));
    }
}
