//! The add-on that pries, and the service that gossips.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::service::{Reply, Seen, answer};

pub const JOBS: [&str; 9] = [
    "echo", "error", "moved", "cut", "drop", "late", "trap", "fail", "refuse",
];

pub const SECRETS: [&str; 6] = [
    "password",
    "api_key",
    "token_key",
    "token_secret",
    "sign_secret",
    "hook_secret",
];
/// The manifest of `spy.wat`: one connection for each way of proving, and one that proves nothing.
pub fn manifest() -> String {
    let connection = |id: &str, auth: &str| {
        format!(
            "[connections.{id}]\nbase_url = \"{{url}}{id}/\"\nhosts = [\"{{url}}\"]\nprivate_addresses = true\nauth = [{auth}]\n\
             counted_by = [\"login\"]\nper_minute = 6000\nburst = 100\ntimeout_seconds = 2\nparallel = 1\n"
        )
    };
    let connections = [
        connection(
            "basic",
            r#"{ type = "basic", user = "login", password = "password" }, { type = "query-key", name = "apikey", value = "{{{api_key}}}" }"#,
        ),
        connection(
            "token",
            r#"{ type = "splynx-token", key = "token_key", secret = "token_secret" }"#,
        ),
        connection(
            "signs",
            r#"{ type = "splynx-signature", key = "token_key", secret = "sign_secret" }"#,
        ),
        connection("dump", ""),
    ];
    let setting = |key: &str, kind: &str| {
        format!("[[settings]]\nkey = \"{key}\"\ntitle = \"{key}\"\ntype = \"{kind}\"\n")
    };
    let settings = SECRETS.map(|key| setting(key, "secret")).concat();
    let jobs = JOBS.map(|job| {
        format!("[[jobs]]\nid = \"{job}\"\ntitle = \"{job}\"\noptions = [{{ key = \"event\", title = \"Events\", type = \"long-text\" }}]\n")
    });
    format!(
        r#"[addon]
id = "spy"
version = "1.0.0"
title = "Spy"
interface = "splynx:addon@1.0.0"
component = "guest.wasm"
state = 1
{connections}
{url}{login}{number}{settings}
{jobs}
[[hooks]]
id = "told"
title = "Told"
signature = {{ scheme = "hmac-sha1", header = "X-Signature", secret = "hook_secret" }}
job = "echo"
flood_job = "echo"
[[pages]]
id = "outbox"
title = "Waiting"
columns = ["Kind"]
[[reports]]
id = "plan"
title = "Plan"
columns = ["Told"]
"#,
        connections = connections.concat(),
        url = setting("url", "url"),
        login = setting("login", "text"),
        number = setting("every", "number"),
        jobs = jobs.concat(),
    )
}

/// What a service that means no good, or has a debug mode, says to a request: all that it was sent, in every form it knows.
fn gossip(seen: &Seen, secrets: &[(String, String)]) -> String {
    let mut text = format!("marker {}\n", seen.line);
    for (name, value) in &seen.headers {
        text.push_str(&format!("{name}: {value}\n"));
        let decoded = value
            .strip_prefix("Basic ")
            .and_then(|text| STANDARD.decode(text).ok());
        text.push_str(&String::from_utf8_lossy(&decoded.unwrap_or_default()));
    }
    let was_sent = |secret: &str| seen.headers.iter().any(|(_, value)| value.contains(secret));
    for (name, secret) in secrets {
        // The secrets of its accounts it knows anyhow; a token while it is used.
        if !SECRETS.contains(&name.as_str()) && !was_sent(secret) {
            continue;
        }
        let pair = STANDARD.encode(format!("ann:{secret}"));
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let (json, hex, alone) = (json!(secret), hex::encode(secret), STANDARD.encode(secret));
        let (upper, lower) = (secret.to_uppercase(), secret.to_lowercase());
        text.push_str(&format!(
            "{secret} {pair} {encoded} {json} {hex} {alone} {upper} {lower}\n"
        ));
        for form in escaped(secret) {
            text.push_str(&format!("{form}\n"));
        }
    }
    text
}

/// As PHP and .NET write JSON, a page writes texts, and an address carries what is in a form.
fn escaped(secret: &str) -> [String; 5] {
    let php = json!(secret).to_string().replace('/', "\\/");
    let net = secret.replace('"', "\\u0022").replace('&', "\\u0026");
    let named = secret.replace('&', "&amp;").replace('"', "&quot;");
    let numbered = named.replace('/', "&#47;").replace("&quot;", "&#x22;");
    let percent = secret
        .replace('"', "%22")
        .replace('&', "%26")
        .replace('/', "%2f");
    [php, net, named, numbered, percent]
}

pub fn reply(seen: &Seen, secrets: &[(String, String)]) -> Reply {
    let path = seen
        .line
        .split(' ')
        .nth(1)
        .unwrap()
        .split('?')
        .next()
        .unwrap();
    let told = gossip(seen, secrets);
    let with = |status: u16, name: &'static str| Reply::Answer {
        status,
        headers: vec![(name, told.replace('\n', " "))],
        body: told.clone(),
    };
    match path.rsplit('/').next().unwrap() {
        "tokens" => {
            let token = &secrets.iter().find(|(name, _)| name == "issued").unwrap().1;
            answer(
                200,
                json!({ "access_token": token, "refresh_token": token }).to_string(),
            )
        }
        "administrators" => answer(200, r#"[{ "login": "ann", "role_name": "boss" }]"#),
        "dump" => answer(200, ""),
        "error" => with(500, "x-debug"),
        "moved" => with(302, "location"),
        "refuse" => with(401, "www-authenticate"),
        "cut" => Reply::Truncate,
        "drop" => Reply::Drop,
        "late" => Reply::Late(Duration::from_secs(4)),
        _ => with(200, "x-request"),
    }
}
