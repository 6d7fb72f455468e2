//! The one write: a connection of its own for each change of a port, and what its answer means.
//!
//! Promises that a change is sent at most once: the connection is new, nothing below repeats a request, and a refused token
//! is fetched anew only for the next line. "Not sent" is said only where the HTTP library hands the request back unsent, or where
//! the gate of the connection let nothing through. Nothing lies between the last check and the first byte.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{StatusCode, Uri, header};
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use tower_service::Service as _;
use tracing::Instrument as _;

use super::{
    ChangeAnswer, CloudError, Line, Meaning,
    auth::{Pass, entrance::Turn},
    dial::Dialer,
    error::{answer::Answer, failure},
    http::{Account, HttpCloud},
    last_check::{Gate, Gated, LastCheck, Leaving},
    observer::{CallObserver, Operation},
    reads,
    request::Request,
    spans,
    wire::{self, ChangeReceipt},
};
use crate::{clock::Clock, cloud::Acknowledged, permits::Permit};

/// An open connection that has carried nothing yet.
struct HttpLine {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection,
    gate: Gate,
    account: Arc<Account>,
    pass: Pass,
    _turn: Turn,
    clock: Clock,
    timeout: Duration,
    observer: Arc<dyn CallObserver>,
}

/// The task that drives a connection; it ends with the line.
struct Connection(tokio::task::JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens a line: token, name look-up, TCP, TLS.
pub(super) async fn open(cloud: &HttpCloud) -> Result<impl Line + use<>, CloudError> {
    let (turn, pass) = cloud.account.access.pass(&cloud.allowance).await?;
    let gate = Gate::default();
    let opening = connect(cloud.dialer.clone(), &cloud.account.endpoint, &gate);
    let (sender, connection) = tokio::time::timeout(cloud.reads.timeout, opening)
        .await
        .unwrap_or_else(|_| Err(failure::transient("no connection in time")))?;
    Ok(HttpLine {
        sender,
        connection,
        gate,
        account: Arc::clone(&cloud.account),
        pass,
        _turn: turn,
        clock: cloud.reads.clock,
        timeout: cloud.reads.timeout,
        observer: Arc::clone(&cloud.reads.observer),
    })
}

async fn connect(
    mut dialer: Dialer,
    endpoint: &str,
    gate: &Gate,
) -> Result<(SendRequest<Full<Bytes>>, Connection), CloudError> {
    let uri: Uri = endpoint
        .parse()
        .map_err(|_| failure::transient("the endpoint is no address"))?;
    let stream = dialer
        .call(uri)
        .await
        .map_err(|error| failure::of_connecting(error.as_ref()))?;
    let (sender, driver) = http1::handshake(Gated::new(stream, gate.clone()))
        .await
        .map_err(|error| failure::of_connecting(&error))?;
    let driving = tokio::spawn(async move {
        // How it ends shows in the answer.
        let _ = driver.await;
    });
    Ok((sender, Connection(driving)))
}

impl Line for HttpLine {
    fn change_port<'a>(
        self: Box<Self>,
        intent: Acknowledged,
        _permit: &'a Permit,
        check: LastCheck<'a>,
    ) -> BoxFuture<'a, ChangeAnswer> {
        Box::pin(self.send(intent, check))
    }
}

