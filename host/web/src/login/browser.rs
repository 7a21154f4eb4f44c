//! Where a log-in comes from: a browser that was in the account before, or else a network address.
//!
//! A browser is known by a cookie that it got at its last log-in. The cookie opens nothing: whoever has it may try a password as often
//! as its owner.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use rand::TryRng;
use rand::rngs::SysRng;
use subtle::ConstantTimeEq;

use super::session::{self, SessionError};
use super::throttle::Origin;
use crate::App;

const COOKIE: &str = "addon_host_browser";

/// As long as browsers keep any.
const KEPT: TimeDelta = TimeDelta::days(400);

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Sender(pub IpAddr);

/// Where a log-in to this account comes from.
pub fn origin(app: &App, account: &str, headers: &HeaderMap, sender: Option<Sender>) -> Origin {
    let known = session::cookie(headers, COOKIE).and_then(|cookie| cookie.split_once('.'));
    if let Some((id, mark)) = known
        && bool::from(
            app.host
                .browser_mark(account, id)
                .as_bytes()
                .ct_eq(mark.as_bytes()),
        )
    {
        return Origin::Browser(id.to_owned());
    }
    let address = sender.map(|Sender(address)| network(behind_proxy(address, headers)));
    Origin::Sender(address.map_or_else(String::new, |address| address.to_string()))
}

/// The header that lets the browser be known again.
pub fn set_cookie(
    app: &App,
    account: &str,
    headers: &HeaderMap,
) -> Result<HeaderValue, SessionError> {
    let mut id = [0; 16];
    SysRng
        .try_fill_bytes(&mut id)
        .map_err(|error| SessionError::Random(error.to_string()))?;
    let id = BASE64_URL_SAFE_NO_PAD.encode(id);
    let value = format!("{id}.{}", app.host.browser_mark(account, &id));
    let cookie = session::cookie_text(COOKIE, &value, KEPT, app.base.cookie_path(), headers);
    Ok(cookie)
}

/// A proxy that stands beside this host says for whom it asks, behind what others may have said before.
fn behind_proxy(address: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_near = match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    };
    let said = headers.get_all("x-forwarded-for").into_iter().next_back();
    let said = said.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    said.filter(|_| is_near).unwrap_or(address)
}

/// Whoever has one address of IPv6 has all of its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address => address,
    }
}
