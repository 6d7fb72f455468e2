//! `approve` and `apply-now`: a person's word for one plan.
//!
//! Relies on the operator for the id of a plan, which stands for the resource, its spec, and both ports. Promises to write the id of the
//! plan that was shown and is in force, or nothing: the resource may not have changed since unless the same plan is in force still.

use std::fmt::Write as _;

use kube::api::DynamicObject;
use serde_json::{Value, json};
use taurus_port_operator::crd::{APPLY_NOW, APPROVE};

use super::{Outcome, TRIES, patched, targets::Target, told, why};
use crate::{
    Ending,
    cli::{ApprovalArguments, Global},
    cluster::Cluster,
    confirm::agreed,
    failure::Failure,
    format::tame,
    plan::{Proposal, touched::Surrounding},
    resource::{Summary, annotated, owners, text_at},
    surroundings::Surroundings,
};

/// Which word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Approve,
    ApplyNow,
}

/// The plan that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    id: String,
    from: Option<u16>,
    to: Option<u16>,
    not_before: Option<String>,
    waits_for: Vec<String>,
    warnings: Vec<String>,
}

/// Approves the plan that waits.
pub async fn approve(
    global: &Global,
    arguments: &ApprovalArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    give(Word::Approve, global, arguments, around).await
}

/// Lets the plan that waits start outside its windows.
pub async fn apply_now(
    global: &Global,
    arguments: &ApprovalArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    give(Word::ApplyNow, global, arguments, around).await
}

async fn give(
    word: Word,
    global: &Global,
    arguments: &ApprovalArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    let cluster = Cluster::find(global).await?;
    let target = Target::of(cluster.get(&arguments.name).await?);
    let waiting = match in_force(&target, arguments.plan.as_deref()) {
        Ok(waiting) => waiting,
        Err(refusal) => return told(global, &[target.outcome(Err(refusal))], around),
    };
    if let Some(outcome) = word.without_effect(&target, &waiting) {
        return told(global, &[target.outcome(outcome)], around);
    }
    let kept = owners::refusal(&target.object, word.annotation(), arguments.force_conflicts);
    if let Some(refusal) = kept {
        return told(global, &[target.outcome(Err(refusal))], around);
    }
    let text = described(word, &cluster, &target, &waiting).await;
    if arguments.dry_run.is_some() || arguments.yes {
        writeln!(around.err, "{text}")?;
    } else {
        agreed(&text, false, around)?;
    }
    let outcome = written(word, &cluster, target, &waiting, arguments).await;
    told(global, &[outcome], around)
}

impl Word {
    fn annotation(self) -> &'static str {
        match self {
            Self::Approve => APPROVE,
            Self::ApplyNow => APPLY_NOW,
        }
    }

    /// What is said where the word would change nothing; an error where it was surely not meant.
    fn without_effect(self, target: &Target, plan: &Waiting) -> Option<Result<String, String>> {
        let data = &target.object.data;
        let given = annotated(&target.object, self.annotation());
        let by_spec = text_at(data, "/spec/approvedPlan");
        let id = &plan.id;
        let is_given = given.as_deref() == Some(id);
        match self {
            Self::Approve if text_at(data, "/spec/approval").is_none_or(|it| it == "Automatic") => {
                Some(Err(format!(
                    "plan {id} needs no approval, since spec.approval is not Manual; it waits for {}",
                    plan.waited_for()
                )))
            }
            Self::Approve if is_given || by_spec.as_deref() == Some(id) => {
                Some(Ok(format!("plan {id} is approved already")))
            }
            Self::ApplyNow if is_given => Some(Ok(format!(
                "plan {id} may start outside its windows already"
            ))),
            Self::Approve | Self::ApplyNow => None,
        }
    }
}

