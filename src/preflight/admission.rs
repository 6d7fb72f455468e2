//! Whether the security group of an instance lets in at the new port whom it lets in at the old one.
//!
//! Pure. Rules count as the vendor documents them: the smallest priority first, of equal ones those that deny, and who meets no rule is
//! shut out. Blocks of addresses are compared address by address. Who belongs to another group is not known here: a group, of security or
//! of IP addresses, is let in only by a rule for it or for any address, and a rule that denies some addresses at the new port alone may
//! concern its members. Promises that whom the new port might shut out is named, and the same names in the same order for the same rules.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use crate::cloud::groups::{GroupRule, Source};

/// So many sources are named at most.
const MOST_NAMED: usize = 5;

/// Addresses from the first to the last, as numbers.
type Span = (u128, u128);

/// What a security group means for a port that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shut {
    /// The group.
    pub group: String,
    /// Who is let in at the port that goes, and not, or not as a whole, at the one that comes.
    pub sources: Vec<String>,
}

impl Shut {
    /// Those, for people.
    pub fn named(&self) -> String {
        let named = self.sources.iter().take(MOST_NAMED);
        let mut named: Vec<&str> = named.map(String::as_str).collect();
        let more = self.sources.len().saturating_sub(MOST_NAMED);
        let more = format!("{more} more");
        if self.sources.len() > MOST_NAMED {
            named.push(&more);
        }
        named.join(", ")
    }
}

/// Who is let in at `from` and not at `to`, of those who can reach `address`; of IPv4 and IPv6 where that is not known.
pub fn shut_out(
    rules: &[GroupRule],
    (from, to): (u16, u16),
    address: Option<IpAddr>,
) -> Vec<String> {
    let families: &[bool] = match address {
        Some(IpAddr::V4(_)) => &[false],
        Some(IpAddr::V6(_)) => &[true],
        None => &[false, true],
    };
    let mut shut = Vec::new();
    for is_v6 in families {
        let of_family = OfFamily::new(rules, *is_v6);
        shut.extend(of_family.blocks(from, to));
        shut.extend(of_family.groups(from, to));
    }
    let mut known = BTreeSet::new();
    shut.retain(|source| known.insert(source.clone()));
    shut
}

/// The rules for one version of IP, in the order in which they count.
struct OfFamily<'a> {
    rules: Vec<&'a GroupRule>,
    everything: Span,
}

impl<'a> OfFamily<'a> {
    fn new(rules: &'a [GroupRule], is_v6: bool) -> Self {
        let mut rules: Vec<&GroupRule> = rules.iter().filter(|rule| rule.is_v6 == is_v6).collect();
        rules.sort_by_key(|rule| (rule.priority, !rule.denies));
        let last = if is_v6 {
            u128::MAX
        } else {
            u128::from(u32::MAX)
        };
        Self {
            rules,
            everything: (0, last),
        }
    }

