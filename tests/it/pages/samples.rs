//! The commands of `docs/credentials.md` and `docs/templating.md`, which need an API server alone.

use super::{Page, commands::Person};
use crate::world::{
    plane,
    shell::blocks,
    tools::{printed, tool},
};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_page_on_credentials_make_a_secret_and_see_the_right_to_make_tokens() {
    let plane = &plane::with("deploy/base").await;
    printed(plane::kubectl(plane, &["create", "namespace", "shop"]));
    let person = Person::at(plane, "shop");
    let page = Page::read("docs/credentials.md");
    let commands: Vec<&str> = blocks(&page.text).collect();
    let [secret, issuer, right] = commands[..] else {
        panic!("three blocks: {commands:?}")
    };
    let files = "printf %s \"$ACCESS_KEY\" > access-key; printf %s \"$SECRET_KEY\" > secret-key";
    person.types(&format!("{files}\n{secret}")).await;
    let look = "kubectl get secret taurus-credentials -o jsonpath='{.data}'";
    let keys = person.types(look).await;
    assert!(
        keys.contains("accessKey") && keys.contains("secretKey"),
        "the two keys"
    );
    let said = person.types(issuer).await;
    assert!(
        said.contains("\"issuer\"") && said.contains("\"keys\""),
        "{said}"
    );

    let said = person.types(&format!("! {{\n{right}}}")).await;
    assert!(said.starts_with("no"), "{said}");
    let component = "kubectl apply -f deploy/components/workload-identity/rbac.yaml";
    // The API server sees a new right within a moment.
    let waited = format!("{component}\nuntil {{\n{right}}}\ndo sleep 0.1; done");
    let said = person.types(&waited).await;
    assert!(said.ends_with("yes\n"), "{said}");
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_page_on_templating_make_what_they_render() {
    let plane = &plane::with("deploy/base").await;
    let shipped = tool("kustomize-controller").with_file_name("crds");
    let folder = shipped.to_str().unwrap();
    for arguments in [
        &["create", "namespace", "flux-system"][..],
        &["create", "namespace", "shop"],
        &["apply", "--server-side", "-f", folder],
        &["wait", "crd", "--all", "--for=condition=Established"],
    ] {
        printed(plane::kubectl(plane, arguments));
    }
    let page = Page::read("docs/templating.md");
    let commands: Vec<&str> = blocks(&page.text).collect();
    let [flux, kustomize, helm] = commands[..] else {
        panic!("three blocks: {commands:?}")
    };
    let person = Person::at(plane, "shop");
    let said = person.types(flux).await;
    assert_eq!(said.matches(" created").count(), 2, "{said}");
    let said = person.types(kustomize).await;
    assert!(said.contains("\nkind: TaurusProxyPort\n"), "{said}");
    person.types(helm).await;
    for (place, port) in [
        ("default get tpp orders", "3307"),
        ("shop get tpp orders-proxy-port", "3310"),
    ] {
        let get = format!("kubectl -n {place} -o jsonpath='{{.spec.port}}'");
        assert_eq!(person.types(&get).await, port, "{place}");
    }
}
