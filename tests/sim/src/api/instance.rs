//! `GET /v3/{project}/instances/{instance}`, after the API page "Querying Details of a DB Instance", and finding
//! instances for all other calls.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refused, Request};
use crate::answer::Answer;
use crate::behaviour::MissingInstance;
use crate::fleet::IdKind;
use crate::operation::{Call, Operation};
use crate::sample::{REGION, SECURITY_GROUP};
use crate::state::{ACTIVE, Instance, Proxy};
use crate::times::fleet_time;
use crate::world::World;

/// The database port of every instance; a proxy's is another matter.
const DATABASE_PORT: u16 = 3306;

/// The instance that a call names, or the answer for one that isn't there.
pub(super) fn find<'a>(
    world: &'a World,
    call: &Call,
    operation: Operation,
    now: Timestamp,
) -> Result<&'a Instance, Refused> {
    if !IdKind::Instance.fits(&call.instance) {
        return Err(Refused::dbs(400, "280404", "the instance id is malformed"));
    }
    world
        .state
        .instance(&call.instance, now)
        .filter(|instance| instance.project == call.project)
        .ok_or_else(|| {
            let (status, code) = match world.behaviour.missing_instance {
                MissingInstance::NotFound201028 => (404, "201028"),
                MissingInstance::BadRequest201028 => (400, "201028"),
                MissingInstance::Conflict200932 if operation == Operation::List => (409, "200932"),
                MissingInstance::NotFound | MissingInstance::Conflict200932 => (404, "200002"),
            };
            Refused::dbs(status, code, "the instance does not exist")
        })
}

/// The availability zone of a node.
pub(super) fn zone(number: usize) -> String {
    format!("{REGION}{}", if number % 2 == 1 { "a" } else { "b" })
}

pub(super) fn show(
    world: &World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let instance = find(world, request.call, Operation::Instance, now)?;
    let proxies: Vec<&Proxy> = world.state.proxies_of(instance, now).collect();
    let status = world.state.instance_status(instance, now);
    Ok(Answer::json(
        200,
        &json!({"instance": describe(instance, status, &proxies)}),
    ))
}

/// The documented number of instances that may be asked of at once.
const DETAILS_AT_ONCE: usize = 20;

/// `GET /v3/{project}/instances/details`, after the API page "Querying Details of DB Instances in Batches". Instances that aren't there are
/// left out; the page doesn't say what becomes of them.
pub(super) fn details(
    world: &World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let ids = request.parameter("instance_ids").unwrap_or_default();
    let ids: Vec<&str> = ids.split(',').filter(|id| !id.is_empty()).collect();
    if ids.is_empty() || ids.len() > DETAILS_AT_ONCE {
        let text = "instance_ids names 1 to 20 instances";
        return Err(Refused::bad_parameter(text));
    }
    let found = ids.into_iter().filter_map(|id| {
        let instance = world.state.instance(id, now)?;
        let own = instance.project == request.call.project;
        let proxies: Vec<&Proxy> = world.state.proxies_of(instance, now).collect();
        let status = world.state.instance_status(instance, now);
        own.then(|| describe(instance, status, &proxies))
    });
    let found: Vec<Value> = found.collect();
    Ok(Answer::json(200, &json!({"instances": found})))
}

fn describe(instance: &Instance, status: &str, proxies: &[&Proxy]) -> Value {
    let number = instance.number;
    let proxies = proxies
        .iter()
        .map(|proxy| json!({"pool_id": proxy.id, "name": proxy.name, "address": proxy.address}));
    json!({
        "id": instance.id,
        "name": instance.name,
        "project_id": instance.project,
        "status": status,
        "port": DATABASE_PORT.to_string(),
        "alias": "",
        "type": "Cluster",
        "charge_info": {"charge_mode": "postPaid", "order_id": ""},
        "node_count": 2,
        "datastore": {"type": "gaussdb-mysql", "version": "8.0", "kernel_version": "2.0.60.241200"},
        "backup_used_space": 0.0,
        "created": fleet_time(instance.created),
        "updated": fleet_time(instance.created),
        "private_write_ips": [private_address(number, 10)],
        "private_dns_names": [],
        "public_ips": "",
        "db_user_name": "root",
        "vpc_id": "1d0c9a54-52be-4c09-9e0f-6b0e8a7d3c21",
        "subnet_id": "9c1f2d3e-7a40-4b6c-8e15-02d6f4a7b913",
        "security_group_id": SECURITY_GROUP,
        "configuration_id": "6e2d8f10b7c54a39a1d0e4f7c9b82563pr07",
        "backup_strategy": {"start_time": "02:00-03:00", "keep_days": "7"},
        "nodes": [database_node(instance, 1, "master"), database_node(instance, 2, "slave")],
        "enterprise_project_id": "0",
        "time_zone": "UTC+08:00",
        "az_mode": "multi",
        "master_az_code": zone(1),
        "maintenance_window": instance.maintenance_window,
        "tags": [],
        "proxies": proxies.collect::<Vec<_>>(),
    })
}

fn database_node(instance: &Instance, node: usize, role: &str) -> Value {
    json!({
        "id": instance.node_id(node),
        "name": format!("{}-node-{node}", instance.name),
        "type": role,
        "status": ACTIVE,
        "port": DATABASE_PORT,
        "private_read_ips": [private_address(instance.number, 10 + node)],
        "volume": {"type": "DL6", "used": "12.5", "size": 128_000},
        "az_code": zone(node),
        "region_code": REGION,
        "created": fleet_time(instance.created),
        "updated": fleet_time(instance.created),
        "flavor_id": "a0b4c1d7e29f4f6c8d53b7e6901f2a48",
        "flavor_ref": "gaussdb.mysql.sim.large.x86.4",
        "max_connections": "2500",
        "vcpus": "4",
        "ram": "16",
        "need_restart": false,
        "priority": node,
    })
}

fn private_address(instance: usize, host: usize) -> String {
    format!("10.30.{}.{host}", instance % 250)
}