impl Waiting {
    /// The plan of an object, if one waits.
    fn of(object: &DynamicObject) -> Option<Self> {
        let plan = object.data.pointer("/status/plan")?;
        let texts = |name: &str| {
            let list = plan.get(name).and_then(Value::as_array);
            let texts = list.into_iter().flatten().filter_map(|it| text_at(it, ""));
            texts.collect()
        };
        let port = |name: &str| {
            plan.get(name)?
                .as_u64()
                .and_then(|it| u16::try_from(it).ok())
        };
        Some(Self {
            id: text_at(plan, "/id")?,
            from: port("fromPort"),
            to: port("toPort"),
            not_before: text_at(plan, "/notBefore"),
            waits_for: texts("waitsFor"),
            warnings: texts("warnings"),
        })
    }

    fn waited_for(&self) -> String {
        match self.waits_for.as_slice() {
            [] => "nothing any more".to_owned(),
            words => words.join(" and "),
        }
    }

    fn waits_for(&self, word: &str) -> bool {
        self.waits_for.iter().any(|known| known == word)
    }
}

/// The plan that waits, if it is the one that is meant.
fn in_force(target: &Target, meant: Option<&str>) -> Result<Waiting, String> {
    let Some(plan) = Waiting::of(&target.object) else {
        let said = without_plan(&target.summary);
        return Err(match meant {
            Some(meant) => format!("plan {} is not in status.plan: {said}", tame(meant)),
            None => said,
        });
    };
    match meant {
        Some(meant) if meant != plan.id => Err(format!(
            "plan {} is not the plan in status.plan; that is {} (port {} to {})",
            tame(meant),
            plan.id,
            shown(plan.from),
            shown(plan.to)
        )),
        // The plan is about a spec that was edited since: the operator will make another one.
        _ if target.summary.edited => Err(format!(
            "the spec was edited since the operator made plan {}: wait for the next plan",
            plan.id
        )),
        _ => Ok(plan),
    }
}

/// Why no plan waits, in the operator's words where it has any.
fn without_plan(summary: &Summary) -> String {
    if summary.edited {
        return "no plan waits: the operator has not seen the last edit of the spec yet".to_owned();
    }
    match (&summary.reason, &summary.message) {
        (Some(reason), Some(message)) => {
            format!("no plan waits (reason {}): {}", tame(reason), tame(message))
        }
        (Some(reason), None) => format!("no plan waits (reason {})", tame(reason)),
        (None, _) => "no plan waits: the operator has written no status yet".to_owned(),
    }
}

/// What is about to be allowed, for who has to agree.
async fn described(word: Word, cluster: &Cluster, target: &Target, plan: &Waiting) -> String {
    let (lets, starts) = match word {
        Word::Approve => ("approves", ""),
        Word::ApplyNow => ("lets", " start outside its maintenance windows"),
    };
    let mut text = format!(
        "{}: this {lets} plan {} (port {} to {}){starts}; the change cuts the connections of the proxy once",
        target.named(),
        plan.id,
        shown(plan.from),
        shown(plan.to)
    );
    let mut line = |name: &str, said: &str| {
        let _ = write!(text, "\n  {name:<12}{}", tame(said));
    };
    line("waits for", &plan.waited_for());
    if let Some(time) = &plan.not_before {
        line("not before", time);
    }
    if word == Word::ApplyNow && plan.waits_for("Freeze") {
        line(
            "freeze",
            "a freeze is in force or near, or no calendar was read (see MESSAGE of the resource): the change starts when that is over, \
             also outside its windows; remove the annotation if you don't want that",
        );
    }
    if word == Word::ApplyNow && plan.waits_for("Approval") {
        line(
            "approval",
            "it also has to be approved, which this does not do",
        );
    }
    if plan.waits_for("Preflight") {
        line(
            "preflight",
            "the security group of the instance also has to let in who uses the old port, or to be readable: this does not override that",
        );
    }
    for warning in &plan.warnings {
        line("warning", warning);
    }
    if let (Some(from), Some(to)) = (plan.from, plan.to) {
        let moved = Proposal::as_it_stands(&target.object).moved(from, to);
        let mut surrounding = Surrounding::default();
        Box::pin(surrounding.look(cluster, &moved.namespace)).await;
        for touched in surrounding.touched(&moved) {
            line("touches", &touched.shown());
        }
        for unseen in surrounding.unseen() {
            line("unseen", &unseen);
        }
    }
    text
}

