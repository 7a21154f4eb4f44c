//! What a guest writes to standard output and standard error. Much of it is cut, and no write fails: a guest must not break down for
//! having said too much.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::body::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes of one stream of one call that are kept.
const MOST: usize = 64 << 10;

/// Bytes that are taken at once.
const PIECE: usize = 64 << 10;

/// One stream. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Output(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Output {
    /// What was written, as text; the end is marked where something was left out.
    pub fn text(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept.bytes);
        let text = text.trim();
        match kept.is_cut {
            true => format!("{text} … (cut)"),
            false => text.to_owned(),
        }
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST - kept.bytes.len();
        let fitting = &bytes[..bytes.len().min(room)];
        kept.bytes.extend_from_slice(fitting);
        kept.is_cut |= fitting.len() < bytes.len();
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    // Not by way of a task that may still be writing when the guest has broken down.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PIECE)
    }
}

impl Pollable for Output {
    fn ready<'s, 'f>(&'s mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(std::future::ready(()))
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The line of a breakdown's last words that names the cause, whichever language they are of. `None`: nothing was said.
pub fn cause(said: &str) -> Option<&str> {
    let lines = || said.lines().filter(|line| !line.trim().is_empty());
    let is_error = |line: &&str| {
        ["Error", "Exception", "error:", "panic:"]
            .iter()
            .any(|word| line.contains(word))
    };
    // Rust: `thread '…' panicked at FILE:LINE:`, and then the message.
    let panicked = lines().skip_while(|line| !line.contains("panicked at"));
    // Python: where it was, most recent call last, indented; and then the error.
    let traced = lines()
        .skip_while(|line| !line.starts_with("Traceback "))
        .skip(1)
        .find(|line| !line.starts_with(char::is_whitespace));
    let rest = || lines().filter(|line| !line.starts_with("note: "));
    panicked
        .take(2)
        .last()
        .or(traced)
        // JavaScript, Go: the first line with the error, then where it was.
        .or_else(|| rest().find(is_error))
        .or_else(|| rest().next_back())
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_told_in_every_language() {
        for (said, wanted) in [
            (
                "thread 'main' panicked at src/lib.rs:7:5:\nno such customer\nnote: run with `RUST_BACKTRACE=1`",
                "no such customer",
            ),
            (
                "Traceback (most recent call last):\n  File \"app.py\", line 3, in run_job\n    raise ValueError(x)\nKeyError: 'total'",
                "KeyError: 'total'",
            ),
            (
                "ReferenceError: console is not defined\n    at run (app.js:34)\n)",
                "ReferenceError: console is not defined",
            ),
            (
                "Uncaught exception in app: (new TypeError(\"x is null\", \"app.js\", 9))\nRedirecting call to abort() to mozalloc_abort",
                "Uncaught exception in app: (new TypeError(\"x is null\", \"app.js\", 9))",
            ),
            (
                "panic: runtime error: index out of range [3]\n\ngoroutine 1 [running]:\nmain.run()",
                "panic: runtime error: index out of range [3]",
            ),
            ("assertion failed: total >= 0\nAborted", "Aborted"),
        ] {
            assert_eq!(cause(said), Some(wanted));
        }
        assert_eq!(cause(" \n"), None);
    }

    #[test]
    fn what_is_too_much_is_cut_and_no_write_fails() {
        let mut output = Output::default();
        for _ in 0..3 {
            output.write(Bytes::from(vec![b'x'; MOST / 2 + 1])).unwrap();
        }
        let text = output.text();
        assert_eq!(text.len(), MOST + " … (cut)".len());
    }
}
