//! Why a command did not do what it was asked for, in words for people. Its exit code is 1.

use std::{error::Error, io};

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
