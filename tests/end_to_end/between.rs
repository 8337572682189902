//! Somebody between a client and its server, who sees each request before the server does.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use turncoat_core::wire::{Frame as _, Refusal, Reply};
use turncoat_remote::api::{MEDIA_TYPE, Operation};
use turncoat_remote::{HttpRemote, Patience};

use super::serve::Server;

/// Bytes of a reply at most.
const REPLY_MAX: u64 = 64 << 20;

/// What is done before a request goes on; with a refusal, it goes nowhere.
type Act = dyn FnMut(Operation) -> Option<Refusal> + Send;

/// Listens until the test is over.
pub(super) struct Between {
    pub(super) address: String,
}

impl Between {
    pub(super) fn start(
        server: &Server,
        act: impl FnMut(Operation) -> Option<Refusal> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = server.address.clone();
        let act: Arc<Mutex<Act>> = Arc::new(Mutex::new(act));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (server, act) = (server.clone(), Arc::clone(&act));
                // Whoever closes a connection ends it.
                std::thread::spawn(move || drop(relay(stream, &server, &act)));
            }
        });
        Self { address }
    }
}

fn relay(stream: TcpStream, server: &str, act: &Mutex<Act>) -> io::Result<()> {
    let remote = HttpRemote::new(server, Patience::default());
    let mut replies = stream.try_clone()?;
    let mut requests = BufReader::new(stream);
    while let Some(request) = next(&mut requests)? {
        let operation = Operation::of_encoded(&request).ok_or(io::ErrorKind::InvalidData)?;
        // One at a time, as a client that waits for each would send them.
        let refusal = (act.lock().unwrap())(operation);
        let reply = match refusal {
            Some(refusal) => Reply::Refused(refusal).encode(),
            None => remote
                .send(&request, REPLY_MAX)
                .map_err(|_| io::ErrorKind::ConnectionAborted)?,
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {}\r\n\r\n",
            reply.len()
        );
        replies.write_all(&[head.as_bytes(), &reply].concat())?;
    }
    Ok(())
}

/// The body of the next request.
fn next(requests: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    requests.read_exact(&mut body)?;
    Ok(Some(body))
}
