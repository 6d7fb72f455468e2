//! What a request needs of the rights that a role grants.

use serde_json::Value;

/// One verb on one kind of resource, on one object of it or on all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    group: String,
    /// With the subresource.
    resource: String,
    verb: String,
    name: Option<String>,
}

impl Right {
    /// What a request asks for; nothing where every account that has signed in may ask it.
    ///
    /// `line` is method, path and query. Relies on the paths being those of resources.
    pub fn needed_by(line: &str) -> Option<Self> {
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, rest) = match path.as_slice() {
            // What the API server has: the role `system:discovery`, which every cluster has.
            ["api" | "apis"] => return None,
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => panic!("{line} is not about resources"),
        };
        let (kind, name, subresource) = match rest {
            ["namespaces", _, kind, rest @ ..] | [kind, rest @ ..] => {
                (*kind, rest.first(), rest.get(1))
            }
            [] => panic!("{line} is not about resources"),
        };
        // The role `system:basic-user`, which every cluster has.
        if (group, kind) == ("authorization.k8s.io", "selfsubjectaccessreviews") {
            return None;
        }
        let verb = match method {
            "GET" if query.contains("watch=") => "watch",
            "GET" if name.is_none() => "list",
            "GET" => "get",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ => panic!("{line} is of no method that the operator has"),
        };
        let subresource = subresource.map(|it| format!("/{it}"));
        Some(Self {
            group: group.to_owned(),
            resource: format!("{kind}{}", subresource.unwrap_or_default()),
            verb: verb.to_owned(),
            name: name.map(|name| (*name).to_owned()),
        })
    }

    /// What the roles among these objects grant to the operator, piece by piece; those that are for people, who have them by
    /// Kubernetes' own roles, grant it nothing.
    pub fn granted_by(objects: &[Value]) -> Vec<Self> {
        let roles = objects.iter().filter(|object| {
            let kind = object["kind"].as_str().unwrap();
            let for_people = object["metadata"]["labels"]
                .to_string()
                .contains("/aggregate-to-");
            ["Role", "ClusterRole"].contains(&kind) && !for_people
        });
        let each = roles.flat_map(|role| role["rules"].as_array().unwrap());
        each.flat_map(Self::of_rule).collect()
    }

    fn of_rule(rule: &Value) -> Vec<Self> {
        let words = |field: &str| -> Vec<String> {
            let words = rule[field].as_array().into_iter().flatten();
            words
                .map(|word| word.as_str().unwrap().to_owned())
                .collect()
        };
        let mut names: Vec<_> = words("resourceNames").into_iter().map(Some).collect();
        if names.is_empty() {
            names.push(None);
        }
        let mut rights = Vec::new();
        for group in words("apiGroups") {
            for resource in words("resources") {
                for verb in words("verbs") {
                    rights.extend(names.iter().map(|name| Self {
                        group: group.clone(),
                        resource: resource.clone(),
                        verb: verb.clone(),
                        name: name.clone(),
                    }));
                }
            }
        }
        rights
    }

    /// Whether this right, as granted, is enough for one that is needed.
    pub fn covers(&self, needed: &Self) -> bool {
        let same = (&self.group, &self.resource, &self.verb)
            == (&needed.group, &needed.resource, &needed.verb);
        same && (self.name.is_none() || self.name == needed.name)
    }
}

#[test]
fn a_request_needs_what_the_api_server_would_ask_its_authorizer_for() {
    let needed = |line| Right::needed_by(line).unwrap();
    let right = |group: &str, resource: &str, verb: &str, name: Option<&str>| Right {
        group: group.to_owned(),
        resource: resource.to_owned(),
        verb: verb.to_owned(),
        name: name.map(str::to_owned),
    };
    assert_eq!(
        needed("GET /api/v1/namespaces/shop/secrets/keys"),
        right("", "secrets", "get", Some("keys"))
    );
    assert_eq!(
        needed("GET /api/v1/secrets?watch=true"),
        right("", "secrets", "watch", None)
    );
    assert_eq!(
        needed("PUT /apis/g.example.com/v1/namespaces/shop/things/one/status?x=y"),
        right("g.example.com", "things/status", "update", Some("one"))
    );
    let any = right("", "secrets", "get", None);
    let one = right("", "secrets", "get", Some("keys"));
    assert!(any.covers(&one) && one.covers(&one));
    assert!(!one.covers(&any) && !one.covers(&right("", "secrets", "get", Some("others"))));
}
