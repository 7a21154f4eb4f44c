//! The only way out: one HTTP exchange, with its time-outs, size limit and address filter.
//!
//! Names are resolved here and the addresses filtered before connecting, so a name cannot turn into an internal address
//! between check and use. Nothing is retried, no redirect followed, no proxy or cookie used. Beware: errors of the HTTP
//! library carry the address with its query, which holds credentials; only [`Broken`] leaves this file.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, redirect, tls};
use url::{Host, Url};

use super::address::add_query;
use super::auth::Proof;
use super::haul::Haul;
use super::reach::Reach;

const USER_AGENT: &str = concat!("addon-host/", env!("CARGO_PKG_VERSION"));

/// An answer may come in so many pieces, and one more for each [`BYTES_A_PIECE`] of it: each costs the same, however small it is, and a
/// service that sends single bytes without end would cost a core.
const FREE_PIECES: usize = 10_000;
const BYTES_A_PIECE: usize = 64;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter than servers usually keep idle connections, so that a request seldom meets one that is just being closed: such
/// a request may or may not have been seen.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Answers to the host alone: they set or ask for credentials.
const HOSTS_ANSWERS: [&str; 5] = [
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
    "proxy-authenticate",
    "authentication-info",
];

/// A request that was checked, without its proof.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// A whole answer.
pub struct Received {
    pub status: u16,
    /// In lower case; without those that are the host's.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why no whole answer came.
#[derive(Debug)]
pub enum Broken {
    /// The request could not be built; nothing was sent.
    Unsendable(String),
    /// All addresses of the host are out of reach for this connection; nothing was sent.
    Forbidden,
    /// No connection was made; nothing was sent.
    Unreachable(String),
    Timeout,
    Lost(String),
    TooLarge,
    /// Together with the answers to the rest of its batch.
    HaulFull,
}

/// On what terms a request goes out.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub reach: Reach,
    /// From connecting to the last byte of the answer.
    pub timeout: Duration,
    pub max_response_bytes: usize,
}

/// HTTP clients, one for each kind of reach.
#[derive(Debug, Default)]
pub struct Egress {
    clients: Mutex<HashMap<(Reach, bool), Client>>,
}

impl Egress {
    pub async fn exchange(
        &self,
        terms: Terms,
        outgoing: &Outgoing,
        proof: &Proof,
        haul: &Haul,
    ) -> Result<Received, Broken> {
        if literal(&outgoing.url).is_some_and(|address| !terms.reach.permits(address)) {
            return Err(Broken::Forbidden);
        }
        let client = self.client(terms.reach, outgoing.url.scheme() == "https")?;
        let request = build(outgoing, proof, terms.timeout)?;
        let mut response = client.execute(request).await.map_err(broken)?;
        let headers = response
            .headers()
            .iter()
            .filter(|(name, _)| !HOSTS_ANSWERS.contains(&name.as_str()));
        let headers: Vec<_> = headers
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let size = |(name, value): &(String, String)| name.len() + value.len();
        if !haul.take(headers.iter().map(size).sum()) {
            return Err(Broken::HaulFull);
        }
        let mut body = Vec::new();
        let mut pieces = 0;
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            // What the answer says of its length is not believed.
            if body.len() + chunk.len() > terms.max_response_bytes {
                return Err(Broken::TooLarge);
            }
            pieces += 1;
            if pieces > FREE_PIECES + body.len() / BYTES_A_PIECE {
                let why = format!("it came in more than {FREE_PIECES} pieces of a few bytes");
                return Err(Broken::Lost(why));
            }
            if !haul.take(chunk.len()) {
                return Err(Broken::HaulFull);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Received {
            status: response.status().as_u16(),
            headers,
            body,
        })
    }

    fn client(&self, reach: Reach, secure: bool) -> Result<Client, Broken> {
        // A poisoned map is whole: a client is put into it in one step.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(reach, secure)) {
            return Ok(client.clone());
        }
        let resolver = FilteredResolver {
            reach,
            names: SystemNames,
        };
        let client = new_client(resolver, secure).map_err(|error| {
            Broken::Unreachable(format!(
                "no TLS client can be made ({}); install the package ca-certificates",
                story(&error)
            ))
        })?;
        clients.insert((reach, secure), client.clone());
        Ok(client)
    }
}

/// The network address, where a host is written as one: it never passes a resolver.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

