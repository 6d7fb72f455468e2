//! Calls by hand, so that an answer can be seen as it came.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use taurus_sim::{Simulator, sample};

use crate::client::TOKEN;

/// An answer as it came.
#[derive(Debug)]
pub struct Raw {
    pub status: u16,
    pub body: String,
}

impl Raw {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// `GET` of a path below the project.
pub async fn get(simulator: &Simulator, path: &str) -> Raw {
    send(project(simulator, Method::GET, path)).await
}

/// The list of an instance's proxies.
pub async fn list(simulator: &Simulator) -> Raw {
    get(
        simulator,
        &format!("instances/{}/proxies", sample::INSTANCE),
    )
    .await
}

/// The change of a port.
pub async fn change(simulator: &Simulator, proxy: &str, port: u16) -> Raw {
    let path = format!("instances/{}/proxy/{proxy}/port", sample::INSTANCE);
    send(project(simulator, Method::PUT, &path).json(&json!({"port": port}))).await
}

/// The change of the sample's proxy, which has to be accepted; the job's id.
pub async fn accepted(simulator: &Simulator, port: u16) -> String {
    let answer = change(simulator, sample::PROXY, port).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["job_id"].as_str().unwrap().to_owned()
}

/// A sign-in with a password; `query` begins with a question mark, or is empty.
pub async fn sign_in(simulator: &Simulator, query: &str, password: &str, project: bool) -> Raw {
    let user =
        json!({"name": sample::USER, "password": password, "domain": {"name": sample::DOMAIN}});
    let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}});
    if project {
        auth["scope"] = json!({"project": {"id": sample::PROJECT}});
    }
    let url = format!("{}/v3/auth/tokens{query}", simulator.url());
    send(client().post(url).json(&json!({"auth": auth}))).await
}

/// A sign-in that says nothing.
pub async fn send_nothing_to_sign_in(simulator: &Simulator) -> Raw {
    let url = format!("{}/v3/auth/tokens", simulator.url());
    send(client().post(url).json(&json!({}))).await
}

fn project(simulator: &Simulator, method: Method, path: &str) -> RequestBuilder {
    let url = format!("{}/v3/{}/{path}", simulator.url(), sample::PROJECT);
    client().request(method, url).header("X-Auth-Token", TOKEN)
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn send(request: RequestBuilder) -> Raw {
    let answer = request.send().await.unwrap();
    Raw {
        status: answer.status().as_u16(),
        body: answer.text().await.unwrap(),
    }
}
