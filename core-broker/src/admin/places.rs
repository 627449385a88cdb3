//! A listener with so many places: whoever keeps connections open there takes no descriptor from clients.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};

/// Connections at a time: a few scrapers, a few probes. The next waits.
const PLACES: usize = 64;

/// A request is not waited for any longer: a scraper connects again, and who hangs gives its place free.
const SEATED: Duration = Duration::from_secs(10);

/// After an accept that failed for want of descriptors: time for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub struct Places {
    socket: TcpListener,
    places: Arc<Semaphore>,
}

impl Places {
    pub fn new(socket: TcpListener) -> Self {
        Self { socket, places: Arc::new(Semaphore::new(PLACES)) }
    }
}

impl Listener for Places {
    type Io = Seated;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Seated, SocketAddr) {
        let place = self.places.clone().acquire_owned().await.expect("nobody closes the places");
        loop {
            match self.socket.accept().await {
                Ok((stream, remote)) => {
                    return (Seated { stream, until: Box::pin(sleep(SEATED)), _place: place }, remote);
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// A connection and its place.
pub struct Seated {
    stream: TcpStream,
    until: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Seated {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            // As if the other end had closed: an answer under way is sent to its end.
            Poll::Pending => self.until.as_mut().poll(cx).map(Ok),
            read => read,
        }
    }
}

impl AsyncWrite for Seated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
