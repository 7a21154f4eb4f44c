//! A mail server on this machine: real SMTP over real sockets, with STARTTLS or TLS and a login where it is asked to have them. It keeps what
//! it is given, and can be closed for a while.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mailin::response::{AUTH_OK, INVALID_CREDENTIALS, NO_MAILBOX, OK};
use mailin::{Action, AuthMechanism, Handler, Response, Session, SessionBuilder};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub const LOGIN: &str = "alerts@isp.example";
pub const PASSWORD: &str = "canary of the mail server";

/// A message as it came.
#[derive(Debug, Clone, Default)]
pub struct Delivered {
    pub from: String,
    pub to: Vec<String>,
    /// Header and body.
    pub text: String,
    /// Who logged in, and whether over TLS.
    pub login: Option<String>,
    pub encrypted: bool,
}

impl Delivered {
    /// The text behind the header, with its long lines put together again (quoted-printable).
    pub fn body(&self) -> String {
        let (_, body) = self.text.split_once("\r\n\r\n").unwrap();
        body.replace("=\r\n", "")
    }

    /// What stands behind a header's name, on its first line.
    pub fn header(&self, name: &str) -> &str {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        let mut found = head
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("{name}: ")));
        let value = found
            .next()
            .unwrap_or_else(|| panic!("no {name} in {head}"));
        assert_eq!(found.next(), None, "twice {name} in {head}");
        value
    }
}

/// How a conversation is protected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    None,
    Starttls,
    Tls,
}

pub struct PostOffice {
    pub address: SocketAddr,
    /// PEM of its certificate, which nobody else vouches for.
    pub certificate: String,
    delivered: Arc<Mutex<Vec<Delivered>>>,
    closed: Arc<AtomicBool>,
    logins: Arc<AtomicUsize>,
}

impl PostOffice {
    pub async fn open(protection: Protection) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let office = Self {
            address: listener.local_addr().unwrap(),
            certificate: made.cert.pem(),
            delivered: Arc::default(),
            closed: Arc::default(),
            logins: Arc::default(),
        };
        let (delivered, closed) = (office.delivered.clone(), office.closed.clone());
        let (waited, logins) = (Arc::new(AtomicBool::default()), office.logins.clone());
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                if closed.load(Ordering::Relaxed) {
                    continue;
                }
                let counter = Counter {
                    delivered: delivered.clone(),
                    letter: Delivered::default(),
                    waited: waited.clone(),
                    logins: logins.clone(),
                };
                let serving = serve(stream, peer.ip(), protection, acceptor.clone(), counter);
                // A conversation that breaks off is the client's affair.
                tokio::spawn(serving);
            }
        });
        office
    }

    /// From now on connections are closed before a word is said, or no more.
    pub fn close(&self, closed: bool) {
        self.closed.store(closed, Ordering::Relaxed);
    }

    /// How often somebody tried to log in.
    pub fn logins(&self) -> usize {
        self.logins.load(Ordering::Relaxed)
    }

    /// What came since it was asked last.
    pub fn collect(&self) -> Vec<Delivered> {
        std::mem::take(&mut self.delivered.lock().unwrap())
    }
}

/// Takes one conversation's letters.
struct Counter {
    delivered: Arc<Mutex<Vec<Delivered>>>,
    letter: Delivered,
    /// A recipient that is put off is taken the next time.
    waited: Arc<AtomicBool>,
    logins: Arc<AtomicUsize>,
}

/// What greylisting says.
const NOT_YET: (u16, &str) = (451, "Greylisted, come back");

impl Handler for Counter {
    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> Response {
        from.clone_into(&mut self.letter.from);
        OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if to.starts_with("nosuch@") {
            return NO_MAILBOX;
        }
        if to.starts_with("greylisted@") && !self.waited.swap(true, Ordering::Relaxed) {
            return Response::custom(NOT_YET.0, NOT_YET.1.to_owned());
        }
        self.letter.to.push(to.to_owned());
        OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.letter.text.push_str(&String::from_utf8_lossy(line));
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        self.delivered.lock().unwrap().push(self.letter.clone());
        OK
    }

    fn auth_plain(&mut self, _: &str, login: &str, password: &str) -> Response {
        self.logins.fetch_add(1, Ordering::Relaxed);
        if (login, password) != (LOGIN, PASSWORD) {
            return INVALID_CREDENTIALS;
        }
        self.letter.login = Some(login.to_owned());
        AUTH_OK
    }
}

async fn serve(
    stream: TcpStream,
    peer: IpAddr,
    protection: Protection,
    acceptor: TlsAcceptor,
    mut counter: Counter,
) -> io::Result<()> {
    counter.letter.encrypted = protection != Protection::None;
    let mut builder = SessionBuilder::new("mail.isp.example");
    if protection == Protection::Starttls {
        builder.enable_start_tls();
    }
    if protection != Protection::None {
        builder.enable_auth(AuthMechanism::Plain);
    }
    let mut session = builder.build(peer, counter);
    if protection == Protection::Tls {
        session.tls_active();
        let stream = BufReader::new(acceptor.accept(stream).await?);
        return talk(stream, &mut session, true).await.map(drop);
    }
    let stream = talk(BufReader::new(stream), &mut session, true).await?;
    let Some(stream) = stream else { return Ok(()) };
    session.tls_active();
    let stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
    talk(stream, &mut session, false).await.map(drop)
}

/// As some servers refuse a password: with the line that they refuse, as it came and as they understood it.
fn refusal(line: &[u8]) -> Vec<u8> {
    let line = String::from_utf8_lossy(line).trim().to_owned();
    let (_, proof) = line.rsplit_once(' ').unwrap();
    let understood = BASE64_STANDARD.decode(proof).unwrap();
    let understood = String::from_utf8_lossy(&understood).replace('\0', "/");
    let encoded = utf8_percent_encode(&understood, NON_ALPHANUMERIC);
    format!("535 5.7.8 Refused: {line} ({understood}, {encoded})\r\n").into_bytes()
}

/// Answers the stream when TLS is to begin on it; `None`: the conversation is over.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    session: &mut Session<Counter>,
    greets: bool,
) -> io::Result<Option<BufReader<S>>> {
    if greets {
        stream.write_all(&session.greeting().buffer()?).await?;
        stream.flush().await?;
    }
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        let answer = session.process(&line);
        if answer.action != Action::NoReply {
            let mut said = answer.buffer()?;
            if answer.code == INVALID_CREDENTIALS.code {
                said = refusal(&line);
            }
            stream.write_all(&said).await?;
            stream.flush().await?;
        }
        line.clear();
        match answer.action {
            Action::UpgradeTls => return Ok(Some(stream)),
            Action::Close => return Ok(None),
            Action::Reply | Action::NoReply => {}
        }
    }
    Ok(None)
}
