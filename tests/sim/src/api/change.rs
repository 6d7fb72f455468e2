//! `PUT /v3/{project}/instances/{instance}/proxy/{proxy}/port`, after the API page "Changing the Port of a Proxy
//! Instance". In which order the service checks isn't documented; here form comes first, then existence, then the port,
//! then whether it can be done now.

use axum::http::{HeaderMap, header::CONTENT_TYPE};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refused, Request, Worked, instance};
use crate::answer::Answer;
use crate::behaviour::{Mode, SamePort};
use crate::operation::{Call, Operation};
use crate::state::{ACTIVE, Job, PORT_CHANGE, Proxy};
use crate::world::World;

/// The documented range, reserved ports aside.
const PORTS: std::ops::RangeInclusive<u16> = 1025..=65534;
const RESERVED: [std::ops::RangeInclusive<u16>; 8] = [
    1033..=1033,
    5342..=5345,
    12017..=12017,
    20000..=20000,
    20201..=20202,
    33060..=33060, // by the user guide only: `Behaviour::accepts_33060`
    33062..=33062,
    33071..=33071,
];

pub(super) fn port(
    world: &mut World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Worked, Refused> {
    check_content_type(request.headers)?;
    let asked = asked_port(request.body)?;
    let proxy = find(world, request.call, now)?;
    let port = allowed(asked, world.behaviour.accepts_33060).ok_or_else(|| {
        Refused::chosen(
            &world.behaviour.bad_port,
            "the port is out of range or reserved",
        )
    })?;
    check_idle(world, proxy, now)?;
    if world.state.actual_port(proxy, now) == port {
        return Ok(Worked::with(nothing_to_do(world.behaviour.same_port)));
    }
    let id = accept(world, request.call, port, now);
    Ok(Worked {
        answer: Answer::json(200, &json!({"job_id": id})),
        done: true,
        job_id: Some(id),
    })
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Refused> {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let (kind, parameter) = value.split_once(';').unwrap_or((value, "charset=utf-8"));
    let charset = parameter.trim().to_ascii_lowercase();
    if kind.trim().eq_ignore_ascii_case("application/json") && charset.starts_with("charset=") {
        Ok(())
    } else {
        Err(Refused::bad_parameter(
            "Content-Type is application/json, at most with a charset",
        ))
    }
}

fn asked_port(body: &[u8]) -> Result<i64, Refused> {
    if body.is_empty() {
        return Err(Refused::dbs(400, "200006", "the request is empty"));
    }
    let json: Value =
        serde_json::from_slice(body).map_err(|_| Refused::bad_parameter("the body is not JSON"))?;
    let port = json.get("port").and_then(Value::as_i64);
    port.ok_or_else(|| Refused::bad_parameter("the field port is missing or not an integer"))
}

fn find<'a>(world: &'a World, call: &Call, now: Timestamp) -> Result<&'a Proxy, Refused> {
    instance::find(world, call, Operation::Change, now)?;
    let proxy = world.state.proxy(&call.proxy, now);
    let proxy = proxy.ok_or_else(|| Refused::dbs(400, "270024", "the proxy does not exist"))?;
    if proxy.instance == call.instance {
        Ok(proxy)
    } else {
        Err(Refused::dbs(
            400,
            "05000022",
            "instance and proxy do not belong together",
        ))
    }
}

fn allowed(asked: i64, accepts_33060: bool) -> Option<u16> {
    let port = u16::try_from(asked)
        .ok()
        .filter(|port| PORTS.contains(port))?;
    let reserved = RESERVED.iter().any(|range| range.contains(&port));
    (!reserved || (accepts_33060 && port == 33060)).then_some(port)
}

fn check_idle(world: &World, proxy: &Proxy, now: Timestamp) -> Result<(), Refused> {
    let behaviour = &world.behaviour;
    let one_at_a_time = proxy.mode.unwrap_or(behaviour.mode) != Mode::M3;
    if one_at_a_time && world.state.is_busy(proxy, behaviour.busy_scope, now) {
        return Err(Refused::chosen(
            &behaviour.busy,
            "another operation is running on the instance",
        ));
    }
    let of_instance = world
        .state
        .instance(&proxy.instance, now)
        .map_or("", |instance| world.state.instance_status(instance, now));
    let statuses = [of_instance, world.state.proxy_status(proxy, now)];
    match statuses.into_iter().find(|status| *status != ACTIVE) {
        None => Ok(()),
        Some(status) => Err(Refused::chosen(
            behaviour.refusal_in(status),
            format!("not possible in the present status {status}"),
        )),
    }
}

fn nothing_to_do(same_port: SamePort) -> Answer {
    let body = match same_port {
        SamePort::Null => json!({"job_id": null}),
        SamePort::Absent => json!({}),
        SamePort::Empty => json!({"job_id": ""}),
    };
    Answer::json(200, &body)
}

fn accept(world: &mut World, call: &Call, port: u16, now: Timestamp) -> String {
    let own_mode = world
        .state
        .proxies
        .get(&call.proxy)
        .and_then(|proxy| proxy.mode);
    let id = world.ids.uuid();
    let plan = world.state.take_plan(&call.proxy);
    world.state.jobs.push(Job {
        id: id.clone(),
        name: PORT_CHANGE.to_owned(),
        project: call.project.clone(),
        instance: call.instance.clone(),
        proxy: Some(call.proxy.clone()),
        port: Some(port),
        accepted: now,
        mode: own_mode.unwrap_or(world.behaviour.mode),
        plan,
        forgotten: false,
    });
    id
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn documented_bounds_and_reserved_ports_are_refused_and_their_neighbours_taken() {
        for port in [
            -1, 0, 1024, 1033, 5342, 5343, 5344, 5345, 12017, 20000, 20201, 20202, 33060, 33062,
            33071, 65535, 65536, 70000,
        ] {
            assert_eq!(allowed(port, false), None, "{port}");
        }
        for port in [
            1025, 1032, 1034, 3306, 5341, 5346, 12016, 12018, 19999, 20001, 20200, 20203, 33059,
            33061, 33063, 33070, 33072, 65534,
        ] {
            assert_eq!(allowed(i64::from(port), false), Some(port), "{port}");
        }
        assert_eq!(allowed(33060, true), Some(33060));
    }

    #[test]
    fn a_body_is_an_object_with_an_integer_port() {
        assert_eq!(asked_port(b"{\"port\":3307}\n"), Ok(3307));
        assert_eq!(asked_port(b"{\"port\": -1, \"more\": true}"), Ok(-1));
        assert_eq!(
            asked_port(b""),
            Err(Refused::dbs(400, "200006", "the request is empty"))
        );
        for odd in [
            "{}",
            "{\"port\":\"3307\"}",
            "{\"port\":3307.0}",
            "{\"port\":null}",
            "[3307]",
            "3307",
            "{",
            "port=3307",
        ] {
            let refused = asked_port(odd.as_bytes()).unwrap_err().answer("");
            assert!(
                refused.status == 400 && refused.body.contains("DBS.200001"),
                "{odd}: {refused:?}"
            );
        }
    }

    #[test]
    fn the_content_type_is_json_with_at_most_a_charset() {
        for (value, fine) in [
            ("application/json", true),
            ("application/json;charset=UTF-8", true),
            ("application/json; charset=utf8", true),
            ("application/json; boundary=x", false),
            ("text/json", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(check_content_type(&headers).is_ok(), fine, "{value:?}");
        }
        assert!(check_content_type(&HeaderMap::new()).is_err());
    }
}
