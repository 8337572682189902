//! The service over HTTP/1.1: every bound on size, time and number is here.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::post;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use turncoat_adversary::honest::native::Handled;
use turncoat_core::wire::Refusal;
use turncoat_remote::api::{MEDIA_TYPE, Operation, status};

use crate::service::{Service, decode};

/// Bytes of a request at most.
pub const REQUEST_MAX: usize = 9 << 20;

/// Bytes that wait between two ends that are both here.
const PIPE: usize = 1 << 16;

/// What a server allows.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections at a time; one more is closed at once.
    pub connections: usize,
    /// Requests that are handled at a time; more wait. As many of the largest have room in memory
    /// together, each by what has arrived of it: who sends slowly takes nothing from others.
    pub requests: usize,
    /// For the header of a request, and between two requests.
    pub header_time: Duration,
    /// For a whole request, from its header to its answer.
    pub request_time: Duration,
    /// For what is under way when the server is told to stop.
    pub stop_time: Duration,
    /// Between two sweeps of the store: what no head reaches is kept once to twice as long.
    pub grace: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 256,
            requests: 32,
            header_time: Duration::from_secs(10),
            request_time: Duration::from_secs(30),
            stop_time: Duration::from_secs(10),
            grace: Duration::from_secs(24 * 60 * 60),
        }
    }
}

struct Shared {
    service: Arc<Service>,
    bounds: Bounds,
    requests: Semaphore,
    /// Bytes of bodies that there is room for.
    room: Semaphore,
}

/// Serves until `stop` is ready; then what is under way is finished, within bounds.
///
/// # Errors
///
/// The listener's.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let connections = Arc::new(Semaphore::new(bounds.connections));
    let shared = Arc::new(Shared {
        requests: Semaphore::new(bounds.requests),
        room: Semaphore::new(bounds.requests.saturating_mul(REQUEST_MAX)),
        service,
        bounds,
    });
    let router = router(Arc::clone(&shared));
    let (stopping, stopped) = tokio::sync::watch::channel(false);
    let mut stop = pin!(stop);
    let mut open = JoinSet::new();
    let sweeping = tokio::spawn(sweep(Arc::clone(&shared)));
    loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of descriptors, or the peer is gone: others may fare better.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            shared.service.refused("-", 503, "too many connections");
            continue;
        };
        // Replies are written in two parts; the second must not wait for the peer to acknowledge
        // the first. Where this fails the connection is slow and no worse.
        let _ = stream.set_nodelay(true);
        let (router, bounds) = (router.clone(), shared.bounds.clone());
        let mut stopped = stopped.clone();
        open.spawn(async move {
            let _permit = permit;
            let stop = async {
                let _ = stopped.changed().await;
            };
            converse(stream, router, &bounds, false, stop).await;
        });
    }
    drop(listener);
    // One that has begun comes to its end.
    sweeping.abort();
    stopping.send_replace(true);
    let finished = async { while open.join_next().await.is_some() {} };
    let _late = tokio::time::timeout(shared.bounds.stop_time, finished).await;
    Ok(())
}

/// Sweeps the store again and again, each time a grace after the sweep before has ended.
async fn sweep(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(shared.bounds.grace).await;
        let service = Arc::clone(&shared.service);
        let _swept = tokio::task::spawn_blocking(move || service.sweep()).await;
    }
}

/// Serves one connection until it ends; once `stop` is ready, the request under way is its last.
/// Who hangs up is answered no more, unless `half_close` says that they only have nothing to add.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    router: Router,
    bounds: &Bounds,
    half_close: bool,
    stop: impl Future<Output = ()>,
) {
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_time)
        .max_headers(64)
        .half_close(half_close)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    // What a peer does to its own connection is its own affair.
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    drop(ended);
}

/// What the server says to a peer that says these bytes on one connection, and then no more.
pub async fn converse_over(service: Arc<Service>, bounds: Bounds, bytes: &[u8]) -> Vec<u8> {
    let shared = Arc::new(Shared {
        requests: Semaphore::new(bounds.requests),
        room: Semaphore::new(bounds.requests.saturating_mul(REQUEST_MAX)),
        service,
        bounds: bounds.clone(),
    });
    let (here, there) = tokio::io::duplex(PIPE);
    let (mut reading, mut writing) = tokio::io::split(here);
    let mut said = Vec::new();
    let served = converse(there, router(shared), &bounds, true, std::future::pending());
    let spoken = async {
        // A server that has heard enough hangs up.
        let _ = writing.write_all(bytes).await;
        let _ = writing.shutdown().await;
    };
    let heard = async {
        let _ = reading.read_to_end(&mut said).await;
    };
    tokio::join!(served, spoken, heard);
    said
}

fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for &operation in Operation::ALL {
        let handler = move |State(shared): State<Arc<Shared>>, request: HttpRequest| async move {
            answer(&shared, operation, request).await
        };
        router = router.route(operation.path(), post(handler));
    }
    router
        .fallback(|State(shared): State<Arc<Shared>>, uri: Uri| async move {
            // The path is the peer's and may hold anything: it is not repeated.
            let _ = uri;
            refuse(&shared, "-", StatusCode::NOT_FOUND, Refusal::NotFound)
        })
        .method_not_allowed_fallback(|State(shared): State<Arc<Shared>>| async move {
            refuse(
                &shared,
                "-",
                StatusCode::METHOD_NOT_ALLOWED,
                Refusal::Invalid,
            )
        })
        .with_state(shared)
}

async fn answer(shared: &Arc<Shared>, operation: Operation, request: HttpRequest) -> Response {
    let within = tokio::time::timeout(
        shared.bounds.request_time,
        taken(shared, operation, request),
    );
    match within.await {
        Ok(response) => response,
        Err(_) => {
            let status = StatusCode::REQUEST_TIMEOUT;
            refuse(shared, operation.path(), status, Refusal::Busy)
        }
    }
}

async fn taken(shared: &Arc<Shared>, operation: Operation, request: HttpRequest) -> Response {
    let path = operation.path();
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > REQUEST_MAX) {
        return refuse(
            shared,
            path,
            StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TooLarge,
        );
    }
    let Some((body, _room)) = arrived(&shared.room, request.into_body()).await else {
        return refuse(shared, path, StatusCode::BAD_REQUEST, Refusal::Invalid);
    };
    let Ok(_permit) = shared.requests.acquire().await else {
        return refuse(shared, path, StatusCode::SERVICE_UNAVAILABLE, Refusal::Busy);
    };
    let Ok(request) = decode(&body) else {
        return refuse(shared, path, StatusCode::BAD_REQUEST, Refusal::Invalid);
    };
    drop(body);
    let wait = shared.service.wait(&request);
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let service = Arc::clone(&shared.service);
    let handled = tokio::task::spawn_blocking(move || service.handle(operation, &request)).await;
    match handled {
        Ok(Some(handled)) => respond(shared, path, handled),
        Ok(None) => lost(),
        Err(_) => refuse(
            shared,
            path,
            StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::Busy,
        ),
    }
}

/// All of a body, if it comes to its end and is not too large, and the room that it takes.
async fn arrived(room: &Semaphore, mut body: Body) -> Option<(Vec<u8>, SemaphorePermit<'_>)> {
    let mut bytes = Vec::new();
    let mut taken = room.acquire_many(0).await.ok()?;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame.ok()?.into_data() else {
            continue;
        };
        if data.len() > REQUEST_MAX.saturating_sub(bytes.len()) {
            return None;
        }
        let more = u32::try_from(data.len()).ok()?;
        taken.merge(room.acquire_many(more).await.ok()?);
        bytes.extend_from_slice(&data);
    }
    Some((bytes, taken))
}

fn respond(shared: &Shared, path: &str, handled: Handled) -> Response {
    let status = StatusCode::from_u16(status(handled.refusal));
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(refusal) = handled.refusal {
        let why = format!("{refusal:?}").to_lowercase();
        shared.service.refused(path, status.as_u16(), &why);
    }
    frame(status, handled.reply)
}

/// No frame: to a client, this is no answer of the server's.
fn lost() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    response
}

fn refuse(shared: &Shared, path: &str, status: StatusCode, refusal: Refusal) -> Response {
    let why = format!("{refusal:?}").to_lowercase();
    shared.service.refused(path, status.as_u16(), &why);
    frame(status, Handled::refused(refusal).reply)
}

fn frame(status: StatusCode, reply: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(reply));
    *response.status_mut() = status;
    let media = header::HeaderValue::from_static(MEDIA_TYPE);
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}
