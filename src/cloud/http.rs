//! The calls over HTTP.
//!
//! Relies on [`Request`] for what is sent and on `wire` for what is understood. Reads are repeated only where a fetched
//! token was refused, once, with a new one.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, header};
use k8s_openapi::jiff::Timestamp;

use super::{
    Cloud, CloudError, Instance, Job, Line, Meaning, Proxies, Proxy, Task, TaskList,
    auth::{Access, CONTENT_TYPE, Pass},
    budget::{Allowance, Booked, Urgency},
    dial::Dialer,
    error::{
        answer::{Answer, explain_refusal},
        failure,
    },
    excerpt::Cleaner,
    groups::GroupRule,
    line, paging,
    reads::{self, Reads},
    request::{Request, Tasks},
    wire::{
        self, Cleaned, InstancePage, ProxyPage, TaskPage, WireError,
        groups::{InstanceGroups, RulePage},
    },
};
use crate::model::{InstanceId, JobId, Moment, ProjectId};

/// One credential in one project at one address.
#[derive(Debug, Clone)]
pub struct HttpCloud {
    pub(super) account: Arc<Account>,
    pub(super) reads: Reads,
    pub(super) dialer: Dialer,
    pub(super) allowance: Arc<Allowance>,
    /// The way to VPC, where security groups are read.
    pub(super) vpc: Option<Vpc>,
}

/// The way to VPC: what is used there, or why it can't be called.
pub(super) type Vpc = Result<Arc<Account>, CloudError>;

/// No security group has more pages of rules that are read: there are 10,000 on them.
const MOST_PAGES_OF_RULES: usize = 20;

/// What requests of one credential, project and address share.
#[derive(Debug)]
pub struct Account {
    /// `http(s)://host[:port]`.
    pub endpoint: String,
    /// The project.
    pub project: ProjectId,
    /// The credential.
    pub access: Access,
}

impl Account {
    /// Host and port, as the header `Host` and the signature have them.
    pub fn host(&self) -> &str {
        self.endpoint
            .split_once("://")
            .map_or(self.endpoint.as_str(), |(_, host)| host)
    }

    /// All headers that a request carries now, but `Host`.
    pub fn headers(
        &self,
        request: &Request,
        pass: &Pass,
        now: Moment,
    ) -> Result<HeaderMap, CloudError> {
        let project = self.project.as_str();
        let json = HeaderValue::from_static(CONTENT_TYPE);
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, json.clone());
        headers.insert(header::USER_AGENT, reads::USER_AGENT);
        if !request.body.is_empty() {
            headers.insert(header::CONTENT_TYPE, json);
        }
        headers.insert("x-language", HeaderValue::from_static("en-us"));
        let sendable = HeaderValue::from_str(project)
            .map_err(|_| failure::transient("the project can't be sent in a header"))?;
        headers.insert("x-project-id", sendable);
        headers.extend(
            self.access
                .headers(request, self.host(), project, pass, now)?,
        );
        Ok(headers)
    }

    /// What an answer that is an error means, with all that a refused credential brings about.
    pub fn error(
        &self,
        request: &Request,
        answer: &Answer,
        secrets: &[&str],
        now: Timestamp,
    ) -> CloudError {
        let error = answer.error(request.asked(), now, secrets);
        let error = match error.meaning {
            Meaning::UnknownRefusal => error.of_call(request.operation.for_people()),
            _ => error,
        };
        if self.access.signs() {
            explain_refusal(error, answer.date(), now)
        } else {
            error
        }
    }
}

impl HttpCloud {
    async fn read<T: Cleaned>(
        &self,
        request: &Request,
        understand: impl Fn(&str) -> Result<T, WireError>,
    ) -> Result<(T, Option<Timestamp>), CloudError> {
        let (turn, pass) = self.account.access.pass(&self.allowance).await?;
        match self.read_with(request, &pass, &understand).await {
            Err(error) if self.account.access.failed(&pass, &error) => {
                drop(turn);
                let (_turn, pass) = self.account.access.pass(&self.allowance).await?;
                let again = self.read_with(request, &pass, &understand).await;
                if let Err(error) = &again {
                    self.account.access.failed(&pass, error);
                }
                again
            }
            result => result,
        }
    }

