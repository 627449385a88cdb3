//! What the text of the project may not say.

/// Wire and logic are pure. A test of theirs may take the instant that its script begins at, nothing else.
#[test]
fn logic_and_wire_call_no_clock_disk_socket_or_chance() {
    let folders = [
        "core-broker/logic/src",
        "core-broker/kafka-wire/src",
        "core-broker/uplink-wire/src",
        "edge-agent/logic/src",
        "edge-agent/mqtt-wire/src",
        "stream-apps/logic/src",
        "stream-apps/fleet-events/src",
        "devices-sim/logic/src",
    ];
    let forbidden = [
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "std::fs",
        "std::net",
        "std::thread",
        "HashMap",
        "HashSet",
        "std::env",
        "rand::",
        "println!",
        "eprintln!",
        "Uuid::new_v4",
    ];
    for folder in folders {
        let files = tidy::rust_files(folder);
        assert!(!files.is_empty(), "{folder} holds no Rust file");
        for (path, text) in files {
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let in_test =
                    path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
                for word in forbidden.into_iter().filter(|word| !in_test || *word != "Instant::now") {
                    assert!(!code.contains(word), "{}:{}: {word}", path.display(), number + 1);
                }
            }
        }
    }
}

#[test]
fn no_file_names_a_path_of_a_machine() {
    // Put together here, so that this file does not name them.
    let paths = ["root", "home", "work", "Users"].map(|folder| format!("/{folder}/"));
    for (path, text) in tidy::texts() {
        for (number, line) in text.lines().enumerate() {
            for machine in &paths {
                let named = line.match_indices(machine.as_str()).any(|(at, _)| {
                    // In the middle of a longer path it is some folder, not the top of a disk.
                    !line[..at]
                        .ends_with(|before: char| before.is_alphanumeric() || "._-}$~".contains(before))
                });
                assert!(!named, "{}:{}: {machine}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let marks = ["todo!", "unimplemented!", "FIXME", "XXX", "dbg!"].map(|mark| mark.to_owned());
    for folder in ["core-broker", "edge-agent", "stream-apps", "devices-sim", "deploy"] {
        for (path, text) in tidy::rust_files(folder) {
            for mark in &marks {
                assert!(!text.contains(mark.as_str()), "{}: {mark}", path.display());
            }
        }
    }
}
