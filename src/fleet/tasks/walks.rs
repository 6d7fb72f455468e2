//! Walks that go no further back than to what has not settled, beside walks that always go back an hour: what holds a change
//! back is in both.

use proptest::{collection::vec, prelude::*};

use crate::fleet::tasks::{tests::at, *};

/// The longest that a task is not listed yet, and that one is listed as it was.
const LAG: i64 = 120;

/// A task of the cloud. All times in seconds.
#[derive(Debug, Clone)]
struct Life {
    created: i64,
    listed_after: i64,
    pends: i64,
    works: i64,
    /// While it is at work.
    word: &'static str,
    end: &'static str,
    shown_late: i64,
}

impl Life {
    fn row(&self, number: usize, now: i64) -> Option<Task> {
        let ended = self.created + self.pends + self.works;
        // Its row shows it as it was a while ago.
        let seen = now - self.shown_late;
        let word = match seen {
            _ if now < self.created + self.listed_after => return None,
            _ if seen < self.created + self.pends => "Pending",
            _ if seen < ended => self.word,
            _ => self.end,
        };
        Some(Task {
            job: JobId::parse(&format!("job-{number}")),
            instance: None,
            state: JobState::from_word(Some(word)),
            created: Some(at(self.created)),
            ended: (word == self.end).then_some(at(ended)),
        })
    }

    /// Whether a list that is filtered by status has it, whenever it was created.
    fn is_listed_by_status(&self, task: &Task) -> bool {
        let running = self.word == "Running" && matches!(task.state, JobState::Running(_));
        running || task.state == JobState::Pending
    }
}

fn life() -> impl Strategy<Value = Life> {
    let words = prop_oneof![Just("Running"), Just("Rollbacking"), Just("")];
    let ends = prop_oneof![Just("Completed"), Just("Failed"), Just("Canceled")];
    (
        0_i64..7200,
        0..=LAG,
        0_i64..300,
        1_i64..3000,
        words,
        ends,
        0..=LAG,
    )
        .prop_map(
            |(created, listed_after, pends, works, word, end, shown_late)| Life {
                created,
                listed_after,
                pends,
                works,
                word,
                end,
                shown_late,
            },
        )
}

/// What a walk gives that is begun now and reads what was created since then.
fn walk(lives: &[Life], now: i64, took: i64, since: Timestamp) -> TaskList {
    let rows = lives.iter().enumerate().filter_map(|(number, life)| {
        let task = life.row(number, now)?;
        let listed = task.created >= Some(since) || life.is_listed_by_status(&task);
        listed.then_some(task)
    });
    TaskList {
        tasks: rows.collect(),
        cloud_time: Some(at(now + took)),
        begun: None,
    }
}

proptest! {
    #[test]
    fn nothing_that_holds_a_change_back_is_missed(
        lives in vec(life(), 0..40),
        walks in vec((1_i64..900, 0_i64..90), 1..40),
    ) {
        let pace = Pace::real();
        let (mut now, mut settled) = (0, None);
        for (pause, took) in walks {
            now += pause;
            let moment = |second| Moment::new(at(second), Duration::ZERO);
            let hour = read_since(moment(now), None, None, &pace);
            let since = read_since(moment(now), settled, None, &pace);
            let end = at(now + took);
            let holding = |list: &TaskList| -> Vec<Task> {
                let counting = list.tasks.iter().filter(|task| counts(task, end, &pace));
                counting.cloned().collect()
            };
            let list = walk(&lives, now, took, since);
            let whole = walk(&lives, now, took, hour);
            prop_assert_eq!(holding(&list), holding(&whole), "{} {}", now, since);
            now += took;
            let took = Duration::from_secs(took.unsigned_abs());
            settled = settled_before(&list, settled, took, moment(now), &pace);
        }
    }
}
