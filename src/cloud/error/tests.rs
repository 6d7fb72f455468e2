//! Every code of the vendor's pages, in every shape of body, with its own and with surprising statuses.
//!
//! The list is the tests' own: a code that is missing or misplaced in the table of the client shows here.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{
    Meaning::{
        self, Blocked, Busy, Denied, Locked, NotFound, Rejected, Throttled, Transient,
        Unauthenticated, UnknownRefusal,
    },
    answer::Answer,
    table::Asked,
};

/// Code, its documented or observed statuses, and what it means.
const CODES: &[(&str, &[u16], Meaning)] = &[
    // Another operation is at work, or the status doesn't allow it now.
    ("DBS.200019", &[409, 403], Busy),
    ("DBS.200011", &[409, 403], Busy),
    ("DBS.201202", &[409, 400], Busy),
    ("DBS.212006", &[409], Busy),
    ("DBS.200047", &[409, 400], Busy),
    ("DBS.201014", &[400, 403, 409], Busy),
    ("DBS.201015", &[409, 403], Busy),
    ("DBS.05000084", &[409], Busy),
    ("DBS.212033", &[409, 403], Busy),
    ("DBS.216011", &[409], Busy),
    ("DBS.200086", &[400], Busy),
    ("DBS.201205", &[409], Busy),
    ("DBS.280406", &[409], Busy),
    // The instance has to be put right first.
    ("DBS.200316", &[409], Blocked),
    ("DBS.280449", &[400], Blocked),
    ("DBS.05000001", &[400], Blocked),
    ("DBS.05000032", &[400], Blocked),
    // What was asked for is wrong.
    ("DBS.200001", &[400], Rejected),
    ("DBS.200004", &[400], Rejected),
    ("DBS.290000", &[400], Rejected),
    ("DBS.200006", &[400], Rejected),
    ("DBS.200461", &[400], Rejected),
    ("DBS.280364", &[400], Rejected),
    ("DBS.05000022", &[400], Rejected),
    ("DBS.270025", &[400], Rejected),
    ("DBS.270026", &[400], Rejected),
    ("DBS.270027", &[400], Rejected),
    ("DBS.280404", &[400], Rejected),
    // It is not there.
    ("DBS.270024", &[400], NotFound),
    ("DBS.200002", &[404], NotFound),
    ("DBS.200045", &[404], NotFound),
    ("DBS.200408", &[404], NotFound),
    ("DBS.200602", &[404], NotFound),
    ("DBS.290005", &[404], NotFound),
    ("DBS.290011", &[404], NotFound),
    ("DBS.201028", &[404, 400, 403], NotFound),
    ("DBS.200932", &[409], NotFound),
    ("DBS.290013", &[404], NotFound),
    ("DBS.200543", &[400], NotFound),
    ("DBS.2000044", &[403], NotFound),
    ("DBS.05000044", &[400], NotFound),
    // It may not be done.
    ("DBS.200010", &[403, 400], Denied),
    ("DBS.200604", &[403, 400], Denied),
    ("DBS.200044", &[403], Denied),
    ("DBS.201003", &[403], Denied),
    ("DBS.280015", &[403], Denied),
    ("DBS.280056", &[403], Unauthenticated),
    // The service fails.
    ("DBS.108000", &[500], Transient),
    ("DBS.108002", &[500], Transient),
    ("DBS.108005", &[500], Transient),
    ("DBS.200005", &[500], Transient),
    ("DBS.200208", &[500], Transient),
    ("DBS.213002", &[500], Transient),
    ("DBS.213004", &[500], Transient),
    ("DBS.290006", &[500], Transient),
    ("DBS.290015", &[500], Transient),
    ("DBS.05000000", &[500], Transient),
    ("DBS.111205", &[500], Transient),
    // The gateway.
    ("APIGW.0101", &[404], UnknownRefusal),
    ("APIGW.0103", &[500], Transient),
    ("APIGW.0104", &[500], Transient),
    ("APIGW.0105", &[500], Transient),
    ("APIGW.0106", &[400], UnknownRefusal),
    ("APIGW.0202", &[502], Transient),
    ("APIGW.0203", &[504], Transient),
    ("APIGW.0301", &[401], Unauthenticated),
    ("APIGW.0302", &[403], Denied),
    ("APIGW.0303", &[401], Unauthenticated),
    ("APIGW.0304", &[403], Denied),
    ("APIGW.0305", &[401], Unauthenticated),
    ("APIGW.0306", &[403], Denied),
    ("APIGW.0307", &[401], Unauthenticated),
    ("APIGW.0308", &[429], Throttled),
    ("APIGW.0310", &[403], Denied),
    ("APIGW.0401", &[403], Denied),
    ("APIGW.0402", &[403], Denied),
    ("APIGW.0404", &[403], Denied),
    ("APIGW.0405", &[403], Denied),
    ("APIGW.0501", &[405], Denied),
    ("APIGW.0502", &[405], Denied),
    ("APIGW.0601", &[500], Transient),
    ("APIGW.0602", &[400], UnknownRefusal),
    ("APIGW.0605", &[500], Transient),
    ("APIGW.0606", &[500], Transient),
    ("APIGW.0607", &[400], UnknownRefusal),
    ("APIGW.0608", &[500], Transient),
    ("APIGW.0610", &[502], Transient),
    ("APIGW.0611", &[500], Transient),
    ("APIGW.0613", &[503], Transient),
    ("APIGW.0802", &[403], Denied),
    // IAM.
    ("IAM.0011", &[400], UnknownRefusal),
    ("IAM.0072", &[400], UnknownRefusal),
    ("IAM.1100", &[400], UnknownRefusal),
    ("IAM.1101", &[400], UnknownRefusal),
    ("IAM.1102", &[400], UnknownRefusal),
    ("IAM.1103", &[400], UnknownRefusal),
    ("IAM.1108", &[400], Unauthenticated),
    ("IAM.1109", &[400], UnknownRefusal),
    ("IAM.0001", &[401], Unauthenticated),
    ("IAM.0061", &[401], Locked),
    ("IAM.0062", &[401], Unauthenticated),
    ("IAM.0063", &[401], Unauthenticated),
    ("IAM.0064", &[401], Unauthenticated),
    ("IAM.0066", &[401], Unauthenticated),
    ("IAM.0067", &[401], Unauthenticated),
    ("IAM.0002", &[403], Denied),
    ("IAM.0003", &[403], Denied),
    ("IAM.0080", &[403], Denied),
    ("IAM.0012", &[429], Throttled),
    ("IAM.0006", &[500], Transient),
];

