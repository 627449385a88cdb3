//! Which crate may know which: the drawing of CONTRIBUTING.md, checked by `cargo tree`.

const WIRE: [&str; 4] = ["kafka-wire", "uplink-wire", "mqtt-wire", "fleet-events"];
const LOGIC: [&str; 4] = ["broker-logic", "edge-logic", "apps-logic", "sim-logic"];
const STORAGE: [&str; 2] = ["commit-log", "outbox-store"];
const SHELLS: [&str; 5] = ["core-broker", "edge-agent", "stream-apps", "devices-sim", "launcher"];
const START: [&str; 2] = ["service", "certs"];

/// What reads clocks, sockets and disks. (`geo` brings `rand` for a clustering that nobody here calls;
/// that no logic crate draws a random number is checked in sources.rs.)
const WORLD: [&str; 10] =
    ["tokio", "quinn", "redb", "rdkafka", "rumqttc", "rumqttd", "axum", "mio", "socket2", "rustls"];

fn ours() -> impl Iterator<Item = &'static str> {
    WIRE.into_iter().chain(LOGIC).chain(STORAGE).chain(SHELLS).chain(START)
}

/// `package` needs none of `forbidden`.
fn check(package: &str, forbidden: impl IntoIterator<Item = &'static str>) {
    let needs = tidy::needs(package);
    for forbidden in forbidden {
        assert!(
            forbidden == package || !needs.iter().any(|name| name == forbidden),
            "{package} must not depend on {forbidden} (`cargo tree -p {package} -i {forbidden}` shows the way)"
        );
    }
}

#[test]
fn wire_knows_nothing_of_ours_and_nothing_of_the_world() {
    for package in WIRE {
        check(package, ours().chain(WORLD));
    }
}

#[test]
fn logic_knows_wire_and_logic_and_nothing_of_the_world() {
    for package in LOGIC {
        check(package, STORAGE.into_iter().chain(SHELLS).chain(START).chain(WORLD));
    }
}

#[test]
fn storage_knows_wire_at_most() {
    for package in STORAGE {
        check(package, LOGIC.into_iter().chain(SHELLS).chain(START).chain(["tokio", "quinn", "rdkafka"]));
    }
}

#[test]
fn shells_never_know_each_other() {
    for package in SHELLS {
        check(package, SHELLS);
    }
}

#[test]
fn the_broker_never_knows_what_a_truck_is() {
    check("core-broker", ["fleet-events", "apps-logic", "edge-logic", "sim-logic"]);
}

#[test]
fn the_agent_stays_free_of_c_libraries_but_zstd_and_ring() {
    check("edge-agent", ["rdkafka", "openssl-sys", "libz-sys", "aws-lc-sys"]);
}

/// Every crate of the workspace has its place in one of the lists above.
#[test]
fn no_crate_escapes_the_rules() {
    let manifest = tidy::texts()
        .into_iter()
        .find(|(path, _)| *path == tidy::root().join("Cargo.toml"))
        .expect("there is a top-level Cargo.toml")
        .1;
    let from = manifest.find("members = [").expect("members");
    let members = &manifest[from..from + manifest[from..].find(']').expect("end of members")];
    let crates = members.matches('"').count() / 2;
    let tests = members.matches("\"tests/").count();
    assert_eq!(crates - tests, ours().count(), "a crate is missing in tests/tidy/tests/arrows.rs");
}