impl HttpLine {
    async fn send(mut self: Box<Self>, intent: Acknowledged, check: LastCheck<'_>) -> ChangeAnswer {
        let account = Arc::clone(&self.account);
        let request = Request::change(
            &account.project,
            intent.instance(),
            intent.proxy(),
            intent.port(),
        );
        let began = self.clock.now();
        let outgoing = match self.outgoing(&request) {
            Ok(outgoing) => outgoing,
            Err(error) => return ChangeAnswer::NotSent(error),
        };
        let secrets = account
            .access
            .secrets(Some(&self.pass), Some(outgoing.headers()));
        let span = spans::call(Operation::ChangePort, Some(intent.change_id().as_str()));
        // Nothing may come between this and the first byte: no line of log, no other wait.
        match check.passes() {
            Ok(deadline) => self.gate.arm(deadline),
            Err(why) => {
                spans::withdrawn(&span);
                return ChangeAnswer::Withdrawn(why);
            }
        }
        let exchange = exchange(&mut self.sender, outgoing).instrument(span.clone());
        let exchanged = tokio::time::timeout(self.timeout, exchange).await;
        let now = self.clock.now();
        let answer = match (exchanged, self.gate.shut()) {
            (_, Leaving::TooLate(why)) => {
                spans::withdrawn(&span);
                return ChangeAnswer::Withdrawn(why);
            }
            (Ok(Ok(answer)), _) => self.judge(&request, &answer, &secrets),
            (Ok(Err(Broken::Unsent(error))), _)
            | (Ok(Err(Broken::Midway(error))), Leaving::Nothing) => ChangeAnswer::NotSent(error),
            (Err(_), Leaving::Nothing) => {
                ChangeAnswer::NotSent(failure::transient("the connection took nothing in time"))
            }
            (Err(_), Leaving::Begun) => {
                ChangeAnswer::Unknown(failure::transient("no answer in time"))
            }
            (Ok(Err(Broken::Midway(error))), Leaving::Begun) => ChangeAnswer::Unknown(error),
        };
        drop(self.connection);
        let error = match &answer {
            ChangeAnswer::Accepted(job) => {
                spans::job(&span, job.as_str());
                None
            }
            ChangeAnswer::NothingToDo | ChangeAnswer::Withdrawn(_) => None,
            ChangeAnswer::Refused(error)
            | ChangeAnswer::NotSent(error)
            | ChangeAnswer::Unknown(error) => Some(error),
        };
        spans::called(&span, error);
        let meaning = error.map(|error| error.meaning);
        let took = now.elapsed(began.uptime);
        self.observer
            .call_ended(Operation::ChangePort, meaning, took);
        answer
    }

    fn outgoing(&self, request: &Request) -> Result<http::Request<Full<Bytes>>, CloudError> {
        let account = &self.account;
        let mut outgoing = http::Request::builder()
            .method(request.method.clone())
            .uri(request.target())
            .header(header::HOST, account.host())
            .body(Full::new(Bytes::from(request.body.clone())))
            .map_err(|_| failure::transient("the request can't be written"))?;
        let headers = account.headers(request, &self.pass, self.clock.now())?;
        outgoing.headers_mut().extend(headers);
        Ok(outgoing)
    }

    fn judge(&self, request: &Request, answer: &Answer, secrets: &[String]) -> ChangeAnswer {
        let account = &self.account;
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let now = self.clock.now().wall;
        if answer.status.is_success() {
            return match wire::receipt(&answer.body) {
                Ok(receipt) => {
                    account.access.accepted();
                    match receipt {
                        ChangeReceipt::Job(job) => ChangeAnswer::Accepted(job),
                        ChangeReceipt::NothingToDo => ChangeAnswer::NothingToDo,
                    }
                }
                Err(error) => ChangeAnswer::Unknown(answer.malformed(&error.to_string(), &secrets)),
            };
        }
        let error = account.error(request, answer, &secrets, now);
        if is_refusal(answer.status, &error) {
            account.access.failed(&self.pass, &error);
            ChangeAnswer::Refused(error)
        } else {
            account.access.heard(&error);
            ChangeAnswer::Unknown(error)
        }
    }
}

/// Whether the answer proves that nothing was begun: any conflict, and what the service or its gateway says in its own
/// words, unless that is a failure of theirs.
fn is_refusal(status: StatusCode, error: &CloudError) -> bool {
    let origin = error
        .code
        .as_deref()
        .and_then(|code| code.split('.').next());
    let theirs = origin.is_some_and(|origin| {
        ["DBS", "APIGW", "APIG"]
            .iter()
            .any(|known| origin.eq_ignore_ascii_case(known))
    });
    status == StatusCode::CONFLICT
        || (status.is_client_error() && theirs && error.meaning != Meaning::Transient)
}

/// How an exchange failed.
enum Broken {
    /// No byte of the request left.
    Unsent(CloudError),
    /// Some or all of it may have left.
    Midway(CloudError),
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    outgoing: http::Request<Full<Bytes>>,
) -> Result<Answer, Broken> {
    let response = sender
        .try_send_request(outgoing)
        .await
        .map_err(|mut error| {
            let unsent = error.take_message().is_some();
            let cause = failure::of_hyper(error.error());
            if unsent {
                Broken::Unsent(cause)
            } else {
                Broken::Midway(cause)
            }
        })?;
    let (head, body) = response.into_parts();
    let body = reads::whole(body)
        .await
        .map_err(|error| Broken::Midway(failure::of_body(error.as_ref())))?;
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
    })
}
