//! A client that knows the interface from its pages, and nothing of the simulator's insides.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use taurus_sim::{Accounts, Options, Simulator, sample};

/// Good for everything; what tests send that aren't about credentials.
pub(crate) const TOKEN: &str = "token-of-the-tests";
/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(10);

/// A simulator in stepped time, with the sample fleet, the sample credentials and [`TOKEN`].
pub(crate) async fn start() -> (Simulator, Client) {
    start_with(Options::stepped()).await
}

pub(crate) async fn start_with(options: Options) -> (Simulator, Client) {
    let simulator = Simulator::start(options.accounts(Accounts::sample().token(TOKEN)))
        .await
        .unwrap();
    let client = Client::of(&simulator);
    (simulator, client)
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Calls with [`TOKEN`].
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) url: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and error code, for comparison.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (
            self.status,
            self.json()["error_code"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
            .to_str()
            .unwrap()
    }
}

impl Client {
    pub(crate) fn of(simulator: &Simulator) -> Self {
        // A second installation is refused and changes nothing. No TLS is spoken here, but reqwest wants a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self {
            http,
            url: simulator.url(),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .header("X-Auth-Token", TOKEN)
    }

    /// A request without any credential.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn try_get(&self, path: &str) -> reqwest::Result<Reply> {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.try_get(path).await.unwrap()
    }

    pub(crate) async fn list(&self, query: &str) -> Reply {
        self.get(&format!("{}{query}", list_path(sample::INSTANCE)))
            .await
    }

    /// The one proxy of the sample instance, as the list shows it.
    pub(crate) async fn listed(&self) -> (String, u16) {
        let proxy = &self.list("").await.json()["proxy_list"][0]["proxy"];
        (
            proxy["status"].as_str().unwrap().to_owned(),
            u16::try_from(proxy["port"].as_u64().unwrap()).unwrap(),
        )
    }

    pub(crate) fn change_request(&self, instance: &str, proxy: &str, body: &str) -> RequestBuilder {
        let request = self.request(Method::PUT, &change_path(instance, proxy));
        request
            .header("Content-Type", "application/json")
            .body(body.to_owned())
    }

    pub(crate) async fn try_change(&self, port: u16) -> reqwest::Result<Reply> {
        let body = json!({"port": port}).to_string();
        send(self.change_request(sample::INSTANCE, sample::PROXY, &body)).await
    }

    pub(crate) async fn change(&self, port: u16) -> Reply {
        self.try_change(port).await.unwrap()
    }

    /// Asks for a change that has to be accepted; the job's id.
    pub(crate) async fn accepted(&self, port: u16) -> String {
        let reply = self.change(port).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["job_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{reply:?}"))
            .to_owned()
    }

    pub(crate) async fn job(&self, id: &str) -> Reply {
        self.get(&format!("/v3/{}/jobs?id={id}", sample::PROJECT))
            .await
    }

    pub(crate) async fn job_status(&self, id: &str) -> Value {
        let reply = self.job(id).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["job"]["status"].clone()
    }

    pub(crate) async fn tasks(&self, query: &str) -> Reply {
        self.get(&format!("/v3/{}/immediate-jobs{query}", sample::PROJECT))
            .await
    }

    pub(crate) async fn task_ids(&self, query: &str) -> Vec<String> {
        let reply = self.tasks(query).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let jobs = reply.json()["jobs"].as_array().unwrap().clone();
        jobs.iter()
            .map(|job| job["job_id"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) async fn sign_in(&self, body: &Value) -> Reply {
        send(self.bare(Method::POST, "/v3/auth/tokens").json(body))
            .await
            .unwrap()
    }

    pub(crate) async fn admin(&self, method: Method, path: &str, body: Value) -> Reply {
        let request = self.bare(method, &format!("/_sim{path}"));
        send(if body.is_null() {
            request
        } else {
            request.body(body.to_string())
        })
        .await
        .unwrap()
    }
}

pub(crate) fn list_path(instance: &str) -> String {
    format!("/v3/{}/instances/{instance}/proxies", sample::PROJECT)
}

pub(crate) fn change_path(instance: &str, proxy: &str) -> String {
    format!(
        "/v3/{}/instances/{instance}/proxy/{proxy}/port",
        sample::PROJECT
    )
}

pub(crate) async fn send(request: RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Reply {
        status,
        headers,
        body: response.text().await?,
    })
}

/// The body of a sign-in for the sample project.
pub(crate) fn sign_in_body(password: &str) -> Value {
    json!({"auth": {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": sample::USER, "password": password, "domain": {"name": sample::DOMAIN}}},
        },
        "scope": {"project": {"name": sample::REGION}},
    }})
}

/// A signer of its own, for paths and queries that need no encoding. `query` is sorted.
pub(crate) struct Signer<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) secret_key: &'a str,
    pub(crate) date: String,
    /// Signed besides the date, in the order of their names.
    pub(crate) signed: Vec<(&'a str, &'a str)>,
    /// Sent after signing.
    pub(crate) unsigned: Vec<(&'a str, &'a str)>,
}

impl<'a> Signer<'a> {
    pub(crate) fn sample() -> Self {
        Self::with(sample::ACCESS_KEY, sample::SECRET_KEY)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a client signs by its machine's clock"
    )]
    pub(crate) fn with(access_key: &'a str, secret_key: &'a str) -> Self {
        let date = jiff::Timestamp::now()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        Self {
            access_key,
            secret_key,
            date,
            signed: Vec::new(),
            unsigned: Vec::new(),
        }
    }

    pub(crate) async fn send(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        query: &str,
        body: &str,
    ) -> Reply {
        let mut headers = self.signed.clone();
        headers.push(("x-sdk-date", &self.date));
        headers.sort_unstable();
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| {
                format!(
                    "{name}:{value}
"
                )
            })
            .collect();
        let lines = lines.concat();
        let hash = hex(&Sha256::digest(body));
        let canonical = format!("{method}\n{path}/\n{query}\n{lines}\n{names}\n{hash}");
        let to_sign = format!(
            "SDK-HMAC-SHA256\n{}\n{}",
            self.date,
            hex(&Sha256::digest(canonical))
        );
        let mut code = Hmac::<Sha256>::new_from_slice(self.secret_key.as_bytes()).unwrap();
        code.update(to_sign.as_bytes());
        let signature = hex(&code.finalize().into_bytes());
        let key = self.access_key;
        let authorization =
            format!("SDK-HMAC-SHA256 Access={key}, SignedHeaders={names}, Signature={signature}");

        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        let mut request = client
            .bare(method, &target)
            .header("Authorization", authorization)
            .body(body.to_owned());
        for (name, value) in headers.iter().chain(&self.unsigned) {
            request = request.header(*name, *value);
        }
        send(request).await.unwrap()
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}
