//! The ways to the cloud: each property of the connections that reads are made on holds of the one that carries a change.
//!
//! Both are tried against the same listeners. What is asked of both: the proxy of the environment and the hosts that it is not
//! for, TLS to the proxy, its certificate and its password; the order of a host's addresses, dead ones among them; literals of
//! IPv6; further authorities; the name in TLS and in the header `Host`; and an end to everything that stays silent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use taurus_port_operator::cloud::ChangeAnswer;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{changes::Intents, *};
use crate::world::front::{self, Authority, Front, Identity};

/// `operator:p@ss` in base64, as a proxy is shown it.
const SHOWN: &str = "b3BlcmF0b3I6cEBzcw==";

/// What both hear of a way.
enum Heard {
    /// Both come through.
    Through,
    /// Neither does; what is said of it.
    Refused(Meaning, &'static str),
}

/// A way, and what has to be seen on it.
struct Way {
    what: &'static str,
    url: String,
    egress: Egress,
    names: Names,
    heard: Heard,
    /// How often the proxy was asked for the host, by each of the two.
    through_proxy: usize,
    /// The name in TLS.
    name: Option<&'static str>,
}

fn variables(pairs: &[(&str, String)]) -> Egress {
    let value = |name: &str| {
        let found = pairs.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    Egress::new(value).unwrap()
}

/// A host of these addresses, in this order.
fn addresses(addresses: &[IpAddr]) -> Names {
    let found: Vec<_> = addresses.iter().map(|at| SocketAddr::new(*at, 0)).collect();
    Names::new(move |_| Box::pin(std::future::ready(Ok(found.clone()))))
}

/// An address at which connections never open: its queue is full, and nobody empties it.
struct BlackHole {
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    async fn at(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(0).unwrap();
        let mut waiting = Vec::new();
        loop {
            let opening = TcpStream::connect(address);
            match tokio::time::timeout(Duration::from_millis(300), opening).await {
                Ok(opened) => waiting.push(opened.unwrap()),
                Err(_) => break,
            }
        }
        Self {
            _listener: listener,
            _waiting: waiting,
        }
    }
}

fn identity(authority: &Authority, name: &str) -> Identity {
    authority.vouch_for(name, |_| ())
}

#[taurus_needs::test]
async fn h06_h07_reads_and_the_change_go_the_same_ways() {
    plane::prepare();
    let mut intents = Intents::new().await;
    let authority = Authority::new("a private authority");
    let stranger = Authority::new("an authority that nobody knows");
    for number in 0.. {
        let simulator = simulator().await;
        let at = simulator.address();
        let host = Front::with_tls(identity(&authority, "cloud.example.test"), at);
        let literal =
            Front::with_tls_at(Ipv6Addr::LOCALHOST.into(), identity(&authority, "::1"), at);
        let plain = front::Egress::new(SHOWN);
        let secure = front::Egress::with_tls(SHOWN, identity(&authority, "127.0.0.1"));
        let strange = front::Egress::with_tls(SHOWN, identity(&stranger, "127.0.0.1"));
        let silent = Front::silent();
        let (here, dead) = (
            Ipv4Addr::LOCALHOST.into(),
            Ipv4Addr::new(127, 0, 0, 2).into(),
        );
        let hole = BlackHole::at(SocketAddr::new(dead, host.port())).await;
        let by_name = format!("https://cloud.example.test:{}", host.port());
        let proxy = |scheme: &str, password: &str, port: u16| {
            (
                "HTTPS_PROXY",
                format!("{scheme}://operator:{password}@127.0.0.1:{port}"),
            )
        };
        let to_localhost = format!("https://localhost:{}", host.port());
        let exempt = [
            proxy("http", "p%40ss", plain.port()),
            ("NO_PROXY", "example.test".to_owned()),
        ];
        // A proxy looks the name up by itself: it is given one that leads here.
        let behind = Front::with_tls(identity(&authority, "localhost"), at);
        let behind_url = format!("https://localhost:{}", behind.port());
        let ways = [
            Way {
                what: "directly, by name",
                ..direct(&by_name)
            },
            Way {
                what: "a literal of IPv6",
                url: format!("https://[::1]:{}", literal.port()),
                name: None,
                ..direct(&by_name)
            },
            Way {
                what: "the first of two addresses is a black hole",
                names: addresses(&[dead, here]),
                ..direct(&by_name)
            },
            Way {
                what: "the first of two addresses refuses",
                names: addresses(&[Ipv4Addr::new(127, 0, 0, 3).into(), here]),
                ..direct(&by_name)
            },
            Way {
                what: "the address of IPv6 refuses",
                names: addresses(&[Ipv6Addr::LOCALHOST.into(), here]),
                ..direct(&by_name)
            },
            Way {
                what: "a certificate for another name",
                url: to_localhost,
                heard: Heard::Refused(Meaning::TlsFailed, "the server's certificate"),
                ..direct(&by_name)
            },
            Way {
                what: "a host that stays silent",
                url: format!("https://cloud.example.test:{}", silent.port()),
                heard: Heard::Refused(Meaning::Transient, "in time"),
                ..direct(&by_name)
            },
            Way {
                what: "a host that the proxy is not for",
                egress: variables(&exempt),
                ..direct(&by_name)
            },
            Way {
                what: "a proxy with a password",
                url: behind_url.clone(),
                egress: variables(&[proxy("http", "p%40ss", plain.port())]),
                through_proxy: 1,
                name: Some("localhost"),
                ..direct(&by_name)
            },
            Way {
                what: "a proxy with a password, through TLS",
                url: behind_url.clone(),
                egress: variables(&[proxy("https", "p%40ss", secure.port())]),
                through_proxy: 1,
                name: Some("localhost"),
                ..direct(&by_name)
            },
            Way {
                what: "a proxy that nobody vouches for",
                url: behind_url.clone(),
                egress: variables(&[proxy("https", "p%40ss", strange.port())]),
                heard: Heard::Refused(Meaning::TlsFailed, "proxy 127.0.0.1:"),
                ..direct(&by_name)
            },
            Way {
                what: "a proxy that takes another password",
                url: behind_url.clone(),
                egress: variables(&[proxy("https", "another", secure.port())]),
                heard: Heard::Refused(Meaning::Transient, "through the proxy 127.0.0.1:"),
                through_proxy: 1,
                ..direct(&by_name)
            },
            Way {
                what: "a proxy that stays silent",
                url: behind_url.clone(),
                egress: variables(&[proxy("http", "p%40ss", silent.port())]),
                heard: Heard::Refused(Meaning::Transient, "in time"),
                ..direct(&by_name)
            },
        ];
        let Some(way) = ways.into_iter().nth(number) else {
            break;
        };
        let what = way.what;
        let cloud = connect_with(&way.url, &KEYS, |policy| {
            policy.call_timeout = Duration::from_secs(6);
            policy.extra_authorities = Authorities::of(vec![authority.der()]);
            policy.egress = way.egress.clone();
            policy.names = way.names.clone();
        });
        let read = cloud.list_proxies(&instance()).await.map(|_| ());
        let after_read = Seen::of([&plain, &secure, &strange], [&host, &literal, &behind]);
        let line = match &way.heard {
            Heard::Refused(..) => cloud.open_line().await.map(|_| ()),
            Heard::Through => {
                let answer = changes::change(&*cloud, &mut intents).await;
                assert!(
                    matches!(answer, ChangeAnswer::Accepted(_)),
                    "{what}: {answer:?}"
                );
                Ok(())
            }
        };
        let after_line = Seen::of([&plain, &secure, &strange], [&host, &literal, &behind]);
        assert_eq!(
            after_line,
            after_read.twice(),
            "{what}: both are seen alike"
        );
        assert_eq!(after_read.asked.len(), way.through_proxy, "{what}");
        let authority = way.url.trim_start_matches("https://");
        for asked in &after_read.asked {
            assert_eq!(*asked, format!("CONNECT {authority} HTTP/1.1"), "{what}");
        }
        for firsts in [secure.first_bytes(), strange.first_bytes()] {
            assert!(
                firsts.iter().all(|first| *first == 0x16),
                "{what}: {firsts:?}"
            );
        }
        match way.heard {
            Heard::Through => {
                read.unwrap();
                assert_eq!(after_read.names, [way.name.map(str::to_owned)], "{what}");
                let operations = [Operation::List, Operation::Change];
                for operation in operations {
                    let entries = simulator.entries(&Filter::on(operation));
                    let [entry] = &entries[..] else {
                        panic!("{what}: {entries:?}")
                    };
                    assert_eq!(entry.headers["host"], authority, "{what}");
                    let agent = &entry.headers["user-agent"];
                    assert!(agent.starts_with("taurus-port-operator/"), "{what}");
                }
            }
            Heard::Refused(meaning, said) => {
                for error in [read.unwrap_err(), line.unwrap_err()] {
                    assert_eq!(error.meaning, meaning, "{what}: {error}");
                    assert!(error.text.contains(said), "{what}: {error}");
                    assert!(!error.text.contains("p@ss"), "{what}: {error}");
                }
                assert!(simulator.journal().is_empty(), "{what}");
            }
        }
        drop(hole);
    }
}

/// Directly, to a host of one address.
fn direct(url: &str) -> Way {
    Way {
        what: "",
        url: url.to_owned(),
        egress: Egress::direct(),
        names: addresses(&[Ipv4Addr::LOCALHOST.into()]),
        heard: Heard::Through,
        through_proxy: 0,
        name: Some("cloud.example.test"),
    }
}

/// What the listeners have seen.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    asked: Vec<String>,
    first_bytes: Vec<u8>,
    names: Vec<Option<String>>,
}

impl Seen {
    fn of(proxies: [&front::Egress; 3], hosts: [&Front; 3]) -> Self {
        Self {
            asked: proxies.iter().flat_map(|proxy| proxy.asked()).collect(),
            first_bytes: proxies
                .iter()
                .flat_map(|proxy| proxy.first_bytes())
                .collect(),
            names: hosts.iter().flat_map(|host| host.asked_for()).collect(),
        }
    }

    /// The same once more.
    fn twice(&self) -> Self {
        Self {
            asked: [&self.asked[..], &self.asked].concat(),
            first_bytes: [&self.first_bytes[..], &self.first_bytes].concat(),
            names: [&self.names[..], &self.names].concat(),
        }
    }
}
