//! Where a request may go: the base address that the operator set, and the paths and queries that a guest adds to it.
//!
//! Pure. A guest names a path below the base address and nothing else. Beware: whatever could make the joined address mean
//! another place, to us or to any server on the way, is refused and not repaired.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;
use url::{Host, Url};

use super::reach::Reach;

/// The longest path or query that is sent; servers begin to refuse at 8 KiB (IIS, nginx).
const LONGEST_TARGET: usize = 8 << 10;

/// Encoded in a segment of a path: all but what RFC 3986 leaves unreserved, and a few marks that are usual in paths.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b'=')
    .remove(b',');

/// Encoded in a name or value of a query. `$` stays, as OData clients write it (Sage API, lists).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'$');

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("`{0}` is not an address")]
    NoAddress(String),
    #[error(
        "the address must begin with https:// (http:// is for this machine itself and hosts named by the operator)"
    )]
    Insecure,
    #[error("the address must not carry a user, a query or a fragment")]
    Decorated,
    #[error(
        "the address names the host `{0}`, which is none of those that the add-on may reach; an operator allows it with `addon-host connection INSTALLATION CONNECTION set allow-host={0}`"
    )]
    ForeignHost(String),
    #[error("{0}")]
    Path(&'static str),
    #[error("{0}")]
    Query(String),
}

/// The checked base address of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    url: Url,
    reach: Reach,
}

/// A host that may be reached, as the manifest or the operator writes it: a name, or an address of which scheme and port
/// count too.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    /// The manifest's, rendered.
    pub manifest: &'a [String],
    /// Those that the operator named by hand: whoever names a host there means it, with any port, scheme and network.
    pub operator: &'a [String],
    /// Whether the manifest's may be in private networks.
    pub private: bool,
}

impl Base {
    /// Checks the address that the settings give against the hosts that may be reached.
    pub fn check(address: &str, allowed: Allowed<'_>) -> Result<Self, AddressError> {
        let mut url =
            Url::parse(address).map_err(|_| AddressError::NoAddress(address.to_owned()))?;
        let Some(host) = url.host() else {
            return Err(AddressError::NoAddress(address.to_owned()));
        };
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(AddressError::Decorated);
        }
        let by_operator = allowed
            .operator
            .iter()
            .any(|name| same_host(name, &url).is_some());
        if !by_operator && !allowed.manifest.iter().any(|entry| allows(entry, &url)) {
            return Err(AddressError::ForeignHost(host.to_string()));
        }
        match url.scheme() {
            "https" => {}
            "http" if by_operator || is_this_machine(&host) => {}
            "http" => return Err(AddressError::Insecure),
            _ => return Err(AddressError::NoAddress(address.to_owned())),
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        let reach = if by_operator || allowed.private {
            Reach::Private
        } else {
            Reach::Public
        };
        Ok(Self { url, reach })
    }

    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Host and port, by which a sender is counted.
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// The whole address of a path below the base, with its query.
    pub fn join<'q>(
        &self,
        path: &str,
        query: impl IntoIterator<Item = (&'q str, &'q str)>,
    ) -> Result<Url, AddressError> {
        check_path(path)?;
        let mut joined = self.url.path().to_owned();
        for (index, segment) in path.split('/').enumerate() {
            if index > 0 {
                joined.push('/');
            }
            joined.extend(utf8_percent_encode(segment, SEGMENT));
        }
        let mut url = self.url.clone();
        url.set_path(&joined);
        let mut text = String::new();
        for (name, value) in query {
            if name.is_empty() {
                return Err(AddressError::Query(
                    "a parameter of the query has no name".to_owned(),
                ));
            }
            if !text.is_empty() {
                text.push('&');
            }
            push_parameter(&mut text, name, value);
        }
        if !text.is_empty() {
            url.set_query(Some(&text));
        }
        if url.path().len() + text.len() > LONGEST_TARGET {
            return Err(AddressError::Query(format!(
                "path and query are longer than {LONGEST_TARGET} bytes"
            )));
        }
        // What the checks above already make true, seen from the other side.
        if url.path() != joined || url.authority() != self.url.authority() {
            return Err(AddressError::Path(
                "the path leads away from the base address",
            ));
        }
        Ok(url)
    }
}

