//! A merge into a resource as it was shown: what people were asked about must be so still.
//!
//! Relies on the version of the resource, by which the API server refuses (409) a change of an older one. What the operator writes
//! meanwhile refuses nothing by itself. Promises to take back no word of a person: what may be cut only now is not written without `--yes`. A request
//! whose answer was lost is sent again by the client, and then refused for its own first copy: that one counts as written.

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Map, Value, json};

use super::{
    TRIES, patched,
    targets::{After, Target},
    why,
};
use crate::{
    cluster::Cluster,
    resource::{Summary, annotated},
};

/// What people were asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// What a change may follow.
    pub after: After,
    /// When.
    pub now: Timestamp,
    /// Whether they want it in any case.
    pub yes: bool,
}

impl Asked {
    /// Merges, unless the resource has become another one.
    pub async fn merge(
        &self,
        cluster: &Cluster,
        target: &Target,
        patch: &Value,
    ) -> Result<(), String> {
        let Summary {
            namespace, name, ..
        } = &target.summary;
        let mut version = target.object.metadata.resource_version.clone();
        for _ in 0..TRIES {
            let patch_now = of_version(patch, version.as_deref());
            match patched(cluster, target, &patch_now, false).await {
                Ok(()) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(why(&error)),
            }
            let fresh = cluster.get_opt(namespace, name).await;
            let fresh = fresh.map_err(|failure| failure.to_string())?;
            let fresh = fresh.ok_or_else(|| "was deleted meanwhile".to_owned())?;
            if fresh.metadata.uid != target.object.metadata.uid {
                return Err(
                    "was deleted and made anew meanwhile: look at it, and try again".to_owned(),
                );
            }
            if stands(patch, &target.object, &fresh) {
                return Ok(());
            }
            version.clone_from(&fresh.metadata.resource_version);
            self.still_meant(target, fresh)?;
        }
        Err("it is being written all the time: try again".to_owned())
    }

