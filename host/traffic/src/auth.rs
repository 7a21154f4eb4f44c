//! What a service wants to see of the sender: credentials become headers and query parameters of one request.
//!
//! Pure: whoever sends puts the [`Proof`] on the request last, when everything that a guest supplied was checked. Nonces
//! and tokens are given. Beware: nothing here may be formatted; a proof is as secret as what it was made from.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use addon_manifest::AuthSpec;
use addon_settings::Settings;
use addon_vault::Secret;

/// One way of proving, with its values.
#[derive(Debug, Clone)]
pub enum Credential {
    Basic { user: Secret, password: Secret },
    Bearer { token: Secret },
    QueryKey { name: String, value: Secret },
    Header { name: String, value: Secret },
    SplynxSignature { key: Secret, secret: Secret },
    SplynxToken { key: Secret, secret: Secret },
}

/// What one request needs besides the credentials.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stamp<'a> {
    /// For signatures; grows with every request of a key.
    pub nonce: i64,
    /// An access token that is good now, for [`Credential::SplynxToken`].
    pub token: Option<&'a Secret>,
}

/// What goes on the request.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    pub headers: Vec<(Cow<'static, str>, Secret)>,
    pub query: Vec<(String, Secret)>,
}

impl Credential {
    /// Fills in the settings that the manifest names; the error is one that is not set.
    pub fn resolve(specs: &[AuthSpec], settings: &Settings) -> Result<Vec<Self>, String> {
        specs
            .iter()
            .map(|spec| Self::resolve_one(spec, settings))
            .collect()
    }

    fn resolve_one(spec: &AuthSpec, settings: &Settings) -> Result<Self, String> {
        let setting = |key: &String| match (settings.secret(key), settings.get(key)) {
            (Some(secret), _) => Ok(secret.clone()),
            (None, "") => Err(key.clone()),
            (None, plain) => Ok(Secret::new(plain)),
        };
        // Keys and logins are pasted from letters, and have no blanks around them; a password may.
        let pasted = |key: &String| setting(key).map(|secret| Secret::new(secret.expose().trim()));
        Ok(match spec {
            AuthSpec::Basic { user, password } => Self::Basic {
                user: pasted(user)?,
                password: setting(password)?,
            },
            AuthSpec::Bearer { token } => Self::Bearer {
                token: settings.render(token)?,
            },
            AuthSpec::QueryKey { name, value } => Self::QueryKey {
                name: name.clone(),
                value: settings.render(value)?,
            },
            AuthSpec::Header { name, value } => Self::Header {
                name: name.clone(),
                value: settings.render(value)?,
            },
            AuthSpec::SplynxSignature { key, secret } => Self::SplynxSignature {
                key: pasted(key)?,
                secret: pasted(secret)?,
            },
            AuthSpec::SplynxToken { key, secret } => Self::SplynxToken {
                key: pasted(key)?,
                secret: pasted(secret)?,
            },
        })
    }

