//! Each reason of the closed set: a way that leads to it, and one that leads out of it.
//!
//! Promises that no reason is left out: the ways stand in a `match` over all of them.

use serde_json::json;
use strum::IntoEnumIterator as _;

use super::{
    cloud::{Course, End, Fate, Mode, error, wall},
    process::CrashPoint,
    world::World,
};
use crate::{
    calendar,
    cloud::{Meaning, ProxyStatus},
    crd::APPROVE,
    fleet::claims::{Rival, Standing},
    model::{Class, Reason},
    permits::limits::Limit,
    plan::{
        admitting::{Unchecked, Verdict},
        facts::Trouble,
    },
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A way to a reason and out of it.
struct Way {
    /// Leads to the reason, from a world that is settled at 3306.
    there: Box<dyn Fn(&mut World)>,
    /// What a person or the cloud does about it; nothing where it passes by itself.
    back: Box<dyn Fn(&mut World)>,
    /// What stands there in the end.
    then: Reason,
}

#[test]
fn each_reason_can_be_reached_and_left() {
    // Of what is published, and of probes, nothing is decided here.
    let is_decided = |reason: &Reason| !reason.is_of_publication() && !reason.is_of_probes();
    for reason in Reason::iter().filter(is_decided) {
        let way = way(reason);
        let mut world = World::settled(Mode::Hidden, 3306);
        (way.there)(&mut world);
        assert_eq!(shown(&world, reason), reason.name(), "the way there");
        (way.back)(&mut world);
        let left = world.run_until(2 * DAY, |world| shown(world, reason) == way.then.name());
        assert!(
            left.is_some(),
            "{reason} is not left for {}: {}",
            way.then,
            shown(&world, reason)
        );
    }
}

/// What stands in the condition that can have this reason.
fn shown(world: &World, reason: Reason) -> String {
    let kind = match reason.class() {
        Class::Ready => "Ready",
        Class::Reconciling => "Reconciling",
        Class::Stalled => "Stalled",
        Class::Detail if reason == Reason::JobCompleted => "JobSucceeded",
        Class::Detail => "PortInSync",
    };
    let condition = match world.condition(kind) {
        absent if absent.is_empty() => world.condition("Ready"),
        condition => condition,
    };
    let (_, shown) = condition.split_once('/').unwrap();
    shown.to_owned()
}

fn to(there: impl Fn(&mut World) + 'static) -> Way {
    Way {
        there: Box::new(there),
        back: Box::new(|_| {}),
        then: Reason::Settled,
    }
}

impl Way {
    fn back(self, back: impl Fn(&mut World) + 'static) -> Self {
        Self {
            back: Box::new(back),
            ..self
        }
    }

    fn then(self, then: Reason) -> Self {
        Self { then, ..self }
    }
}

#[expect(clippy::too_many_lines, reason = "a row for each reason")]
fn way(reason: Reason) -> Way {
    match reason {
        Reason::Settled => to(|_| {})
            .back(|world| set(world, "managementPolicy", "Observe"))
            .then(Reason::Observed),
        Reason::Observed => to(|world| set(world, "managementPolicy", "Observe"))
            .back(|world| set(world, "managementPolicy", "Enforce")),
        Reason::JobRunning => to(|world| {
            world.want(3307);
            world.run(5);
        }),
        Reason::Verifying => to(|world| {
            ends(world, End::Lies);
            world.want(3307);
            world.run_until(HOUR, |world| world.reason() == "Verifying");
        })
        .back(|world| world.sky.state().drift(3307)),
        Reason::ReadingCloud => to(|world| {
            world.crew[0].crash = Some(CrashPoint::AfterFirstWord);
            world.recreate("uid-2", false);
            world.run(1);
        }),
        Reason::CheckingEarlierChanges => to(|world| {
            world.crash();
            world.recreate("uid-2", false);
            world.run(MINUTE);
        }),
        Reason::CloudListsLag => to(|world| {
            world.want(3307);
            world.run(MINUTE);
            world.crash();
            world.want(3308);
            world.run(5);
        }),
        Reason::OutcomeUnknown => to(|world| {
            world.loses(Some(5));
            world.want(3307);
            world.run(31);
        }),
        Reason::BackingOff => to(|world| {
            ends(world, End::Fails);
            world.want(3307);
            world.run(MINUTE);
        })
        .back(|world| ends(world, End::Moves)),
        Reason::ProxyBusy => to(|world| {
            world.sky.state().foreign_until = world.now() + HOUR;
            world.want(3307);
            world.run(1);
        }),
        Reason::WaitingForInstance => to(|world| {
            world.cluster.orphan_until = world.now() + 160;
            world.want(3307);
            world.run(1);
        }),
        Reason::WaitingForBudget => limited(Limit::Concurrent {
            most: 5,
            deleted: 0,
        }),
        Reason::RolloutHalted => limited(Limit::Halted {
            failed: 3,
            own: vec!["orders".to_owned()],
            until: wall(HOUR),
        }),
        Reason::TakingOver => to(|world| {
            world.cluster.owned_until = world.now() + 120;
            world.want(3307);
            world.run(1);
        }),
        Reason::WaitingForWindow => to(|world| {
            let window = json!([{"start": "20:00", "duration": "1h"}]);
            world.edit(|spec| spec["maintenanceWindows"] = window);
            world.want(3307);
            world.run(MINUTE);
        }),
        Reason::ChangeFreeze => to(|world| {
            let freeze = "freezes: [{from: 2027-01-15T00:00:00Z, until: 2027-01-16T00:00:00Z, reason: year-end}]";
            world.cluster.calendar = calendar::file::parse(freeze).unwrap();
            world.want(3307);
            world.run(MINUTE);
        }),
        Reason::WaitingForApproval => to(|world| {
            set(world, "approval", "Manual");
            world.want(3307);
            world.run(MINUTE);
        })
        .back(|world| {
            let plan = world.said().plan.clone().unwrap();
            world.annotate(APPROVE, &plan.id);
        }),
        Reason::Suspended => to(|world| {
            set(world, "suspend", true);
            world.want(3307);
            world.run(1);
        })
        .back(|world| set(world, "suspend", false)),
        Reason::CloudUnreachable => failing(Meaning::Transient),
        Reason::CloudSlow => refused(Meaning::Slow),
        Reason::ChangeNotSent => refused(Meaning::Withdrawn),
        Reason::Throttled => failing(Meaning::Throttled),
        Reason::MalformedAnswer => failing(Meaning::Malformed),
        Reason::RequestRefused => failing(Meaning::UnknownRefusal),
        Reason::ConfirmingAbsence => to(|world| {
            world.sky.state().gone_until = world.now() + 20;
            world.want(3307);
            world.run(1);
        }),
        Reason::JobFailed => given_up(End::Fails),
        Reason::VerificationFailed => given_up(End::Lies),
        Reason::AttemptsVoid => to(|world| {
            world.sky.state().fates.extend([Fate::Lost(None); 3]);
            world.want(3307);
            world.run_until(DAY, |world| world.reason() == "AttemptsVoid");
        })
        .back(|world| world.request("the way is open again")),
        Reason::JobOverdue => to(|world| {
            world.takes(DAY, End::Moves);
            world.want(3307);
            world.run(HOUR);
        }),
        Reason::JobUnauthorized => to(|world| {
            world.want(3307);
            world.run(5);
            world.sky.state().works[0].word = "Unauthorized";
            world.run(30);
        }),
        Reason::DriftDetected => to(|world| {
            set(world, "managementPolicy", "ApplyOnChange");
            world.sky.state().drift(3310);
            world.run(HOUR);
        })
        .back(|world| set(world, "managementPolicy", "Enforce")),
        Reason::DriftContested => to(|world| {
            world.run_until(DAY, |world| {
                if world.is_ready() {
                    world.sky.state().drift(3310);
                }
                world.reason() == "DriftContested"
            });
        })
        .back(|world| world.request("the other one was found")),
        Reason::PortRejected => refused(Meaning::Rejected).back(|world| world.want(3308)),
        Reason::PreflightFailed => to(|world| {
            world.cluster.admission = Some(Verdict::Unchecked(Unchecked::NoGroup));
            world.edit(|spec| spec["preflight"] = "Require".into());
            world.want(3307);
            world.run(1);
        })
        .back(|world| world.cluster.admission = Some(Verdict::Admitted)),
        Reason::InstanceBlocked => refused(Meaning::Blocked),
        Reason::PermissionDenied => refused(Meaning::Denied),
        Reason::ProxyUnhealthy => to(|world| {
            world.sky.state().status = Some(ProxyStatus::Unhealthy("ABNORMAL".to_owned()));
            world.want(3307);
            world.run(1);
        })
        .back(|world| world.sky.state().status = None),
        Reason::ProxyNotFound => to(|world| {
            world.sky.state().gone_until = world.now() + 2 * HOUR;
            world.run(HOUR);
        }),
        Reason::InstanceNotFound => to(|world| {
            world.sky.state().instance_gone_until = world.now() + 2 * HOUR;
            world.run(HOUR);
        }),
        Reason::ProxyClaimed => to(|world| {
            world.cluster.standing = Standing::Claimed(Rival::default());
            world.want(3307);
            world.run(1);
        })
        .back(|world| world.cluster.standing = Standing::Owner),
        Reason::ProxyContested => to(|world| {
            world.cluster.standing = Standing::Contested(Rival::default());
            world.want(3307);
            world.run(1);
        })
        .back(|world| world.cluster.standing = Standing::Owner),
        Reason::CredentialsMissing => {
            troubled(Trouble::CredentialsUnset("no Secret is named".to_owned()))
        }
        Reason::WaitingForCredentials => {
            troubled(Trouble::CredentialsMissing("no such Secret".to_owned()))
        }
        Reason::CredentialsInvalid => {
            troubled(Trouble::CredentialsInvalid("two sets of keys".to_owned()))
        }
        Reason::CredentialsLocked => troubled(Trouble::Cloud(error(Meaning::Locked))),
        Reason::EndpointNotAllowed => troubled(Trouble::Cloud(error(Meaning::EndpointNotAllowed))),
        Reason::RegionUnknown => troubled(Trouble::Cloud(error(Meaning::RegionUnknown))),
        Reason::TlsFailed => troubled(Trouble::Cloud(error(Meaning::TlsFailed))),
        Reason::ClockSkew => troubled(Trouble::Cloud(error(Meaning::ClockSkew))),
        Reason::SpecInvalid => to(|world| set(world, "changeTimeout", "3 h"))
            .back(|world| set(world, "changeTimeout", "3h")),
        Reason::CrdOutdated => to(|world| {
            world.cluster.pruned = true;
            world.want(3307);
            world.run(1);
        })
        .back(|world| world.cluster.pruned = false),
        Reason::PortMatches => to(|_| {})
            .back(|world| world.want(3307))
            .then(Reason::PortDiffers),
        Reason::PortDiffers => to(|world| {
            world.want(3307);
            world.run(1);
        })
        .then(Reason::PortMatches),
        Reason::PortUnknown => to(|world| {
            world.sky.state().reads_fail = Some((world.now() + HOUR, Meaning::Transient));
            world.recreate("uid-2", false);
            world.run(1);
        })
        .then(Reason::PortMatches),
        Reason::JobCompleted => to(|world| {
            world.want(3307);
            world.run(MINUTE);
        })
        .back(|world| {
            ends(world, End::Fails);
            world.want(3308);
        })
        .then(Reason::JobFailed),
        Reason::Published
        | Reason::NothingToPublish
        | Reason::EndpointWithdrawn
        | Reason::Publishing
        | Reason::AddressUnusable
        | Reason::NameTaken
        | Reason::EditContested
        | Reason::Forbidden
        | Reason::PublishFailed
        | Reason::Probing
        | Reason::NotReachable
        | Reason::GreetingRead
        | Reason::NoGreeting
        | Reason::NotProbed => to(|_| {}),
    }
}

/// The cloud can't be read for a while, and then a person does nothing.
fn failing(meaning: Meaning) -> Way {
    to(move |world| {
        world.sky.state().reads_fail = Some((world.now() + 2 * HOUR, meaning));
        world.run(HOUR);
    })
}

/// No new change may begin for a while.
fn limited(limit: Limit) -> Way {
    to(move |world| {
        world.cluster.limit = Some((world.now() + HOUR, limit.clone()));
        world.want(3307);
        world.run(30 * MINUTE);
        assert_eq!(world.puts(), 0, "{limit:?}");
    })
}

/// All attempts end like this until a person has mended the cause and asks for more.
fn given_up(end: End) -> Way {
    to(move |world| {
        ends(world, end);
        world.want(3307);
        world.run(2 * HOUR);
    })
    .back(|world| {
        ends(world, End::Moves);
        world.request("mended");
    })
}

/// The cloud refuses one request for a change.
fn refused(meaning: Meaning) -> Way {
    to(move |world| {
        world.sky.state().fates.push_back(Fate::Refused(meaning));
        world.want(3307);
        world.run(1);
    })
}

/// The cloud can't be called until a person has mended what stands in the way.
fn troubled(trouble: Trouble) -> Way {
    to(move |world| {
        world.crew[0].trouble = Some(trouble.clone());
        world.want(3307);
        world.run(1);
    })
    .back(|world| world.crew[0].trouble = None)
}

fn set(world: &mut World, field: &str, value: impl Into<serde_json::Value>) {
    world.edit(|spec| spec[field] = value.into());
    world.run(1);
}

fn ends(world: &World, end: End) {
    world.sky.state().usual = Course {
        visible_after: 3,
        takes: 40,
        end,
    };
}
