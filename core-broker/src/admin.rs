//! The admin listener, for those who operate the broker: `/metrics`, `/healthz`, `/readyz`. It listens from the
//! first moment on: a broker that opens its logs says so.

mod health;
mod places;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use service::OptionalAddress;
use tokio::{net::TcpListener, sync::watch};
use tracing::error;

use crate::{broker::Shared, metrics::Gathered};
use health::{is_healthy, is_ready};
use places::Places;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How far the broker is.
#[derive(Clone)]
pub enum Phase {
    Starting,
    Serving(Arc<Shared>),
    Stopping,
}

/// Tells the listener how far the broker is.
pub struct Admin {
    pub address: Option<SocketAddr>,
    phase: watch::Sender<Phase>,
}

type Seen = State<watch::Receiver<Phase>>;

/// Listens and answers until the process ends.
pub async fn start(address: OptionalAddress) -> anyhow::Result<Admin> {
    let (phase, seen) = watch::channel(Phase::Starting);
    tokio::spawn(health::tell_systemd(seen.clone()));
    let OptionalAddress::At(address) = address else { return Ok(Admin { address: None, phase }) };
    let socket = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} for /metrics: give another address with --admin, or --admin off")
    })?;
    let address = socket.local_addr()?;
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(elsewhere)
        .with_state(seen);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(Places::new(socket), routes).await {
            error!(%error, "the admin listener failed");
        }
    });
    Ok(Admin { address: Some(address), phase })
}

impl Admin {
    pub fn serving(&self, shared: &Arc<Shared>) {
        self.phase.send_replace(Phase::Serving(shared.clone()));
    }

    pub fn stopping(&self) {
        self.phase.send_replace(Phase::Stopping);
    }
}

async fn metrics(State(phase): Seen) -> Response {
    let phase = phase.borrow().clone();
    let Phase::Serving(shared) = phase else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the broker does not serve\n").into_response();
    };
    match shared.metrics.exposition(&Gathered::of(&shared).await) {
        Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            error!(%error, "cannot write the metrics");
            (StatusCode::INTERNAL_SERVER_ERROR, "cannot write the metrics\n").into_response()
        }
    }
}

/// Whether the process is to be started again.
async fn healthz(State(phase): Seen) -> Response {
    let phase = phase.borrow().clone();
    said(is_healthy(&phase).await)
}

/// Whether clients are to be sent here.
async fn readyz(State(phase): Seen) -> Response {
    let phase = phase.borrow().clone();
    said(is_ready(&phase).await)
}

async fn elsewhere() -> Response {
    (StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n").into_response()
}

fn said(state: Result<(), String>) -> Response {
    match state {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}
