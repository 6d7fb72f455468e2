//! Security groups of the cloud's networks, as far as they say who reaches a port by TCP.
//!
//! Relies on `wire` for what of a rule can be understood. Rules for other protocols, for what leaves an instance, and those that are
//! switched off are not kept.

use std::fmt;

use ipnet::IpNet;

/// The security group of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its id.
    pub id: String,
    /// Its rules for what comes in.
    pub rules: Vec<GroupRule>,
}

/// A rule for TCP that comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    /// Whether it is for IPv6; else it is for IPv4.
    pub is_v6: bool,
    /// First and last port of each range; all ports where there is none.
    pub ports: Vec<(u16, u16)>,
    /// Whether it shuts out; else it lets in.
    pub denies: bool,
    /// The first that applies counts: 1 comes first, and of equal ones those that deny.
    pub priority: u64,
    /// Whom it is about.
    pub source: Source,
}

impl GroupRule {
    /// Whether it is about a port.
    pub fn covers(&self, port: u16) -> bool {
        let mut ranges = self.ports.iter();
        self.ports.is_empty() || ranges.any(|(first, last)| (*first..=*last).contains(&port))
    }
}

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Everybody.
    Anyone,
    /// Those with an address of this block.
    Block(IpNet),
    /// The members of a security group, by its id.
    Group(String),
    /// The addresses of an IP address group, by its id.
    AddressGroup(String),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => formatter.write_str("any address"),
            Self::Block(block) => block.fmt(formatter),
            Self::Group(id) => write!(formatter, "security group {id}"),
            Self::AddressGroup(id) => write!(formatter, "IP address group {id}"),
        }
    }
}