    async fn read_with<T: Cleaned>(
        &self,
        request: &Request,
        pass: &Pass,
        understand: &impl Fn(&str) -> Result<T, WireError>,
    ) -> Result<(T, Option<Timestamp>), CloudError> {
        let account = &self.account;
        let url = format!("{}{}", account.endpoint, request.target());
        let headers = account.headers(request, pass, self.reads.clock.now())?;
        let outgoing = reads::request(request.method.clone(), &url, headers, Vec::new())?;
        let secrets = account.access.secrets(Some(pass), Some(outgoing.headers()));
        let read = |answer: Answer, now| {
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            if !answer.status.is_success() {
                return Err(account.error(request, &answer, &secrets, now));
            }
            match understand(&answer.body) {
                Ok(value) => {
                    account.access.accepted();
                    Ok((value.cleaned(&Cleaner::new(&secrets)), answer.date()))
                }
                Err(WireError::NoJob) => Err(CloudError {
                    status: Some(answer.status.as_u16()),
                    ..CloudError::local(Meaning::NotFound, WireError::NoJob.to_string())
                }),
                Err(error) => Err(answer.malformed(&error.to_string(), &secrets)),
            }
        };
        self.reads.send(request.operation, outgoing, read).await
    }

    /// All instances of the project, over all pages (`GET …/instances`).
    pub async fn list_instances(&self) -> Result<Vec<Instance>, CloudError> {
        let mut found = paging::Rows::default();
        let mut read = 0;
        for _ in 0..paging::MOST_PAGES {
            let request = Request::instances(&self.account.project, read);
            let (InstancePage { rows, instances }, _) =
                self.read(&request, wire::instances).await?;
            read += rows;
            let keyed = instances
                .into_iter()
                .map(|instance| (instance.id.as_str().to_owned(), instance));
            let news = found.extend(keyed);
            if rows < paging::SHORTEST_FULL_PAGE || !news {
                return Ok(found.into_values());
            }
        }
        Err(paging::endless("the list of instances"))
    }

    async fn walk(
        &self,
        which: Tasks,
        found: &mut paging::Rows<Task>,
        began: Moment,
    ) -> Result<Option<Timestamp>, CloudError> {
        let mut walk = paging::Walk::new(which.is_filtered());
        let mut cloud_time = None;
        while let Some(offset) = walk.next()? {
            if self.reads.clock.now().elapsed(began.uptime) >= paging::WALK_WITHIN {
                return Err(paging::too_long());
            }
            let request = Request::tasks(&self.account.project, which, offset);
            let (TaskPage { rows, total }, time) = match self.read(&request, wire::tasks).await {
                Err(error) if error.refuses_a_value() => {
                    walk.refused(offset, error)?;
                    continue;
                }
                page => page?,
            };
            cloud_time = time;
            walk.took(offset, rows.iter().map(|(key, _)| key.as_str()), total);
            found.extend(rows);
        }
        Ok(cloud_time)
    }
}

/// The time since which tasks are asked for, where the cloud told its own time just before `now`: by a clock that is ahead, it may be in
/// the cloud's future, and nothing would have been created since.
pub fn since_by_the_cloud(since: Timestamp, told: Option<Timestamp>, now: Moment) -> Timestamp {
    let ahead = told.map(|told| now.since(told));
    let by_the_cloud = ahead.and_then(|ahead| since.checked_sub(ahead).ok());
    by_the_cloud.unwrap_or(since)
}

