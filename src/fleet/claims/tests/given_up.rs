//! Whose word on a job counts.

use super::*;
use crate::crd::ABANDON_JOB;

fn giving_up(object: TaurusProxyPort) -> TaurusProxyPort {
    let mut object = object;
    object
        .annotations_mut()
        .insert(ABANDON_JOB.to_owned(), "job-9".to_owned());
    object
}

fn jobs(claims: &Claims, of: &TaurusProxyPort) -> Vec<(String, Option<String>)> {
    let jobs = claims.abandoned(&subject(of), &of.namespace().unwrap());
    let told = |(job, by): (JobId, Option<ResourceName>)| {
        (job.as_str().to_owned(), by.map(|by| by.name().to_owned()))
    };
    jobs.into_iter().map(told).collect()
}

#[test]
fn abandoned_jobs_are_known_by_instance() {
    let claims = Claims::default();
    let one = object("a", 100, |_| ());
    note(&claims, &giving_up(one.clone()), 0);
    let by = Some("a".to_owned());
    assert_eq!(jobs(&claims, &one), [("job-9".to_owned(), by)]);
    note(&claims, &one, 0);
    assert_eq!(jobs(&claims, &one), []);
}

#[test]
fn h13_a_stranger_gives_up_nobody_s_job() {
    let claims = Claims::default();
    let victim = object("victim", 100, |_| ());
    let stranger = elsewhere(giving_up(object("stranger", 200, |value| {
        value["spec"]["proxyID"] = json!(format!("{}po01", "9".repeat(32)));
    })));
    note(&claims, &victim, 0);
    note(&claims, &stranger, 0);
    assert_eq!(jobs(&claims, &victim), [], "it was not looked for yet");
    claims.looked("stranger", false, at(0));
    assert_eq!(jobs(&claims, &victim), []);
    let ignored = claims.unheard("stranger").unwrap();
    assert_eq!(ignored.as_str(), "job-9");
    assert_eq!(
        jobs(&claims, &stranger).len(),
        1,
        "its own namespace may be of use to itself"
    );
    claims.looked("stranger", true, at(0));
    assert_eq!(jobs(&claims, &victim), [("job-9".to_owned(), None)]);
    assert_eq!(claims.unheard("stranger"), None);
}

#[test]
fn h13_proof_of_another_place_counts_for_nothing() {
    type Change = fn(&mut Value);
    let places: [Change; 3] = [
        |value| value["spec"]["region"] = json!("cn-north-4"),
        |value| value["spec"]["endpoint"] = json!("https://cloud.example.test"),
        |value| value["spec"]["projectID"] = json!("9".repeat(32)),
    ];
    for place in places {
        for near in [true, false] {
            let claims = Claims::default();
            let victim = object("victim", 100, |_| ());
            let other = giving_up(object("other", 200, place));
            let other = if near { other } else { elsewhere(other) };
            note(&claims, &victim, 0);
            note(&claims, &other, 0);
            claims.looked("other", true, at(0));
            assert_eq!(jobs(&claims, &victim), []);
        }
    }
}

#[test]
fn h13_a_neighbour_in_the_namespace_is_believed_as_the_owner_would_be() {
    let claims = Claims::default();
    let victim = object("victim", 100, |_| ());
    let neighbour = giving_up(object("neighbour", 200, |_| ()));
    note(&claims, &victim, 0);
    note(&claims, &neighbour, 0);
    claims.looked("neighbour", false, at(0));
    let by = Some("neighbour".to_owned());
    assert_eq!(jobs(&claims, &victim), [("job-9".to_owned(), by)]);
}

#[test]
fn who_may_believe_that_a_job_was_given_up_is_woken() {
    let claims = Claims::default();
    let victim = object("victim", 100, |_| ());
    let far = elsewhere(object("far", 100, |_| ()));
    let neighbour = object("neighbour", 200, |_| ());
    for object in [&victim, &far, &neighbour] {
        note(&claims, object, 0);
    }
    assert_eq!(note(&claims, &giving_up(neighbour.clone()), 1), ["victim"]);
    assert_eq!(note(&claims, &giving_up(neighbour), 2), [""; 0]);
    assert_eq!(note(&claims, &giving_up(far), 3), [""; 0]);
    let woken = names(claims.looked("far", true, at(0)));
    assert_eq!(woken, ["neighbour", "victim"]);
}
