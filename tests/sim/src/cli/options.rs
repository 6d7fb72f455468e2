//! From flags to what the simulator starts with. Errors name their flag and never repeat a secret.

use secrecy::{ExposeSecret, SecretString};
use taurus_sim::{
    Accounts, Behaviour, Chaos, Fleet, JobPlan, Mode, Options, SamePort, TaskOffset, Throttling,
    Time, sample,
};

use super::values::{self, AccessKeyFlag, InstanceFlag, ProxyFlag, UserFlag};
use super::{Cli, ModeFlag, SamePortFlag, TaskOffsetFlag, TimeFlag};

impl Cli {
    /// Whether credentials were given. Those are not printed.
    pub(crate) fn has_credentials(&self) -> bool {
        !(self.access_key.is_empty()
            && self.user.is_empty()
            && self.token.is_empty()
            && self.id_token.is_empty())
    }

    /// What the simulator starts with.
    pub(crate) fn options(&self) -> Result<Options, String> {
        let options = match &self.scenario {
            Some(file) => {
                Options::from_scenario(file).map_err(|error| format!("--scenario: {error}"))?
            }
            None => self.options_of_flags()?,
        };
        Ok(Options {
            listen: self.listen,
            accounts: self.accounts(options.accounts)?,
            remote_admin: self.remote_admin,
            database: self.database,
            ..options
        })
    }

    fn options_of_flags(&self) -> Result<Options, String> {
        Ok(Options {
            time: match self.time {
                TimeFlag::Automatic => Time::Automatic,
                TimeFlag::Stepped => Time::Stepped,
            },
            fleet: self.fleet()?,
            accounts: if self.has_credentials() {
                Accounts::none()
            } else {
                Accounts::sample()
            },
            behaviour: self.behaviour(),
            job: JobPlan::lasting(self.job_duration)
                .visible_after(self.job_visible_after)
                .port_listens(self.port_listens),
            chaos: self.chaos.map(Chaos::seeded),
            seed: self.seed,
            ..Options::default()
        })
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour {
            mode: match self.mode {
                ModeFlag::M1 => Mode::M1,
                ModeFlag::M2 => Mode::M2,
                ModeFlag::M3 => Mode::M3,
                ModeFlag::M4 => Mode::M4,
            },
            same_port: match self.same_port {
                SamePortFlag::Null => SamePort::Null,
                SamePortFlag::Absent => SamePort::Absent,
                SamePortFlag::Empty => SamePort::Empty,
            },
            task_offset: match self.task_offset {
                TaskOffsetFlag::ItemsFromZero => TaskOffset::ItemsFromZero,
                TaskOffsetFlag::ItemsFromOne => TaskOffset::ItemsFromOne,
                TaskOffsetFlag::Pages => TaskOffset::Pages,
            },
            refuses_task_offset_0: self.refuse_task_offset_0,
            accepts_33060: self.accept_33060,
            throttling: self.calls_per_minute.map(Throttling::of_accounts),
            token_lifetime: self.token_lifetime,
            ..Behaviour::default()
        }
    }

    fn fleet(&self) -> Result<Fleet, String> {
        let nothing = self.project.is_empty() && self.instance.is_empty() && self.proxy.is_empty();
        if nothing && self.fleet == 0 {
            return Ok(Fleet::sample());
        }
        let mut projects = self.project.clone();
        if projects.is_empty() {
            projects.push(sample::PROJECT.to_owned());
        }
        let first = projects.first().map_or(sample::PROJECT, |project| project);
        let mut fleet = projects
            .iter()
            .fold(Fleet::new(), |fleet, project| fleet.project(project));
        let mut known: Vec<&str> = Vec::new();
        for InstanceFlag { project, id } in &self.instance {
            if let Some(project) = project
                .as_ref()
                .filter(|project| !projects.contains(project))
            {
                return Err(format!(
                    "--instance {project}/{id}: no --project is {project:?}"
                ));
            }
            fleet = fleet.instance_in(project.as_deref().unwrap_or(first), id);
            for tag in self.tag.iter().filter(|tag| tag.instance == *id) {
                fleet = fleet.tag(&tag.key, &tag.value);
            }
            known.push(id);
        }
        if let Some(tag) = self.tag.iter().find(|tag| !known.contains(&&*tag.instance)) {
            return Err(format!("--tag {}: no --instance is it", tag.instance));
        }
        for ProxyFlag { instance, id, port } in &self.proxy {
            if !known.contains(&&**instance) {
                fleet = fleet.instance_in(first, instance);
                known.push(instance);
            }
            fleet = fleet.proxy_in(instance, id, *port);
        }
        fleet = fleet.numbered_in(first, self.fleet);
        fleet
            .check()
            .map_err(|error| format!("--project, --instance, --proxy or --fleet: {error}"))?;
        Ok(fleet)
    }

    /// The credentials of the flags on top of others.
    fn accounts(&self, mut accounts: Accounts) -> Result<Accounts, String> {
        for flag in &self.access_key {
            let AccessKeyFlag {
                id,
                secret,
                security_token,
            } = read("--access-key", flag, str::parse)?;
            accounts = match security_token {
                Some(token) => accounts.temporary_key(&id, &secret, &token),
                None => accounts.access_key(&id, &secret),
            };
        }
        for flag in &self.user {
            let UserFlag {
                domain,
                name,
                password,
            } = read("--user", flag, str::parse)?;
            accounts = accounts.user(&domain, &name, &password);
        }
        for flag in &self.token {
            accounts = accounts.token(&read("--token", flag, values::token)?);
        }
        for flag in &self.id_token {
            let (provider, text) = read("--id-token", flag, values::id_token)?;
            accounts = accounts.id_token(&provider, &text);
        }
        if self.machine_agency {
            accounts = accounts.machine_agency();
        }
        Ok(accounts)
    }
}

/// clap's own errors would repeat the value.
fn read<T>(
    flag: &str,
    value: &SecretString,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, String> {
    parse(value.expose_secret()).map_err(|error| format!("{flag}: {error}"))
}
