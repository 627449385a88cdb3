//! The console tools among signals, closed pipes and records that are no text.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use end_to_end::{Scene, command, free_address, program, scene};

/// From a signal to the end: the group is left, and hears of it.
const ENDS: Duration = Duration::from_secs(20);

#[test]
fn a_consumer_that_is_interrupted_commits_and_leaves_its_group() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        produce(scene, "letters", b"a\nb\nc\n")?;
        let bootstrap = scene.bootstrap();
        let words = ["--topic", "letters", "--group", "readers", "--from-beginning"];
        let words = [["consume", "--bootstrap", &bootstrap].as_slice(), &words].concat();
        let mut consumer = scene.start("consumer", "core-broker", &words)?;
        let read: Vec<String> = (0..3).map(|_| consumer.next_line(ENDS)).collect::<Result<_>>()?;
        ensure!(read == ["a", "b", "c"], "{read:?}");
        let members = said(tool(scene, "groups").args(["--describe", "--members", "--group", "readers"]))?;
        ensure!(members.contains("/127.0.0.1") && members.contains("console-consumer"), "{members}");

        consumer.signal("INT")?;
        let status = consumer.ended_within(ENDS)?;
        ensure!(status.code() == Some(130), "{status}");
        ensure!(consumer.log().ends_with("Processed a total of 3 messages\n"), "{}", consumer.log());
        // At once, and not when its session is over.
        let left = command::run(tool(scene, "groups").args(["--describe", "--group", "readers"]), b"")?;
        let (table, remarks) = (String::from_utf8(left.stdout)?, String::from_utf8(left.stderr)?);
        ensure!(remarks.contains("Consumer group 'readers' has no active members."), "{remarks}");
        let row: Vec<_> = table.lines().last().unwrap_or_default().split_whitespace().collect();
        ensure!(row[..6] == ["readers", "letters", "0", "3", "3", "0"], "{table}");
        broker.stop()
    });
}

#[test]
fn a_group_that_is_left_early_goes_on_at_the_next_record() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        produce(scene, "letters", b"a\nb\nc\nd\n")?;
        for (most, read) in [("2", "a\nb\n"), ("1", "c\n"), ("1", "d\n")] {
            let group =
                ["--topic", "letters", "--group", "readers", "--from-beginning", "--max-messages", most];
            let consumed = said(tool(scene, "consume").args(group))?;
            ensure!(consumed == read, "{consumed:?} instead of {read:?}");
        }
        broker.stop()
    });
}

#[test]
fn a_name_that_no_topic_can_have_is_refused_and_no_broker_is_asked() {
    scene(|scene| {
        // librdkafka takes the second for an expression.
        for name in ["bad name", "^letters"] {
            let refused = command::run(tool(scene, "consume").args(["--topic", name]), b"")?;
            let complaint = String::from_utf8(refused.stderr)?;
            ensure!(
                complaint.contains(&format!("InvalidTopicException: Invalid topics: [{name}]")),
                "{complaint}"
            );
            // As Kafka's tool, which ends so whatever it has met.
            ensure!(refused.status.code() == Some(0), "{}", refused.status);
        }
        Ok(())
    });
}

#[test]
fn bytes_that_are_no_text_and_long_lines_arrive_and_what_is_too_long_is_said() {
    const LONG: usize = 900_000;
    const TOO_LONG: usize = 3_000_000;
    scene(|scene| {
        let mut broker = scene.broker()?;
        let fits = [b"\xff\xfe\x00\x80 no text\n".as_slice(), &[b'x'; LONG], b"\nlast\n"].concat();
        let input = [b"first\n".as_slice(), &[b'y'; TOO_LONG], b"\n", &fits].concat();
        let produced = command::run(tool(scene, "produce").args(["--topic", "bytes"]), &input)?;
        ensure!(produced.status.code() == Some(1), "a record that was lost is a failure");
        let complaint = String::from_utf8(produced.stderr)?;
        ensure!(complaint.contains("larger than 1048576"), "{complaint}");
        ensure!(complaint.contains("1 records were not delivered"), "{complaint}");

        let all = ["--topic", "bytes", "--partition", "0", "--from-beginning", "--max-messages", "4"];
        let consumed = command::run(tool(scene, "consume").args(all), b"")?;
        ensure!(
            consumed.stdout == [b"first\n", fits.as_slice()].concat(),
            "what was read is not what was sent"
        );
        broker.stop()
    });
}