impl Cloud for HttpCloud {
    fn turn(
        &self,
        urgency: Urgency,
        calls: u32,
    ) -> BoxFuture<'_, Result<Arc<dyn Cloud>, CloudError>> {
        Box::pin(async move {
            let allowance = self.account.access.budget().allow(urgency, calls).await?;
            Ok(Arc::new(Self {
                allowance,
                ..self.clone()
            }) as Arc<dyn Cloud>)
        })
    }

    fn book(&self, urgency: Urgency) -> Booked {
        self.account.access.budget().book(urgency)
    }

    fn spare_call_in(&self, job: &JobId) -> Option<Duration> {
        self.account.access.budget().spare_in(job)
    }

    fn list_proxies<'a>(
        &'a self,
        instance: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Proxies, CloudError>> {
        Box::pin(async move {
            let mut found = paging::Rows::default();
            let (mut read, mut has_gaps) = (0, false);
            let whole = |found: paging::Rows<Proxy>, has_gaps| Proxies {
                rows: found.into_values(),
                has_gaps,
            };
            for _ in 0..paging::MOST_PAGES {
                let request = Request::proxies(&self.account.project, instance, read);
                let page = match self.read(&request, wire::proxies).await {
                    // The first page is the same without an offset, and no page is past the end.
                    Err(error) if error.refuses_a_value() && read == 0 => {
                        let request = request.without_query();
                        self.read(&request, wire::proxies).await
                    }
                    Err(error) if error.refuses_a_value() => return Ok(whole(found, has_gaps)),
                    page => page,
                };
                let (page, _) = page?;
                let ProxyPage {
                    rows,
                    proxies,
                    has_gaps: page_has_gaps,
                } = page;
                read += rows;
                // An answer without a list is no more than the end of the pages, once there was one.
                has_gaps |= page_has_gaps && (rows > 0 || read == 0);
                let keyed = proxies
                    .into_iter()
                    .map(|proxy| (proxy.id.as_str().to_owned(), proxy));
                let news = found.extend(keyed);
                if rows < paging::SHORTEST_FULL_PAGE || !news {
                    return Ok(whole(found, has_gaps));
                }
            }
            Err(paging::endless("the list of proxies"))
        })
    }

    fn job<'a>(&'a self, id: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>> {
        Box::pin(async move {
            let request = Request::job(&self.account.project, id);
            let (job, cloud_time) = self.read(&request, |body| wire::job(body, id)).await?;
            Ok(Job { cloud_time, ..job })
        })
    }

    fn tasks(&self, since: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        Box::pin(async move {
            let mut found = paging::Rows::default();
            // A job that moves from Pending to Running meanwhile is met at least once in this order. The other two are walked
            // side by side: a look must not be old when it ends.
            let began = self.reads.clock.now();
            let told = self.walk(Tasks::Pending, &mut found, began).await?;
            let after_pending = self.reads.clock.now();
            let since = since_by_the_cloud(since, told, after_pending);
            let (mut running, mut recent) = (paging::Rows::default(), paging::Rows::default());
            let (_, cloud_time) = futures::try_join!(
                self.walk(Tasks::Running, &mut running, began),
                self.walk(Tasks::Since(since), &mut recent, began),
            )?;
            found.merge(running);
            found.merge(recent);
            Ok(TaskList {
                tasks: found.into_values(),
                cloud_time,
                begun: Some(after_pending),
            })
        })
    }

    fn running(&self) -> BoxFuture<'_, Result<TaskList, CloudError>> {
        Box::pin(async move {
            let mut found = paging::Rows::default();
            let began = self.reads.clock.now();
            let cloud_time = self.walk(Tasks::Running, &mut found, began).await?;
            Ok(TaskList {
                tasks: found.into_values(),
                cloud_time,
                begun: None,
            })
        })
    }

    fn instance_windows<'a>(
        &'a self,
        instances: &'a [InstanceId],
    ) -> BoxFuture<'a, Result<Vec<(InstanceId, String)>, CloudError>> {
        Box::pin(async move {
            let request = Request::instance_windows(&self.account.project, instances);
            let (windows, _) = self.read(&request, wire::instance_windows).await?;
            Ok(windows.0)
        })
    }

    fn reads_groups(&self) -> bool {
        self.vpc.is_some()
    }

    fn group_of<'a>(
        &'a self,
        instance: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Option<String>, CloudError>> {
        Box::pin(async move {
            let asked = std::slice::from_ref(instance);
            let request = Request::instance_windows(&self.account.project, asked);
            let (InstanceGroups(groups), _) =
                self.read(&request, wire::groups::instance_groups).await?;
            let mut groups = groups.into_iter();
            Ok(groups.find_map(|(id, group)| (id == *instance).then_some(group)))
        })
    }

    fn group_rules<'a>(
        &'a self,
        group: &'a str,
    ) -> BoxFuture<'a, Result<Vec<GroupRule>, CloudError>> {
        Box::pin(async move {
            let Some(vpc) = &self.vpc else {
                let text = "the operator runs without --check-security-groups";
                return Err(CloudError::local(Meaning::EndpointNotAllowed, text));
            };
            let account = Arc::clone(vpc.as_ref().map_err(CloudError::clone)?);
            let mut found = paging::Rows::default();
            let mut after: Option<String> = None;
            for _ in 0..MOST_PAGES_OF_RULES {
                let budget = account.access.budget();
                let there = Self {
                    allowance: budget.allow(Urgency::Request, 1).await?,
                    account: Arc::clone(&account),
                    ..self.clone()
                };
                let request = Request::group_rules(&account.project, group, after.as_deref());
                let (page, _) = there.read(&request, wire::groups::group_rules).await?;
                let RulePage { rows, rules, next } = page;
                found.extend(rules);
                // A cloud that names a next page for ever is not followed.
                if rows == 0 || next.is_none() || next == after {
                    return Ok(found.into_values());
                }
                after = next;
            }
            Err(paging::endless("the list of the group's rules"))
        })
    }

    fn open_line(&self) -> BoxFuture<'_, Result<Box<dyn Line>, CloudError>> {
        Box::pin(async move {
            let line = line::open(self).await?;
            Ok(Box::new(line) as Box<dyn Line>)
        })
    }
}
