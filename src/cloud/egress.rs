//! The proxies that the environment names, for calls by https.
//!
//! Plain http is spoken to the hosts of --allow-http only; they are near, and no proxy lies between.

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use k8s_openapi::ByteString;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// The address of the proxy for `url`, with user and password if it has any.
pub fn proxy_of(matcher: &Matcher, url: &reqwest::Url) -> Option<String> {
    if url.scheme() != "https" {
        return None;
    }
    let target = url.as_str().parse().ok()?;
    let found = matcher.intercept(&target)?;
    let proxy = found.uri();
    let Some((user, password)) = credentials(&found) else {
        return Some(proxy.to_string());
    };
    let [user, password] =
        [user, password].map(|text| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string());
    let (scheme, host) = (proxy.scheme_str()?, proxy.authority()?);
    Some(format!("{scheme}://{user}:{password}@{host}"))
}

/// User and password; the library keeps them as the header that they are sent in.
fn credentials(found: &Intercept) -> Option<(String, String)> {
    let header = found.basic_auth()?.to_str().ok()?;
    let in_base64 = header.strip_prefix("Basic ")?;
    let ByteString(bytes) = serde_json::from_value(Value::from(in_base64)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(address: &str, url: &str) -> Option<String> {
        let matcher = Matcher::builder()
            .all(address)
            .no("exempt.example.test,10.0.0.0/8")
            .build();
        proxy_of(&matcher, &url.parse().unwrap())
    }

    #[test]
    fn https_goes_through_the_proxy_and_plain_http_and_exempt_hosts_do_not() {
        let address = "http://proxy.example.test:3128";
        let through = Some(format!("{address}/"));
        for (url, expected) in [
            ("https://cloud.example.test/v3", &through),
            ("https://127.0.0.1:9000/v3", &through),
            ("http://cloud.example.test/v3", &None),
            ("https://exempt.example.test/v3", &None),
            ("https://a.exempt.example.test/v3", &None),
            ("https://10.1.2.3/v3", &None),
        ] {
            assert_eq!(&proxy(address, url), expected, "{url}");
        }
    }

    #[test]
    fn user_and_password_arrive_whatever_their_letters_are() {
        for (address, expected) in [
            (
                "http://u:p@proxy.example.test",
                "http://u:p@proxy.example.test",
            ),
            (
                "http://u:p%40%2F%3Ax@proxy.example.test:1",
                "http://u:p%40%2F%3Ax@proxy.example.test:1",
            ),
            (
                "http://u@proxy.example.test",
                "http://u:@proxy.example.test",
            ),
        ] {
            let found = proxy(address, "https://cloud.example.test");
            assert_eq!(found.as_deref(), Some(expected));
        }
    }
}
