//! A page of a service, as a probe gets it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

const ANSWER: Duration = Duration::from_secs(20);

/// Between two looks at what changes by itself.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub head: String,
    pub body: String,
}

pub fn get(address: SocketAddr, path: &str) -> Result<Page> {
    let mut socket = TcpStream::connect_timeout(&address, ANSWER)?;
    socket.set_read_timeout(Some(ANSWER))?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    Ok(Page { status, head: head.to_owned(), body: body.to_owned() })
}

/// Asks until the page is as it is to become.
pub fn wait_for(
    address: SocketAddr,
    path: &str,
    within: Duration,
    is_wanted: impl Fn(&Page) -> bool,
) -> Result<Page> {
    let until = Instant::now() + within;
    loop {
        let page = get(address, path)?;
        if is_wanted(&page) {
            return Ok(page);
        }
        ensure!(Instant::now() < until, "{path} is still {page:?}");
        std::thread::sleep(LOOK);
    }
}

/// A row of `/metrics`, by its name and labels as they are written there.
pub fn metric(page: &Page, row: &str) -> Option<f64> {
    let value = page.body.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(' '))?;
    value.parse().ok()
}
