//! Security groups of instances and their rules, read from VPC: over pages, with a budget of their own, and what is said where they can't be.

use taurus_port_operator::cloud::{GroupRule, connector::GroupsPolicy, groups::Source};
use taurus_sim::GroupRule as Rule;

use super::*;

/// A cloud that reads security groups, at this address of VPC.
fn reading(url: &str, vpc: Option<&str>, change: impl FnOnce(&mut Policy)) -> Arc<dyn Cloud> {
    let connector = Connector::new(policy(url, change)).unwrap();
    let connector = connector.reading_groups(Some(GroupsPolicy {
        vpc_endpoint: vpc.map(str::to_owned),
    }));
    connector.connect(&subject(url), credential(&KEYS)).unwrap()
}

async fn rules(cloud: &dyn Cloud) -> Result<Vec<GroupRule>, CloudError> {
    cloud.group_rules(sample::SECURITY_GROUP).await
}

#[tokio::test]
async fn each_kind_of_credential_reads_the_group_of_an_instance_and_its_rules() {
    let simulator = simulator().await;
    let url = simulator.url();
    for pairs in credentials() {
        let connector = Connector::new(policy(&url, |_| ())).unwrap();
        let connector = connector.reading_groups(Some(GroupsPolicy {
            vpc_endpoint: Some(url.clone()),
        }));
        let cloud = connector
            .connect(&subject(&url), credential(&pairs))
            .unwrap();
        assert!(cloud.reads_groups());
        let group = cloud.group_of(&instance()).await.unwrap();
        assert_eq!(group.as_deref(), Some(sample::SECURITY_GROUP));
        let rules = rules(cloud.as_ref()).await.unwrap();
        let sources: Vec<String> = rules.iter().map(|rule| rule.source.to_string()).collect();
        let own = format!("security group {}", sample::SECURITY_GROUP);
        assert_eq!(sources, [own, "10.0.0.0/8".to_owned()], "{pairs:?}");
    }
    // A token that is fetched for the service is used for VPC as well.
    assert_eq!(simulator.count(&Filter::on(Operation::Token)), 1);
}

#[tokio::test]
async fn all_pages_are_read_and_each_rule_once() {
    let simulator = simulator().await;
    for port in 0..60 {
        simulator.add_group_rule(Rule {
            multiport: Some((4000 + port).to_string()),
            ..Rule::default()
        });
    }
    simulator.inject(Fault::on(Operation::GroupRules, Effect::PageCap(7)));
    let url = simulator.url();
    let cloud = reading(&url, Some(&url), |_| ());
    let rules = rules(cloud.as_ref()).await.unwrap();
    assert_eq!(rules.len(), 62);
    let anyone = rules.iter().filter(|rule| rule.source == Source::Anyone);
    assert_eq!(anyone.count(), 60);
    assert_eq!(simulator.count(&Filter::on(Operation::GroupRules)), 9);
}

#[tokio::test]
async fn who_refuses_is_known_and_other_reads_go_on() {
    let simulator = simulator().await;
    let denied = Answer::error(
        403,
        "VPC.0010",
        "Rules on vpc:securityGroupRules:list disallowed",
    );
    simulator.inject(Fault::on(Operation::GroupRules, Effect::respond(denied)));
    let url = simulator.url();
    let cloud = reading(&url, Some(&url), |_| ());
    let error = rules(cloud.as_ref()).await.unwrap_err();
    assert_eq!(error.meaning, Meaning::Denied, "{error}");
    assert!(cloud.group_of(&instance()).await.is_ok());
    assert!(cloud.list_proxies(&instance()).await.is_ok());
}

#[tokio::test]
async fn vpc_is_called_at_a_host_that_is_known_and_allowed_or_not_at_all() {
    let simulator = simulator().await;
    let url = simulator.url();
    for (vpc, meaning) in [
        (None, Meaning::RegionUnknown),
        (
            Some("https://vpc.example.test"),
            Meaning::EndpointNotAllowed,
        ),
        (Some("http://169.254.169.254"), Meaning::EndpointNotAllowed),
    ] {
        let cloud = reading(&url, vpc, |_| ());
        let error = rules(cloud.as_ref()).await.unwrap_err();
        assert_eq!(error.meaning, meaning, "{vpc:?}: {error}");
        assert!(cloud.list_proxies(&instance()).await.is_ok(), "{vpc:?}");
    }
    assert_eq!(simulator.count(&Filter::on(Operation::GroupRules)), 0);
    let without = connect(&url, &KEYS);
    assert!(!without.reads_groups());
}
