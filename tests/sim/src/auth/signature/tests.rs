//! The public vectors of the vendor's Go SDK (`core/auth/signer/signer_test.go`), and what must not pass.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

const SECRET: &str = "SecretKey";
const DATE: (&str, &str) = ("x-sdk-date", "20060102T150405Z");
const GET_SIGNATURE: &str = "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624";
const POST_SIGNATURE: &str = "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59";

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

fn claim(signed_headers: &str, signature: &str) -> Claim {
    let header = format!(
        "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders={signed_headers}, Signature={signature}"
    );
    Claim::parse(&header).unwrap()
}

fn get<'a>(query: &'a str, headers: &'a HeaderMap) -> Signed<'a> {
    Signed {
        method: "GET",
        path: "/path",
        query,
        headers,
        body: b"",
    }
}

#[test]
fn the_public_vector_of_a_get_is_verified() {
    let headers = headers(&[DATE]);
    let request = get("limit=1", &headers);
    let canonical = request
        .canonical_request(&["x-sdk-date".to_owned()], |_, value| value)
        .unwrap();
    let hash = "85c3b7730f308aee452b16138a42a914397e43a8f0d732dfa521c0ef2afa98a4";
    assert_eq!(hex(&Sha256::digest(canonical)), hash);
    assert_eq!(
        request.verify(&claim("x-sdk-date", GET_SIGNATURE), SECRET),
        Ok(())
    );
}

#[test]
fn the_public_vector_of_a_post_is_verified_with_the_line_feed_that_its_encoder_adds() {
    let headers = headers(&[DATE]);
    let body = b"{\"Name\":\"test\",\"Id\":1}\n";
    let request = Signed {
        method: "POST",
        path: "/path",
        query: "key=value",
        headers: &headers,
        body,
    };
    let canonical = request
        .canonical_request(&["x-sdk-date".to_owned()], |_, value| value)
        .unwrap();
    let hash = "13f75ff5f5216199f986c7e7f2f77834d5e160ad9e46f37319816dc72ba7eeab";
    assert_eq!(hex(&Sha256::digest(canonical)), hash);
    assert_eq!(
        request.verify(&claim("x-sdk-date", POST_SIGNATURE), SECRET),
        Ok(())
    );
}

#[test]
fn the_public_vector_of_query_encoding_is_met() {
    let wire = "test=%E4%B8%80+%28%26%3D%3F%21%23%25.%2A%29&path=/tmp/123&multi=2&limit=1&multi=1&enable=true&multi=3";
    assert_eq!(
        canonical_query(wire),
        "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29"
    );
    assert_eq!(canonical_query("b&a="), "a=&b=");
    assert_eq!(canonical_query(""), "");
}

#[test]
fn paths_are_decoded_once_encoded_once_and_closed() {
    assert_eq!(canonical_path("/v3/a%2fb/c d/~x"), "/v3/a%2Fb/c%20d/~x/");
    assert_eq!(canonical_path("/v3/"), "/v3/");
    assert_eq!(canonical_path("/"), "/");
}

#[test]
fn any_change_of_the_request_breaks_the_signature() {
    let right = claim("x-sdk-date", GET_SIGNATURE);
    let same = headers(&[DATE]);
    let other_date = headers(&[("x-sdk-date", "20060102T150406Z")]);
    let with_body = Signed {
        body: b" ",
        ..get("limit=1", &same)
    };
    let other_method = Signed {
        method: "PUT",
        ..get("limit=1", &same)
    };
    let other_path = Signed {
        path: "/paths",
        ..get("limit=1", &same)
    };
    for request in [
        get("limit=2", &same),
        get("limit=1", &other_date),
        with_body,
        other_method,
        other_path,
    ] {
        assert!(
            matches!(request.verify(&right, SECRET), Err(Mismatch::Different(_))),
            "{request:?}"
        );
    }
    assert!(matches!(
        get("limit=1", &same).verify(&right, "secretkey"),
        Err(Mismatch::Different(_))
    ));
}

#[test]
fn the_date_must_be_signed_and_every_named_header_sent() {
    let headers = headers(&[DATE, ("host", "here")]);
    let request = get("limit=1", &headers);
    assert_eq!(
        request.verify(&claim("host", GET_SIGNATURE), SECRET),
        Err(Mismatch::DateNotSigned)
    );
    assert_eq!(
        request.verify(&claim("x-project-id;x-sdk-date", GET_SIGNATURE), SECRET),
        Err(Mismatch::HeaderMissing("x-project-id".to_owned()))
    );
}

#[test]
fn a_wrong_body_hash_is_refused_and_an_unsigned_payload_taken() {
    let wrong = headers(&[DATE, ("x-sdk-content-sha256", "00")]);
    assert_eq!(get("", &wrong).body_hash(), Err(Mismatch::WrongBodyHash));
    let unsigned = headers(&[DATE, ("x-sdk-content-sha256", "UNSIGNED-PAYLOAD")]);
    assert_eq!(
        get("", &unsigned).body_hash(),
        Ok("UNSIGNED-PAYLOAD".to_owned())
    );
}

#[test]
fn a_mismatch_shows_the_canonical_request_without_its_secrets() {
    let headers = headers(&[DATE, ("x-security-token", "canary")]);
    let Err(Mismatch::Different(shown)) =
        get("limit=1", &headers).verify(&claim("x-sdk-date;x-security-token", "00"), SECRET)
    else {
        panic!("a wrong signature was taken");
    };
    assert_eq!(
        shown,
        "GET|/path/|limit=1|x-sdk-date:20060102T150405Z|x-security-token:***||x-sdk-date;x-security-token|\
         e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

#[test]
fn what_is_no_authorization_header_of_this_kind_is_not_taken_for_one() {
    for odd in [
        "",
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Access=a",
        "SDK-HMAC-SM3 Access=a, SignedHeaders=x-sdk-date, Signature=00",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature=00, More=1",
        "Bearer abc",
    ] {
        assert_eq!(Claim::parse(odd), None, "{odd}");
    }
    assert_eq!(reduced("Bearer abc"), "Bearer ***");
    let header = "SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date, Signature=canary";
    assert_eq!(
        reduced(header),
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date"
    );
}
