//! The phases of a measurement, each of which begins where the last one ended.

use std::time::{Duration, Instant};

use kube::Client;
use taurus_controlplane::ControlPlane;
use taurus_sim::{Filter, Operation, Simulator};

use crate::{
    Result, cluster, edits, fleet::Plan, observer::Observer, process::Process, report::Figures,
    round_trips::RoundTrips, settings::Settings, subject::Subject,
};

/// Where the wanted port is moved to.
const OTHER_PORT: u16 = 3307;

/// How often settled resources are looked at where that is not what is measured.
const RESYNC: Duration = Duration::from_mins(10);

/// How long all resources together may take.
const PATIENCE: Duration = Duration::from_mins(20);

/// After a start with settled resources, an operator has looked at all of them within this.
const FIRST_LOOKS: Duration = Duration::from_secs(20);

/// A cluster, a cloud and somebody who watches.
struct Stage<'a> {
    settings: &'a Settings,
    subject: &'a Subject,
    plan: Plan,
    plane: ControlPlane,
    client: Client,
    cloud: Simulator,
}

/// Everything about one operator with this many resources, on a cluster of its own.
pub async fn measure(settings: &Settings, subject: &Subject, count: usize) -> Result<Figures> {
    let plan = Plan::new(settings, count);
    let plane = ControlPlane::start().await?;
    let client = plane.client().await?;
    let stage = Stage {
        cloud: plan.simulator(settings).await?,
        settings,
        subject,
        plan,
        plane,
        client,
    };
    let mut figures = Figures::default();
    let result = stage.play(&mut figures).await;
    if result.is_err() {
        let kept = std::env::temp_dir().join("taurus-bench-operator.log");
        std::fs::copy(stage.plane.folder().join("operator.log"), &kept).ok();
        println!("  what the operator said last is in {}", kept.display());
    }
    result?;
    Ok(figures)
}

impl Stage<'_> {
    async fn play(&self, figures: &mut Figures) -> Result<()> {
        let size = std::fs::metadata(self.subject.program()?)?.len();
        figures.add("size of the program, MiB", bytes(size));
        self.settle().await?;
        let observer = Observer::start(&self.client);
        observer.until_ready(self.plan.count, 1, PATIENCE).await?;
        let (settled, spare) = (self.plan.place(0), self.plan.place(self.plan.spare()));
        let url = self.cloud.url();
        let round_trips = RoundTrips::measure(&self.client, &url, &settled, &spare).await?;
        let operator = self.begin(RESYNC, figures).await?;
        self.idle(&operator, figures).await?;
        let step = (self.plan.count / self.settings.edits.max(1)).max(1);
        let (single, others): (Vec<usize>, Vec<usize>) =
            (0..self.plan.count).partition(|number| number % step == 0);
        println!("  {} edits, one after the other", single.len());
        let with = (&self.client, &self.cloud, &observer);
        let job = Duration::from_secs(self.settings.job);
        edits::measure(
            with,
            (self.plan, &single),
            (job, OTHER_PORT),
            round_trips,
            figures,
        )
        .await?;
        self.edit_all(&operator, &observer, &others, figures)
            .await?;
        operator.end().await?;
        self.sweep(figures).await
    }

    /// Makes the resources, and lets the operator settle them.
    async fn settle(&self) -> Result<()> {
        cluster::install(&self.client, &self.subject.definition).await?;
        let began = Instant::now();
        self.plan.create(&self.client, &self.cloud.url()).await?;
        println!("  created within {:.0?}", began.elapsed());
        let observer = Observer::start(&self.client);
        let command = self.subject.hasty_command(RESYNC, &self.host());
        let operator = self.start(&command)?;
        observer.until_ready(self.plan.count, 1, PATIENCE).await?;
        println!("  settled within {:.0?}", began.elapsed());
        operator.end().await
    }

    /// A start with all resources settled.
    async fn begin(&self, resync: Duration, figures: &mut Figures) -> Result<Process> {
        let mut operator = self.start(&self.subject.command(resync, &self.host()))?;
        if let Some(address) = &self.subject.ready {
            let ready = operator.until_ready(address).await?;
            figures.add_with_goal("start to ready, s", ready.as_secs_f64(), 2.0);
        }
        tokio::time::sleep(FIRST_LOOKS).await;
        figures.add("processor time of the start, s", operator.processor()?);
        Ok(operator)
    }

    async fn idle(&self, operator: &Process, figures: &mut Figures) -> Result<()> {
        println!("  idle for {} s", self.settings.idle);
        let before = operator.processor()?;
        tokio::time::sleep(Duration::from_secs(self.settings.idle)).await;
        let memory = operator.memory()?;
        figures.add_with_goal("memory when settled (VmRSS), MiB", memory.resident, 25.0);
        figures.add("  without files (RssAnon), MiB", memory.anonymous);
        figures.add_with_goal("peak with the start (VmHWM), MiB", memory.peak, 32.0);
        let minutes = Duration::from_secs(self.settings.idle).as_secs_f64() / 60.0;
        figures.add(
            "processor time idle, s a minute",
            (operator.processor()? - before) / minutes,
        );
        Ok(())
    }

    async fn edit_all(
        &self,
        operator: &Process,
        observer: &Observer,
        others: &[usize],
        figures: &mut Figures,
    ) -> Result<()> {
        println!("  {} edits at once", others.len());
        self.cloud.clear_journal();
        let (began, before) = (Instant::now(), operator.processor()?);
        self.plan
            .edit(&self.client, others.iter().copied(), OTHER_PORT)
            .await?;
        figures.add(
            "all edited at once: sent within, s",
            began.elapsed().as_secs_f64(),
        );
        observer.until_ready(self.plan.count, 2, PATIENCE).await?;
        figures.add("  all Ready after, s", began.elapsed().as_secs_f64());
        figures.add("  processor time, s", operator.processor()? - before);
        let names = [
            "  lists of proxies a change",
            "  pages of tasks a change",
            "  polls of jobs a change",
        ];
        edits::add_calls(&self.cloud, others.len(), names, figures);
        let memory = operator.memory()?;
        figures.add("  memory then, MiB", memory.resident);
        figures.add("  peak, MiB", memory.peak);
        Ok(())
    }

    /// A start that looks at everything all the time.
    async fn sweep(&self, figures: &mut Figures) -> Result<()> {
        let resync = Duration::from_secs(self.settings.sweep);
        println!("  a look at all of them every {} s", self.settings.sweep);
        let operator = self.start(&self.subject.command(resync, &self.host()))?;
        tokio::time::sleep(FIRST_LOOKS + resync).await;
        self.cloud.clear_journal();
        let before = operator.processor()?;
        tokio::time::sleep(2 * resync).await;
        let used = operator.processor()? - before;
        let lists = self.cloud.count(&Filter::on(Operation::List));
        let sweeps =
            f64::from(u32::try_from(lists)?) / f64::from(u32::try_from(self.plan.instances())?);
        figures.add("sweeps within two periods", sweeps);
        figures.add("processor time a sweep, s", used / sweeps);
        figures.add("memory with sweeps, MiB", operator.memory()?.resident);
        operator.end().await
    }

    fn start(&self, command: &[String]) -> Result<Process> {
        Process::start(command, self.plane.kubeconfig(), "operator.log")
    }

    fn host(&self) -> String {
        self.cloud.address().to_string()
    }
}

fn bytes(count: u64) -> f64 {
    f64::from(u32::try_from(count / 1024).unwrap_or(u32::MAX)) / 1024.0
}
