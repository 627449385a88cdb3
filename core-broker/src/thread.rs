//! Threads of their own for what blocks on the disk and that the broker cannot do without.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    thread::Builder,
};

use tokio::runtime::Handle;
use tracing::error;

/// Runs the work on a thread of this name. A panic there ends the process: without a writer or the controller it
/// would answer and serve nobody, and only a process that has ended is started again by its supervisor.
pub fn start<W: Future<Output = ()>>(
    name: &'static str,
    work: impl FnOnce() -> W + Send + 'static,
) -> io::Result<()> {
    let runtime = Handle::current();
    let run = move || {
        if catch_unwind(AssertUnwindSafe(|| runtime.block_on(work()))).is_err() {
            error!(thread = name, "a thread that the broker needs has panicked: the broker ends");
            // At once: an orderly end would wait for the thread that is gone.
            process::abort();
        }
    };
    Builder::new().name(name.into()).spawn(run).map(drop)
}

#[cfg(test)]
mod tests {
    use std::{env, future::pending, os::unix::process::ExitStatusExt, process::Command};

    use super::start;

    const SIGABRT: i32 = 6;
    const IN_CHILD: &str = "A_PANIC_ENDS_THE_PROCESS";

    #[test]
    fn a_panic_ends_the_process() {
        if env::var_os(IN_CHILD).is_some() {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            return runtime.block_on(async {
                start("log-writer", || async { panic!("as it is told to") }).unwrap();
                pending().await
            });
        }
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "thread::tests::a_panic_ends_the_process"]).env(IN_CHILD, "1");
        assert_eq!(child.output().unwrap().status.signal(), Some(SIGABRT));
    }
}
