//! `spec.preflight` and the security group of the instance: a change waits until the group lets in at the new port whom it lets in at the old
//! one, or people are warned.

use taurus_port_operator::crd::{Approval, PlanRecord, PreflightMode, TaurusProxyPort, WaitsFor};
use taurus_sim::{Answer, Effect, Fault, Filter, GroupRule, Mode, Operation, sample};

use super::preflight::until_told;
use crate::world::{World, condition, in_all_modes, message, operator::Setup, options, reason};

in_all_modes! {
    a_change_waits_for_the_rule_goes_on_by_itself_and_is_made_once: waits;
}

fn checking() -> Setup {
    Setup {
        checks_groups: true,
        ..Setup::default()
    }
}

/// A rule that lets the addresses of the VPC in at a port.
fn rule(port: u16) -> GroupRule {
    GroupRule {
        multiport: Some(port.to_string()),
        remote_ip_prefix: Some("10.0.0.0/8".to_owned()),
        ..GroupRule::default()
    }
}

fn requiring(world: &World, port: u16) -> TaurusProxyPort {
    let mut resource = world.resource(port);
    resource.spec.preflight = Some(PreflightMode::Require);
    resource
}

async fn until_held(world: &World, part: &str) -> TaurusProxyPort {
    let is_held = |object: &TaurusProxyPort| {
        reason(object) == "PreflightFailed" && message(object).contains(part)
    };
    world.until(part, is_held).await
}

fn plan(object: &TaurusProxyPort) -> Option<&PlanRecord> {
    object.status.as_ref()?.plan.as_ref()
}

async fn waits(mode: Mode) {
    let world = World::start_with(options(mode), checking()).await;
    world.create(&requiring(&world, 3307)).await;
    let held = until_held(&world, "10.0.0.0/8 at TCP port 3306 and not at port 3307").await;
    assert_eq!(condition(&held, "Stalled"), "True");
    for part in [
        sample::SECURITY_GROUP,
        "add inbound rules for port 3307",
        "looks again at 2",
    ] {
        assert!(message(&held).contains(part), "{}", message(&held));
    }
    // It is looked at again and again, and nothing is sent.
    world.until_more(Operation::GroupRules, 2).await;
    assert!(world.asked_for().is_empty());
    world.sim.add_group_rule(rule(3307));
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_refuses_to_show_the_rules_is_named_with_what_to_grant() {
    let world = World::start_with(options(Mode::M2), checking()).await;
    world.sim.add_group_rule(rule(3307));
    let denied = Answer::error(403, "VPC.0010", "not allowed by the policy");
    let fault = Fault::on(Operation::GroupRules, Effect::respond(denied));
    world.sim.inject(fault);
    world.create(&requiring(&world, 3307)).await;
    let held = until_held(&world, "vpc:securityGroupRules:list").await;
    let text = message(&held);
    assert!(text.contains("the cloud denies the credential"), "{text}");
    assert!(text.contains("VPC.0010"), "{text}");
    assert!(world.asked_for().is_empty());
    world.sim.clear_faults();
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_people_are_only_warned_the_plan_says_so_and_the_change_is_made() {
    let world = World::start_with(options(Mode::M2), checking()).await;
    let mut resource = world.resource(3307);
    resource.spec.approval = Some(Approval::Manual);
    world.create(&resource).await;
    let is_warned = |object: &TaurusProxyPort| {
        plan(object).is_some_and(|plan| {
            let mut warnings = plan.warnings.iter();
            warnings.any(|warning| warning.contains(sample::SECURITY_GROUP))
        })
    };
    let waiting = world.until("warned", is_warned).await;
    let waiting = plan(&waiting).unwrap();
    assert_eq!(waiting.waits_for, [WaitsFor::Approval]);
    let note = until_told(&world, sample::SECURITY_GROUP).await;
    assert!(note.contains("port 3307"), "{note}");
    let approved = serde_json::json!({"spec": {"approvedPlan": waiting.id}});
    world.patch(approved).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_reads_no_groups_says_so_and_makes_no_call_for_them() {
    let world = World::start(options(Mode::M2)).await;
    world.create(&requiring(&world, 3307)).await;
    until_held(&world, "--check-security-groups").await;
    assert!(world.asked_for().is_empty());
    let report = serde_json::json!({"spec": {"preflight": PreflightMode::Report}});
    world.patch(report).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    assert_eq!(world.sim.count(&Filter::on(Operation::GroupRules)), 0);
    world.finish().await;
}