fn new_client(
    resolver: FilteredResolver<impl Resolve + 'static>,
    secure: bool,
) -> reqwest::Result<Client> {
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tls_version_min(tls::Version::TLS_1_2)
        .dns_resolver(Arc::new(resolver));
    // Without TLS no certificates are needed, and a bare machine has none.
    if secure {
        builder.https_only(true).build()
    } else {
        builder.tls_certs_only([]).build()
    }
}

fn build(outgoing: &Outgoing, proof: &Proof, timeout: Duration) -> Result<Request, Broken> {
    let mut url = outgoing.url.clone();
    for (name, value) in &proof.query {
        add_query(&mut url, name, value.expose());
    }
    let mut request = Request::new(outgoing.method.clone(), url);
    *request.timeout_mut() = Some(timeout);
    let unsendable = |name: &str| Broken::Unsendable(format!("the header `{name}` cannot be sent"));
    for (name, value) in &outgoing.headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable(name))?;
        request.headers_mut().append(
            header,
            HeaderValue::from_str(value).map_err(|_| unsendable(name))?,
        );
    }
    for (name, value) in &proof.headers {
        let unfit = |_| {
            Broken::Unsendable("the credentials have characters that cannot be sent".to_owned())
        };
        let mut value = HeaderValue::from_str(value.expose()).map_err(unfit)?;
        value.set_sensitive(true);
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable(name))?;
        request.headers_mut().insert(header, value);
    }
    if !outgoing.body.is_empty() {
        *request.body_mut() = Some(outgoing.body.clone().into());
    }
    Ok(request)
}

fn broken(error: reqwest::Error) -> Broken {
    let error = error.without_url();
    if sources(&error).any(|source| source.is::<OutOfReach>()) {
        Broken::Forbidden
    } else if error.is_connect() {
        Broken::Unreachable(story(&error))
    } else if error.is_timeout() {
        // It may have struck while connecting; only a connect error proves that nothing was sent.
        Broken::Timeout
    } else {
        Broken::Lost(story(&error))
    }
}

fn sources<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| {
        (*error).source()
    })
}

/// The innermost reason says most: `Connection refused`, `certificate expired`.
fn story(error: &reqwest::Error) -> String {
    sources(error)
        .last()
        .map_or_else(String::new, ToString::to_string)
}

/// What names lead to, as this machine knows it.
struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Lets through what the connection may reach of that to which a name leads. It is asked for every connection that is made, and its
/// answer is what is connected to.
struct FilteredResolver<N> {
    reach: Reach,
    names: N,
}

#[derive(Debug)]
struct OutOfReach;

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to addresses that this connection may not reach")
    }
}

impl Error for OutOfReach {}

impl<N: Resolve> Resolve for FilteredResolver<N> {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        let found = self.names.resolve(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            let permitted: Vec<_> = found
                .iter()
                .copied()
                .filter(|address| reach.permits(address.ip()))
                .collect();
            if permitted.is_empty() && !found.is_empty() {
                return Err(OutOfReach.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::ErrorKind;
    use std::net::TcpListener;

    use super::*;

    /// A name that leads elsewhere each time it is asked for.
    #[derive(Clone)]
    struct Rebinding(Arc<Mutex<VecDeque<Vec<SocketAddr>>>>);

    impl Resolve for Rebinding {
        fn resolve(&self, _: Name) -> Resolving {
            let next = self.0.lock().unwrap().pop_front().unwrap();
            Box::pin(async move { Ok(Box::new(next.into_iter()) as Addrs) })
        }
    }

    #[tokio::test]
    async fn a_name_that_turns_into_an_internal_address_is_not_connected_to() {
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        inside.set_nonblocking(true).unwrap();
        let port = inside.local_addr().unwrap().port();
        let public = SocketAddr::from(([8, 8, 8, 8], 0));
        let internal = SocketAddr::from(([127, 0, 0, 1], 0));
        let answers = VecDeque::from([vec![internal, public], vec![internal]]);
        let names = Rebinding(Arc::new(Mutex::new(answers)));
        let resolver = || FilteredResolver {
            reach: Reach::Public,
            names: names.clone(),
        };
        let asked = resolver().resolve("books.example".parse().unwrap());
        let found: Vec<SocketAddr> = asked.await.unwrap().collect();
        assert_eq!(found, [public], "one good address lets no other through");

        let client = new_client(resolver(), false).unwrap();
        let answer = client
            .get(format!("http://books.example:{port}/"))
            .send()
            .await;
        let error = broken(answer.unwrap_err());
        assert!(matches!(error, Broken::Forbidden), "{error:?}");
        assert_eq!(inside.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(names.0.lock().unwrap().is_empty(), "it was asked again");
    }
}
