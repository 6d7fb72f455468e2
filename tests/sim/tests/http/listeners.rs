//! Where clients reach a proxy while a job is at work on its port: as the state tells it, and by real connections.

use std::net::SocketAddr;

use taurus_sim::{JobOutcome, JobPlan, Options, PortListens, ProxyChange, Simulator, Time, sample};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::client::{Client, PATIENCE, seconds, start, start_with};

/// An address of this machine that nobody else listens at.
const ADDRESS: &str = "127.20.0.1";

fn listening(simulator: &Simulator) -> Option<u16> {
    simulator.proxy(sample::PROXY).unwrap().listening_port
}

/// The ports after so many seconds, of a change from 3306 to 3307 by a job that begins after 10 seconds and ends after 70.
async fn course(plan: JobPlan, at: &[u64]) -> Vec<Option<u16>> {
    let (simulator, client) = start().await;
    simulator.next_job(JobPlan {
        pending: seconds(10),
        ..plan
    });
    client.accepted(3307).await;
    let mut passed = 0;
    let mut ports = Vec::new();
    for second in at {
        simulator.advance(seconds(second - passed)).unwrap();
        passed = *second;
        ports.push(listening(&simulator));
    }
    ports
}

#[tokio::test]
async fn a_proxy_listens_by_the_course_of_its_job() {
    let plan = |listens| JobPlan::default().port_listens(listens);
    let (old, new) = (Some(3306), Some(3307));
    let at_end = course(plan(PortListens::AtEnd), &[0, 10, 69, 70]).await;
    assert_eq!(at_end, [old, old, old, new]);
    let before = course(plan(PortListens::Before(seconds(5))), &[0, 64, 65, 69, 70]).await;
    assert_eq!(before, [old, old, new, new, new]);
    let long_before = course(plan(PortListens::Before(seconds(1000))), &[9, 10, 70]).await;
    assert_eq!(long_before, [old, new, new], "not before it works");
    let down = course(plan(PortListens::Down(seconds(5))), &[9, 10, 74, 75]).await;
    assert_eq!(down, [old, None, None, new]);
}

#[tokio::test]
async fn a_job_that_does_not_complete_brings_the_old_port_back() {
    let (old, new) = (Some(3306), Some(3307));
    let failing = |listens| JobPlan::failing("no").port_listens(listens);
    let before = course(failing(PortListens::Before(seconds(5))), &[64, 65, 70]).await;
    assert_eq!(before, [old, new, old]);
    let down = course(failing(PortListens::Down(seconds(0))), &[10, 69, 70]).await;
    assert_eq!(down, [None, None, old]);
    let endless = |outcome, listens| JobPlan::ending(outcome).port_listens(listens);
    let at = [10, 100_000];
    let never = JobOutcome::NeverEnds;
    let before = endless(never.clone(), PortListens::Before(seconds(5)));
    assert_eq!(course(before, &at).await, [old, old]);
    let down = endless(never, PortListens::Down(seconds(5)));
    assert_eq!(course(down, &at).await, [None, None]);
    let waits = endless(JobOutcome::Unauthorized, PortListens::Down(seconds(5)));
    assert_eq!(course(waits, &at).await, [old, old], "it never works");
}

/// A database that says one letter to each client and keeps it.
async fn database() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            client.write_all(b"J").await.unwrap();
            kept.push(client);
        }
    });
    (address, serving)
}

/// Waits for a connection that the database has greeted.
async fn reached(port: u16) -> TcpStream {
    let reaching = async {
        loop {
            if let Ok(mut stream) = TcpStream::connect((ADDRESS, port)).await
                && stream.read_u8().await.is_ok()
            {
                return stream;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reaching).await.unwrap()
}

/// Waits until nothing listens there.
async fn refused(port: u16) {
    let refused = async {
        while TcpStream::connect((ADDRESS, port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
}

async fn cut(mut stream: TcpStream) {
    let ended = async {
        let read = stream.read_u8().await;
        assert!(read.is_err(), "the database said it once");
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
}

async fn with_database() -> (Simulator, Client, JoinHandle<()>) {
    let (database, serving) = database().await;
    let options = Options {
        time: Time::Stepped,
        database: Some(database),
        ..Options::default()
    };
    let (simulator, client) = start_with(options).await;
    let change = ProxyChange {
        address: Some(ADDRESS.to_owned()),
        // Ports of tests, out of reach of the system's own choice and of databases on this machine.
        port: Some(23_306),
        ..ProxyChange::default()
    };
    simulator.change_proxy(sample::PROXY, change).unwrap();
    (simulator, client, serving)
}

#[tokio::test]
async fn clients_are_cut_when_the_port_moves_and_reach_the_new_one() {
    let (simulator, client, serving) = with_database().await;
    let old = reached(23_306).await;
    simulator.next_job(JobPlan::default().port_listens(PortListens::Before(seconds(5))));
    client.accepted(23_307).await;
    refused(23_307).await;
    simulator.advance(seconds(55)).unwrap();
    cut(old).await;
    let new = reached(23_307).await;
    refused(23_306).await;

    // The next one listens nowhere meanwhile.
    simulator.advance(seconds(5)).unwrap();
    simulator.next_job(JobPlan::default().port_listens(PortListens::Down(seconds(1))));
    client.accepted(23_308).await;
    cut(new).await;
    for port in [23_307, 23_308] {
        refused(port).await;
    }
    simulator.advance(seconds(61)).unwrap();
    reached(23_308).await;
    refused(23_307).await;
    serving.abort();
}
