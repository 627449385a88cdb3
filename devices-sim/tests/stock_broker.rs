//! The two programs together: a fleet keeps its count although its broker is killed under it.
#![allow(clippy::disallowed_methods)] // real processes and a real ledger

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, ChildStdout, Command, Stdio},
};

struct Program {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_devices-sim"));
        let command = command.args(args).env("LONGHAUL_LOG", "off").stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn broker(address: &str) -> Self {
        let mut broker = Self::start(&["broker", "--mqtt", address]);
        assert!(broker.line().unwrap().contains("stock broker"));
        broker
    }

    fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    fn status(&mut self) -> Option<serde_json::Value> {
        self.line().map(|line| serde_json::from_str(&line).unwrap())
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Gone already when the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_broker_that_is_killed_and_comes_back_empty_costs_no_fix() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("acknowledged");
    let mut broker = Program::broker(&address);
    let args = [
        "fleet",
        "--mqtt",
        &address,
        "--seconds",
        "6",
        "--status-json",
        "--ledger",
        ledger.to_str().unwrap(),
    ];
    let mut fleet = Program::start(&args);
    assert!(fleet.status().unwrap()["acknowledged"].as_u64().unwrap() > 0);
    broker.kill();
    while fleet.status().unwrap()["connected"] != 0 {}
    let _broker = Program::broker(&address);
    let last = std::iter::from_fn(|| fleet.status()).last().unwrap();
    assert!(fleet.child.wait().unwrap().success());
    assert_eq!((&last["done"], &last["drained"]), (&true.into(), &true.into()));
    assert_eq!((&last["published"], &last["unacknowledged"]), (&last["acknowledged"], &0.into()));
    let lines = std::fs::read_to_string(ledger).unwrap();
    let fixes: BTreeSet<&str> = lines.lines().collect();
    assert_eq!(fixes.len(), lines.lines().count(), "a fix was counted twice");
    assert_eq!(last["acknowledged"], fixes.len());
    assert!(fixes.len() > 2_000);
}
