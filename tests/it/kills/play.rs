//! One case from its beginning to its end, in a world of its own.

use std::time::Duration;

use taurus_sim::{
    Effect, Fault, FaultId, Filter, Loss, Operation, Options, Outcome, Stage, sample,
};

use super::{
    case::{Case, Moment, Point, Side},
    judge,
    story::{self, Story},
    totals::Told,
};
use crate::{
    stories::publication,
    world::{
        NAME, World, plane,
        program::Program,
        relay::{self, Call, Relay},
    },
};

/// Longer than anything may take: what is not killed by then was not there to be killed.
const NEVER: Duration = Duration::from_hours(1);

/// A kill that was made.
#[derive(Debug)]
pub struct Kill {
    pub point: Point,
    /// Whether the request could have no effect.
    pub reads: bool,
    /// How many requests the cloud had seen when the next process began.
    pub requests: u64,
    /// What the process had logged.
    pub log: String,
}

/// Plays it, and judges what has come of it. Panics where a promise was broken.
pub async fn play(case: &Case) -> Told {
    let options = Options::stepped().mode(case.mode).job(story::job());
    let world = World::without_neighbour(&plane::shared().await, options).await;
    publication::allow(&world).await;
    let slices = judge::slices(&world).await;
    let relay = Relay::start(&world.plane).await;
    let mut target = Target {
        kubeconfig: relay.kubeconfig(),
        world: &world,
        relay: &relay,
        program: None,
        kills: Vec::new(),
    };
    if case.story.begins_settled() {
        target.start().await;
        world.create(&case.story.settled(&world)).await;
        world.until_ready(sample::PORT).await;
    }
    let begun = target.requests();
    let ended = target.perform(case.story, &case.points).await;
    let kills = target.kills;
    if let Some(program) = target.program {
        // Its end is waited for: another world may get the ports of this one.
        program.kill().await;
    }
    judge::of_kills(&world, &relay, case.story, &kills);
    judge::of_slices(&world, &slices, case.story).await;
    world.judge(NAME).await;
    Told {
        kills: kills.len(),
        only_reads: !kills.is_empty() && kills.iter().all(|kill| kill.reads),
        changes: world.accepted().len(),
        repeated: judge::repeated(&world, case.story),
        requests: [ended[0] - begun[0], ended[1] - begun[1]],
    }
}

fn counts(seen: &relay::Seen) -> bool {
    seen.call != Call::Watch
}

/// The process that is killed, with all that lies around it.
struct Target<'a> {
    world: &'a World,
    relay: &'a Relay,
    kubeconfig: String,
    program: Option<Program>,
    kills: Vec<Kill>,
}

/// A story, and a look at what it has come to.
async fn to_its_end(world: &World, story: Story) {
    story.tell(world).await;
    stays(world, story).await;
}

/// Waits for one more look at the cloud, which finds all in place.
async fn stays(world: &World, story: Story) {
    world.until_more(Operation::List, 1).await;
    story.until_told(world).await;
}

/// A point that lies in wait.
enum Trap {
    Api(relay::FaultId),
    Cloud(FaultId),
}

impl Target<'_> {
    async fn start(&mut self) {
        let environment = [
            ("KUBECONFIG", self.kubeconfig.as_str()),
            ("TAURUS_LEADER_ELECT", "false"),
        ];
        let program = Program::begin(self.world, &environment, &[]).await;
        self.program = Some(program);
    }

    /// Requests so far that count, of each side.
    fn requests(&self) -> [usize; 2] {
        let of_api = self.relay.seen();
        let of_api = of_api.iter().filter(|seen| counts(seen)).count();
        [of_api, self.world.sim.count(&Filter::all())]
    }

    /// Tells the story, while the process is killed and started again at each point; gives the requests by the end of it.
    async fn perform(&mut self, story: Story, points: &[Point]) -> [usize; 2] {
        let mut telling = Box::pin(to_its_end(self.world, story));
        let mut told = false;
        for point in points {
            let [of_api, _] = self.requests();
            let trap = self.set(*point);
            if self.program.is_none() {
                self.start().await;
            }
            tokio::select! {
                () = self.until_struck(&trap) => {}
                () = &mut telling => told = true,
            }
            if told {
                self.remove(&trap);
                break;
            }
            let program = self.program.take().expect("it runs");
            let log = program.log();
            program.kill().await;
            let reads = self.reads(&trap, of_api + point.nth);
            self.remove(&trap);
            let requests = self.world.sim.journal().len() as u64;
            let point = *point;
            self.kills.push(Kill {
                point,
                reads,
                requests,
                log,
            });
        }
        if self.program.is_none() {
            self.start().await;
        }
        if !told {
            telling.await;
        }
        let requests = self.requests();
        if !self.kills.is_empty() {
            // The process that lives now may have begun when the story was over.
            stays(self.world, story).await;
        }
        requests
    }

    fn set(&self, point: Point) -> Trap {
        match point.side {
            Side::Api => {
                let stage = match point.moment {
                    Moment::Before => relay::Stage::Before,
                    Moment::After => relay::Stage::After,
                };
                let effect = relay::Effect::Silence(stage);
                let fault = relay::Fault::on_all_but(&[Call::Watch], effect);
                Trap::Api(self.relay.inject(fault.nth(point.nth)))
            }
            Side::Cloud => {
                let at = match point.moment {
                    Moment::Before => Stage::BeforeWork,
                    Moment::After => Stage::AfterWork,
                };
                let effect = Effect::Lose {
                    at,
                    how: Loss::Silence,
                };
                let nth = u32::try_from(point.nth).unwrap();
                Trap::Cloud(self.world.sim.inject(Fault::everywhere(effect).nth(nth)))
            }
        }
    }

    /// Waits until a request has come there, and has had its effect if it was to have one.
    async fn until_struck(&self, trap: &Trap) {
        match trap {
            Trap::Api(id) => self.relay.until_held(*id).await,
            Trap::Cloud(id) => {
                let silent = Filter::all().outcome(Outcome::Silent);
                let sim = &self.world.sim;
                let struck = sim.wait_until(NEVER, |control| {
                    let entries = control.entries(&silent);
                    entries
                        .iter()
                        .any(|entry| entry.faults.contains(id))
                        .then_some(())
                });
                struck.await.expect("stories end earlier");
            }
        }
    }

    /// Whether what was struck only reads: a request to the API server by its number, or one to the cloud.
    fn reads(&self, trap: &Trap, number: usize) -> bool {
        match trap {
            Trap::Api(_) => {
                let seen = self.relay.seen();
                let struck = seen.iter().filter(|seen| counts(seen)).nth(number - 1);
                struck.is_some_and(|seen| seen.line.starts_with("GET "))
            }
            Trap::Cloud(id) => {
                let entries = self.world.sim.entries(&Filter::all());
                let struck = entries.iter().find(|entry| entry.faults.contains(id));
                struck.is_some_and(|entry| entry.operation != Operation::Change)
            }
        }
    }

    fn remove(&self, trap: &Trap) {
        match trap {
            Trap::Api(id) => drop(self.relay.remove(*id)),
            Trap::Cloud(id) => self.world.sim.remove_fault(*id).unwrap(),
        }
    }
}
