//! A resource as people write it.

use taurus_sim::sample;

/// The fields of `spec`, each with its YAML.
#[derive(Debug, Clone)]
pub struct Written {
    fields: Vec<(String, String)>,
}

impl Written {
    /// One that nothing is wrong with.
    pub fn good() -> Self {
        let empty = Self { fields: Vec::new() };
        empty
            .with("region", "ap-southeast-1")
            .with("projectID", sample::PROJECT)
            .with("instanceID", sample::INSTANCE)
            .with("proxyID", sample::PROXY)
            .with("port", "3307")
            .with("credentialsRef", "{name: keys}")
    }

    /// The same with this field, in its place where it is there already.
    pub fn with(mut self, field: &str, yaml: &str) -> Self {
        let there = self.fields.iter_mut().find(|(name, _)| name == field);
        match there {
            Some((_, old)) => yaml.clone_into(old),
            None => self.fields.push((field.to_owned(), yaml.to_owned())),
        }
        self
    }

    /// The same without this field.
    pub fn without(mut self, field: &str) -> Self {
        self.fields.retain(|(name, _)| name != field);
        self
    }

    /// The whole document. A version is needed where it takes the place of one that is stored.
    pub fn document(&self, name: &str, version: Option<&str>) -> String {
        let version = version.map_or_else(String::new, |version| {
            format!("  resourceVersion: \"{version}\"\n")
        });
        let head = format!(
            "apiVersion: taurusdb.huaweicloud.com/v1alpha1\nkind: TaurusProxyPort\nmetadata:\n  name: {name}\n{version}spec:\n"
        );
        let fields = self.fields.iter();
        fields.fold(head, |document, (field, yaml)| {
            document + &format!("  {field}: {yaml}\n")
        })
    }
}
