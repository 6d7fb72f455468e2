//! Rules of security groups, as VPC keeps them.

use serde::{Deserialize, Serialize};

use crate::sample;

/// A rule of a security group, after the model `SecurityGroupRule` of the vendor's SDK. What is absent of one that is read is that of a
/// rule for TCP over IPv4 that lets anybody in at all ports of the group of the sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupRule {
    /// Its id; one is made where it is empty.
    pub id: String,
    /// The group that it is of.
    pub security_group_id: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// `tcp`, `udp`, `icmp`, `icmpv6` or a number; all where there is none.
    pub protocol: Option<String>,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    /// Ports: one, a range, or several with commas between them; all where there are none.
    pub multiport: Option<String>,
    /// `allow` or `deny`.
    pub action: String,
    /// From 1, which counts first, to 100.
    pub priority: u32,
    /// The group that is let in or shut out.
    pub remote_group_id: Option<String>,
    /// The addresses that are.
    pub remote_ip_prefix: Option<String>,
    /// The IP address group that is.
    pub remote_address_group_id: Option<String>,
    /// Whether it counts.
    pub enabled: bool,
}

impl Default for GroupRule {
    fn default() -> Self {
        Self {
            id: String::new(),
            security_group_id: sample::SECURITY_GROUP.to_owned(),
            direction: "ingress".to_owned(),
            protocol: Some("tcp".to_owned()),
            ethertype: "IPv4".to_owned(),
            multiport: None,
            action: "allow".to_owned(),
            priority: 1,
            remote_group_id: None,
            remote_ip_prefix: None,
            remote_address_group_id: None,
            enabled: true,
        }
    }
}

/// Rules of the security group of every instance, as it is at the start: its members reach each other, they reach everybody, and
/// addresses of the VPC reach port 3306.
pub(crate) fn of_the_sample() -> Vec<GroupRule> {
    let rule = |number: u32, rule: GroupRule| GroupRule {
        id: format!("5d1c7e20-4b3f-4a86-9c02-{number:012x}"),
        ..rule
    };
    let all = || GroupRule {
        protocol: None,
        priority: 100,
        ..GroupRule::default()
    };
    vec![
        rule(
            1,
            GroupRule {
                direction: "egress".to_owned(),
                remote_ip_prefix: Some("0.0.0.0/0".to_owned()),
                ..all()
            },
        ),
        rule(
            2,
            GroupRule {
                remote_group_id: Some(sample::SECURITY_GROUP.to_owned()),
                ..all()
            },
        ),
        rule(
            3,
            GroupRule {
                multiport: Some(sample::PORT.to_string()),
                remote_ip_prefix: Some("10.0.0.0/8".to_owned()),
                ..GroupRule::default()
            },
        ),
    ]
}
