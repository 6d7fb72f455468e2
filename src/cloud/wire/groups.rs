//! Security groups of instances, and pages of their rules.
//!
//! Sources: API pages "Querying Details of DB Instances in Batches" of TaurusDB and "Querying Security Group Rules" (V3) of VPC, and the
//! models of the vendor's SDK (`huaweicloudsdkvpc` 3.1.219, `v3/model/security_group_rule.py` and `page_info.py`). Promises that no rule
//! is passed over that can't be understood: the whole answer counts as one that can't be.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Value, WireError, details, number, object, text};
use crate::{
    cloud::groups::{GroupRule, Source},
    model::InstanceId,
};

const OF_INSTANCES: &[&str] = &["instances", "id", "security_group_id"];
const OF_RULES: &[&str] = &[
    "security_group_rules",
    "id",
    "direction",
    "protocol",
    "ethertype",
    "multiport",
    "action",
    "priority",
    "remote_group_id",
    "remote_ip_prefix",
    "remote_address_group_id",
    "enabled",
    "page_info",
    "next_marker",
];

/// The number of TCP among the protocols of IP.
const TCP: u64 = 6;

/// The security groups of instances.
#[derive(Debug, PartialEq, Eq)]
pub struct InstanceGroups(pub Vec<(InstanceId, String)>);

/// A page of the rules of a security group.
#[derive(Debug, PartialEq, Eq)]
pub struct RulePage {
    /// How many rows it had.
    pub rows: usize,
    /// The rules for TCP that comes in, each with its id.
    pub rules: Vec<(String, GroupRule)>,
    /// After which row the next page begins, if there is one.
    pub next: Option<String>,
}

/// Reads `GET …/instances/details`. Rows without a readable `id` or `security_group_id` are left out.
pub fn instance_groups(body: &str) -> Result<InstanceGroups, WireError> {
    details(body, OF_INSTANCES, "security_group_id").map(InstanceGroups)
}

/// Reads a page of `GET …/vpc/security-group-rules`.
pub fn group_rules(body: &str) -> Result<RulePage, WireError> {
    let body = object(body, OF_RULES)?;
    let Some(Value::List(rows)) = body.get("security_group_rules") else {
        return Err(WireError::Field("security_group_rules"));
    };
    let mut rules = Vec::new();
    for row in rows {
        let id = text(row, "id").ok_or(WireError::Field("id"))?;
        if let Some(rule) = rule(row)? {
            rules.push((id.to_owned(), rule));
        }
    }
    let page = body.get("page_info");
    Ok(RulePage {
        rows: rows.len(),
        rules,
        next: page
            .and_then(|page| text(page, "next_marker"))
            .map(str::to_owned),
    })
}

/// A rule; nothing if it is for something else than TCP that comes in.
fn rule(row: &Value<'_>) -> Result<Option<GroupRule>, WireError> {
    let word = |name| text(row, name).map(str::to_ascii_lowercase);
    match word("direction").as_deref() {
        Some("ingress") => {}
        Some("egress") => return Ok(None),
        _ => return Err(WireError::Field("direction")),
    }
    let is_off = row.get("enabled") == Some(&Value::Flag(false));
    if is_off || word("enabled").as_deref() == Some("false") || !is_tcp(row) {
        return Ok(None);
    }
    let is_v6 = match word("ethertype").as_deref() {
        None | Some("ipv4") => false,
        Some("ipv6") => true,
        Some(_) => return Err(WireError::Field("ethertype")),
    };
    let denies = match word("action").as_deref() {
        Some("allow") => false,
        Some("deny") => true,
        _ => return Err(WireError::Field("action")),
    };
    Ok(Some(GroupRule {
        is_v6,
        ports: ports(row).ok_or(WireError::Field("multiport"))?,
        denies,
        // Rules from before there were priorities have none, and come first as those with 1 do.
        priority: number(row, "priority").unwrap_or(1),
        source: source(row)?,
    }))
}

/// Where no protocol is named, all are meant.
fn is_tcp(row: &Value<'_>) -> bool {
    if let Some(number) = number(row, "protocol") {
        return number == TCP;
    }
    text(row, "protocol").is_none_or(|word| {
        let words = ["tcp", "any", "all", "-1"];
        words.iter().any(|known| known.eq_ignore_ascii_case(word))
    })
}

/// `3306`, `1-65535` or `22,3389,8000-8999`; all where nothing is named.
fn ports(row: &Value<'_>) -> Option<Vec<(u16, u16)>> {
    if let Some(Value::Number(port)) = row.get("multiport") {
        let port = u16::try_from(*port).ok()?;
        return Some(vec![(port, port)]);
    }
    let Some(named) = text(row, "multiport") else {
        return Some(Vec::new());
    };
    let port = |text: &str| text.trim().parse::<u16>().ok();
    let range = |text: &str| match text.split_once('-') {
        Some((first, last)) => Some((port(first)?, port(last)?)),
        None => port(text).map(|port| (port, port)),
    };
    named.split(',').map(range).collect()
}

