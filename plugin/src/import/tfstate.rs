//! Proxies of a Terraform state: the file itself (version 4), or what `terraform show -json` prints.
//!
//! Relies on the names of the providers' resources and attributes. Nothing is called: what the state lacks is told.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use super::found::{Found, Place};
use crate::{cli::ImportArguments, failure::Failure};

/// The resources that are proxies, of all names that providers have given them.
const KINDS: [&str; 3] = [
    "huaweicloud_taurusdb_proxy",
    "huaweicloud_gaussdb_mysql_proxy",
    "opentelekomcloud_taurusdb_mysql_proxy_v3",
];

/// Reads a file.
pub fn read(file: &Path, arguments: &ImportArguments) -> Result<Vec<Found>, Failure> {
    let [project] = arguments.projects.as_slice() else {
        let text = "a Terraform state does not tell the project: give exactly one --project";
        return Err(Failure::Usage(text.to_owned()));
    };
    let shown = file.display();
    let text = fs::read_to_string(file);
    let text = text.map_err(|error| Failure::file(format!("{shown} can't be read"), error))?;
    let state: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::Usage(format!("{shown} is no Terraform state in JSON: {error}"))
    })?;
    let proxies = proxies(&state).ok_or_else(|| {
        Failure::Usage(format!(
            "{shown} is neither a Terraform state of version 4 nor what `terraform show -json` prints"
        ))
    })?;
    let place = Place::of(arguments);
    Ok(proxies
        .iter()
        .map(|attributes| found(attributes, project, &place))
        .collect())
}