    /// Those about a port.
    fn about(&self, port: u16) -> impl Iterator<Item = &'a GroupRule> {
        let rules = self.rules.iter().copied();
        rules.filter(move |rule| rule.covers(port))
    }

    /// The addresses that a rule is about; nothing if it is about the members of a group, or about the other version of IP.
    fn span(&self, rule: &GroupRule) -> Option<Span> {
        let number = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        };
        match &rule.source {
            Source::Anyone => Some(self.everything),
            Source::Block(block) if matches!(block, IpNet::V6(_)) == rule.is_v6 => {
                Some((number(block.network()), number(block.broadcast())))
            }
            Source::Block(_) | Source::Group(_) | Source::AddressGroup(_) => None,
        }
    }

    /// The addresses that are let in at a port.
    fn let_in(&self, port: u16) -> Vec<Span> {
        let (mut left, mut let_in) = (vec![self.everything], Vec::new());
        for rule in self.about(port) {
            let Some(span) = self.span(rule) else {
                continue;
            };
            let (inside, outside) = split(&left, span);
            if !rule.denies {
                let_in.extend(inside);
            }
            left = outside;
        }
        let_in
    }

    /// The blocks of rules that let in at the old port, and addresses of which are not let in at the new one.
    fn blocks(&self, from: u16, to: u16) -> Vec<String> {
        let mut shut = self.let_in(from);
        for span in self.let_in(to) {
            shut = split(&shut, span).1;
        }
        let mut named = Vec::new();
        for rule in self.about(from).filter(|rule| !rule.denies) {
            let Some(span) = self.span(rule) else {
                continue;
            };
            let (inside, outside) = split(&shut, span);
            if inside.is_empty() {
                continue;
            }
            let mut others = vec![span];
            for part in &inside {
                others = split(&others, *part).1;
            }
            named.push(if others.is_empty() {
                self.shown(&rule.source)
            } else {
                format!("a part of {}", self.shown(&rule.source))
            });
            shut = outside;
        }
        named
    }

    /// The groups whose members are let in at the old port, and may not be at the new one.
    fn groups(&self, from: u16, to: u16) -> Vec<String> {
        let let_in = self.about(from).filter(|rule| !rule.denies);
        let denied = self.about(to).filter(|rule| rule.denies);
        let is_group =
            |source: &&Source| matches!(source, Source::Group(_) | Source::AddressGroup(_));
        let groups = let_in.chain(denied).map(|rule| &rule.source);
        let groups: BTreeSet<&Source> = groups.filter(is_group).collect();
        let shut = groups
            .into_iter()
            .filter(|group| self.view(group, from).is_lost_in(&self.view(group, to)));
        shut.map(|group| self.shown(group)).collect()
    }

    /// What becomes of the members of a group at a port.
    fn view(&self, group: &Source, port: u16) -> View<'a> {
        let mut view = View::default();
        for rule in self.about(port) {
            let is_its_own = rule.source == *group;
            if is_its_own || rule.source == Source::Anyone {
                view.is_let_in = !rule.denies;
                view.is_denied = rule.denies && is_its_own;
                break;
            }
            if rule.denies {
                view.may_be_denied.insert(&rule.source);
            } else {
                view.may_be_let_in = true;
            }
        }
        view
    }

    fn shown(&self, source: &Source) -> String {
        match source {
            Source::Anyone if self.everything.1 == u128::MAX => "::/0".to_owned(),
            Source::Anyone => "0.0.0.0/0".to_owned(),
            other => other.to_string(),
        }
    }
}

/// What becomes of the members of a group at a port.
#[derive(Debug, Default)]
struct View<'a> {
    /// All are let in, but those that the sources below concern.
    is_let_in: bool,
    /// A rule for the group denies them.
    is_denied: bool,
    /// Some may be let in as others than members, before the rule that counts for all of them.
    may_be_let_in: bool,
    /// Whom rules deny before that: some members may be among them.
    may_be_denied: BTreeSet<&'a Source>,
}

impl View<'_> {
    /// Whether members that are let in here may not be there.
    fn is_lost_in(&self, there: &View<'_>) -> bool {
        if self.is_let_in {
            !there.is_let_in || !there.may_be_denied.is_subset(&self.may_be_denied)
        } else {
            self.may_be_let_in && there.is_denied && !self.is_denied
        }
    }
}