impl AddressError {
    /// Whether the address is a fine one, of a host that may not be reached.
    pub fn is_about_host(&self) -> bool {
        matches!(self, Self::ForeignHost(_))
    }
}

/// Adds a parameter to the query.
pub fn add_query(url: &mut Url, name: &str, value: &str) {
    let mut text = url
        .query()
        .map_or_else(String::new, |query| format!("{query}&"));
    push_parameter(&mut text, name, value);
    url.set_query(Some(&text));
}

fn push_parameter(text: &mut String, name: &str, value: &str) {
    text.extend(utf8_percent_encode(name, QUERY));
    text.push('=');
    text.extend(utf8_percent_encode(value, QUERY));
}

fn check_path(path: &str) -> Result<(), AddressError> {
    let refused = |why| Err(AddressError::Path(why));
    if path.starts_with('/') {
        return refused(
            "the path begins with a slash; it is relative to the connection's base address",
        );
    }
    // An encoded dot or slash is decoded by one server and not by the next.
    if path.contains(['%', '\\', '?', '#', ':', ';']) || path.chars().any(char::is_control) {
        return refused("the path is plain text: no %, \\, ?, #, :, ; or control character");
    }
    let inner = path.strip_suffix('/').unwrap_or(path);
    let odd = |segment: &str| segment.is_empty() || segment.trim_matches('.').is_empty();
    if !path.is_empty() && inner.split('/').any(odd) {
        return refused("the path has a segment that is empty or made of dots");
    }
    Ok(())
}

/// The port, where the entry is a host name or `host:port` that equals the address's host.
fn same_host(entry: &str, url: &Url) -> Option<Option<u16>> {
    // Parsed as an address, so that both sides are in the same normal form.
    let entry = Url::parse(&format!("{}://{entry}/", url.scheme())).ok()?;
    (entry.host() == url.host() && entry.path() == "/").then(|| entry.port())
}

/// Whether an entry of the manifest covers the address: hosts written as names only with the scheme's own port.
fn allows(entry: &str, url: &Url) -> bool {
    if entry.contains("://") {
        return Url::parse(entry).is_ok_and(|entry| entry.origin() == url.origin());
    }
    same_host(entry, url).is_some_and(|port| port == url.port())
}

fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(
        address: &str,
        manifest: &[&str],
        operator: &[&str],
        private: bool,
    ) -> Result<Base, AddressError> {
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        Base::check(
            address,
            Allowed {
                manifest: &owned(manifest),
                operator: &owned(operator),
                private,
            },
        )
    }

    #[test]
    fn base_addresses_are_those_that_manifest_or_operator_name() {
        let sage = ["accounting.sageone.co.za"];
        let foreign = |host: &str| Err(AddressError::ForeignHost(host.to_owned()));
        for (address, manifest, operator, expected) in [
            (
                "https://accounting.sageone.co.za/api/2.0.0/",
                &sage[..],
                &[][..],
                Ok(Reach::Public),
            ),
            (
                "https://ACCOUNTING.sageone.co.za:443/api",
                &sage,
                &[],
                Ok(Reach::Public),
            ),
            (
                "https://accounting.sageone.co.za:8443/",
                &sage,
                &[],
                foreign("accounting.sageone.co.za"),
            ),
            (
                "http://accounting.sageone.co.za/",
                &sage,
                &[],
                Err(AddressError::Insecure),
            ),
            (
                "https://accounting.sageone.co.za.evil.example/",
                &sage,
                &[],
                foreign("accounting.sageone.co.za.evil.example"),
            ),
            (
                "https://evil.example/accounting.sageone.co.za/",
                &sage,
                &[],
                foreign("evil.example"),
            ),
            (
                "https://accounting.sageone.co.za@evil.example/",
                &sage,
                &[],
                Err(AddressError::Decorated),
            ),
            (
                "https://accounting.sageone.co.za/?x=1",
                &sage,
                &[],
                Err(AddressError::Decorated),
            ),
            (
                "ftp://accounting.sageone.co.za/",
                &sage,
                &[],
                Err(AddressError::NoAddress(
                    "ftp://accounting.sageone.co.za/".into(),
                )),
            ),
            (
                "accounting.sageone.co.za",
                &sage,
                &[],
                Err(AddressError::NoAddress("accounting.sageone.co.za".into())),
            ),
            (
                "http://127.0.0.1:8002/api/",
                &sage,
                &[],
                foreign("127.0.0.1"),
            ),
            (
                "http://127.0.0.1:8002/api/",
                &sage,
                &["127.0.0.1"],
                Ok(Reach::Private),
            ),
            (
                "http://127.0.0.1:8002/api/",
                &sage,
                &["127.0.0.1:8002"],
                Ok(Reach::Private),
            ),
            (
                "http://127.1:8002/api/",
                &sage,
                &["127.0.0.1"],
                Ok(Reach::Private),
            ),
            (
                "http://[::1]:8002/api/",
                &sage,
                &["[::1]"],
                Ok(Reach::Private),
            ),
            (
                "https://isp.example:8443/",
                &["https://isp.example:8443/"],
                &[],
                Ok(Reach::Public),
            ),
            (
                "https://isp.example/",
                &["https://isp.example:8443/"],
                &[],
                foreign("isp.example"),
            ),
            (
                "http://localhost:8001/",
                &["http://localhost:8001/"],
                &[],
                Ok(Reach::Public),
            ),
        ] {
            let found = base(address, manifest, operator, false).map(|base| base.reach());
            assert_eq!(found, expected, "{address}");
        }
        let own = base(
            "http://127.0.0.1:8001/api/",
            &["http://127.0.0.1:8001/"],
            &[],
            true,
        );
        assert_eq!(own.map(|base| base.reach()), Ok(Reach::Private));
    }

    #[test]
    fn paths_and_queries_stay_below_the_base_address() {
        let base = base("https://isp.example/api/2.0", &["isp.example"], &[], false).unwrap();
        for (path, query, expected) in [
            ("", vec![], "https://isp.example/api/2.0/"),
            (
                "admin/finance/invoices/501",
                vec![],
                "https://isp.example/api/2.0/admin/finance/invoices/501",
            ),
            (
                "admin/config/module/my_map--17",
                vec![],
                "https://isp.example/api/2.0/admin/config/module/my_map--17",
            ),
            (
                "Customer/Get/",
                vec![],
                "https://isp.example/api/2.0/Customer/Get/",
            ),
            ("a b/ü", vec![], "https://isp.example/api/2.0/a%20b/%C3%BC"),
            ("x..y/.z", vec![], "https://isp.example/api/2.0/x..y/.z"),
            (
                "Customer/Get",
                vec![
                    ("$filter", "Name eq 'A & B'+#?"),
                    ("main_attributes[x][]", ""),
                    ("a", "1"),
                    ("a", "2"),
                ],
                "https://isp.example/api/2.0/Customer/Get?$filter=Name%20eq%20%27A%20%26%20B%27%2B%23%3F\
                 &main_attributes%5Bx%5D%5B%5D=&a=1&a=2",
            ),
        ] {
            assert_eq!(base.join(path, query).unwrap().as_str(), expected);
        }
        for path in [
            "/",
            "/etc",
            "//evil.example/",
            "https://evil.example/",
            "..",
            "../x",
            "a/../b",
            "a/./b",
            "a//b",
            "a/..",
            "./a",
            "a/...",
            "%2e%2e/x",
            "a%2fb",
            "a\\b",
            "\\\\evil.example",
            "a?b",
            "a#b",
            "a\nb",
            "a\0b",
            "a;b",
            "@evil.example:80/",
        ] {
            assert!(
                matches!(base.join(path, []), Err(AddressError::Path(_))),
                "{path:?}"
            );
        }
        assert!(matches!(
            base.join("a", [("", "x")]),
            Err(AddressError::Query(_))
        ));
        assert!(matches!(
            base.join("a", [("x", "y".repeat(9000).as_str())]),
            Err(AddressError::Query(_))
        ));
    }
}