    /// The query parameter that this credential alone may set.
    pub fn query_name(&self) -> Option<&str> {
        match self {
            Self::QueryKey { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The header that this credential alone may set, in small letters.
    pub fn header_name(&self) -> Option<&str> {
        match self {
            Self::Header { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The key whose nonces must grow, where there is one.
    pub fn nonce_key(&self) -> Option<&str> {
        match self {
            Self::SplynxSignature { key, .. } | Self::SplynxToken { key, .. } => Some(key.expose()),
            _ => None,
        }
    }

    /// Whether every request carries a nonce.
    pub fn signs(&self) -> bool {
        matches!(self, Self::SplynxSignature { .. })
    }

    /// Key and secret that a token is fetched with, where requests need one.
    pub fn token_key(&self) -> Option<(&Secret, &Secret)> {
        match self {
            Self::SplynxToken { key, secret } => Some((key, secret)),
            _ => None,
        }
    }

    /// What is made of the credentials alone, and as secret as they are.
    pub fn derived(&self) -> Option<Secret> {
        match self {
            Self::Basic { user, password } => Some(basic(user, password)),
            _ => None,
        }
    }
}

fn basic(user: &Secret, password: &Secret) -> Secret {
    let pair = Secret::new(format!("{}:{}", user.expose(), password.expose()));
    Secret::new(STANDARD.encode(pair.expose()))
}

/// Proves by all of the credentials at once.
pub fn prove(credentials: &[Credential], stamp: Stamp<'_>) -> Proof {
    let mut proof = Proof::default();
    for credential in credentials {
        let mut authorize = |value: String| {
            let header = ("authorization".into(), Secret::new(value));
            proof.headers.push(header);
        };
        match credential {
            Credential::Basic { user, password } => {
                authorize(format!("Basic {}", basic(user, password).expose()));
            }
            Credential::Bearer { token } => authorize(format!("Bearer {}", token.expose())),
            Credential::QueryKey { name, value } => proof.query.push((name.clone(), value.clone())),
            Credential::Header { name, value } => {
                proof.headers.push((name.clone().into(), value.clone()));
            }
            Credential::SplynxSignature { key, secret } => {
                let signature = splynx_signature(key.expose(), secret.expose(), stamp.nonce);
                authorize(format!(
                    "Splynx-EA (key={}&nonce={}&signature={signature})",
                    key.expose(),
                    stamp.nonce
                ));
            }
            Credential::SplynxToken { .. } => {
                if let Some(token) = stamp.token {
                    authorize(format!("Splynx-EA (access_token={})", token.expose()));
                }
            }
        }
    }
    proof
}

/// HMAC-SHA256 over nonce and key, in upper-case hexadecimal; method, path and body are not signed (Splynx API, signature
/// authentication).
pub fn splynx_signature(key: &str, secret: &str, nonce: i64) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(nonce.to_string().as_bytes());
    mac.update(key.as_bytes());
    hex::encode_upper(mac.finalize().into_bytes())
}

/// The least nonce for a request that is signed now: hundredths of a second, one unit for the life of a key (Splynx API,
/// signature authentication). The one that is sent must also be greater than every earlier one.
pub fn splynx_nonce_at(now: DateTime<Utc>) -> i64 {
    now.timestamp_millis() / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splynx_signatures_equal_the_documented_vectors() {
        let sign = |nonce| {
            splynx_signature(
                "aaaa1111bbbb2222cccc3333dddd4444",
                "eeee5555ffff66660000777711118888",
                nonce,
            )
        };
        assert_eq!(
            sign(170_000_000_000),
            "383CBA3D05A439289CAB9F47BFC48969674A153A8F0FCDFD2295FFDF138C6D07"
        );
        assert_eq!(
            sign(170_000_000_001),
            "612C78C5F0D62F288537F465AA31F1BAE2B7CDF31B83A917D050EDF0E2FE1365"
        );
    }

    #[test]
    fn each_credential_puts_its_own_proof_on_the_request() {
        let secret = Secret::new;
        let token = secret("issued");
        let cases = [
            (
                Credential::Basic {
                    user: secret("a@b.c"),
                    password: secret("p:w"),
                },
                "authorization=Basic YUBiLmM6cDp3",
            ),
            (
                Credential::Bearer { token: secret("t") },
                "authorization=Bearer t",
            ),
            (
                Credential::QueryKey {
                    name: "apikey".into(),
                    value: secret("{k}"),
                },
                "?apikey={k}",
            ),
            (
                Credential::Header {
                    name: "x-api-key".into(),
                    value: secret("k"),
                },
                "x-api-key=k",
            ),
            (
                Credential::SplynxSignature {
                    key: secret("key"),
                    secret: secret("secret"),
                },
                "authorization=Splynx-EA (key=key&nonce=7&signature=\
                 2573B1DCA1337E050F361F2A9A0E5E3782ADE2F2DFE804201D8BE3A604692391)",
            ),
            (
                Credential::SplynxToken {
                    key: secret("key"),
                    secret: secret("secret"),
                },
                "authorization=Splynx-EA (access_token=issued)",
            ),
        ];
        for (credential, expected) in cases {
            let stamp = Stamp {
                nonce: 7,
                token: Some(&token),
            };
            let proof = prove(std::slice::from_ref(&credential), stamp);
            let headers = proof
                .headers
                .iter()
                .map(|(name, value)| format!("{name}={}", value.expose()));
            let query = proof
                .query
                .iter()
                .map(|(name, value)| format!("?{name}={}", value.expose()));
            assert_eq!(headers.chain(query).collect::<Vec<_>>(), [expected]);
        }
        let both = [
            Credential::Basic {
                user: secret("u"),
                password: secret("p"),
            },
            Credential::QueryKey {
                name: "apikey".into(),
                value: secret("k"),
            },
        ];
        let proof = prove(&both, Stamp::default());
        assert_eq!(
            (proof.headers.len(), proof.query.len()),
            (1, 1),
            "Sage wants both"
        );
    }
}
