//! Ids: their length, letters and suffix, and what YAML puts around them.

use serde_json::json;
use taurus_sim::sample;

use super::{
    judge::{Judge, each},
    written::Written,
};

const DASHED: &str = "4d1f0a77-c2b9-4e5f-8a60-31d7be92c405";

/// Forms that no id has, made from a good one with its suffix.
fn wrong(field: &str, good: &str) -> Vec<(String, Written)> {
    let (body, suffix) = good.split_at(32);
    let forms = [
        format!("{}{suffix}", &body[1..]),
        format!("0{good}"),
        format!("{}-{suffix}", &body[1..]),
        format!("{}_{suffix}", &body[1..]),
        format!("{}é{suffix}", &body[1..]),
        format!("{}０{suffix}", &body[1..]),
        format!("{good}/port"),
        format!("\"{good} \""),
        format!("\" {good}\""),
        format!("\"{good}\\t\""),
        format!("\"{good}\\n\""),
        format!("\"{good}\\0\""),
        format!("\"{good}\\r\\n\""),
        format!("\"{}\"", good.repeat(2)),
        "\"\"".to_owned(),
        "null".to_owned(),
        "12345678901234567890123456789012".to_owned(),
        format!("[{good}]"),
    ];
    let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
    each(field, &forms)
}

#[taurus_needs::test]
async fn d11_a_project_of_another_kind_is_refused_with_its_form() {
    let dashed = "3f9a61c2-0d7e-4b58-a1c4-e80b6d25f713";
    let kinds = [
        dashed,
        "ap-southeast-1",
        "xx-sim-1_orders",
        sample::INSTANCE,
    ];
    let mut cases = each("projectID", &kinds);
    cases.extend(wrong("projectID", sample::PROJECT));
    Judge::new()
        .await
        .keep_refusals("ids-project", &cases)
        .await;
}

#[taurus_needs::test]
async fn d14_swapped_dashed_and_bare_ids_are_refused_and_the_documented_form_is_taken() {
    let judge = Judge::new().await;
    let swapped = Written::good()
        .with("instanceID", sample::PROXY)
        .with("proxyID", sample::INSTANCE);
    let mut cases = vec![("swapped".to_owned(), swapped)];
    let suffixes = [
        DASHED,
        &sample::INSTANCE[..32],
        &sample::INSTANCE.to_uppercase(),
        sample::PROXY,
    ];
    cases.extend(each("instanceID", &suffixes));
    let suffixes = [
        DASHED,
        &sample::PROXY[..32],
        &sample::PROXY.to_uppercase(),
        sample::INSTANCE,
    ];
    cases.extend(each("proxyID", &suffixes));
    judge.keep_refusals("ids-swapped", &cases).await;

    let spec = judge.stored(&Written::good()).await;
    assert_eq!(spec["instanceID"], json!(sample::INSTANCE));
    assert_eq!(spec["proxyID"], json!(sample::PROXY));
    // The case of the 32 does not matter, and is kept.
    let upper = format!("{}in07", sample::INSTANCE[..32].to_uppercase());
    let spec = judge
        .stored(&Written::good().with("instanceID", &upper))
        .await;
    assert_eq!(spec["instanceID"], json!(upper));
}

#[taurus_needs::test]
async fn ids_of_another_length_or_with_other_letters_are_refused() {
    let judge = Judge::new().await;
    let instances = wrong("instanceID", sample::INSTANCE);
    judge.keep_refusals("ids-instance", &instances).await;
    let proxies = wrong("proxyID", sample::PROXY);
    judge.keep_refusals("ids-proxy", &proxies).await;
}

#[taurus_needs::test]
async fn d12_block_scalars_that_leave_a_line_end_are_refused_and_stripped_ones_work() {
    let judge = Judge::new().await;
    let id = sample::PROXY;
    let broken = format!(">-\n    {}\n    {}", &id[..16], &id[16..]);
    let refused = [
        format!("|\n    {id}"),
        format!(">\n    {id}"),
        format!("|+\n    {id}\n"),
        format!("\"{id}\\t\""),
        broken,
    ];
    let forms: Vec<&str> = refused.iter().map(String::as_str).collect();
    judge
        .keep_refusals("ids-blocks", &each("proxyID", &forms))
        .await;
    for form in [
        format!("|-\n    {id}"),
        format!(">-\n    {id}"),
        format!("\n    {id}"),
        format!("'{id}'"),
        format!("{id} # the proxy"),
    ] {
        let spec = judge.stored(&Written::good().with("proxyID", &form)).await;
        assert_eq!(spec["proxyID"], json!(id), "{form}");
    }
}
