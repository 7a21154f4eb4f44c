//! A letter to a web hook, signed as Standard Webhooks has it (standardwebhooks.com): receivers find libraries for it in every language.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::Url;

use super::channel::{HookTerms, reach, signing_key};
use addon_traffic::Connections;

/// Posts it; anything but a 2xx is a failure.
pub async fn send(
    connections: &Connections,
    terms: &HookTerms,
    (address, key): (&str, &str),
    id: &str,
    body: String,
    now: DateTime<Utc>,
) -> Result<(), String> {
    let unusable = || "the address or the key cannot be read: set the channel anew".to_owned();
    let address = Url::parse(address).map_err(|_| unusable())?;
    let timestamp = now.timestamp().to_string();
    let signature = signature(key, id, &timestamp, &body).ok_or_else(unusable)?;
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signature),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
    match connections
        .post_notice(address, reach(terms.private), headers, body)
        .await?
    {
        200..=299 => Ok(()),
        status @ 300..=399 => Err(format!(
            "{} answers {status}, a redirect, which is not followed",
            terms.host
        )),
        status => Err(format!("{} answers {status}", terms.host)),
    }
}

/// `v1,` and the base64 of HMAC-SHA256 over id, time and body.
fn signature(key: &str, id: &str, timestamp: &str, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&signing_key(key)?).ok()?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Some(format!(
        "v1,{}",
        BASE64_STANDARD.encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let made = signature(
            key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(
            made.as_deref(),
            Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        );
    }
}
