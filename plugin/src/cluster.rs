//! The cluster, found as kubectl finds it, and the resources in it.
//!
//! Nothing is sent before the first request. Objects are read as they are, not as this release knows them.

mod kubeconfig;

use std::{
    io::{self, Write as _},
    path::Path,
};

use kube::{
    Api, Client, Resource as _,
    api::{ApiResource, DynamicObject, ListParams, Request},
};
use serde::Deserialize;
use taurus_port_operator::crd::TaurusProxyPort;

use crate::{
    cli::Global,
    failure::{Failure, is_unknown_kind, with_causes},
    resource::{Lean, Summary},
};

/// Long lists are read in pages of so many: few requests, and little memory.
const PAGE: u32 = 1000;

/// A cluster and what is looked at there.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
    everywhere: bool,
}

impl Cluster {
    /// The cluster that the command line and the kubeconfig name. What is passed over on the way to it is told on standard error.
    pub async fn find(global: &Global) -> Result<Self, Failure> {
        let found = kubeconfig::find(global).await?;
        if let Some(note) = found.note {
            // Where nobody reads it, nothing is lost.
            let _ = writeln!(io::stderr(), "note: {note}");
        }
        Self::of(found, global)
    }

    /// The same without a word, for completions: a shell shows whatever is written.
    pub async fn find_quietly(global: &Global) -> Result<Self, Failure> {
        Self::of(kubeconfig::find(global).await?, global)
    }

    fn of(found: kubeconfig::Found, global: &Global) -> Result<Self, Failure> {
        let config = found.config;
        let namespace = global.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let client =
            Client::try_from(config).map_err(|error| Failure::Kubeconfig(with_causes(&error)))?;
        Ok(Self {
            client,
            namespace,
            everywhere: global.all_namespaces,
        })
    }

    /// What this client leads to, for tests.
    #[cfg(test)]
    pub fn with(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            everywhere: false,
        }
    }

    /// The client.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespace of resources that are named.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether all namespaces are looked at.
    pub fn everywhere(&self) -> bool {
        self.everywhere
    }

    /// Said where no resource is there, and all are asked for: the namespace may be misspelt.
    pub fn nothing(&self) -> Failure {
        Failure::Usage(if self.everywhere {
            "no resources in any namespace".to_owned()
        } else {
            format!("no resources in namespace {}", self.namespace)
        })
    }

    /// The same, with all namespaces looked at.
    #[must_use]
    pub fn on_all_namespaces(self) -> Self {
        Self {
            everywhere: true,
            ..self
        }
    }

    /// The resources that are looked at.
    pub fn resources(&self) -> Api<DynamicObject> {
        if self.everywhere {
            Api::all_with(self.client(), &kind())
        } else {
            self.resources_of(&self.namespace)
        }
    }

    /// Those of a namespace.
    pub fn resources_of(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client(), namespace, &kind())
    }

    /// One resource of the namespace.
    pub async fn get(&self, name: &str) -> Result<DynamicObject, Failure> {
        if self.everywhere {
            let text = "a name is of one namespace: give -n in place of -A, or no name";
            return Err(Failure::Usage(text.to_owned()));
        }
        let api = self.resources_of(&self.namespace);
        let got = api.get(name).await;
        got.map_err(|error| {
            let what = format!("can't read {}/{name}", self.namespace);
            let is_missing = matches!(&error, kube::Error::Api(status) if status.code == 404);
            if is_missing && Path::new(name).is_file() {
                return Failure::Usage(format!(
                    "{what}: it is a file, and this takes the name of a resource; `lint` and `plan -f` take files"
                ));
            }
            Failure::kubernetes(what, &error)
        })
    }

    /// A resource of a namespace, if it is there. That its kind is not even known is another matter.
    pub async fn get_opt(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<DynamicObject>, Failure> {
        match self.resources_of(namespace).get(name).await {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.code == 404 && !is_unknown_kind(&status) => {
                Ok(None)
            }
            Err(error) => {
                let what = format!("can't read {namespace}/{name}");
                Err(Failure::kubernetes(what, &error))
            }
        }
    }

    /// Each object that is looked at, page by page, so that none is kept longer than it is needed.
    pub async fn each(
        &self,
        selector: Option<&str>,
        mut take: impl FnMut(DynamicObject),
    ) -> Result<(), Failure> {
        let api = self.resources();
        let mut parameters = ListParams::default().limit(PAGE);
        if let Some(labels) = selector {
            parameters = parameters.labels(labels);
        }
        loop {
            let page = api.list(&parameters).await;
            let page =
                page.map_err(|error| Failure::kubernetes("can't list the resources", &error))?;
            page.items.into_iter().for_each(&mut take);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(()),
            }
        }
    }
}

impl Cluster {
    /// What a line shows of each object that is looked at, page by page.
    pub async fn summaries(&self, selector: Option<&str>) -> Result<Vec<Summary>, Failure> {
        let kind = kind();
        let namespace = (!self.everywhere).then_some(self.namespace.as_str());
        let list = Request::new(DynamicObject::url_path(&kind, namespace));
        let mut parameters = ListParams::default().limit(PAGE);
        if let Some(labels) = selector {
            parameters = parameters.labels(labels);
        }
        let refused = |error: &kube::Error| Failure::kubernetes("can't list the resources", error);
        let mut summaries = Vec::new();
        loop {
            let request = list
                .list(&parameters)
                .map_err(|error| refused(&kube::Error::BuildRequest(error)))?;
            let page: Page = self
                .client
                .request(request)
                .await
                .map_err(|error| refused(&error))?;
            summaries.extend(page.items.iter().map(Summary::of_lean));
            match page.metadata.token.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(summaries),
            }
        }
    }
}

/// A page of a long list.
#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    #[serde(default)]
    items: Vec<Lean>,
}

#[derive(Debug, Default, Deserialize)]
struct PageMetadata {
    #[serde(rename = "continue")]
    token: Option<String>,
}

/// The kind of the resources.
pub fn kind() -> ApiResource {
    ApiResource::erase::<TaurusProxyPort>(&())
}

#[cfg(test)]
mod tests {
    use kube::Config;

    use super::*;

    fn cluster(everywhere: bool) -> Cluster {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Config::new("http://127.0.0.1:1".parse().unwrap());
        Cluster {
            client: Client::try_from(config).unwrap(),
            namespace: "shop".to_owned(),
            everywhere,
        }
    }

    #[tokio::test]
    async fn where_nothing_is_there_the_namespace_is_named() {
        for (everywhere, said) in [
            (false, "no resources in namespace shop"),
            (true, "no resources in any namespace"),
        ] {
            assert_eq!(cluster(everywhere).nothing().to_string(), said);
        }
    }

    #[tokio::test]
    async fn a_name_is_of_one_namespace() {
        let cluster = cluster(true);
        let refused = cluster.get("orders").await.unwrap_err();
        assert!(
            refused.to_string().contains("-n in place of -A"),
            "{refused}"
        );
    }
}
