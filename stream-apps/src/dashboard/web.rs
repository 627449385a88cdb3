//! The pages: the map's files from the binary, the feed, and the same data as plain JSON.
//!
//! The feed is Server-Sent Events: a snapshot, or all that changed since the browser's `Last-Event-ID`,
//! then batches of changes. One batch at most waits for a browser: the next is made when that one has
//! left, of all that changed meanwhile. So nothing queues up for a browser that is slow or gone.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::RustEmbed;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    Board,
    fleet::{Alert, Vehicle, View},
    now_ms,
};

/// Time between two batches of changes.
const BATCH: Duration = Duration::from_millis(250);
/// A quiet feed gives this sign of life, so that a browser can tell quiet from dead.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A browser whose connection broke comes back after this.
const RETRY: Duration = Duration::from_secs(1);
/// Browsers that follow the feed at one time.
const BROWSERS_MAX: usize = 256;

/// Nothing but our own files runs in the page, and nothing else is fetched.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

#[derive(RustEmbed)]
#[folder = "dashboard/"]
struct Files;

#[derive(Clone)]
struct Web {
    board: Arc<Board>,
    browsers: Arc<AtomicUsize>,
}

pub fn router(board: Arc<Board>) -> Router {
    Router::new()
        .route("/", get(|| async { file("index.html") }))
        .route("/{*path}", get(|Path(path): Path<String>| async move { file(&path) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/api/vehicles", get(vehicles))
        .route("/api/alerts", get(alerts))
        .route("/api/events", get(events))
        .with_state(Web { board, browsers: Arc::default() })
}

fn file(path: &str) -> Response {
    let Some(file) = Files::get(path) else {
        return (StatusCode::NOT_FOUND, "no such page\n").into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, file.metadata.mimetype().to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, file.data.into_owned()).into_response()
}

#[derive(Serialize)]
struct Aged {
    #[serde(flatten)]
    vehicle: Vehicle,
    age_ms: i64,
}

async fn vehicles(State(web): State<Web>) -> Json<Vec<Aged>> {
    let now = now_ms();
    let aged = |vehicle: Vehicle| Aged { age_ms: now - vehicle.sent_ms, vehicle };
    let view = web.board.fleet().view(0);
    Json(view.vehicles.into_iter().map(aged).collect())
}

async fn alerts(State(web): State<Web>) -> Json<Vec<Alert>> {
    Json(web.board.fleet().view(0).alerts)
}

/// One event of the feed.
#[derive(Serialize)]
struct Slice {
    /// The server's clock, for the age of the data whatever the browser's clock says.
    now_ms: i64,
    is_snapshot: bool,
    are_brokers_up: bool,
    #[serde(flatten)]
    view: View,
}

async fn events(State(web): State<Web>, headers: HeaderMap) -> Response {
    let Some(place) = Place::take(&web.browsers) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many browsers follow already\n").into_response();
    };
    let seen = headers.get(HeaderName::from_static("last-event-id")).and_then(|id| id.to_str().ok());
    let seen = seen.map(str::to_owned);
    let (slices, stream) = mpsc::channel(1);
    tokio::spawn(feed(web.board, seen, slices, place));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(ReceiverStream::new(stream))).into_response()
}

/// Until the browser goes or the dashboard stops.
async fn feed(
    board: Arc<Board>,
    mut seen: Option<String>,
    slices: mpsc::Sender<Result<String, Infallible>>,
    _place: Place,
) {
    let mut stopping = board.stopping.subscribe();
    let mut version = board.version.subscribe();
    loop {
        let (event, id, at) = batch(&board, seen.as_deref());
        let sent = async {
            slices.send(Ok(event)).await?;
            tokio::time::sleep(BATCH).await;
            // Either a change or the time for a sign of life; the answer is the same.
            let _ = tokio::time::timeout(HEARTBEAT, version.wait_for(|version| *version > at)).await;
            Ok::<(), mpsc::error::SendError<_>>(())
        };
        tokio::select! {
            sent = sent => if sent.is_err() { return },
            () = slices.closed() => return,
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        seen = Some(id);
    }
}

/// What changed since the event `seen`, or a snapshot where that is none or too old: the event, its id,
/// and the version that it shows.
fn batch(board: &Board, seen: Option<&str>) -> (String, String, u64) {
    let fleet = board.fleet();
    let since = seen.and_then(|id| fleet.since(id));
    let slice = Slice {
        now_ms: now_ms(),
        is_snapshot: since.is_none(),
        are_brokers_up: board.link.is_up(),
        view: fleet.view(since.unwrap_or(0)),
    };
    let data = serde_json::to_string(&slice).unwrap_or_default();
    let id = fleet.event_id().to_string();
    (format!("retry: {}\nid: {id}\ndata: {data}\n\n", RETRY.as_millis()), id, fleet.version())
}

/// A place among the browsers that follow; given back when this one is gone.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(browsers: &Arc<AtomicUsize>) -> Option<Place> {
        let taken = browsers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count < BROWSERS_MAX).then_some(count + 1)
        });
        taken.is_ok().then(|| Place(Arc::clone(browsers)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_and_there_are_only_so_many() {
        let browsers = Arc::default();
        let places: Vec<Place> = std::iter::from_fn(|| Place::take(&browsers)).collect();
        assert_eq!(places.len(), BROWSERS_MAX);
        drop(places);
        assert!(Place::take(&browsers).is_some());
    }

    #[test]
    fn the_page_and_all_it_needs_are_in_the_binary() {
        for path in [
            "index.html",
            "style.css",
            "app.js",
            "feed.js",
            "map.js",
            "lists.js",
            "vendor/leaflet.js",
            "vendor/leaflet.css",
            "vendor/LEAFLET-LICENSE",
            "shapes/world.json",
            "shapes/corridors.json",
        ] {
            assert!(Files::get(path).is_some(), "{path}");
        }
    }
}