/// Statuses with which nobody expects an error, or this one.
const SURPRISING: [u16; 10] = [200, 202, 302, 400, 401, 403, 404, 409, 429, 500];

const TEXT: &str = "why it was refused";

/// Every shape in which a code and a text are written.
fn shapes(code: &str) -> Vec<Value> {
    let plain = json!({"error_code": code, "error_msg": TEXT});
    vec![
        plain.clone(),
        json!({"error_msg": TEXT, "request_id": "4c2f9a", "error_code": code}),
        json!({"errorCode": code, "errorMsg": TEXT}),
        json!({"errCode": code, "externalMessage": TEXT}),
        json!({"code": code, "message": TEXT}),
        json!({"error": {"code": code, "message": TEXT, "title": "Refused"}}),
        json!({"error": {"error_code": code, "error_msg": TEXT}, "request_id": "4c2f9a"}),
        json!({"error": {"code": code, "message": TEXT}, "code": 400}),
        json!({"message": plain.to_string()}),
        json!({"code": "400", "message": plain.to_string()}),
        json!([plain]),
        json!({"errors": [plain], "details": [{"error_msg": "more"}]}),
        json!(plain.to_string()),
        json!({"error_code": format!(" {code} "), "error_msg": TEXT, "encoded_authorization_message": "x"}),
    ]
}

fn error(status: u16, body: &str, asked: Asked) -> super::CloudError {
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.to_owned(),
    };
    let now = "2026-03-02T08:40:00Z".parse().unwrap();
    answer.error(asked, now, &[])
}

/// What a code means as the answer to a read, which asks for no port (T07).
fn of_a_read(meaning: Meaning) -> Meaning {
    match meaning {
        Rejected => UnknownRefusal,
        meaning => meaning,
    }
}

