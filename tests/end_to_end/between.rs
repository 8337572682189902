//! Somebody between a client and its server, who sees each request before the server does.

use std::io::{self, BufRead, BufReader, Write as _};
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
    loop {
        let (message, head) = message(&mut requests)?;
        let request = &message[head..];
        let operation = Operation::of_encoded(request).ok_or(io::ErrorKind::InvalidData)?;
        // One at a time, as a client that waits for each would send them.
        let refusal = (act.lock().unwrap())(operation);
        let reply = match refusal {
            Some(refusal) => Reply::Refused(refusal).encode(),
            None => remote
                .send(request, REPLY_MAX)
                .map_err(|_| io::ErrorKind::ConnectionAborted)?,
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {}\r\n\r\n",
            reply.len()
        );
        replies.write_all(&[head.as_bytes(), &reply].concat())?;
    }
}

/// The next message of HTTP, whose head tells how long it is, and where its body begins.
pub(super) fn message(from: &mut impl BufRead) -> io::Result<(Vec<u8>, usize)> {
    let (mut message, mut size) = (Vec::new(), 0);
    loop {
        let began = message.len();
        if from.read_until(b'\n', &mut message)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&message[began..]).to_ascii_lowercase();
        if line == "\r\n" {
            break;
        }
        if line.starts_with("transfer-encoding") {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if let Some(told) = line.strip_prefix("content-length:") {
            let told = told.trim().parse();
            size = told.map_err(|_| io::ErrorKind::InvalidData)?;
        }
    }
    let head = message.len();
    message.resize(head + size, 0);
    from.read_exact(&mut message[head..])?;
    Ok((message, head))
}
