//! The files of the image at work: as its user, with nothing else to read and nothing to write to.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use taurus_sim::Mode;

use super::root::{AUTHORITIES, Image, is_root, namespace};
use crate::world::{
    World,
    front::{Authority, Front},
    message, options, plane,
    program::Program,
    reason,
    tools::printed,
};

/// Where a pod finds its service account.
const ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

/// Where an authority is mounted that a private cloud has of its own.
const MOUNTED: &str = "etc/taurus/authorities.pem";

const AUTHORITY: &str = "private authority of a test";

/// The operator in the image, in a story's namespace.
async fn started(world: &World, image: &Image, flags: &[&str]) -> Program {
    let kubeconfig = plane::operator_kubeconfig(&world.plane).await;
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).unwrap();
    let of_cluster = |field: &str| {
        let cluster = &kubeconfig["clusters"][0]["cluster"];
        cluster[field].as_str().unwrap().to_owned()
    };
    let authority = of_cluster("certificate-authority-data");
    let authority: k8s_openapi::ByteString = serde_json::from_value(authority.into()).unwrap();
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap();
    // An engine and the kubelet bring these into each pod.
    for (path, text) in [
        ("etc/hosts", "127.0.0.1 localhost\n"),
        ("etc/resolv.conf", "nameserver 127.0.0.1\n"),
        (
            &format!("{ACCOUNT}/ca.crt"),
            &String::from_utf8(authority.0).unwrap(),
        ),
        (&format!("{ACCOUNT}/namespace"), &world.namespace),
        (&format!("{ACCOUNT}/token"), token),
    ] {
        image.put(path, text);
    }
    let server = of_cluster("server");
    let (host, port) = server.rsplit_once(':').unwrap();
    let host = host.strip_prefix("https://").unwrap();
    let mut command = image.command();
    command
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", port.trim_end_matches('/'));
    let program = Program::begin_as(world, command, flags).await;
    program.until_answer("/readyz", 200).await;
    program
}

/// A story's resource, whose cloud speaks TLS.
async fn wanted(world: &World, host: &str) {
    let mut resource = world.resource(3307);
    resource.spec.endpoint = Some(format!("https://{host}"));
    resource.spec.iam_endpoint = None;
    world.create(&resource).await;
}

/// How far a running process may go.
fn holds_to_its_limits(program: &Program) {
    let process = format!("/proc/{}", program.id().unwrap());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let words = line.expect(name).split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(field("NoNewPrivs:"), "1");
    let mounts = fs::read_to_string(format!("{process}/mountinfo")).unwrap();
    let of_root = mounts
        .lines()
        .find(|line| line.split(' ').nth(4) == Some("/"));
    let options = of_root.expect(&mounts).split(' ').nth(5).unwrap();
    assert!(options.split(',').any(|it| it == "ro"), "{mounts}");
    // Only root can become another user.
    if is_root() {
        assert_eq!(field("Uid:"), "65532 65532 65532 65532");
        assert_eq!(field("Gid:"), "65532 65532 65532 65532");
        assert_eq!(field("Groups:"), "");
        assert_eq!(field("CapEff:"), "0000000000000000");
    }
}

#[taurus_needs::test]
fn the_image_holds_the_program_and_the_usual_authorities_and_nothing_else() {
    let image = Image::laid_out();
    let (program, authorities) = ("taurus-port-operator".to_owned(), AUTHORITIES.to_owned());
    assert_eq!(
        image.files(),
        [(authorities, 0o100_444), (program, 0o100_555)]
    );
    let bundle = fs::read_to_string(image.path().join(AUTHORITIES)).unwrap();
    let count = bundle.matches("-----BEGIN CERTIFICATE-----").count();
    assert!(count > 100, "{count} authorities");

    // Nothing is loaded at its start: it runs where there is nothing else.
    let said = Command::new("unshare")
        .args(namespace())
        .args([Path::new("chroot"), &image.path()])
        .args(["/taurus-port-operator", "--version"])
        .output()
        .unwrap();
    let said = printed(said);
    let version = env!("CARGO_PKG_VERSION");
    let begin = format!("taurus-port-operator {version} (commit ");
    assert!(said.starts_with(&begin), "{said}");
    assert!(
        said.contains("-unknown-linux-musl, time zones 20"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e28_the_image_believes_the_usual_store_and_an_authority_that_is_named() {
    let image = Image::laid_out();
    let own_store = fs::read_to_string(image.path().join(AUTHORITIES)).unwrap();
    let authority = Authority::new(AUTHORITY);
    for named in [false, true] {
        let world = World::without_operator(options(Mode::M2)).await;
        let identity = authority.vouch_for("localhost", |_| ());
        let front = Front::with_tls(identity, world.sim.address());
        let host = format!("localhost:{}", front.port());
        let mut flags = vec!["--allowed-endpoint", &host];
        let mounted = format!("/{MOUNTED}");
        if named {
            image.put(AUTHORITIES, &own_store);
            image.put(MOUNTED, &authority.pem());
            flags.extend(["--extra-ca", &mounted]);
        } else {
            // What the store would hold if this authority were one of the usual ones.
            image.put(AUTHORITIES, &format!("{own_store}{}", authority.pem()));
        }
        let mut program = started(&world, &image, &flags).await;
        holds_to_its_limits(&program);
        wanted(&world, &host).await;
        world.until_ready(3307).await;
        assert_eq!(world.asked_for(), [3307], "{}", program.log());

        let figures = program.until_answer("/metrics", 200).await;
        let told = figures
            .lines()
            .find(|it| it.starts_with("taurus_build_info{"));
        let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
        let told = told.expect(&figures);
        assert!(
            told.contains(&version) && told.contains("commit=\""),
            "{told}"
        );
        world.until_neighbour_is_ready().await;
        program.signal("TERM").await;
        assert!(program.ended().await.success(), "{}", program.log());
        world.finish().await;
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e28_the_image_tells_the_issuer_that_nobody_vouches_for_and_sends_nothing() {
    let image = Image::laid_out();
    let world = World::without_operator(options(Mode::M2)).await;
    let identity = Authority::new(AUTHORITY).vouch_for("localhost", |_| ());
    let front = Front::with_tls(identity, world.sim.address());
    let host = format!("localhost:{}", front.port());
    let program = started(&world, &image, &["--allowed-endpoint", &host]).await;
    wanted(&world, &host).await;
    let told = world
        .until("it is told", |it| reason(it) == "TLSFailed")
        .await;
    assert!(message(&told).contains(AUTHORITY), "{}", message(&told));
    assert!(world.asked_for().is_empty(), "{}", program.log());
    world.until_neighbour_is_ready().await;
}