/// Of some spans what is within another one, and what is not.
fn split(spans: &[Span], by: Span) -> (Vec<Span>, Vec<Span>) {
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for (first, last) in spans.iter().copied() {
        let (begin, end) = (first.max(by.0), last.min(by.1));
        if begin > end {
            outside.push((first, last));
            continue;
        }
        inside.push((begin, end));
        if first < begin {
            outside.push((first, begin.saturating_sub(1)));
        }
        if end < last {
            outside.push((end.saturating_add(1), last));
        }
    }
    (inside, outside)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PORTS: (u16, u16) = (3306, 3307);

    /// A rule as people write it: `allow 1 3306 10.0.0.0/8`, with `*` for all ports, `any`, `any6`, `group:ID` or `addresses:ID`.
    fn rule(text: &str) -> GroupRule {
        let words: Vec<&str> = text.split(' ').collect();
        let [action, priority, ports, source] = words[..] else {
            panic!("{text}")
        };
        let port = |text: &str| text.parse().unwrap();
        let range = |text: &str| match text.split_once('-') {
            Some((first, last)) => (port(first), port(last)),
            None => (port(text), port(text)),
        };
        let is_v6 = source == "any6" || source.contains("::") || source.ends_with("/6");
        let source = match source.trim_end_matches("/6").split_once(':') {
            Some(("group", id)) => Source::Group(id.to_owned()),
            Some(("addresses", id)) => Source::AddressGroup(id.to_owned()),
            _ if source.starts_with("any") => Source::Anyone,
            _ => Source::Block(source.parse().unwrap()),
        };
        GroupRule {
            is_v6,
            ports: if ports == "*" {
                Vec::new()
            } else {
                ports.split(',').map(range).collect()
            },
            denies: action == "deny",
            priority: priority.parse().unwrap(),
            source,
        }
    }

    fn of(rules: &[&str], address: Option<&str>) -> Vec<String> {
        let rules: Vec<GroupRule> = rules.iter().map(|text| rule(text)).collect();
        shut_out(&rules, PORTS, address.map(|text| text.parse().unwrap()))
    }

    #[track_caller]
    fn expect(rules: &[&str], shut: &[&str]) {
        assert_eq!(of(rules, Some("10.20.0.1")), shut, "{rules:?}");
    }

    #[test]
    fn whom_only_the_old_port_lets_in_is_named() {
        expect(&["allow 1 3306 10.0.0.0/8"], &["10.0.0.0/8"]);
        expect(&["allow 1 3306 group:apps"], &["security group apps"]);
        expect(&["allow 1 3306 addresses:vpn"], &["IP address group vpn"]);
        expect(&["allow 1 3306 any"], &["0.0.0.0/0"]);
        expect(
            &[
                "allow 1 3306 10.0.0.0/8",
                "allow 1 3306 group:apps",
                "allow 1 22 any",
            ],
            &["10.0.0.0/8", "security group apps"],
        );
    }

    #[test]
    fn whom_the_new_port_lets_in_as_well_is_not() {
        for ports in ["*", "1-65535", "3306-3310", "3306,3307", "22,3300-3307"] {
            for source in ["10.0.0.0/8", "group:apps", "addresses:vpn", "any"] {
                let rule = format!("allow 1 {ports} {source}");
                expect(&[rule.as_str()], &[]);
            }
        }
        expect(
            &["allow 1 3306 10.1.0.0/16", "allow 50 3307 10.0.0.0/8"],
            &[],
        );
        expect(&["allow 1 3306 10.1.0.0/16", "allow 50 3307 any"], &[]);
        expect(&["allow 1 3306 group:apps", "allow 50 3307 any"], &[]);
        expect(&["allow 1 3307 any"], &[]);
        expect(&[], &[]);
    }

    #[test]
    fn a_part_of_a_block_is_named_as_a_part() {
        expect(
            &["allow 1 3306 10.0.0.0/8", "allow 1 3307 10.1.0.0/16"],
            &["a part of 10.0.0.0/8"],
        );
        expect(
            &[
                "allow 1 3306 10.0.0.0/8",
                "allow 1 3307 10.0.0.0/9",
                "allow 1 3307 10.128.0.0/9",
            ],
            &[],
        );
        expect(
            &["allow 1 3306 10.0.0.0/8", "allow 1 3307 10.0.0.0/9"],
            &["a part of 10.0.0.0/8"],
        );
    }

    #[test]
    fn rules_that_deny_count_by_priority_and_before_those_of_the_same() {
        let both = "allow 10 3306-3307 10.0.0.0/8";
        expect(
            &[both, "deny 5 3307 10.1.0.0/16"],
            &["a part of 10.0.0.0/8"],
        );
        expect(
            &[both, "deny 10 3307 10.1.0.0/16"],
            &["a part of 10.0.0.0/8"],
        );
        expect(&[both, "deny 20 3307 10.1.0.0/16"], &[]);
        expect(&[both, "deny 5 3307 any"], &["10.0.0.0/8"]);
        // Who is shut out at both loses nothing.
        expect(&[both, "deny 5 3306-3307 10.1.0.0/16"], &[]);
        expect(&["allow 10 3306 10.0.0.0/8", "deny 5 3306 10.0.0.0/8"], &[]);
        let group = "allow 10 3306-3307 group:apps";
        expect(
            &[group, "deny 10 3307 group:apps"],
            &["security group apps"],
        );
        expect(&[group, "deny 20 3307 group:apps"], &[]);
        expect(&[group, "deny 5 3307 any"], &["security group apps"]);
    }

    #[test]
    fn members_of_a_group_may_be_among_those_who_are_denied_or_let_in_otherwise() {
        let group = "allow 10 3306-3307 group:apps";
        expect(
            &[group, "deny 5 3307 10.1.0.0/16"],
            &["security group apps"],
        );
        expect(&[group, "deny 5 3306-3307 10.1.0.0/16"], &[]);
        expect(&[group, "deny 20 3307 10.1.0.0/16"], &[]);
        let block = "allow 10 3306-3307 10.0.0.0/8";
        expect(&[block, "deny 5 3307 group:apps"], &["security group apps"]);
        expect(&[block, "deny 5 * group:apps"], &[]);
        // A block that may cover them is no rule for them.
        expect(
            &["allow 1 3306 group:apps", "allow 1 3307 10.0.0.0/8"],
            &["security group apps"],
        );
    }

    #[test]
    fn the_version_of_ip_is_that_of_the_address_and_both_where_it_is_unknown() {
        let rules = ["allow 1 3306 any", "allow 1 3306 any6", "allow 1 3307 any"];
        assert_eq!(of(&rules, Some("10.20.0.1")), [""; 0]);
        assert_eq!(of(&rules, Some("2001:db8::1")), ["::/0"]);
        assert_eq!(of(&rules, None), ["::/0"]);
        let rules = ["allow 1 3306 2001:db8::/32", "allow 1 3307 2001:db8::/33"];
        assert_eq!(of(&rules, Some("2001:db8::1")), ["a part of 2001:db8::/32"]);
        let rules = ["allow 1 3306 group:apps", "allow 1 3306 group:apps/6"];
        assert_eq!(of(&rules, None), ["security group apps"], "once");
    }

    #[test]
    fn of_very_many_some_are_named() {
        let shut = Shut {
            group: "g".to_owned(),
            sources: (0..7).map(|number| format!("10.{number}.0.0/16")).collect(),
        };
        assert!(
            shut.named().ends_with("10.4.0.0/16, 2 more"),
            "{}",
            shut.named()
        );
    }

    /// What one address meets: the first rule that counts, in the plainest way.
    fn is_let_in(rules: &[GroupRule], port: u16, address: u32) -> bool {
        let address = IpAddr::V4(address.into());
        let about = rules.iter().filter(|rule| {
            let meets = match &rule.source {
                Source::Anyone => true,
                Source::Block(block) => block.contains(&address),
                Source::Group(_) | Source::AddressGroup(_) => false,
            };
            rule.covers(port) && meets
        });
        let first = about.min_by_key(|rule| (rule.priority, !rule.denies));
        first.is_some_and(|rule| !rule.denies)
    }

    fn any_rule() -> impl Strategy<Value = GroupRule> {
        let ports = prop_oneof![
            Just(vec![]),
            Just(vec![(3306, 3306)]),
            Just(vec![(3307, 3307)]),
            Just(vec![(3306, 3307)])
        ];
        // Sixteen addresses, so that blocks meet.
        let block = (0_u32..16, 28_u8..=32).prop_map(|(last, length)| {
            let address = IpAddr::V4((0x0a00_0000 | last).into());
            Source::Block(IpNet::new(address, length).unwrap().trunc())
        });
        let source = prop_oneof![4 => block, 1 => Just(Source::Anyone)];
        (ports, any::<bool>(), 1_u64..4, source).prop_map(|(ports, denies, priority, source)| {
            GroupRule {
                is_v6: false,
                ports,
                denies,
                priority,
                source,
            }
        })
    }

    proptest! {
        #[test]
        fn somebody_is_named_exactly_where_an_address_is_shut_out(rules in prop::collection::vec(any_rule(), 0..8)) {
            let mut addresses = (0x0a00_0000..0x0a00_0010).chain([0, u32::MAX]);
            let is_any_shut = addresses
                .any(|address| is_let_in(&rules, PORTS.0, address) && !is_let_in(&rules, PORTS.1, address));
            let shut = shut_out(&rules, PORTS, Some("10.0.0.1".parse().unwrap()));
            prop_assert_eq!(!shut.is_empty(), is_any_shut, "{:?}", shut);
        }
    }
}