#[test]
fn every_documented_code_means_what_it_should_in_every_shape_and_with_every_status() {
    let mut seen = 0;
    for (code, statuses, meaning) in CODES {
        for body in shapes(code) {
            for status in statuses.iter().chain(&SURPRISING) {
                let error = error(*status, &body.to_string(), Asked::Read);
                assert_eq!(error.meaning, of_a_read(*meaning), "{status} {body}");
                assert_eq!(error.code.as_deref(), Some(*code), "{status} {body}");
                assert_eq!(error.text, TEXT, "{status} {body}");
                assert_eq!(error.status, Some(*status));
                seen += 1;
            }
        }
    }
    assert!(seen > 15_000, "{seen}");
}

#[test]
fn the_gateway_of_the_sister_cloud_spells_its_prefix_otherwise() {
    let gateway = CODES.iter().filter(|(code, ..)| code.starts_with("APIGW."));
    for (code, statuses, meaning) in gateway {
        let code = code.replace("APIGW.", "APIG.");
        let body = json!({"error_code": code, "error_msg": TEXT}).to_string();
        for status in *statuses {
            assert_eq!(
                error(*status, &body, Asked::Read).meaning,
                *meaning,
                "{code}"
            );
        }
    }
}

#[test]
fn a_change_is_told_the_same_but_for_its_port_and_the_one_undocumented_conflict() {
    for (code, statuses, meaning) in CODES {
        let meaning = if *code == "DBS.200932" {
            Busy
        } else {
            *meaning
        };
        let body = json!({"error_code": code, "error_msg": TEXT}).to_string();
        for status in statuses.iter().chain(&SURPRISING) {
            assert_eq!(
                error(*status, &body, Asked::Change).meaning,
                meaning,
                "{code} {status}"
            );
        }
    }
}

/// The one code that says no more than its status: malformed requests and trouble behind the gateway have it alike.
#[test]
fn the_gateways_catch_all_code_is_read_by_its_status() {
    for (status, meaning) in [
        (400, UnknownRefusal),
        (413, UnknownRefusal),
        (414, UnknownRefusal),
        (494, UnknownRefusal),
        (500, Transient),
        (502, Transient),
        (504, Transient),
    ] {
        for body in shapes("APIGW.0201") {
            let error = error(status, &body.to_string(), Asked::Read);
            assert_eq!(error.meaning, meaning, "{status} {body}");
            assert_eq!(error.code.as_deref(), Some("APIGW.0201"));
        }
    }
}

#[test]
fn an_unknown_code_is_shown_and_read_by_its_status() {
    for code in [
        "DBS.999999",
        "APIGW.9999",
        "IAM.9999",
        "EPS.0004",
        "ELB.8901",
    ] {
        for body in shapes(code) {
            for (status, meaning) in [
                (400, UnknownRefusal),
                (401, Unauthenticated),
                (403, Denied),
                (404, NotFound),
                (409, Busy),
                (429, Throttled),
                (500, Transient),
                (503, Transient),
            ] {
                let error = error(status, &body.to_string(), Asked::Read);
                assert_eq!(error.meaning, meaning, "{status} {body}");
                assert_eq!(error.code.as_deref(), Some(code), "{status} {body}");
            }
        }
    }
}

#[test]
fn without_a_code_the_text_is_found_and_the_status_decides() {
    let keystone = json!({"error": {"code": 401, "title": "Unauthorized", "message": TEXT}});
    let wrapped = json!({"error_msg": TEXT}).to_string();
    for body in [
        keystone.to_string(),
        json!({"error": {"message": TEXT}}).to_string(),
        json!({"message": TEXT, "code": 403}).to_string(),
        json!({"error_msg": TEXT, "error_code": null}).to_string(),
        json!({"error_msg": TEXT, "error_code": ""}).to_string(),
        json!({"message": wrapped}).to_string(),
        json!([{"message": TEXT}]).to_string(),
        TEXT.to_owned(),
        format!("\"{TEXT}\""),
    ] {
        for (status, meaning) in [
            (400, UnknownRefusal),
            (401, Unauthenticated),
            (403, Denied),
            (404, NotFound),
            (500, Transient),
        ] {
            let error = error(status, &body, Asked::Read);
            assert_eq!(error.meaning, meaning, "{status} {body}");
            assert_eq!(error.code, None, "{body}");
            assert_eq!(error.text, TEXT, "{status} {body}");
        }
    }
}
