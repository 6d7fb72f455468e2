//! What nobody can do without between an edit and the request that changes the port, measured with plain clients.

use std::time::{Duration, Instant};

use kube::{Client, api::PostParams};
use serde_json::json;

use crate::{
    Result,
    fleet::{self, Place},
    report::median,
};

/// How often each is measured.
const TIMES: usize = 30;

/// Medians, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct RoundTrips {
    /// A write of a settled resource's status.
    pub status_write: f64,
    /// A page of the task list.
    pub tasks: f64,
    /// A list of the proxies of an instance.
    pub proxies: f64,
    /// A request to change a port, on a connection of its own.
    pub change: f64,
}

impl RoundTrips {
    /// Measures them; `settled` has a status, `spare` is nobody's.
    pub async fn measure(
        client: &Client,
        cloud: &str,
        settled: &Place,
        spare: &Place,
    ) -> Result<Self> {
        let resources = fleet::api(client, &settled.namespace);
        let mut status_write = Vec::new();
        let mut object = resources.get_status(&settled.name).await?;
        for turn in 0..TIMES {
            // It has to differ, or nothing is written; in the end it is what it was.
            if let Some(status) = object.data.get_mut("status") {
                let port = i32::from(fleet::PORT) + i32::from(turn % 2 == 0);
                status["port"] = json!(port);
            }
            let began = Instant::now();
            object = resources
                .replace_status(&settled.name, &PostParams::default(), &object)
                .await?;
            status_write.push(began.elapsed());
        }
        let project = format!("{cloud}/v3/{}", spare.project);
        let instance = format!("{project}/instances/{}", spare.instance);
        let http = plain()?;
        let hour_ago = jiff::Timestamp::now() - Duration::from_hours(1);
        let since = hour_ago.strftime("%Y-%m-%dT%H:%M:%S%%2B0000");
        let tasks = format!("limit=50&offset=0&status=Running&start_time={since}");
        let tasks = http.get(format!("{project}/immediate-jobs?{tasks}"));
        let proxies = http.get(format!("{instance}/proxies?limit=100&offset=0"));
        let mut change = Vec::new();
        for _ in 0..TIMES {
            let port = json!({"port": fleet::PORT});
            let request = plain()?
                .put(format!("{instance}/proxy/{}/port", spare.proxy))
                .json(&port);
            change.push(timed(request, &spare.token).await?);
        }
        Ok(Self {
            status_write: median(&mut status_write),
            tasks: repeated(&tasks, &spare.token).await?,
            proxies: repeated(&proxies, &spare.token).await?,
            change: median(&mut change),
        })
    }
}

fn plain() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

async fn repeated(request: &reqwest::RequestBuilder, token: &str) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let request = request.try_clone().ok_or("the request can't be repeated")?;
        times.push(timed(request, token).await?);
    }
    Ok(median(&mut times))
}

async fn timed(request: reqwest::RequestBuilder, token: &str) -> Result<Duration> {
    let began = Instant::now();
    let answer = request.header("X-Auth-Token", token).send().await?;
    answer.error_for_status()?.bytes().await?;
    Ok(began.elapsed())
}
