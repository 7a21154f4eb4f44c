//! The way to the real services: HTTP, one request after the other, at the pace that they ask for.
//!
//! Beware: errors of the HTTP library carry the address with its query, which holds Sage's API key. So addresses are taken out of them.

use std::error::Error;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, Method, Url, redirect};
use tokio::runtime::Runtime;

use super::asker::Transport;
use crate::faults::Party;
use crate::http::{Request, Response};

const USER_AGENT: &str = concat!("sandbox-verify/", env!("CARGO_PKG_VERSION"));
const TIMEOUT: Duration = Duration::from_secs(60);
/// No list that is asked for is as large.
const LARGEST_ANSWER: usize = 16 << 20;
/// 100 requests a minute are allowed (SAGE-38).
const SHORTEST_PAUSE: Duration = Duration::from_millis(650);
/// A server of one provider is not to feel the questions.
const PAUSE_AT_SPLYNX: Duration = Duration::from_millis(200);

/// Where the services are, and the client that reaches them.
pub struct OverHttp {
    runtime: Runtime,
    client: Client,
    sage: Option<Place>,
    splynx: Option<Place>,
}

/// A service's address, and how often it may be asked.
struct Place {
    /// Up to the path of the API, with a slash at its end.
    base: Url,
    pause: Duration,
    last: Option<Instant>,
}

impl OverHttp {
    /// Prepares the way. `pause`: between two requests to Sage.
    ///
    /// # Errors
    /// An address that is none, or that would send credentials in the clear.
    pub fn new(sage: Option<&str>, splynx: Option<&str>, pause: Duration) -> Result<Self, String> {
        let sage = sage
            .map(|address| Place::new(address, "api/2.0.0/", pause.max(SHORTEST_PAUSE)))
            .transpose()?;
        let splynx = splynx
            .map(|address| Place::new(address, "api/2.0/", PAUSE_AT_SPLYNX))
            .transpose()?;
        // Fails where it was done before, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(TIMEOUT);
        let secure = [&sage, &splynx].into_iter().flatten();
        // Without TLS no certificates are needed, and a bare machine has none.
        let builder = match secure
            .into_iter()
            .any(|place| place.base.scheme() == "https")
        {
            true => builder,
            false => builder.tls_certs_only([]),
        };
        Ok(Self {
            runtime: Runtime::new().map_err(|error| error.to_string())?,
            client: builder.build().map_err(told)?,
            sage,
            splynx,
        })
    }
}

impl Place {
    fn new(address: &str, api: &str, pause: Duration) -> Result<Self, String> {
        let no_address = |why: &str| {
            format!(
                "{address} is no address of a service ({why}). Write it like https://splynx.example.com/."
            )
        };
        let mut text = address.trim_end_matches('/').to_owned() + "/";
        if !text.ends_with(api) {
            text.push_str(api);
        }
        let base = Url::parse(&text).map_err(|error| no_address(&error.to_string()))?;
        let host = base.host_str().unwrap_or_default();
        let is_here = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
        match base.scheme() {
            "https" => {}
            "http" if is_here => {}
            "http" => return Err(no_address("passwords are sent by https only")),
            _ => return Err(no_address("it begins with neither https:// nor http://")),
        }
        Ok(Self {
            base,
            // A stand-in on this machine need not rest.
            pause: if is_here { Duration::ZERO } else { pause },
            last: None,
        })
    }

    fn url(&self, request: &Request) -> Result<Url, String> {
        let mut parts = request.path.splitn(4, '/').skip(3);
        let path = parts.next().unwrap_or_default();
        let mut url = self.base.join(path).map_err(|error| error.to_string())?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }
}

impl Transport for OverHttp {
    fn send(&mut self, to: Party, request: &Request) -> Result<Response, String> {
        let place = match to {
            Party::Sage => &mut self.sage,
            Party::Splynx => &mut self.splynx,
        };
        let place = place.as_mut().ok_or("it has no address")?;
        if let Some(last) = place.last {
            std::thread::sleep(place.pause.saturating_sub(last.elapsed()));
        }
        place.last = Some(Instant::now());
        let url = place.url(request)?;
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| "no method")?;
        let mut outgoing = self.client.request(method, url);
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "no header")?;
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                "a login, password or key holds characters that cannot be sent".to_owned()
            })?;
            value.set_sensitive(true);
            outgoing = outgoing.header(name, value);
        }
        let outgoing = outgoing.body(request.body.clone());
        self.runtime.block_on(exchange(outgoing))
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn wait(&mut self, seconds: u32) {
        std::thread::sleep(Duration::from_secs(seconds.into()));
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<Response, String> {
    let mut answer = request.send().await.map_err(told)?;
    let status = answer.status().as_u16();
    if (300..400).contains(&status) {
        return Err(format!(
            "it sends elsewhere ({status}), where passwords are not carried along"
        ));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(told)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err("its answer is larger than 16 MiB".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response {
        status,
        headers: Vec::new(),
        body,
    })
}

/// An error and what caused it, without the address.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
