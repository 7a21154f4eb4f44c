//! The section `[connections.NAME]`.

use std::collections::BTreeMap;

use super::parse::{check_id, refer};
use super::reader::Table;
use super::{AuthSpec, Connection, SettingKind, SettingSpec, Template};

const AUTH_TYPES: &str = "basic, bearer, query-key, header, splynx-signature, splynx-token";

/// Headers that carry the message, or another kind of authentication.
const NO_CREDENTIALS: [&str; 9] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "te",
    "transfer-encoding",
];

/// What may stand in addresses and credentials.
const PEOPLES: &str = "a setting that people alone decide (none that is fetched, or chosen from a list of the add-on)";

/// Room for lists of a hundred rows with all their fields.
const USUAL_RESPONSE_BYTES: u32 = 16 << 20;
const LARGEST_RESPONSE_BYTES: u32 = 64 << 20;

pub(super) fn connections(
    root: &Table<'_>,
    settings: &[SettingSpec],
) -> BTreeMap<String, Connection> {
    root.named_tables("connections")
        .into_iter()
        .map(|(name, table)| {
            check_id(&table, "title", &name);
            let connection = connection(&table, &name, settings);
            table.done();
            (name, connection)
        })
        .collect()
}

fn connection(table: &Table<'_>, name: &str, settings: &[SettingSpec]) -> Connection {
    let per_minute = table.count("per_minute", 1..=6000, None);
    let connection = Connection {
        title: table.maybe_text("title").unwrap_or_else(|| name.to_owned()),
        base_url: table.template("base_url"),
        hosts: table
            .some_texts("hosts")
            .iter()
            .map(|host| table.as_template("hosts", host))
            .collect(),
        private_addresses: table.flag("private_addresses", false),
        auth: table
            .tables("auth")
            .into_iter()
            .filter_map(|auth| credentials(auth, settings))
            .collect(),
        counted_by: table.some_texts("counted_by"),
        reads: table.texts("reads"),
        keeps: table.texts("keeps").into_iter().collect(),
        per_minute,
        per_day: table
            .maybe_number("per_day", 1..=10_000_000)
            .and_then(|number| u32::try_from(number).ok()),
        reserve: table
            .maybe_number("reserve", 0..=5_000_000)
            .and_then(|number| u32::try_from(number).ok()),
        burst: table.count("burst", 1..=6000, Some(per_minute.min(10))),
        parallel: table.count("parallel", 1..=16, Some(1)),
        timeout_seconds: table.count("timeout_seconds", 1..=300, Some(60)),
        max_response_bytes: table
            .count(
                "max_response_bytes",
                1024..=LARGEST_RESPONSE_BYTES,
                Some(USUAL_RESPONSE_BYTES),
            )
            .into(),
        rest_after_429_seconds: table.count("rest_after_429_seconds", 1..=86_400, Some(60)),
        settle_seconds: table.count("settle_seconds", 1..=86_400, Some(300)),
    };
    check(table, &connection, settings);
    connection
}

fn check(table: &Table<'_>, connection: &Connection, settings: &[SettingSpec]) {
    // An address is shown and logged; and whoever gets the credentials is not for the add-on to decide.
    let fits = |kind: &SettingKind| *kind != SettingKind::Secret && !kind.is_the_addons();
    let wanted = format!("{PEOPLES}, and that is no secret");
    refer_all(
        table,
        "base_url",
        &connection.base_url,
        settings,
        fits,
        &wanted,
    );
    for host in &connection.hosts {
        refer_all(table, "hosts", host, settings, fits, &wanted);
    }
    for key in &connection.counted_by {
        refer(table, "counted_by", key, settings, |_| true, "a setting");
    }
    for path in &connection.reads {
        if path.is_empty() || path.starts_with('/') || path.contains(['?', '#', '*', '{']) {
            let message = format!("`{path}` is no path of the add-on's requests");
            let cure = "Write it whole, as it is sent, such as \"TaxInvoice/Calculate\"";
            table.problem("reads", message, cure);
        }
    }
    if connection.burst > connection.per_minute {
        table.problem(
            "burst",
            "burst is above per_minute",
            format!("At most {}", connection.per_minute),
        );
    }
    if let Some(reserve) = connection.reserve
        && connection.per_day.is_none_or(|day| reserve > day / 2)
    {
        let message = "reserve is more than half of per_day";
        table.problem("reserve", message, "Write less, or a greater per_day");
    }
    if connection.settle_seconds <= connection.timeout_seconds {
        let message = "a request could still be in flight after settle_seconds";
        table.problem(
            "settle_seconds",
            message,
            format!("More than timeout_seconds, {}", connection.timeout_seconds),
        );
    }
    let signed = connection
        .auth
        .iter()
        .any(|auth| matches!(auth, AuthSpec::SplynxSignature { .. }));
    if signed && connection.parallel != 1 {
        table.problem(
            "parallel",
            "signed requests must arrive in the order of their nonces",
            "Write parallel = 1",
        );
    }
}

fn credentials(table: Table<'_>, settings: &[SettingSpec]) -> Option<AuthSpec> {
    let setting = |key: &'static str| {
        let name = table.text(key);
        let fits = |kind: &SettingKind| matches!(kind, SettingKind::Secret | SettingKind::Text(_));
        refer(&table, key, &name, settings, fits, "a secret or a text");
        name
    };
    let template = |key: &'static str| {
        let template = table.template(key);
        let fits = |kind: &SettingKind| !kind.is_the_addons();
        refer_all(&table, key, &template, settings, fits, PEOPLES);
        if template.keys().next().is_none() && !template.source().is_empty() {
            let message = "it names no setting, so that everybody who has the package has it";
            let cure = "Write the key of a secret in braces, as in \"{api_key}\"";
            table.problem(key, message, cure);
        }
        template
    };
    let name = table.text("type");
    let auth = match name.as_str() {
        "basic" => AuthSpec::Basic {
            user: setting("user"),
            password: setting("password"),
        },
        "bearer" => AuthSpec::Bearer {
            token: template("token"),
        },
        "query-key" => AuthSpec::QueryKey {
            name: table.text("name"),
            value: template("value"),
        },
        "header" => AuthSpec::Header {
            name: header(&table),
            value: template("value"),
        },
        "splynx-signature" => AuthSpec::SplynxSignature {
            key: setting("key"),
            secret: setting("secret"),
        },
        "splynx-token" => AuthSpec::SplynxToken {
            key: setting("key"),
            secret: setting("secret"),
        },
        "" => return None,
        _ => {
            table.problem(
                "type",
                format!("there is no authentication `{name}`"),
                format!("One of {AUTH_TYPES}"),
            );
            return None;
        }
    };
    table.done();
    Some(auth)
}

/// The name of a header that credentials may be sent in, in small letters.
fn header(table: &Table<'_>) -> String {
    let name = table.text("name").to_ascii_lowercase();
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let fits = !name.is_empty() && name.bytes().all(is_known);
    if !fits || NO_CREDENTIALS.contains(&name.as_str()) || name.starts_with("proxy-") {
        let message = format!("`{name}` is no header for a credential");
        let cure = "Write the one that the service wants, such as \"X-Api-Key\"";
        table.problem("name", message, cure);
    }
    name
}

fn refer_all(
    table: &Table<'_>,
    key: &'static str,
    template: &Template,
    settings: &[SettingSpec],
    fits: impl Fn(&SettingKind) -> bool,
    wanted: &str,
) {
    for name in template.keys() {
        refer(table, key, name, settings, &fits, wanted);
    }
}