/// Writes the word, unless another plan is in force by then.
async fn written(
    word: Word,
    cluster: &Cluster,
    mut target: Target,
    plan: &Waiting,
    arguments: &ApprovalArguments,
) -> Outcome {
    let dry_run = arguments.dry_run.is_some();
    for _ in 0..TRIES {
        let patch = json!({"metadata": {
            "resourceVersion": target.object.metadata.resource_version,
            "annotations": {word.annotation(): plan.id},
        }});
        match patched(cluster, &target, &patch, dry_run).await {
            Ok(()) => return target.outcome(Ok(done(word, plan, arguments))),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return target.outcome(Err(why(&error))),
        }
        // Something else was written meanwhile, perhaps by the operator: what was shown must be so still.
        target = match cluster.get(&arguments.name).await {
            Ok(object) => Target::of(object),
            Err(failure) => return target.outcome(Err(failure.to_string())),
        };
        // The answer was lost, and the request sent again: it was stored the first time.
        if annotated(&target.object, word.annotation()).as_ref() == Some(&plan.id) {
            return target.outcome(Ok(done(word, plan, arguments)));
        }
        match in_force(&target, Some(&plan.id)) {
            Ok(now) if now == *plan => {}
            Ok(_) => {
                let text = format!(
                    "what plan {} waits for has changed meanwhile: look again",
                    plan.id
                );
                return target.outcome(Err(text));
            }
            Err(refusal) => return target.outcome(Err(refusal)),
        }
    }
    target.outcome(Err(
        "the resource is being changed all the time: try again".to_owned()
    ))
}

fn done(word: Word, plan: &Waiting, arguments: &ApprovalArguments) -> String {
    let id = &plan.id;
    let done = match word {
        Word::Approve => format!("plan {id} is approved"),
        Word::ApplyNow => format!("plan {id} may start outside its windows"),
    };
    match arguments.dry_run {
        Some(_) => format!("{done} (server dry run)"),
        None => done,
    }
}

