//! The operator's own credentials, for resources that name none: where they are, and for whom.
//!
//! Promises that they are for nobody who was not named, by namespace and by project, and never leave for an address that the
//! resource itself gives.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::{Path, PathBuf},
};

use http::Uri;
use k8s_openapi::ByteString;
use secrecy::SecretString;

use crate::{
    cloud::auth::{
        identity,
        secret::{Credential, SecretError},
    },
    model::{IdError, ProjectId, name::is_namespace},
    place::Subject,
};

/// A longer file holds no credential. One byte more is read, so that the reader sees that it is too long.
const LONGEST_FILE: u64 = 33 * 1024;

/// Where CCE's pod identity has put what a container needs, by the vendor's `huaweicloudsdkcore` 3.1.219 (`auth/provider.py`,
/// `PodIdentityCredentialProvider`): the address of the keys, and the file with the token that they are given for.
const POD_URI: &str = "HC_CONTAINER_CREDENTIALS_FULL_URI";
const POD_TOKEN_FILE: &str = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// Default credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Defaults {
    origin: Origin,
    namespaces: BTreeSet<String>,
    projects: BTreeSet<ProjectId>,
}

/// Where default credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a directory, as a mounted Secret has them.
    Directory(PathBuf),
    /// At the metadata service of the node, whose address this is, for the node's agency.
    Node(String),
    /// Where CCE's pod identity says.
    Pod {
        /// The address of the keys.
        uri: String,
        /// The file with the token that they are given for.
        token_file: PathBuf,
    },
}

/// What was read of default credentials.
pub enum Contents {
    /// The files of a directory, by their names.
    Files(BTreeMap<String, ByteString>),
    /// Nothing has to be read: the address of the metadata service.
    Node(String),
    /// The pod's token as it is now.
    Pod {
        /// The address of the keys.
        uri: String,
        /// The token.
        token: SecretString,
    },
}