/// Whom a rule is about: everybody where nobody is named.
fn source(row: &Value<'_>) -> Result<Source, WireError> {
    if let Some(group) = text(row, "remote_group_id") {
        return Ok(Source::Group(group.to_owned()));
    }
    if let Some(group) = text(row, "remote_address_group_id") {
        return Ok(Source::AddressGroup(group.to_owned()));
    }
    let Some(prefix) = text(row, "remote_ip_prefix") else {
        return Ok(Source::Anyone);
    };
    let block = prefix.parse::<IpNet>().ok();
    let block = block.or_else(|| prefix.parse::<IpAddr>().ok().map(IpNet::from));
    let block = block.ok_or(WireError::Field("remote_ip_prefix"))?.trunc();
    Ok(if block.prefix_len() == 0 {
        Source::Anyone
    } else {
        Source::Block(block)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    const INSTANCE: &str = "4d1f0a77c2b94e5f8a6031d7be92c405in07";

    fn page(rules: &Json) -> Result<RulePage, WireError> {
        group_rules(&json!({"security_group_rules": rules}).to_string())
    }

    /// One rule, with what differs from one for IPv4, TCP and all ports that lets everybody in.
    fn read(differs: &Json) -> Result<Option<GroupRule>, WireError> {
        let mut rule = json!({
            "id": "r", "direction": "ingress", "protocol": "tcp", "ethertype": "IPv4", "multiport": null, "action": "allow",
            "priority": 1, "remote_group_id": null, "remote_ip_prefix": null, "remote_address_group_id": null, "enabled": true
        });
        for (name, value) in differs.as_object().unwrap() {
            rule[name] = value.clone();
        }
        let page = page(&json!([rule]))?;
        Ok(page.rules.into_iter().next().map(|(_, rule)| rule))
    }

    #[test]
    fn the_group_of_an_instance_is_read_and_one_without_is_left_out() {
        let rows = json!([
            {"id": INSTANCE, "security_group_id": "g"}, {"id": INSTANCE}, {"security_group_id": "g"}, 7
        ]);
        let read = instance_groups(&json!({"instances": rows}).to_string()).unwrap();
        let instance = InstanceId::parse(INSTANCE).unwrap();
        assert_eq!(read, InstanceGroups(vec![(instance, "g".to_owned())]));
        assert!(instance_groups("{}").is_err());
    }

    #[test]
    fn ports_are_one_a_range_several_or_all() {
        for (named, expected) in [
            (json!("3306"), vec![(3306, 3306)]),
            (json!(3306), vec![(3306, 3306)]),
            (json!("1-65535"), vec![(1, 65535)]),
            (
                json!("22, 3389,8000-8999"),
                vec![(22, 22), (3389, 3389), (8000, 8999)],
            ),
            (json!(""), vec![]),
            (json!(null), vec![]),
        ] {
            let rule = read(&json!({"multiport": named})).unwrap().unwrap();
            assert_eq!(rule.ports, expected, "{named}");
        }
        for named in ["x", "1-", "70000", "1,,2"] {
            let read = read(&json!({"multiport": named}));
            assert_eq!(read, Err(WireError::Field("multiport")), "{named}");
        }
    }

    #[test]
    fn rules_for_something_else_are_passed_over() {
        for (field, value) in [
            ("direction", json!("egress")),
            ("protocol", json!("udp")),
            ("protocol", json!("icmp")),
            ("protocol", json!("17")),
            ("protocol", json!(17)),
            ("enabled", json!(false)),
        ] {
            assert_eq!(read(&json!({field: value})), Ok(None), "{field} {value}");
        }
        for protocol in [json!("TCP"), json!("6"), json!(6), json!(null), json!("")] {
            let read = read(&json!({"protocol": protocol}));
            assert!(read.unwrap().is_some(), "{protocol}");
        }
    }

    #[test]
    fn a_rule_is_about_a_group_a_block_or_everybody() {
        let source = |differs: Json| read(&differs).unwrap().unwrap().source;
        let group = json!({"remote_group_id": "g", "remote_ip_prefix": ""});
        assert_eq!(source(group), Source::Group("g".to_owned()));
        assert_eq!(
            source(json!({"remote_address_group_id": "a"})),
            Source::AddressGroup("a".to_owned())
        );
        for (prefix, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("0.0.0.0/0", "any address"),
            ("::/0", "any address"),
        ] {
            let source = source(json!({"remote_ip_prefix": prefix}));
            assert_eq!(source.to_string(), shown, "{prefix}");
        }
        assert_eq!(source(json!({})), Source::Anyone);
    }

    #[test]
    fn what_can_not_be_understood_is_never_left_out_in_silence() {
        for (field, value) in [
            ("direction", json!("sideways")),
            ("action", json!(null)),
            ("action", json!("audit")),
            ("ethertype", json!("IPv5")),
            ("remote_ip_prefix", json!("somewhere")),
            ("id", json!(null)),
        ] {
            let read = read(&json!({field: value}));
            assert_eq!(read, Err(WireError::Field(field)), "{value}");
        }
        for body in ["", "{}", r#"{"security_group_rules": null}"#] {
            assert!(group_rules(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_page_names_the_next_one_unless_it_is_the_last() {
        let body = json!({"security_group_rules": [], "page_info": {"next_marker": "r", "current_count": 0}});
        assert_eq!(
            group_rules(&body.to_string()).unwrap().next.as_deref(),
            Some("r")
        );
        let last = json!({"security_group_rules": [], "page_info": {"previous_marker": "r"}});
        assert_eq!(group_rules(&last.to_string()).unwrap().next, None);
    }
}
