//! The course of jobs, coming and running.

use super::{Control, ControlError};
use crate::plan::{JobOutcome, JobPlan};
use crate::state::{Job, JobView, view_job};

impl Control {
    /// Sets the course of all coming jobs for which no other is set.
    pub fn default_job(&self, plan: JobPlan) {
        self.shared.world().state.plans.default = plan;
    }

    /// Sets the course of the next job, whichever proxy it is for. Several such plans are used up one after the other.
    pub fn next_job(&self, plan: JobPlan) {
        self.shared.world().state.plans.next.push_back((None, plan));
    }

    /// Sets the course of this proxy's next job.
    pub fn next_job_of(&self, proxy: &str, plan: JobPlan) {
        self.shared
            .world()
            .state
            .plans
            .next
            .push_back((Some(proxy.to_owned()), plan));
    }

    /// All jobs, oldest first, those included that can't be queried.
    pub fn jobs(&self) -> Vec<JobView> {
        let now = self.now();
        self.shared
            .world()
            .state
            .jobs
            .iter()
            .map(|job| view_job(job, now))
            .collect()
    }

    /// Starts other work on an instance, a backup for example, that nobody asked for here. Returns its id.
    pub fn start_job(
        &self,
        instance: &str,
        name: &str,
        plan: JobPlan,
    ) -> Result<String, ControlError> {
        let now = self.now();
        let mut guard = self.shared.world();
        let world = &mut *guard;
        let known = world
            .state
            .instances
            .get(instance)
            .ok_or_else(|| ControlError::NoInstance(instance.to_owned()))?;
        let job = Job {
            id: world.ids.uuid(),
            name: name.to_owned(),
            project: known.project.clone(),
            instance: instance.to_owned(),
            proxy: None,
            port: None,
            accepted: now,
            mode: world.behaviour.mode,
            plan,
            forgotten: false,
        };
        let id = job.id.clone();
        world.state.jobs.push(job);
        Ok(id)
    }

    /// Ends an unfinished job now, like this.
    pub fn end_job(&self, id: &str, outcome: JobOutcome) -> Result<(), ControlError> {
        let now = self.now();
        self.with_job(id, |job| {
            if !job.unfinished(now) {
                return Err(ControlError::JobEnded(id.to_owned()));
            }
            job.end(outcome, now);
            Ok(())
        })
    }

    /// Deletes a job's record; the job itself goes on.
    pub fn forget_job(&self, id: &str) -> Result<(), ControlError> {
        self.with_job(id, |job| {
            job.forgotten = true;
            Ok(())
        })
    }

    fn with_job(
        &self,
        id: &str,
        change: impl FnOnce(&mut Job) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        let mut world = self.shared.world();
        let job = world.state.jobs.iter_mut().find(|job| job.id == id);
        job.map_or_else(|| Err(ControlError::NoJob(id.to_owned())), change)
    }
}
