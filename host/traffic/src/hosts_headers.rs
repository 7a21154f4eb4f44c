//! The headers that a host alone sets: credentials, and what only the connection knows. The mock host reads this file as well.

/// Headers that the host alone sets, besides all that begin with one of [`HOSTS_PREFIXES`].
const HOSTS_HEADERS: [&str; 18] = [
    "authorization",
    "cookie",
    "cookie2",
    "host",
    "content-length",
    "transfer-encoding",
    "content-encoding",
    "accept-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "forwarded",
    "via",
    "apikey",
    "user-agent",
];
const HOSTS_PREFIXES: [&str; 6] = [
    "proxy-",
    "x-forwarded-",
    "x-real-",
    "x-auth",
    "x-api",
    "x-original-",
];

/// Whether a guest may not set the header.
pub fn is_hosts(name: &str) -> bool {
    // Servers that hand headers on as variables (CGI) see no difference between `_` and `-`.
    let name = name.to_ascii_lowercase().replace('_', "-");
    HOSTS_HEADERS.contains(&name.as_str())
        || HOSTS_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