/// Why there can be no default credentials.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefaultsFault {
    /// Not all three settings are there.
    #[error(
        "give all three of --default-credentials-dir (TAURUS_DEFAULT_CREDENTIALS_DIR) or --default-credentials-identity \
         (TAURUS_DEFAULT_CREDENTIALS_IDENTITY), --default-credentials-namespaces (TAURUS_DEFAULT_CREDENTIALS_NAMESPACES) and \
         --default-credentials-projects (TAURUS_DEFAULT_CREDENTIALS_PROJECTS), or none: only the namespaces and projects named \
         there may use default credentials"
    )]
    Incomplete,
    /// There are two sources.
    #[error(
        "give only one of --default-credentials-dir (TAURUS_DEFAULT_CREDENTIALS_DIR) and --default-credentials-identity \
         (TAURUS_DEFAULT_CREDENTIALS_IDENTITY)"
    )]
    TwoOrigins,
    /// There is no such identity.
    #[error(
        "--default-credentials-identity (TAURUS_DEFAULT_CREDENTIALS_IDENTITY): {0:?} is none: give node-agency or pod-identity"
    )]
    Identity(String),
    /// CCE has given the pod no identity.
    #[error(
        "--default-credentials-identity (TAURUS_DEFAULT_CREDENTIALS_IDENTITY): pod-identity needs {uri} (an address with http or https) \
         and {file} in the environment, which CCE sets in pods whose ServiceAccount is associated with an agency: associate it, and \
         start the pod anew",
        uri = POD_URI,
        file = POD_TOKEN_FILE
    )]
    NoPodIdentity,
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
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Origin {
    /// What an identity stands for, with the environment that `variable` reads. Nothing where none was given.
    pub fn of_identity(
        identity: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, DefaultsFault> {
        match identity.map(str::trim).unwrap_or_default() {
            "" => Ok(None),
            "node-agency" => Ok(Some(Self::Node(identity::METADATA.to_owned()))),
            "pod-identity" => {
                let uri = variable(POD_URI).filter(|uri| is_http(uri));
                let file = variable(POD_TOKEN_FILE).filter(|file| !file.is_empty());
                let (uri, file) = uri.zip(file).ok_or(DefaultsFault::NoPodIdentity)?;
                Ok(Some(Self::Pod {
                    uri,
                    token_file: file.into(),
                }))
            }
            other => Err(DefaultsFault::Identity(other.to_owned())),
        }
    }

    /// The one that was given, in either of the two ways.
    pub fn one_of(
        directory: Option<&str>,
        identity: Option<Self>,
    ) -> Result<Option<Self>, DefaultsFault> {
        let directory = directory.map(str::trim).filter(|path| !path.is_empty());
        match (directory, identity) {
            (Some(_), Some(_)) => Err(DefaultsFault::TwoOrigins),
            (Some(directory), None) => Ok(Some(Self::Directory(directory.into()))),
            (None, identity) => Ok(identity),
        }
    }
}

impl Defaults {
    /// Checks what was given, and that a directory holds credentials now. Nothing where nothing was given.
    pub fn new(
        origin: Option<Origin>,
        namespaces: &[String],
        projects: &[String],
    ) -> Result<Option<Self>, DefaultsFault> {
        let (namespaces, projects) = (named(namespaces), named(projects));
        let origin = match origin {
            Some(origin) if !namespaces.is_empty() && !projects.is_empty() => origin,
            None if namespaces.is_empty() && projects.is_empty() => return Ok(None),
            _ => return Err(DefaultsFault::Incomplete),
        };
        if let Some(wrong) = namespaces.iter().find(|name| !is_namespace(name)) {
            return Err(DefaultsFault::Namespace((*wrong).to_owned()));
        }
        let projects = projects.into_iter().map(ProjectId::parse);
        let defaults = Self {
            origin,
            namespaces: namespaces.into_iter().map(str::to_owned).collect(),
            projects: projects.collect::<Result<_, _>>()?,
        };
        if let Origin::Directory(directory) = &defaults.origin {
            let shown = directory.display().to_string();
            let data = files(directory).map_err(|error| DefaultsFault::Unreadable {
                directory: shown.clone(),
                why: error.to_string(),
            })?;
            Credential::from_secret(&data).map_err(|fault| DefaultsFault::Unusable {
                directory: shown,
                fault,
            })?;
        }
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

    /// Reads what of them is in files.
    pub fn read(&self) -> io::Result<Contents> {
        Ok(match &self.origin {
            Origin::Directory(directory) => Contents::Files(files(directory)?),
            Origin::Node(address) => Contents::Node(address.clone()),
            Origin::Pod { uri, token_file } => {
                let token = String::from_utf8(content(token_file)?);
                let token = token.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                Contents::Pod {
                    uri: uri.clone(),
                    token: token.trim().into(),
                }
            }
        })
    }
}

/// One file for each key, as a mounted Secret has them. Names that begin with a dot are no keys.
fn files(directory: &Path) -> io::Result<BTreeMap<String, ByteString>> {
    let mut data = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A mounted Secret's keys are links to files; the folder that they lead to has dots before its name.
        if name.starts_with('.') || fs::metadata(entry.path())?.is_dir() {
            continue;
        }
        data.insert(name, ByteString(content(&entry.path())?));
    }
    Ok(data)
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut value = Vec::new();
    let file = fs::File::open(path)?;
    io::Read::read_to_end(&mut io::Read::take(file, LONGEST_FILE), &mut value)?;
    Ok(value)
}

fn is_http(address: &str) -> bool {
    let address = address.parse::<Uri>().ok();
    let scheme = address.as_ref().and_then(Uri::scheme_str);
    matches!(scheme, Some("http" | "https"))
}

fn named(given: &[String]) -> Vec<&str> {
    let named = given.iter().map(|text| text.trim());
    named.filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests;
