//! Connections: so many at once, each with its time limits, all let finish when the server stops. Knows nothing of paths.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::Pace;
use super::access::Peer;
use super::paced::Paced;

/// Connections at once, if the system allows so many open files; the next ones wait outside.
const MOST: u64 = 4096;
/// Largest head of a request, and what is read and written at once.
const BUFFER: usize = 128 << 10;
/// Wait before accepting again when the system has no file handle left.
const NO_HANDLES: Duration = Duration::from_millis(200);

/// Serves until `stop` turns true and what was being answered is answered.
pub async fn run(listener: TcpListener, router: Router, pace: Pace, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(places()));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (stream, peer, place) = accept(&listener, &places) => {
                connections.spawn(connection(stream, peer, place, router.clone(), pace, stop.clone()));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = told(&mut stop) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Until the server is to stop, or nobody is left to tell.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Half of the file handles are for connections; the soft limit on them is raised as far as this user may.
fn places() -> usize {
    let handles = rlimit::increase_nofile_limit(4 * MOST).unwrap_or(1024);
    usize::try_from((handles / 2).clamp(16, MOST)).expect("some thousands")
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, Peer, OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await.expect("never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, Peer(peer), place),
            // The client has gone already.
            Err(e) if is_of_the_client(&e) => {}
            Err(e) => {
                tracing::warn!("no connection can be accepted: {e}");
                tokio::time::sleep(NO_HANDLES).await;
            }
        }
    }
}

fn is_of_the_client(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    _place: OwnedSemaphorePermit,
    router: Router,
    pace: Pace,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are small and whole; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let mut http = http1::Builder::new();
    // A head must come within the time; so a connection that is kept alive ends when nothing more is asked.
    http.timer(TokioTimer::new()).header_read_timeout(pace.head).max_buf_size(BUFFER);
    let io = TokioIo::new(Paced::new(stream, pace.stall));
    let mut connection = std::pin::pin!(http.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = ended {
        tracing::debug!("the connection of {} ended: {e}", peer.0);
    }
}
