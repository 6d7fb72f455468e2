//! `GET /v3/{project}/instances/{instance}/proxies`, after the API page "Querying Proxy Instances".

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refused, Request, instance};
use crate::answer::Answer;
use crate::operation::Operation;
use crate::state::{ACTIVE, Instance, Proxy};
use crate::times::fleet_time;
use crate::world::World;

pub(super) fn proxies(
    world: &World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let instance = instance::find(world, request.call, Operation::List, now)?;
    let offset = request.number("offset")?.unwrap_or(0);
    let limit = request
        .number("limit")?
        .unwrap_or(world.behaviour.default_limit);
    if !(1..=100).contains(&limit) {
        return Err(Refused::bad_parameter("limit is a number from 1 to 100"));
    }
    let page = world
        .state
        .proxies_of(instance, now)
        .skip(offset)
        .take(limit.min(request.page_cap.unwrap_or(limit)));
    let rows: Vec<Value> = page.map(|proxy| row(world, instance, proxy, now)).collect();
    Ok(Answer::json(200, &json!({"proxy_list": rows})))
}

fn row(world: &World, instance: &Instance, proxy: &Proxy, now: Timestamp) -> Value {
    json!({
        "proxy": describe(world, proxy, now),
        "master_node": database_node(instance, 1),
        "readonly_nodes": [database_node(instance, 2)],
        "htap_nodes": [],
    })
}

fn describe(world: &World, proxy: &Proxy, now: Timestamp) -> Value {
    let status = world
        .state
        .listed_status(proxy, &world.behaviour.changing_status, now);
    json!({
        "pool_id": proxy.id,
        "name": proxy.name,
        "status": status,
        "pool_status": pool_status(status),
        "address": proxy.address,
        "port": world.state.listed_port(proxy, now),
        "elb_vip": "",
        "eip": "",
        "delay_threshold_in_seconds": 30,
        "vcpus": "2",
        "ram": "4",
        "node_num": 2,
        "nodes": [proxy_node(proxy, 1, "master"), proxy_node(proxy, 2, "slave")],
        "flavor_ref": "gaussdb.proxy.sim.large.2",
        "mode": "Cluster",
        "type": "readwrite",
        "route_mode": 0,
        "balance_route_mode_enabled": false,
        "consistence_mode": "session",
        "connection_pool_type": "CLOSED",
        "switch_connection_pool_type_enabled": false,
        "transaction_split": "false",
        "ssl_option": "false",
        "subnet_id": "9c1f2d3e-7a40-4b6c-8e15-02d6f4a7b913",
        "new_node_auto_add_status": "OFF",
        "new_node_weight": 0,
        "support_ap_node": false,
        "created_at": fleet_time(proxy.created),
        "updated_at": fleet_time(proxy.created),
    })
}

/// The pool has fewer words than the proxy.
fn pool_status(status: &str) -> &str {
    match status {
        "ABNORMAL" | "FAILED" | "DELETED" => status,
        _ => ACTIVE,
    }
}

fn proxy_node(proxy: &Proxy, number: usize, role: &str) -> Value {
    json!({
        "id": proxy.node_id(number),
        "name": format!("{}-node-{number}", proxy.name),
        "status": ACTIVE,
        "role": role,
        "az_code": instance::zone(number),
        "frozen_flag": 0,
    })
}

fn database_node(instance: &Instance, number: usize) -> Value {
    json!({
        "id": instance.node_id(number),
        "instance_id": instance.id,
        "name": format!("{}-node-{number}", instance.name),
        "status": ACTIVE,
        "weight": 100,
        "availability_zone": [{"code": instance::zone(number), "description": format!("zone {number}")}],
    })
}
