//! `GET /v3/{project}/instances`, after the API page "Querying DB Instances". The same is answered under `v3.1`,
//! whose other words for states are left out: nobody here reads them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refused, Request};
use crate::answer::Answer;
use crate::sample::REGION;
use crate::state::Instance;
use crate::times::fleet_time;
use crate::world::World;

/// The documented length of a page, and the longest.
const PAGE: usize = 100;

pub(super) fn list(
    world: &World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let offset = request.number("offset")?.unwrap_or(0);
    let limit = request.number("limit")?.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(Refused::bad_parameter("limit is a number from 1 to 100"));
    }
    let matches = |name: &str, value: &str| match request.parameter(name) {
        // A star stands for any beginning.
        Some(wanted) => match wanted.strip_prefix('*') {
            Some(part) => value.contains(part),
            None => value == wanted,
        },
        None => true,
    };
    let instances: Vec<&Instance> = world
        .state
        .instances_of(&request.call.project, now)
        .into_iter()
        .filter(|instance| matches("id", &instance.id) && matches("name", &instance.name))
        .filter(|instance| has_tags(instance, request.parameter("tags")))
        .collect();
    let total = instances.len();
    let rows: Vec<Value> = instances
        .into_iter()
        .skip(offset)
        .take(limit.min(request.page_cap.unwrap_or(limit)))
        .map(|instance| row(world, instance, now))
        .collect();
    Ok(Answer::json(
        200,
        &json!({"instances": rows, "total_count": total}),
    ))
}

/// Whether an instance has all of these: `key=value`, with commas between them.
fn has_tags(instance: &Instance, wanted: Option<&str>) -> bool {
    let mut wanted = wanted.into_iter().flat_map(|wanted| wanted.split(','));
    wanted.all(|wanted| {
        let (key, value) = wanted.split_once('=').unwrap_or((wanted, ""));
        let mut tags = instance.tags.iter();
        tags.any(|(known, has)| known == key && has == value)
    })
}

fn row(world: &World, instance: &Instance, now: Timestamp) -> Value {
    let number = instance.number;
    let address = |host: usize| format!("10.30.{}.{host}", number % 250);
    let proxies: Vec<&str> = world
        .state
        .proxies_of(instance, now)
        .map(|proxy| &*proxy.address)
        .collect();
    json!({
        "id": instance.id,
        "name": instance.name,
        "status": world.state.instance_status(instance, now),
        "private_ips": [address(10)],
        "readonly_private_ips": [address(12)],
        "proxy_ips": proxies,
        "public_ips": [],
        "port": "3306",
        "type": "Cluster",
        "region": REGION,
        "datastore": {"type": "gaussdb-mysql", "version": "8.0", "kernel_version": "2.0.60.241200"},
        "created": fleet_time(instance.created),
        "updated": fleet_time(instance.created),
        "db_user_name": "root",
        "vpc_id": "1d0c9a54-52be-4c09-9e0f-6b0e8a7d3c21",
        "subnet_id": "9c1f2d3e-7a40-4b6c-8e15-02d6f4a7b913",
        "security_group_id": "70b3e8d5-0f6a-4c1b-b2a9-cc5d1f847e60",
        "flavor_ref": "gaussdb.mysql.sim.large.x86.4",
        "flavor_info": {"vcpus": "4", "ram": "16"},
        "volume": {"type": "POOL", "size": "100"},
        "backup_strategy": {"start_time": "02:00-03:00", "keep_days": "7"},
        "enterprise_project_id": "0",
        "time_zone": "UTC+08:00",
        "charge_info": {"charge_mode": "postPaid"},
        "dedicated_resource_id": "",
        "tags": instance.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect::<Vec<_>>(),
    })
}
