//! A host that goes silent: a request that it did not acknowledge within its time does not reach it later, also once the process
//! that sent it is gone.
//!
//! Two network namespaces with a cable between them, which takes no more rights than a user has on its own machine where user
//! namespaces are allowed. The host goes silent as it loses its address: packets arrive there and nobody answers them. The parts run in
//! processes of their own, each a test of this program that is left out otherwise.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use hyper_util::rt::TokioIo;
use taurus_port_operator::cloud::{dial::Dialer, trust::Trust};
use tokio::io::AsyncWriteExt as _;
use tower_service::Service as _;

use super::*;
use crate::world::netns;

/// Says to a part for how long what was sent may stay unacknowledged, in milliseconds; 0 leaves it to the kernel.
const SENT_WITHIN: &str = "TAURUS_TEST_SENT_WITHIN";

/// The two ends of the cable, and the port of the host.
const HERE: &str = "10.96.7.1";
const THERE: &str = "10.96.7.2";
const PORT: u16 = 4443;

#[taurus_needs::test]
fn r02_what_a_silent_host_did_not_acknowledge_in_time_never_reaches_it() {
    play("2000");
}

/// Without the bound the request does arrive: what the other test sees is the bound's doing.
#[taurus_needs::test]
fn r02_without_the_bound_the_kernel_delivers_what_a_dead_process_has_sent() {
    play("0");
}

/// Plays the story in a namespace of its own.
fn play(sent_within: &str) {
    netns::needed();
    netns::play(&name_of("story"), &[(SENT_WITHIN, sent_within)]);
}

fn name_of(part: &str) -> String {
    format!("client::black_hole::part_{part}")
}

/// A part of this program as a process, by way of another program.
fn part(by: Command, name: &str) -> Command {
    netns::this_program(by, &name_of(name))
}

/// A part that runs, and is killed in the end.
struct Running {
    child: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
}

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            says: BufReader::new(child.stdout.take().unwrap()),
            hears: child.stdin.take().unwrap(),
            child,
        }
    }

    /// Reads on until a line says this.
    fn until(&mut self, wanted: &str) {
        let mut said = String::new();
        while !said.lines().any(|line| line.trim_end() == wanted) {
            let more = self.says.read_line(&mut said).unwrap();
            assert!(more > 0, "it ended before it said {wanted}: {said}");
        }
    }

    /// What it says up to a line, which is there.
    fn lines_until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != last) {
            let mut line = String::new();
            assert!(self.says.read_line(&mut line).unwrap() > 0, "{lines:?}");
            lines.push(line.trim_end().to_owned());
        }
        lines
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "a part of the tests above"]
fn part_story() {
    let bounded = std::env::var(SENT_WITHIN).unwrap() != "0";
    let mut host = Running::start(part(
        {
            let mut by = Command::new("unshare");
            by.arg("--net");
            by
        },
        "host",
    ));
    host.until("listening");
    let namespace = host.child.id();
    let in_host = |arguments: &str| {
        netns::succeeds(
            Command::new("nsenter")
                .args(["--net", "--target", &namespace.to_string(), "ip"])
                .args(arguments.split(' ')),
        );
    };
    netns::ip(&format!(
        "link add name here address 02:00:00:00:00:01 type veth peer name there address 02:00:00:00:00:02 netns {namespace}"
    ));
    netns::ip(&format!("address add {HERE}/30 dev here"));
    netns::ip("link set here up");
    let address = format!("address add {THERE}/30 dev there");
    in_host(&address);
    in_host("link set there up");
    // Both know each other: what is lost below are the packets of the connection and no questions for addresses.
    netns::ip(&format!(
        "neighbour replace {THERE} lladdr 02:00:00:00:00:02 dev here nud permanent"
    ));
    in_host(&format!(
        "neighbour replace {HERE} lladdr 02:00:00:00:00:01 dev there nud permanent"
    ));

    let mut client = Running::start(part(Command::new("env"), "client"));
    client.until("connected");
    in_host(&format!("address del {THERE}/30 dev there"));
    writeln!(client.hears, "go on").unwrap();
    client.until("sent");
    client.kill();

    // The kernel goes on without the process: until it gives up, or has tried in vain for long enough.
    let tried = loop {
        match tries() {
            Some(tries) if bounded || tries < 5 => std::thread::sleep(Duration::from_millis(50)),
            tried => break tried,
        }
    };
    assert_eq!(tried.is_none(), bounded, "{tried:?}");
    in_host(&address);
    in_host(&format!(
        "neighbour replace {HERE} lladdr 02:00:00:00:00:01 dev there nud permanent"
    ));
    if bounded {
        let mut later = std::net::TcpStream::connect((THERE, PORT)).unwrap();
        writeln!(later, "later").unwrap();
        drop(later);
        assert_eq!(host.lines_until("heard later"), ["heard later"]);
    } else {
        assert_eq!(host.lines_until("heard request"), ["heard request"]);
    }
}

/// How often the kernel has sent again what waits in the connection to the host; nothing if there is no such connection. From the table
/// in `/proc/net/tcp`: addresses and ports in hexadecimal digits, the state, queues, a timer, and the count.
fn tries() -> Option<u32> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{PORT:04X}");
    let to_host = |line: &&str| {
        let remote = line.split_whitespace().nth(2);
        remote.is_some_and(|remote| remote.ends_with(&port))
    };
    let connection = table.lines().find(to_host)?;
    let count = connection.split_whitespace().nth(6).unwrap();
    Some(u32::from_str_radix(count, 16).unwrap())
}

#[test]
#[ignore = "a part of the tests above"]
fn part_host() {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).unwrap();
    println!("\nlistening");
    for stream in listener.incoming() {
        std::thread::spawn(move || {
            let mut stream = stream.unwrap();
            let mut heard = String::new();
            let mut byte = [0];
            while !heard.ends_with('\n') && stream.read(&mut byte).is_ok_and(|read| read > 0) {
                heard.push(char::from(byte[0]));
            }
            if !heard.is_empty() {
                println!("heard {}", heard.trim_end());
            }
        });
    }
}

#[tokio::test]
#[ignore = "a part of the tests above"]
async fn part_client() {
    let sent_within = std::env::var(SENT_WITHIN).unwrap().parse().unwrap();
    let trust = Trust::new(Authorities::none(), Clock::start()).unwrap();
    let bounds = (Duration::from_secs(30), Duration::from_millis(sent_within));
    let mut dialer = Dialer::new(Egress::direct(), trust, Names::of_the_system(), bounds);
    let host = format!("http://{THERE}:{PORT}").parse().unwrap();
    let mut connection = TokioIo::new(dialer.call(host).await.unwrap());
    println!("\nconnected");
    std::io::stdin()
        .lock()
        .read_line(&mut String::new())
        .unwrap();
    connection.write_all(b"request\n").await.unwrap();
    connection.flush().await.unwrap();
    println!("sent");
    // Until it is killed.
    std::future::pending::<()>().await;
}
