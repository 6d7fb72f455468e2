//! A registry in memory.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Output, Stdio},
    thread,
};

use super::made::Source;
use crate::world::tools::tool;

/// crane's own registry; it ends with its test.
pub struct Registry {
    server: Child,
    /// Clients of this host ask for no TLS.
    pub address: String,
}

impl Registry {
    pub fn start() -> Self {
        let mut server = Command::new(tool("crane"))
            .args(["registry", "serve", "--address", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
        let port = log
            .find_map(|line| Some(line.unwrap().split_once("serving on port ")?.1.to_owned()))
            .expect("it says where it serves");
        // It goes on to log, and ends where nobody reads that.
        thread::spawn(move || log.for_each(drop));
        Self {
            server,
            address: format!("localhost:{port}"),
        }
    }

    /// What publishes the release that was made of these sources.
    pub fn publishes(&self, source: &Source) -> Command {
        let mut script = source.script("publish");
        script.env("ORAS", tool("oras"));
        script.env("REGISTRY", &self.address);
        script
    }

    /// Publishes that release, which nobody has signed.
    pub fn take(&self, source: &Source) -> Output {
        let mut script = self.publishes(source);
        script.env("UNSIGNED", "yes").output().unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
