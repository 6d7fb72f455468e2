//! Why a command did not do what it was asked for, in words for people. Its exit code is 1, or that of an interruption.

use std::{error::Error, io};

use kube::core::Status;

/// Said where the API server does not know the kind that is asked for.
const NOT_INSTALLED: &str = "the API server does not know this kind: the definition is not installed (taurusproxyports.taurusdb.huaweicloud.com); \
     docs/install.md says how to install it";

/// The exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The kubeconfig can't be used.
    #[error("the kubeconfig can't be used: {0}")]
    Kubeconfig(String),
    /// The API server refused, or there is none.
    #[error("{what}: {why}")]
    Kubernetes {
        /// What was asked for.
        what: String,
        /// What came of it.
        why: String,
    },
    /// The command line asks for what can't be, or does not fit what there is.
    #[error("{0}")]
    Usage(String),
    /// A person has to agree, and nobody can be asked or nobody agreed.
    #[error("{0}")]
    NotAgreed(String),
    /// A person has ended it with Ctrl-C.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// A file or a stream can't be read or written.
    #[error("{what}: {why}")]
    File {
        /// Which one.
        what: String,
        /// Why not.
        why: io::Error,
    },
    /// A value can't be written as JSON or YAML.
    #[error("the output can't be written: {0}")]
    Output(String),
}

impl Failure {
    /// A request to the API server that failed.
    pub fn kubernetes(what: impl Into<String>, error: &kube::Error) -> Self {
        let why = match error {
            kube::Error::Api(status) if is_unknown_kind(status) => NOT_INSTALLED.to_owned(),
            kube::Error::Api(status) => format!("the API server refused: {}", status.message),
            other => with_causes(other),
        };
        Self::Kubernetes {
            what: what.into(),
            why,
        }
    }

    /// A file that can't be read or written.
    pub fn file(what: impl Into<String>, why: io::Error) -> Self {
        Self::File {
            what: what.into(),
            why,
        }
    }

    /// The exit code, as scripts see it.
    pub fn code(&self) -> u8 {
        match self {
            Self::Interrupted(_) => INTERRUPTED,
            _ => 1,
        }
    }

    /// Whether nobody reads what is printed any more, as where `head` has seen enough.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::File { why, .. } if why.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<io::Error> for Failure {
    fn from(why: io::Error) -> Self {
        Self::file("the output can't be written", why)
    }
}

/// Whether it is the path that is unknown, rather than an object: the one is answered without the name of a kind.
pub fn is_unknown_kind(status: &Status) -> bool {
    let said = status.message.as_str();
    status.code == 404
        && (said.contains("page not found")
            || said.contains("could not find the requested resource"))
}

/// An error with all that it rests on.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_is_not_installed_is_told_from_an_object_that_is_missing() {
        let told = |message: &str| {
            let status = Status::failure(message, "NotFound").with_code(404);
            let error = kube::Error::Api(status.boxed());
            Failure::kubernetes("can't list the resources", &error).to_string()
        };
        let unknown = told("404 page not found\n");
        assert!(unknown.contains("docs/install.md"), "{unknown}");
        let missing = told("taurusproxyports \"orders\" not found");
        assert!(
            missing.ends_with("the API server refused: taurusproxyports \"orders\" not found"),
            "{missing}"
        );
    }
}