fn shown(port: Option<u16>) -> String {
    port.map_or_else(|| "?".to_owned(), |port| port.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::kind,
        verbs::stub::{Server, conflict, resource},
    };

    fn target(spec: Value, status: Value, annotations: Value) -> Target {
        let mut data = json!({});
        data["spec"] = spec;
        data["status"] = status;
        let mut object = DynamicObject::new("orders", &kind())
            .within("shop")
            .data(data);
        object.metadata.annotations = serde_json::from_value(annotations).unwrap();
        object.metadata.generation = Some(2);
        Target::of(object)
    }

    fn waiting() -> Value {
        json!({"observedGeneration": 2, "plan": {"id": "p1", "fromPort": 3306, "toPort": 3307, "waitsFor": ["Approval", "Window"]}})
    }

    #[test]
    fn only_the_plan_in_force_is_meant() {
        let spec = json!({"approval": "Manual"});
        let there = target(spec.clone(), waiting(), json!({}));
        assert_eq!(in_force(&there, None).unwrap().id, "p1");
        assert_eq!(in_force(&there, Some("p1")).unwrap().id, "p1");
        let other = in_force(&there, Some("p0")).unwrap_err();
        assert!(
            other.contains("plan p0 is not the plan in status.plan; that is p1"),
            "{other}"
        );
        let none = target(spec.clone(), json!({}), json!({}));
        assert!(in_force(&none, None).unwrap_err().contains("no plan waits"));
        assert!(
            in_force(&none, Some("p0"))
                .unwrap_err()
                .contains("plan p0 is not in status.plan: no plan waits")
        );
        let mut edited = waiting();
        edited["observedGeneration"] = json!(1);
        let edited = target(spec, edited, json!({}));
        assert!(in_force(&edited, None).unwrap_err().contains("edited"));
    }

    #[test]
    fn a_word_that_changes_nothing_is_not_written() {
        let manual = json!({"approval": "Manual"});
        let by_git = json!({"approval": "Manual", "approvedPlan": "p1"});
        for (word, spec, annotations, wanted) in [
            (Word::Approve, manual.clone(), json!({}), None),
            (Word::Approve, json!({}), json!({}), Some(false)),
            (Word::Approve, by_git, json!({}), Some(true)),
            (
                Word::Approve,
                manual.clone(),
                json!({APPROVE: "p1"}),
                Some(true),
            ),
            (Word::Approve, manual.clone(), json!({APPROVE: "p0"}), None),
            (Word::ApplyNow, manual.clone(), json!({APPROVE: "p1"}), None),
            (
                Word::ApplyNow,
                json!({}),
                json!({APPLY_NOW: " p1"}),
                Some(true),
            ),
            (Word::ApplyNow, json!({}), json!({}), None),
        ] {
            let target = target(spec, waiting(), annotations);
            let plan = Waiting::of(&target.object).unwrap();
            let said = word.without_effect(&target, &plan);
            assert_eq!(said.as_ref().map(Result::is_ok), wanted, "{said:?}");
        }
    }

    /// What becomes of an approval of the plan that was shown, where the server answers so.
    async fn approved(server: &Server) -> Outcome {
        let shown = resource("7", 2, &json!({"approval": "Manual"}), &waiting());
        let shown = Target::of(serde_json::from_value(shown).unwrap());
        let plan = Waiting::of(&shown.object).unwrap();
        let arguments = ApprovalArguments {
            name: "orders".to_owned(),
            yes: true,
            ..ApprovalArguments::default()
        };
        written(Word::Approve, &server.cluster(), shown, &plan, &arguments).await
    }

    #[tokio::test]
    async fn after_a_conflict_the_same_plan_is_approved_and_no_other() {
        let manual = json!({"approval": "Manual"});
        let fresh = |status: &Value| (200, resource("8", 2, &manual, status));
        let same = fresh(&waiting());
        let server = Server::answering([conflict(), same.clone(), same.clone()]);
        let outcome = approved(&server).await;
        assert!(!outcome.failed, "{outcome:?}");
        let said = server.said();
        assert_eq!(said[2]["metadata"]["resourceVersion"], "8");
        assert_eq!(said[2]["metadata"]["annotations"][APPROVE], "p1");

        let mut waits = waiting();
        waits["plan"]["waitsFor"] = json!(["Approval", "Freeze"]);
        let mut other = waiting();
        other["plan"]["id"] = json!("p2");
        let none = json!({"observedGeneration": 2});
        for (status, why) in [
            (&waits, "waits for has changed meanwhile"),
            (&other, "plan p1 is not the plan in status.plan; that is p2"),
            (&none, "plan p1 is not in status.plan"),
        ] {
            let server = Server::answering([conflict(), fresh(status)]);
            let outcome = approved(&server).await;
            assert!(
                outcome.failed && outcome.message.contains(why),
                "{outcome:?}"
            );
        }

        // Stored already, and its answer lost: the operator may have begun by now.
        let (_, mut stored) = fresh(&none);
        stored["metadata"]["annotations"] = json!({APPROVE: "p1"});
        let server = Server::answering([conflict(), (200, stored)]);
        let outcome = approved(&server).await;
        assert_eq!(
            (outcome.failed, outcome.message.as_str()),
            (false, "plan p1 is approved")
        );

        let busy = std::iter::repeat_n([conflict(), same], TRIES);
        let outcome = approved(&Server::answering(busy.flatten())).await;
        assert!(
            outcome.failed && outcome.message.contains("all the time"),
            "{outcome:?}"
        );
    }

    #[test]
    fn a_plan_of_another_release_is_read_as_far_as_it_goes() {
        let later = json!({"plan": {"id": "p1", "fromPort": "3306", "waitsFor": ["Moon"], "warnings": ["a"]}});
        let with = target(json!({}), later, json!({}));
        let plan = Waiting::of(&with.object).unwrap();
        assert_eq!((plan.from, plan.to), (None, None));
        assert_eq!(
            (plan.waited_for(), plan.warnings.len()),
            ("Moon".to_owned(), 1)
        );
        let without = target(json!({}), json!({"plan": {}}), json!({}));
        assert_eq!(Waiting::of(&without.object), None);
    }
}