#[test]
fn a_reader_that_went_away_ends_the_consumer() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        // More than any pipe holds.
        produce(scene, "lines", "0123456789abcdef\n".repeat(100_000).as_bytes())?;
        let mut consumer = tool(scene, "consume");
        consumer.args(["--topic", "lines", "--partition", "0", "--from-beginning"]);
        let mut consumer = consumer.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(consumer.stdout.take().context("a pipe")?).read_line(&mut line)?;
        let mut remarks = String::new();
        // To the end, which comes by itself.
        consumer.stderr.take().context("a pipe")?.read_to_string(&mut remarks)?;
        ensure!(consumer.wait()?.success(), "{remarks}");
        ensure!(remarks.starts_with("Unable to write to standard out, closing consumer."), "{remarks}");
        broker.stop()
    });
}

#[test]
fn what_a_full_disk_did_not_take_is_a_failure_and_is_read_again() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        produce(scene, "letters", b"a\nb\nc\n")?;
        let group = ["--topic", "letters", "--group", "readers", "--from-beginning", "--max-messages", "3"];
        let complaint = on_a_full_disk(tool(scene, "consume").args(group))?;
        ensure!(complaint.contains("Processed a total of 0 messages"), "{complaint}");
        let read = said(tool(scene, "consume").args(group))?;
        ensure!(read == "a\nb\nc\n", "{read:?}");

        let table: [&[&str]; 5] = [
            &["topics", "--describe"],
            &["topics", "--help"],
            &["get-offsets", "--topic", "letters"],
            &["groups", "--list"],
            &["configs", "--describe", "--topic", "letters", "--all"],
        ];
        for words in table {
            on_a_full_disk(tool(scene, words[0]).args(&words[1..]))?;
        }
        broker.stop()?;
        let mut plain = Command::new(program("core-broker"));
        on_a_full_disk(plain.arg("check-config"))?;
        let mut plain = Command::new(program("core-broker"));
        on_a_full_disk(plain.args(["log", "verify"]).arg(scene.path("core-broker")))?;
        Ok(())
    });
}

/// What a command says that has nowhere to write to, and fails.
fn on_a_full_disk(asked: &mut Command) -> Result<String> {
    let full = File::options().write(true).open("/dev/full")?;
    let ended = asked.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).output()?;
    let complaint = String::from_utf8(ended.stderr)?;
    ensure!(ended.status.code() == Some(1), "{asked:?} ended with {}: {complaint}", ended.status);
    ensure!(complaint.contains("cannot write to standard output: No space left"), "{asked:?}: {complaint}");
    Ok(complaint)
}

#[test]
fn a_protocol_before_the_brokers_address_is_no_part_of_it() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let bootstrap = format!("PLAINTEXT://{}", scene.bootstrap());
        for (words, input, expected) in [
            (&["produce", "--topic", "letters"][..], "a\n", ""),
            (&["consume", "--topic", "letters", "--from-beginning", "--max-messages", "1"], "", "a\n"),
            (&["topics", "--list", "--exclude-internal"], "", "letters\n"),
            (&["get-offsets", "--topic", "letters"], "", "letters:0:1\n"),
        ] {
            let mut asked = Command::new(program("core-broker"));
            let said =
                command::output(asked.args(words).args(["--bootstrap", &bootstrap]), input.as_bytes())?;
            ensure!(said == expected, "{words:?}: {said:?} instead of {expected:?}");
        }
        broker.stop()
    });
}

#[test]
fn a_broker_that_is_never_reached_is_said_with_its_address() {
    let nobody = free_address().to_string();
    let table: [&[&str]; 3] = [
        &["produce", "--topic", "t", "--max-block-ms", "300"],
        &["consume", "--topic", "t", "--timeout-ms", "300"],
        &["groups", "--list"],
    ];
    for words in table {
        let mut asked = Command::new(program("core-broker"));
        let Output { status, stdout, stderr } =
            command::run(asked.args(words).args(["--bootstrap", &nobody]), b"x\n").expect("it ends");
        let said = [stdout, stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains(&nobody), "{words:?}: {said}");
    }
}

fn produce(scene: &Scene, topic: &str, lines: &[u8]) -> Result<()> {
    command::output(tool(scene, "produce").args(["--topic", topic]), lines).map(drop)
}

fn said(asked: &mut Command) -> Result<String> {
    command::output(asked, b"")
}

/// A subcommand at the scene's broker.
fn tool(scene: &Scene, subcommand: &str) -> Command {
    let mut tool = Command::new(program("core-broker"));
    tool.args([subcommand, "--bootstrap", &scene.bootstrap()]).env_remove("LONGHAUL_BOOTSTRAP");
    tool
}