    /// Whether what was asked about is so still.
    fn still_meant(&self, target: &Target, fresh: DynamicObject) -> Result<(), String> {
        if fresh.metadata.generation != target.object.metadata.generation {
            return Err(
                "its spec was edited after it was read here: look at it, and try again".to_owned(),
            );
        }
        let follows = Target::of(fresh).change_after(self.after, self.now);
        match follows {
            Some(change)
                if !self.yes
                    && target.change_after(self.after, self.now).as_ref() != Some(&change) =>
            {
                Err(format!(
                    "what may follow has changed after it was read here (now {change}): look at it, and try again, or give --yes"
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The patch, for this version of the resource alone.
fn of_version(patch: &Value, version: Option<&str>) -> Value {
    let mut patch = patch.clone();
    if let Some(fields) = patch.as_object_mut() {
        let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("resourceVersion".to_owned(), version.into());
        }
    }
    patch
}

/// Whether what a patch writes stands there, and the rest of the spec is as it was shown.
fn stands(patch: &Value, shown: &DynamicObject, fresh: &DynamicObject) -> bool {
    fn fields<'v>(
        value: &'v Value,
        pointer: &str,
    ) -> impl Iterator<Item = (&'v String, &'v Value)> {
        let fields = value.pointer(pointer).and_then(Value::as_object);
        fields.into_iter().flatten()
    }
    let spec = |object: &DynamicObject| -> Map<String, Value> {
        fields(&object.data, "/spec")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let mut wanted = spec(shown);
    for (name, value) in fields(patch, "/spec") {
        if value.is_null() {
            wanted.remove(name);
        } else {
            wanted.insert(name.clone(), value.clone());
        }
    }
    let mut annotations = fields(patch, "/metadata/annotations");
    wanted == spec(fresh)
        && annotations.all(|(name, value)| annotated(fresh, name).as_deref() == value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::stub::{Server, conflict, gone, resource};

    const SHOWN: &str = "7";

    fn spec(port: u16, suspend: bool) -> Value {
        let mut spec = json!({
            "region": "ap-southeast-1", "projectID": "0483b6b16e954cb88930a360d2c4e663",
            "instanceID": "e80a4b6f13c2457d9ab05c7712f4d3e6in07",
            "proxyID": "4d1f0a77c2b94e5f8a6031d7be92c405po01", "port": port,
        });
        if suspend {
            spec["suspend"] = json!(true);
        }
        spec
    }

    /// A suspended resource whose proxy has this port.
    fn suspended(version: &str, actual: u16) -> Value {
        let status = json!({"observedGeneration": 1, "subjectUID": "u", "port": actual, "appliedPort": actual, "proxyStatus": "ACTIVE"});
        resource(version, 2, &spec(3307, true), &status)
    }

    async fn resumed(shown: &Value, yes: bool, server: &Server) -> Result<(), String> {
        let asked = Asked {
            after: After::Resume,
            now: "2026-03-02T12:00:00Z".parse().unwrap(),
            yes,
        };
        let target = Target::of(serde_json::from_value(shown.clone()).unwrap());
        let patch = json!({"spec": {"suspend": null}});
        asked.merge(&server.cluster(), &target, &patch).await
    }

    #[tokio::test]
    async fn what_the_operator_writes_meanwhile_refuses_nothing_by_itself() {
        let fresh = suspended("8", 3306);
        let server = Server::answering([conflict(), (200, fresh.clone()), (200, fresh)]);
        let done = resumed(&suspended(SHOWN, 3306), false, &server).await;
        assert_eq!(done, Ok(()));
        let versions: Vec<Value> = server
            .said()
            .iter()
            .map(|said| said["metadata"]["resourceVersion"].clone())
            .collect();
        assert_eq!(versions, [json!(SHOWN), Value::Null, json!("8")]);
    }

    #[tokio::test]
    async fn what_may_be_cut_only_now_needs_a_yes() {
        let (at_rest, differs) = (suspended(SHOWN, 3307), suspended("8", 3306));
        let answers = || [conflict(), (200, differs.clone()), (200, differs.clone())];
        let server = Server::answering(answers());
        let refused = resumed(&at_rest, false, &server).await.unwrap_err();
        assert!(
            refused.contains("from 3306 to 3307") && refused.contains("--yes"),
            "{refused}"
        );
        assert_eq!(server.said().len(), 2, "nothing was written");
        let server = Server::answering(answers());
        assert_eq!(resumed(&at_rest, true, &server).await, Ok(()));
        // Where nothing is cut any more, there is nothing to ask.
        let rests = suspended("8", 3307);
        let server = Server::answering([conflict(), (200, rests.clone()), (200, rests)]);
        let done = resumed(&suspended(SHOWN, 3306), false, &server).await;
        assert_eq!(done, Ok(()));
    }

    #[tokio::test]
    async fn what_was_stored_though_its_answer_was_lost_is_done() {
        for (spec, done) in [(spec(3307, false), true), (spec(3308, false), false)] {
            let fresh = resource("8", 3, &spec, &json!({}));
            let server = Server::answering([conflict(), (200, fresh)]);
            let said = resumed(&suspended(SHOWN, 3306), false, &server).await;
            assert_eq!(said.is_ok(), done, "{said:?}");
            assert_eq!(server.said().len(), 2);
            if let Err(why) = said {
                assert!(why.contains("its spec was edited"), "{why}");
            }
        }
        let shown = serde_json::from_value(suspended(SHOWN, 3306)).unwrap();
        let patch = json!({"metadata": {"annotations": {"asked": "now"}}});
        for (written, done) in [
            (json!({"asked": "now"}), true),
            (json!({"asked": "then"}), false),
            (json!({}), false),
        ] {
            let mut fresh = suspended("8", 3306);
            fresh["metadata"]["annotations"] = written;
            let fresh = serde_json::from_value(fresh).unwrap();
            assert_eq!(stands(&patch, &shown, &fresh), done, "{fresh:?}");
        }
    }

    #[tokio::test]
    async fn a_resource_that_is_gone_anew_or_never_at_rest_is_left_alone() {
        let shown = suspended(SHOWN, 3306);
        let server = Server::answering([conflict(), gone()]);
        let refused = resumed(&shown, true, &server).await;
        assert_eq!(refused, Err("was deleted meanwhile".to_owned()));
        let mut anew = suspended("8", 3306);
        anew["metadata"]["uid"] = json!("another");
        let server = Server::answering([conflict(), (200, anew)]);
        let refused = resumed(&shown, true, &server).await.unwrap_err();
        assert!(refused.contains("made anew"), "{refused}");
        let busy = std::iter::repeat_n([conflict(), (200, suspended("8", 3306))], TRIES);
        let server = Server::answering(busy.flatten());
        let refused = resumed(&shown, true, &server).await.unwrap_err();
        assert!(refused.contains("all the time"), "{refused}");
        assert_eq!(server.said().len(), 2 * TRIES);
    }
}
