//! `kafka-console-producer`: each line of standard input becomes a record.

mod lines;
mod reader;
mod words;

use std::{
    io::{BufReader, IsTerminal, Write, stdin, stdout},
    process::{ExitCode, exit},
    sync::Arc,
    time::Instant,
};

use super::{
    Tool,
    failure::{Exception, Failure},
    interrupt::Interrupt,
    librdkafka::{self, Producer},
    options::{HELP, Spec, VERSION, hidden, optional, switch, value},
    output::{log, remark},
};
use lines::{Line, Lines};
use words::Plan;

pub const PRODUCE: Tool = Tool {
    link: "kafka-console-producer",
    about: "This tool helps to read data from standard input and publish it to Kafka.",
    options: OPTIONS,
    run,
};

const OPTIONS: &[Spec] = &[
    value("batch-size", "bytes", "How large a batch may grow"),
    value("bootstrap-server", "HOST:PORT,...", "REQUIRED: the brokers to begin with"),
    hidden("broker-list"),
    value("command-config", "file", "A properties file for the producer"),
    value("command-property", "key=value", "A property of the producer; goes before the file"),
    optional("compression-codec", "codec", "none (default), gzip (no value), snappy, lz4, zstd"),
    HELP,
    value("line-reader", "class", "Default: org.apache.kafka.tools.LineMessageReader"),
    value("max-block-ms", "ms", "How long to wait for a broker; default: 60000"),
    value("max-memory-bytes", "bytes", "For records that wait to be sent; default: 33554432"),
    hidden("max-partition-memory-bytes"),
    value("message-send-max-retries", "n", "How often a record is sent again; default: 3"),
    value("metadata-expiry-ms", "ms", "When to ask again where partitions are; default: 300000"),
    hidden("producer-property"),
    hidden("producer.config"),
    hidden("property"),
    value("reader-config", "file", "A properties file for the line reader"),
    value("reader-property", "key=value", "parse.key=true, key.separator=:, null.marker=- ..."),
    value("request-required-acks", "acks", "-1 or all (default), 0 or 1"),
    value("request-timeout-ms", "ms", "How long a broker may take to acknowledge; default: 1500"),
    value("retry-backoff-ms", "ms", "How long to wait before sending again; default: 100"),
    value("socket-buffer-size", "bytes", "Of the socket that sends; default: 102400"),
    switch("sync", "Wait for each record before the next one is read"),
    value("timeout", "ms", "How long a record waits for its batch; default: 1000"),
    value("topic", "topic", "REQUIRED: the topic to write to"),
    VERSION,
];

fn run(tool: &Tool, words: &[String]) -> ExitCode {
    let result = words::read(tool, words).and_then(|plan| produce(&plan));
    tool.end(result, |exception| match exception.class.starts_with("joptsimple.") {
        // As there: a number that is none is said without more.
        true => remark(exception.message),
        false => remark(exception),
    })
}

fn produce(plan: &Plan) -> Result<(), Failure> {
    let producer = Arc::new(Producer::new(&plan.client, &plan.topic)?);
    let winding_up = Arc::clone(&producer);
    // The thread that reads standard input cannot be woken: what was read is sent, and that is the end.
    let interrupt = Interrupt::watch(move |code| {
        winding_up.flush();
        exit(code.into());
    })?;
    let result = reach(&producer, plan, &interrupt).and_then(|()| {
        let sent = send_all(&producer, plan);
        // What was read before a line that is none is sent all the same.
        producer.flush();
        sent
    });
    result?;
    match producer.lost() {
        0 => Ok(()),
        lost => {
            let said = format!("{lost} records were not delivered");
            Err(Exception::new("org.apache.kafka.common.KafkaException", said).into())
        }
    }
}

/// A broker that is away at the start may be about to come; one that never does is said clearly.
fn reach(producer: &Producer, plan: &Plan, interrupt: &Interrupt) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut is_said = false;
    while !producer.is_connected() && interrupt.code().is_none() {
        if begun.elapsed() >= plan.max_block {
            let wait = plan.max_block.as_millis();
            let said = format!("no broker answered at {} within {wait} ms", plan.bootstrap);
            return Err(Exception::new("org.apache.kafka.common.errors.TimeoutException", said).into());
        }
        if !std::mem::replace(&mut is_said, true) {
            log(
                "WARN",
                format_args!("no broker answers at {} yet", plan.bootstrap),
                "org.apache.kafka.tools.ConsoleProducer",
            );
        }
    }
    Ok(())
}

fn send_all(producer: &Producer, plan: &Plan) -> Result<(), Failure> {
    let prompts = stdin().is_terminal() && stdout().is_terminal();
    let mut lines = Lines::new(BufReader::with_capacity(1 << 20, stdin().lock()), plan.max_line_bytes);
    for number in 1.. {
        if prompts {
            // A terminal that went away ends the input, too.
            let _ = write!(stdout(), ">").and_then(|()| stdout().flush());
        }
        match lines.next().map_err(anyhow::Error::from)? {
            Line::End => break,
            Line::TooLong(bytes) => {
                let why = librdkafka::too_large(bytes, &plan.max_line_bytes.to_string());
                refuse(producer, plan, bytes, why)?;
            }
            Line::Text(line) => {
                let record = plan.reader.record(line, number)?;
                if let Err(why) = producer.send(&record) {
                    refuse(producer, plan, line.len(), why)?;
                }
            }
        }
        if plan.is_sync {
            producer.flush();
            if producer.lost() > 0 {
                break;
            }
        }
    }
    Ok(())
}

/// As there: one record that cannot be sent does not hold up the next, unless each is waited for.
fn refuse(producer: &Producer, plan: &Plan, bytes: usize, why: Exception) -> Result<(), Failure> {
    if plan.is_sync {
        return Err(why.into());
    }
    producer.give_up(bytes, &why);
    Ok(())
}