/// The attributes of each proxy; nothing where it is no state.
fn proxies(state: &Value) -> Option<Vec<Value>> {
    let mut found = Vec::new();
    let is_proxy = |resource: &Value| {
        let kind = resource
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mode = resource.get("mode").and_then(Value::as_str);
        KINDS.contains(&kind) && mode != Some("data")
    };
    if let Some(resources) = state.get("resources").and_then(Value::as_array) {
        for resource in resources.iter().filter(|resource| is_proxy(resource)) {
            let instances = resource.get("instances").and_then(Value::as_array);
            let attributes = instances
                .into_iter()
                .flatten()
                .filter_map(|one| one.get("attributes"));
            found.extend(attributes.cloned());
        }
        return Some(found);
    }
    // A plan holds the state in `prior_state`.
    let values = state
        .get("values")
        .or_else(|| state.pointer("/prior_state/values"))?;
    let mut modules: Vec<&Value> = values.get("root_module").into_iter().collect();
    while let Some(module) = modules.pop() {
        let list = |name: &str| {
            module
                .get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        modules.extend(list("child_modules"));
        let resources = list("resources").filter(|resource| is_proxy(resource));
        found.extend(
            resources
                .filter_map(|resource| resource.get("values"))
                .cloned(),
        );
    }
    Some(found)
}

fn found(attributes: &Value, project: &str, place: &Place) -> Found {
    let text = |names: &[&str]| {
        let values = names
            .iter()
            .filter_map(|name| attributes.get(name)?.as_str());
        values
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .next()
    };
    let port = attributes.get("port").and_then(|port| {
        let digits = port.as_str().and_then(|text| text.parse().ok());
        port.as_u64().or(digits)
    });
    let mut place = place.clone();
    let stated = text(&["region"]);
    let contradiction = stated.as_ref().zip(place.region.as_ref());
    let contradiction = contradiction.filter(|(stated, given)| stated != given);
    let contradiction = contradiction.map(|(stated, given)| {
        format!("--region is {given}, and the state says {stated}: leave --region out, or give the state's")
    });
    // An endpoint goes first, and then no region is needed.
    if contradiction.is_some() || (place.region.is_none() && place.endpoint.is_none()) {
        place.region = stated;
    }
    Found {
        place,
        project: project.to_owned(),
        instance: text(&["instance_id"]).unwrap_or_default(),
        instance_name: String::new(),
        // Those of a proxy's instance stand at another resource of the state.
        tags: BTreeMap::new(),
        proxy: text(&["id", "proxy_id"]).unwrap_or_default(),
        name: text(&["proxy_name", "name"]).unwrap_or_default(),
        status: text(&["status"]).unwrap_or_else(|| "in Terraform's state".to_owned()),
        unhealthy: false,
        port: port
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port != 0),
        contradiction,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const INSTANCE: &str = "e80a4b6f13c2457d9ab05c7712f4d3e6in07";
    const PROXY: &str = "4d1f0a77c2b94e5f8a6031d7be92c405po01";

    fn attributes() -> Value {
        json!({"id": PROXY, "instance_id": INSTANCE, "proxy_name": "orders", "port": 3307, "region": "ap-southeast-1",
            "address": "192.168.0.10", "flavor": "gaussdb.proxy.xlarge.x86.2", "node_num": 2, "route_mode": 0, "timeouts": null,
            "nodes": [{"id": "node-1", "name": "node_1", "role": "master", "status": "ACTIVE", "az_code": "az1", "frozen_flag": 0}],
            "master_node_weight": [{"id": "node-1", "weight": 100}], "dns_name": "", "proxy_mode": "readwrite", "can_upgrade": false})
    }

    fn one(state: &Value) -> Found {
        let found_ones = proxies(state).unwrap();
        assert_eq!(found_ones.len(), 1, "{state}");
        found(&found_ones[0], "p", &Place::default())
    }

    #[test]
    fn a_state_file_and_what_terraform_shows_give_the_same() {
        let resource = |kind: &str| {
            json!({"mode": "managed", "type": kind, "name": "orders", "instances": [
                {"index_key": 0, "schema_version": 0, "attributes": attributes(), "sensitive_attributes": []}
            ]})
        };
        let other = json!({"mode": "managed", "type": "huaweicloud_vpc", "name": "v", "instances": [{"attributes": {"id": "x"}}]});
        let shown = |kind: &str| json!({"address": "module.a.x.orders[0]", "mode": "managed", "type": kind, "values": attributes()});
        for kind in KINDS {
            let file = json!({"version": 4, "terraform_version": "1.11.4", "resources": [other, resource(kind)]});
            let printed = json!({"format_version": "1.0", "values": {"root_module": {
                "resources": [{"mode": "data", "type": kind, "values": {}}],
                "child_modules": [{"child_modules": [{"resources": [shown(kind)]}]}]
            }}});
            let found = one(&file);
            assert_eq!(found, one(&printed), "{kind}");
            assert_eq!((found.port, found.name.as_str()), (Some(3307), "orders"));
            assert_eq!(
                (found.proxy.as_str(), found.instance.as_str()),
                (PROXY, INSTANCE)
            );
            assert_eq!(found.place.region.as_deref(), Some("ap-southeast-1"));
        }
    }

    #[test]
    fn a_region_that_the_state_contradicts_is_told_and_not_written() {
        let of = |region: Option<&str>, attributes: &Value| {
            let place = Place {
                region: region.map(str::to_owned),
                ..Place::default()
            };
            found(attributes, "p", &place)
        };
        let other = of(Some("eu-west-101"), &attributes());
        let why = other.contradiction.unwrap();
        assert!(
            why.contains("--region is eu-west-101") && why.contains("says ap-southeast-1"),
            "{why}"
        );
        // It is looked for under its own region among what is managed.
        assert_eq!(other.place.region.as_deref(), Some("ap-southeast-1"));
        assert_eq!(
            of(Some("ap-southeast-1"), &attributes()).contradiction,
            None
        );
        let mut silent = attributes();
        silent["region"] = json!("");
        let given = of(Some("eu-west-101"), &silent);
        assert_eq!(given.contradiction, None);
        assert_eq!(given.place.region.as_deref(), Some("eu-west-101"));
    }

    #[test]
    fn what_is_no_state_is_told_from_an_empty_one() {
        assert_eq!(proxies(&json!({"a": 1})), None);
        assert_eq!(
            proxies(&json!({"version": 4, "resources": []})),
            Some(Vec::new())
        );
    }

    #[test]
    fn an_older_state_without_a_port_is_read_as_far_as_it_goes() {
        let found = found(
            &json!({"id": PROXY, "instance_id": INSTANCE, "port": 0}),
            "p",
            &Place::default(),
        );
        assert_eq!((found.port, found.place.region), (None, None));
    }
}
