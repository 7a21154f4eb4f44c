//! A service on this machine that answers as a test says, keeps what it was sent, and can be as rude as real ones.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One request as it arrived: first line, headers in lower case, body.
#[derive(Debug, Clone)]
pub struct Seen {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Reads the request and closes the connection.
    Drop,
    /// Promises more bytes than it sends.
    Truncate,
    /// Answers after so long.
    Late(Duration),
    /// Begins an answer, and goes on with the same piece until nobody takes it any more.
    Endless {
        head: &'static str,
        piece: &'static str,
    },
}

pub fn answer(status: u16, body: impl Into<String>) -> Reply {
    Reply::Answer {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}

pub struct Service {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Answers without end that are still being taken.
    endless: Arc<AtomicUsize>,
}

impl Service {
    pub async fn start(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, reply) = (seen.clone(), Arc::new(reply));
        let endless = Arc::new(AtomicUsize::new(0));
        let going = endless.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, kept.clone(), reply.clone(), going.clone()));
            }
        });
        Self {
            port,
            seen,
            endless,
        }
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Answers without end that are still being taken.
    pub fn endless(&self) -> usize {
        self.endless.load(Ordering::SeqCst)
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn serve(
    mut stream: TcpStream,
    kept: Arc<Mutex<Vec<Seen>>>,
    reply: Arc<impl Fn(&Seen) -> Reply>,
    endless: Arc<AtomicUsize>,
) {
    let mut buffer = Vec::new();
    while let Some(seen) = read(&mut stream, &mut buffer).await {
        let reply = reply(&seen);
        kept.lock().unwrap().push(seen);
        let (status, headers, body) = match reply {
            Reply::Answer {
                status,
                headers,
                body,
            } => (status, headers, body),
            Reply::Drop => return,
            Reply::Truncate => {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
                    .await;
                return;
            }
            Reply::Endless { head, piece } => {
                endless.fetch_add(1, Ordering::SeqCst);
                let pieces = piece.repeat(1_000);
                let mut taken = stream.write_all(head.as_bytes()).await;
                while taken.is_ok() {
                    taken = stream.write_all(pieces.as_bytes()).await;
                }
                endless.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            Reply::Late(delay) => {
                tokio::time::sleep(delay).await;
                (200, Vec::new(), "late".to_owned())
            }
        };
        let mut text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if stream
            .write_all(format!("{text}\r\n{body}").as_bytes())
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let mut lines = head.lines();
            let line = lines.next()?.to_owned();
            let headers: Vec<_> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let seen = Seen {
                line,
                headers,
                body: String::new(),
            };
            let length = seen
                .header("content-length")
                .and_then(|length| length.parse().ok())
                .unwrap_or(0);
            if buffer.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
                buffer.drain(..end + 4 + length);
                return Some(Seen { body, ..seen });
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
