//! Single edits of settled resources, one after the other: how soon the request is there, and what else a change costs.

use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use taurus_sim::{Filter, Operation, Simulator};

use crate::{
    Result,
    cluster::Writes,
    fleet::{self, Plan},
    observer::Observer,
    report::{Figures, median, percentile},
    round_trips::RoundTrips,
};

/// How long a change may take that nothing stands in the way of.
const PATIENCE: Duration = Duration::from_mins(2);

/// After this, an operator has written what it writes about a change.
const REST: Duration = Duration::from_secs(3);

/// Edits these resources, and waits for all of them in the end.
pub async fn measure(
    (client, cloud, observer): (&Client, &Simulator, &Observer),
    (plan, numbers): (Plan, &[usize]),
    (job, port): (Duration, u16),
    unavoidable: RoundTrips,
    figures: &mut Figures,
) -> Result<()> {
    cloud.clear_journal();
    let before = Writes::so_far(client).await?;
    let (mut latencies, mut deliveries, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    for &number in numbers {
        let place = plan.place(number);
        let filter = Filter::on(Operation::Change).proxy(&place.proxy);
        let name = place.name.clone();
        let sent = Timestamp::now();
        fleet::edit(client, place, port).await?;
        let request = cloud.wait_for_request(&filter, 1, PATIENCE).await?;
        latencies.push(between(sent, request.at));
        let seen = observer.of(&name).ok_or("an edit was not delivered")?;
        deliveries.push(between(sent, seen.delivered));
        requests.push((name, request.at));
    }
    observer.until_ready(numbers.len(), 2, PATIENCE).await?;
    tokio::time::sleep(REST).await;
    let after = Writes::so_far(client).await?;
    let mut ready = Vec::new();
    for (name, at) in requests {
        let seen = observer.of(&name).and_then(|seen| seen.ready);
        ready.push(between(at, seen.ok_or("a resource is not Ready")?).saturating_sub(job));
    }
    let changes = count(numbers.len());
    let sum = median(&mut deliveries)
        + unavoidable.status_write
        + 3.0 * unavoidable.tasks
        + unavoidable.proxies
        + unavoidable.change;
    let (p50, p99) = (median(&mut latencies), percentile(&mut latencies, 99));
    figures.add("edit to request, p50, ms", p50);
    figures.add("edit to request, p99, ms", p99);
    figures.add("  round trips that it takes, ms", sum);
    figures.add_with_goal("  times as long as these", p50 / sum, 1.5);
    figures.add("end of job to Ready, p50, ms", median(&mut ready));
    figures.add("end of job to Ready, p99, ms", percentile(&mut ready, 99));
    figures.add_with_goal(
        "status writes a change",
        (after.status - before.status) / changes,
        3.0,
    );
    figures.add(
        "events written a change",
        (after.events - before.events) / changes,
    );
    let asked = cloud.count(&Filter::on(Operation::Change));
    figures.add_with_goal(
        "requests to change a port, a change",
        count(asked) / changes,
        1.0,
    );
    let names = [
        "lists of proxies a change",
        "pages of tasks a change",
        "polls of jobs a change",
    ];
    add_calls(cloud, numbers.len(), names, figures);
    Ok(())
}

/// What so many changes have asked the cloud, where all calls in the journal are theirs: lists, pages of tasks, polls.
pub fn add_calls(
    cloud: &Simulator,
    changes: usize,
    names: [&'static str; 3],
    figures: &mut Figures,
) {
    let operations = [Operation::List, Operation::Tasks, Operation::Job];
    for (name, operation) in names.into_iter().zip(operations) {
        let calls = count(cloud.count(&Filter::on(operation)));
        figures.add(name, calls / count(changes));
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn count(number: usize) -> f64 {
    number as f64
}
