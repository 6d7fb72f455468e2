//! What the API server answers about what is published: the few verbs that the operator uses.
//!
//! Each write of a process is checked before it is made, by what was known when it was sent.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Kind, Maker, Object};
use crate::{
    answers::{Answer, ok, status},
    flaw::Flaw,
    life::Life,
    server::Call,
    world::World,
};

/// A process waits no longer for an answer, in milliseconds.
const WAITED_FOR: u64 = 10_000;

/// The proxy that an object leads to, in its labels.
const PROXY: &str = "taurusdb.huaweicloud.com/proxy";

impl World {
    /// Serves a call about what is published.
    pub fn answer_published(
        &mut self,
        life: &Arc<Life>,
        leads: bool,
        (kind, name): (Kind, Option<String>),
        call: &Call,
    ) -> Answer {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let is_read = call.method == Method::GET;
        if !is_read && !leads {
            self.broken(format!(
                "{} writes what is published and does not lead",
                life.identity
            ));
        }
        match (&call.method, name) {
            (&Method::GET, None) => self.list_published(kind, call),
            (&Method::GET, Some(name)) => match self.stock.get(kind, &name) {
                Some(object) => ok(self.seen(kind, &name, object).to_string().into()),
                None => status(StatusCode::NOT_FOUND, "NotFound"),
            },
            (&Method::POST, None) => self.create_published(life, kind, body, call.sent),
            (&Method::PUT, Some(name)) => {
                self.replace_published(life, kind, &name, body, call.sent)
            }
            (&Method::DELETE, Some(name)) => {
                self.delete_published(life, kind, &name, &body, call.sent)
            }
            _ => status(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    /// Whether somebody may watch what is published: asked of everybody, and allowed to everybody or nobody. What a change would break
    /// is read by nobody: there is nothing here that it could break.
    pub fn review_access(&self, call: &Call) -> Answer {
        let mut review: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let is_published = review["spec"]["resourceAttributes"]["resource"] != "networkpolicies";
        let allowed = is_published && self.publishing && self.stock.may_watch;
        review["status"] = json!({"allowed": allowed});
        ok(review.to_string().into())
    }

    fn list_published(&self, kind: Kind, call: &Call) -> Answer {
        let wanted = call.selector();
        let matching = self.stock.all().filter(|(of, _, object)| {
            *of == kind
                && wanted
                    .iter()
                    .all(|(key, value)| object.label(key) == Some(value))
        });
        let items: Vec<Value> = matching
            .map(|(_, _, object)| object.value.clone())
            .collect();
        let (api_version, name) = kind.types();
        let version = self.stock.version.to_string();
        let list = json!({
            "kind": format!("{name}List"), "apiVersion": api_version, "metadata": {"resourceVersion": version}, "items": items,
        });
        ok(list.to_string().into())
    }

    /// An object as operators see it.
    fn seen(&self, kind: Kind, name: &str, object: &Object) -> Value {
        let mut seen = object.value.clone();
        if self.flaw == Some(Flaw::TakesWhatIsOthers)
            && !object.is_made_here()
            && let Some(proxy) = self.proxy_of_who_wishes(kind, name)
        {
            let labels = &mut seen["metadata"]["labels"];
            labels["app.kubernetes.io/managed-by"] = json!("taurus-port-operator");
            labels[PROXY] = json!(proxy);
        }
        seen
    }

    fn create_published(&mut self, life: &Life, kind: Kind, body: Value, sent: u64) -> Answer {
        let name = body["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if self.stock.get(kind, &name).is_some() {
            return saying(409, "AlreadyExists", "it exists");
        }
        let proxy = body["metadata"]["labels"][PROXY]
            .as_str()
            .unwrap_or_default();
        let object = Object {
            maker: Maker::Operator(proxy.to_owned()),
            value: body,
            is_orphaned: false,
            is_late: self.now().saturating_sub(sent) > WAITED_FOR,
        };
        self.write_published(life, kind, &name, object, sent)
    }

    fn replace_published(
        &mut self,
        life: &Life,
        kind: Kind,
        name: &str,
        body: Value,
        sent: u64,
    ) -> Answer {
        let Some(stands) = self.stock.get(kind, name).cloned() else {
            return status(StatusCode::NOT_FOUND, "NotFound");
        };
        let meta = &body["metadata"];
        let same = meta["resourceVersion"] == *stands.version()
            && meta["uid"] == stands.value["metadata"]["uid"];
        if !same {
            self.say(|| {
                format!(
                    "{} may not replace {}/{name}: Conflict",
                    life.identity,
                    kind.plural()
                )
            });
            self.stock.ledger.conflicts.insert((kind, name.to_owned()));
        }
        let forgets = self.flaw == Some(Flaw::ForgetsAfterAConflict);
        if forgets
            && self
                .stock
                .ledger
                .conflicts
                .contains(&(kind, name.to_owned()))
        {
            return ok(body.to_string().into());
        }
        if !same {
            return saying(409, "Conflict", "another version");
        }
        if stands.value["immutable"] == true
            && (body["data"] != stands.value["data"] || body["immutable"] != true)
        {
            return saying(422, "Invalid", "field is immutable when `immutable` is set");
        }
        let object = Object {
            value: body,
            ..stands
        };
        self.write_published(life, kind, name, object, sent)
    }

    /// A process makes or replaces an object.
    pub fn write_published(
        &mut self,
        life: &Life,
        kind: Kind,
        name: &str,
        object: Object,
        sent: u64,
    ) -> Answer {
        let now = self.now();
        let before = self.stock.get(kind, name).cloned();
        let owners = object.owners().join(" ");
        let plural = kind.plural();
        self.say(|| {
            let port = object.port(kind);
            format!(
                "{} writes {plural}/{name}: {port:?}, owners {owners}",
                life.identity
            )
        });
        self.check_published(life, (kind, name), before.as_ref(), &object, sent);
        self.stock.store(kind, name, object, now);
        let stored = self
            .stock
            .get(kind, name)
            .map(|stored| stored.value.to_string());
        ok(stored.unwrap_or_default().into())
    }

    fn delete_published(
        &mut self,
        life: &Life,
        kind: Kind,
        name: &str,
        body: &Value,
        sent: u64,
    ) -> Answer {
        let Some(stands) = self.stock.get(kind, name).cloned() else {
            return status(StatusCode::NOT_FOUND, "NotFound");
        };
        let meta = &stands.value["metadata"];
        let asked = &body["preconditions"];
        let differs = |field: &str| !asked[field].is_null() && asked[field] != meta[field];
        if differs("uid") || differs("resourceVersion") {
            return saying(409, "Conflict", "another version");
        }
        if kind == Kind::Slice && self.flaw == Some(Flaw::EmptiesSlices) {
            let mut empty = stands.clone();
            empty.value["endpoints"] = json!([]);
            return self.write_published(life, kind, name, empty, sent);
        }
        if self.flaw == Some(Flaw::LeavesWhatIsWithdrawn) {
            return ok(stands.value.to_string().into());
        }
        self.say(|| format!("{} deletes {}/{name}", life.identity, kind.plural()));
        self.check_withdrawn(life, (kind, name), &stands, sent);
        let now = self.now();
        self.stock.remove(kind, name, now);
        ok(stands.value.to_string().into())
    }
}

/// A failure in these words.
pub fn saying(code: u16, reason: &str, message: &str) -> Answer {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    let mut answer = ok(body.to_string().into());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}
