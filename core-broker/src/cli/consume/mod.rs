//! `kafka-console-consumer`: prints the records of topics.

mod deserializer;
mod formatter;
mod printer;
mod words;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use broker_logic::cluster::validate_topic_name;

use super::{
    Tool, client_properties,
    failure::{Exception, Failure},
    interrupt::Interrupt,
    librdkafka::Consumer,
    options::{HELP, Spec, VERSION, hidden, switch, value},
    output::{is_nobody_there, log, remark, say, unwritten},
};
use printer::{Printer, Stop};
use words::{Plan, Source};

pub const CONSUME: Tool = Tool {
    link: "kafka-console-consumer",
    about: "This tool helps to read data from Kafka topics and outputs it to standard output.",
    options: OPTIONS,
    run,
};

const OPTIONS: &[Spec] = &[
    value("bootstrap-server", "HOST:PORT,...", "REQUIRED: the brokers to begin with"),
    value("command-config", "file", "A properties file for the consumer"),
    value("command-property", "key=value", "A property of the consumer; goes before the file"),
    hidden("consumer-property"),
    hidden("consumer.config"),
    switch("enable-systest-events", "Say shutdown_complete at the end"),
    value("formatter", "class", "Default: ...consumer.DefaultMessageFormatter"),
    value("formatter-config", "file", "A properties file for the formatter"),
    value("formatter-property", "key=value", "print.key=true, key.separator=:, print.offset=true ..."),
    hidden("property"),
    switch("from-beginning", "Without a committed offset: begin with the oldest record"),
    value("group", "group", "The consumer group to read in; default: one of its own"),
    HELP,
    value("include", "regex", "Read the topics that it matches"),
    value("isolation-level", "level", "read_uncommitted (default) or read_committed"),
    value("key-deserializer", "class", "What keys are, such as ...LongDeserializer"),
    value("max-messages", "n", "Exit after so many"),
    value("offset", "offset", "Where in --partition: a number, earliest, latest (default)"),
    value("partition", "n", "Read this partition alone, without a group"),
    switch("print-key", ""),
    switch("skip-message-on-error", "Pass over a record that cannot be printed"),
    value("timeout-ms", "ms", "Exit when nothing has come for so long"),
    value("topic", "topic", "The topic to read"),
    value("value-deserializer", "class", "What values are"),
    VERSION,
    hidden("whitelist"),
];

const CLASS: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

/// As long as Kafka's clients try to reach a broker.
const REACH: Duration = Duration::from_secs(60);

/// So soon an interrupt is seen.
const SLICE: Duration = Duration::from_millis(100);

fn run(tool: &Tool, words: &[String]) -> ExitCode {
    let plan = match words::read(tool, words) {
        Ok(plan) => plan,
        Err(failure) => return tool.end(Err(failure), refuse),
    };
    let interrupt = match Interrupt::watch(|_| {}) {
        Ok(interrupt) => interrupt,
        Err(error) => return tool.end(Err(error.into()), fail),
    };
    let result = consume(&plan, &interrupt);
    if plan.announces_shutdown {
        say("shutdown_complete");
    }
    let code = tool.end(result, fail);
    interrupt.code().map_or(code, ExitCode::from)
}

/// What is wrong with the words.
fn refuse(exception: Exception) {
    match exception.is_terse() {
        true => remark(exception.message),
        // Kafka's tool does not expect it, and falls over.
        false => remark(format_args!("Exception in thread \"main\" {exception}")),
    }
}

fn fail(exception: Exception) {
    log("ERROR", "Unknown error when running consumer: ", CLASS);
    remark(exception);
}

fn consume(plan: &Plan, interrupt: &Interrupt) -> Result<(), Failure> {
    let client = client_properties::translate(&plan.properties)?;
    for name in &client.unknown {
        log("WARN", format_args!("{name} is no property that this consumer knows: it has no effect"), CLASS);
    }
    let consumer = Consumer::new(&client, plan.formatter.prints_headers())?;
    if let Some(name) = plan.source.topic().filter(|name| validate_topic_name(name).is_err()) {
        // librdkafka would ask for it again and again, and take a name that begins with ^ for an expression.
        give_up(&format!("org.apache.kafka.common.errors.InvalidTopicException: Invalid topics: [{name}]"));
        remark("Processed a total of 0 messages");
        return Ok(());
    }
    reach(&consumer, plan, interrupt)?;
    match &plan.source {
        Source::Topic(topic) => consumer.subscribe(topic)?,
        Source::Matching(expression) => consumer.subscribe_matching(expression)?,
        Source::Partition(topic, partition, start) => consumer.assign(topic, *partition, *start)?,
    }
    let mut printer = Printer::new(consumer, &plan.formatter);
    let result = match print_all(&mut printer, plan, interrupt) {
        Err(Stop::Unwritten(error)) if is_nobody_there(&error) => {
            // No failure: `| head` has seen enough.
            remark("Unable to write to standard out, closing consumer.");
            Ok(())
        }
        Err(Stop::Unwritten(error)) => Err(Exception::new("java.io.IOException", unwritten(&error)).into()),
        Err(Stop::Failed(exception)) => Err(exception.into()),
        Ok(()) => Ok(()),
    };
    // A group hears that this member leaves, and how far it read.
    let printed = printer.end();
    remark(format_args!("Processed a total of {printed} messages"));
    result
}

/// A broker that is away at the start may be about to come; one that never does is said clearly.
fn reach(consumer: &Consumer, plan: &Plan, interrupt: &Interrupt) -> Result<(), Failure> {
    let wait = plan.timeout.unwrap_or(REACH).min(REACH);
    let begun = Instant::now();
    let mut is_said = false;
    while !consumer.is_connected(plan.source.topic()) && interrupt.code().is_none() {
        if begun.elapsed() >= wait {
            let said = format!("no broker answered at {} within {} ms", plan.bootstrap, wait.as_millis());
            return Err(Exception::new("org.apache.kafka.common.errors.TimeoutException", said).into());
        }
        if !std::mem::replace(&mut is_said, true) {
            log("WARN", format_args!("no broker answers at {} yet", plan.bootstrap), CLASS);
        }
    }
    Ok(())
}

fn print_all(printer: &mut Printer, plan: &Plan, interrupt: &Interrupt) -> Result<(), Stop> {
    let mut idle_since = Instant::now();
    while plan.max_messages.is_none_or(|most| printer.taken() < most) && interrupt.code().is_none() {
        let mut polled = printer.take(Duration::ZERO);
        if matches!(polled, Ok(None)) {
            // Nothing is ready: what was printed is for whoever waits for it.
            printer.write()?;
            polled = printer.take(SLICE);
        }
        match polled {
            Ok(Some(taken)) => {
                idle_since = Instant::now();
                match taken {
                    Ok(()) => {}
                    Err(exception) if plan.skips_errors => {
                        log("ERROR", "Error processing message, skipping this message: ", CLASS);
                        remark(exception);
                    }
                    Err(exception) => {
                        // What was printed before stays printed.
                        printer.write()?;
                        return Err(exception.into());
                    }
                }
                if printer.is_full() {
                    printer.write()?;
                }
            }
            Ok(None) if plan.timeout.is_none_or(|timeout| idle_since.elapsed() <= timeout) => {}
            Ok(None) => {
                give_up("org.apache.kafka.common.errors.TimeoutException: null");
                break;
            }
            Err(exception) => {
                give_up(&exception.to_string());
                break;
            }
        }
    }
    printer.write()
}

fn give_up(why: &str) {
    log("ERROR", "Error processing message, terminating consumer process: ", CLASS);
    remark(why);
}
