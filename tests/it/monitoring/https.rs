//! `/metrics` by https, as the real program serves it, with a certificate that is swapped while it runs.

use std::{fs, path::Path};

use reqwest::{Certificate, Client};
use taurus_sim::Mode;

use crate::world::{World, front::Authority, options, program::Program};

/// Puts a certificate of the operator and its key where the program finds them.
fn put(folder: &Path, [certificate, key]: &[String; 2]) {
    fs::write(folder.join("tls.crt"), certificate).unwrap();
    fs::write(folder.join("tls.key"), key).unwrap();
}

/// A client that believes this authority alone, and opens a connection for each request.
fn client(authority: &Authority) -> Client {
    let believed = Certificate::from_der(&authority.der()).unwrap();
    let client = Client::builder().no_proxy().pool_max_idle_per_host(0);
    client.tls_certs_only([believed]).build().unwrap()
}

/// What is answered; nothing where the server is not believed.
async fn figures(client: &Client, url: &str) -> Option<String> {
    let answer = client.get(url).send().await.ok()?;
    assert_eq!(answer.status().as_u16(), 200);
    answer.text().await.ok()
}

/// Where the program serves its figures by https: the system chose the port, and the first line of the log has it.
fn url(program: &Program) -> String {
    let lines = program.lines();
    let address = lines.iter().find_map(|line| line["metrics"].as_str());
    let (_, port) = address.unwrap().rsplit_once(':').unwrap();
    format!("https://localhost:{port}/metrics")
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_serves_its_figures_by_https_and_shows_a_certificate_that_was_swapped() {
    let world = World::without_operator(options(Mode::M2)).await;
    let (old, new) = (Authority::new("the old one"), Authority::new("the new one"));
    let folder = tempfile::tempdir().unwrap();
    let first = old.issue("localhost");
    put(folder.path(), &first);
    let [certificate, key] =
        ["tls.crt", "tls.key"].map(|name| folder.path().join(name).display().to_string());
    let environment = [
        ("TAURUS_METRICS_TLS_CERT", certificate.as_str()),
        ("TAURUS_METRICS_TLS_KEY", key.as_str()),
    ];
    let flags = ["--metrics-tls-address", "127.0.0.1:0"];
    // Its probes are answered by http.
    let program = Program::start_with(&world, &environment, &flags).await;
    program.until_answer("/livez", 200).await;
    program.until_answer("/metrics", 404).await;
    let url = url(&program);
    let (of_old, of_new) = (client(&old), client(&new));
    let text = figures(&of_old, &url).await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let broken = |number: u32| format!("\ntaurus_metrics_certificate_broken {number}\n");
    assert!(text.contains(&broken(0)), "{text}");
    assert!(figures(&of_new, &url).await.is_none());

    fs::write(folder.path().join("tls.key"), "swapped by hand").unwrap();
    world
        .until_true_async("it says that the key is none", async || {
            let text = figures(&of_old, &url).await.unwrap();
            text.contains(&broken(1))
        })
        .await;
    let said = "the certificate of /metrics can't be read again";
    world
        .until_true("the log says so", || program.log().contains(said))
        .await;
    let key: String = first[1].lines().skip(1).take(1).collect();
    assert!(!program.log().contains(&key), "no word of a key");

    put(folder.path(), &new.issue("localhost"));
    world
        .until_true_async("it shows the new one", async || {
            let text = figures(&of_new, &url).await;
            text.is_some_and(|text| text.contains(&broken(0)))
        })
        .await;
    assert!(figures(&of_old, &url).await.is_none());
    world.want(3307).await;
    world.until_ready(3307).await;
    world.finish().await;
}
