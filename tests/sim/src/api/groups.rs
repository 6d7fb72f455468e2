//! `GET /v3/{project}/vpc/security-group-rules`, after the API page "Querying Security Group Rules" (V3) of VPC. The real one is at a host of
//! its own, as `vpc.{region}.…`; this one is beside the database service.

use serde_json::{Map, Value, json};

use super::{Refused, Request};
use crate::answer::Answer;
use crate::state::GroupRule;
use crate::world::World;

/// The documented longest page, which is also the default.
const PAGE: usize = 2000;

pub(super) fn rules(world: &World, request: &Request<'_>) -> Result<Answer, Refused> {
    let limit = request.number("limit")?.unwrap_or(PAGE);
    if limit > PAGE {
        return Err(Refused::bad_parameter("limit is a number from 0 to 2000"));
    }
    let limit = limit.min(request.page_cap.unwrap_or(limit));
    // Each of these may be given several times.
    let is_wanted = |name: &str, value: &str| {
        let mut wanted = request.query.iter().filter(|(key, _)| key == name);
        wanted.clone().next().is_none() || wanted.any(|(_, wanted)| wanted == value)
    };
    let rules: Vec<&GroupRule> = world
        .state
        .group_rules
        .iter()
        .filter(|rule| is_wanted("security_group_id", &rule.security_group_id))
        .filter(|rule| is_wanted("direction", &rule.direction))
        .filter(|rule| is_wanted("action", &rule.action))
        .filter(|rule| is_wanted("id", &rule.id))
        .collect();
    let begin = match request.parameter("marker").filter(|id| !id.is_empty()) {
        None => 0,
        Some(marker) => {
            let place = rules.iter().position(|rule| rule.id == marker);
            // The page doesn't say what becomes of a marker that is gone.
            place.map_or(rules.len(), |place| place + 1)
        }
    };
    let left = rules.get(begin..).unwrap_or_default();
    let page = left.get(..limit).unwrap_or(left);
    let rows = page.iter().map(|rule| row(&request.call.project, rule));
    let rows: Vec<Value> = rows.collect();
    let id = |rule: Option<&&GroupRule>| rule.map(|rule| rule.id.clone());
    let mut info = Map::from_iter([("current_count".to_owned(), rows.len().into())]);
    if let Some(first) = id(page.first()) {
        info.insert("previous_marker".to_owned(), first.into());
    }
    if page.len() < left.len()
        && let Some(last) = id(page.last())
    {
        info.insert("next_marker".to_owned(), last.into());
    }
    Ok(Answer::json(
        200,
        &json!({"request_id": "", "security_group_rules": rows, "page_info": info}),
    ))
}

fn row(project: &str, rule: &GroupRule) -> Value {
    json!({
        "id": rule.id,
        "project_id": project,
        "security_group_id": rule.security_group_id,
        "description": "",
        "direction": rule.direction,
        "protocol": rule.protocol,
        "ethertype": rule.ethertype,
        "multiport": rule.multiport,
        "action": rule.action,
        "priority": rule.priority,
        "remote_group_id": rule.remote_group_id,
        "remote_ip_prefix": rule.remote_ip_prefix,
        "remote_address_group_id": rule.remote_address_group_id,
        "enabled": rule.enabled,
        "created_at": "2026-01-05T08:00:00Z",
        "updated_at": "2026-01-05T08:00:00Z",
    })
}
