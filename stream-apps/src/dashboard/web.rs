//! The pages: the map's files from the binary, the feed, and the same data as plain JSON.
//!
//! The feed is Server-Sent Events in slices. Each answer waits for a change, carries all that changed
//! since the browser's `Last-Event-ID`, and ends; the browser comes back after `retry`. So changes are
//! batched by the retry time, nothing queues up for a browser that is slow or gone, and reconnecting
//! is not a special case.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::RustEmbed;
use serde::Serialize;

use super::{
    Board,
    fleet::{Alert, Vehicle, View},
    now_ms,
};

/// Time between two batches of changes.
const BATCH: Duration = Duration::from_millis(250);
/// A quiet feed gives this sign of life, so that a browser can tell quiet from dead.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Answers that wait at one time.
const WAITING_MAX: usize = 256;

/// Nothing but our own files runs in the page, and nothing else is fetched.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

#[derive(RustEmbed)]
#[folder = "dashboard/"]
struct Files;

#[derive(Clone)]
struct Web {
    board: Arc<Board>,
    waiting: Arc<AtomicUsize>,
}

pub fn router(board: Arc<Board>) -> Router {
    Router::new()
        .route("/", get(|| async { file("index.html") }))
        .route("/{*path}", get(|Path(path): Path<String>| async move { file(&path) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/api/vehicles", get(vehicles))
        .route("/api/alerts", get(alerts))
        .route("/api/events", get(events))
        .with_state(Web { board, waiting: Arc::default() })
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
    let Some(_place) = Place::take(&web.waiting) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many browsers wait already\n").into_response();
    };
    let seen = headers.get(HeaderName::from_static("last-event-id")).and_then(|id| id.to_str().ok());
    let since = seen.and_then(|id| web.board.fleet().since(id));
    if let Some(since) = since {
        let mut version = web.board.version.subscribe();
        // Either a change or the time for a sign of life; the answer is the same.
        let _ = tokio::time::timeout(HEARTBEAT, version.wait_for(|version| *version > since)).await;
    }
    let body = {
        let fleet = web.board.fleet();
        // What was seen may have become too old while this waited.
        let since = seen.and_then(|id| fleet.since(id));
        let slice = Slice {
            now_ms: now_ms(),
            is_snapshot: since.is_none(),
            are_brokers_up: web.board.link.is_up(),
            view: fleet.view(since.unwrap_or(0)),
        };
        let data = serde_json::to_string(&slice).unwrap_or_default();
        format!("retry: {}\nid: {}\ndata: {data}\n\n", BATCH.as_millis(), fleet.event_id())
    };
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}

/// A place among the answers that wait; given back when the answer is done or the browser is gone.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Option<Place> {
        let taken = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count < WAITING_MAX).then_some(count + 1)
        });
        taken.is_ok().then(|| Place(Arc::clone(waiting)))
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
        let waiting = Arc::default();
        let places: Vec<Place> = std::iter::from_fn(|| Place::take(&waiting)).collect();
        assert_eq!(places.len(), WAITING_MAX);
        drop(places);
        assert!(Place::take(&waiting).is_some());
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
