//! Signs the requests on its standard input, for a comparison with other signers.
//!
//! Each line is a request as JSON, its body in base64; each line of the answer has the value of `Authorization`, and
//! path and query as they are sent. The keys come with the request: this is a tool of tests.

use std::io::{self, BufRead as _, Write as _};

use k8s_openapi::ByteString;
use secrecy::SecretString;
use serde::Deserialize;
use taurus_port_operator::cloud::auth::signer::{
    Signable, authorization, canonical_query, encoded_path,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    access_key: String,
    secret_key: String,
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: ByteString,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut answers = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let (query, headers) = (pairs(&request.query), pairs(&request.headers));
        let signable = Signable {
            method: &request.method,
            path: &request.path,
            query: &query,
            headers: &headers,
            body: &request.body.0,
        };
        let secret = SecretString::from(request.secret_key);
        let answer = serde_json::json!({
            "authorization": authorization(&signable, &request.access_key, &secret)?,
            "path": encoded_path(&request.path),
            "query": canonical_query(&query),
        });
        writeln!(answers, "{answer}")?;
    }
    Ok(answers.flush()?)
}

fn pairs(owned: &[(String, String)]) -> Vec<(&str, &str)> {
    let pairs = owned.iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
