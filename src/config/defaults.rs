//! The operator's own credentials, for resources that name no Secret: where they are, and for whom.
//!
//! Promises that they are for nobody who was not named, by namespace and by project, and never leave for an address that the
//! resource itself gives.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::{Path, PathBuf},
};

use k8s_openapi::ByteString;

use crate::{
    cloud::auth::secret::{Credential, SecretError},
    controller::read::Subject,
    model::{IdError, ProjectId, name::is_namespace},
};

/// A longer file holds no credential. One byte more is read, so that the reader sees that it is too long.
const LONGEST_FILE: u64 = 33 * 1024;

/// Default credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Defaults {
    directory: PathBuf,
    namespaces: BTreeSet<String>,
    projects: BTreeSet<ProjectId>,
}

/// Why there can be no default credentials.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefaultsFault {
    /// Not all three settings are there.
    #[error(
        "give all three of --default-credentials-dir (TAURUS_DEFAULT_CREDENTIALS_DIR), --default-credentials-namespaces \
         (TAURUS_DEFAULT_CREDENTIALS_NAMESPACES) and --default-credentials-projects (TAURUS_DEFAULT_CREDENTIALS_PROJECTS), or \
         none: only the namespaces and projects named there may use default credentials"
    )]
    Incomplete,
    /// No namespace has such a name.
    #[error(
        "--default-credentials-namespaces (TAURUS_DEFAULT_CREDENTIALS_NAMESPACES): {0:?} can't be the name of a namespace: \
         give exact names, separated by commas; there are no wildcards"
    )]
    Namespace(String),
    /// No project has such an id.
    #[error(
        "--default-credentials-projects (TAURUS_DEFAULT_CREDENTIALS_PROJECTS): {0}: give exact ids, separated by commas"
    )]
    Project(#[from] IdError),
    /// The directory can't be read.
    #[error(
        "--default-credentials-dir (TAURUS_DEFAULT_CREDENTIALS_DIR): {directory} can't be read ({why})"
    )]
    Unreadable {
        /// The directory.
        directory: String,
        /// What the system says.
        why: String,
    },
    /// It holds no credentials.
    #[error("--default-credentials-dir (TAURUS_DEFAULT_CREDENTIALS_DIR): {directory}: {fault}")]
    Unusable {
        /// The directory.
        directory: String,
        /// What is wrong with its files.
        fault: SecretError,
    },
}

impl fmt::Debug for Defaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Defaults")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl Defaults {
    /// Checks what was given, and that the directory holds credentials now. Nothing where nothing was given.
    pub fn new(
        directory: Option<&str>,
        namespaces: &[String],
        projects: &[String],
    ) -> Result<Option<Self>, DefaultsFault> {
        let directory = directory.map(str::trim).filter(|path| !path.is_empty());
        let (namespaces, projects) = (named(namespaces), named(projects));
        let directory = match directory {
            Some(directory) if !namespaces.is_empty() && !projects.is_empty() => directory,
            None if namespaces.is_empty() && projects.is_empty() => return Ok(None),
            _ => return Err(DefaultsFault::Incomplete),
        };
        if let Some(wrong) = namespaces.iter().find(|name| !is_namespace(name)) {
            return Err(DefaultsFault::Namespace((*wrong).to_owned()));
        }
        let projects = projects.into_iter().map(ProjectId::parse);
        let defaults = Self {
            directory: Path::new(directory).to_owned(),
            namespaces: namespaces.into_iter().map(str::to_owned).collect(),
            projects: projects.collect::<Result<_, _>>()?,
        };
        let data = defaults.read().map_err(|error| DefaultsFault::Unreadable {
            directory: directory.to_owned(),
            why: error.to_string(),
        })?;
        Credential::from_secret(&data).map_err(|fault| DefaultsFault::Unusable {
            directory: directory.to_owned(),
            fault,
        })?;
        Ok(Some(defaults))
    }

    /// Why a resource may not use them; nothing if it may. Of others nothing is said.
    pub fn objection(&self, namespace: &str, subject: &Subject) -> Option<String> {
        let own = [&subject.endpoint, &subject.iam_endpoint];
        if own.into_iter().any(Option::is_some) {
            let text = "the operator's default credentials are never sent to an endpoint of the resource's own";
            return Some(text.to_owned());
        }
        let namespace_missing = !self.namespaces.contains(namespace);
        let project_missing = !self.projects.contains(&subject.project);
        let project = &subject.project;
        let what = match (namespace_missing, project_missing) {
            (false, false) => return None,
            (true, false) => format!("namespace {namespace}"),
            (false, true) => format!("project {project}"),
            (true, true) => format!("namespace {namespace}, nor for project {project}"),
        };
        Some(format!(
            "the operator's default credentials are not for {what}"
        ))
    }

    /// Reads them: one file for each key, as a mounted Secret has them. Names that begin with a dot are no keys.
    pub fn read(&self) -> io::Result<BTreeMap<String, ByteString>> {
        let mut data = BTreeMap::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A mounted Secret's keys are links to files; the folder that they lead to has dots before its name.
            if name.starts_with('.') || fs::metadata(entry.path())?.is_dir() {
                continue;
            }
            let mut value = Vec::new();
            let file = fs::File::open(entry.path())?;
            io::Read::read_to_end(&mut io::Read::take(file, LONGEST_FILE), &mut value)?;
            data.insert(name, ByteString(value));
        }
        Ok(data)
    }
}

fn named(given: &[String]) -> Vec<&str> {
    let named = given.iter().map(|text| text.trim());
    named.filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests;
