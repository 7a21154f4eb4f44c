//! Who asks: Basic login, API key, company (Sage API, authentication).
//!
//! The web server in front looks at the key, Sage itself at the login, so a wrong key is answered with a page of HTML
//! and a wrong password with JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::refusal::Refusal;
use crate::http::Request;

/// The one login and key that the company accepts.
#[derive(Debug, Clone)]
pub struct Access {
    pub login: String,
    pub password: String,
    /// In any of the forms that `plain_key` knows.
    pub api_key: String,
}

impl Access {
    pub fn check_key(&self, sent: &str) -> Result<(), Refusal> {
        if plain_key(sent) == plain_key(&self.api_key) {
            Ok(())
        } else {
            Err(Refusal::WrongKey)
        }
    }

    pub fn check_login(&self, login: &Login) -> Result<(), Refusal> {
        let user = login.user.eq_ignore_ascii_case(&self.login);
        if user && login.password == self.password {
            Ok(())
        } else {
            Err(Refusal::Denied)
        }
    }
}

/// A GUID as it is compared: Sage's examples write it in braces, working clients without, and both work.
pub fn plain_key(key: &str) -> String {
    key.trim()
        .trim_start_matches('{')
        .trim_end_matches('}')
        .to_lowercase()
}

/// What a request's Basic header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: String,
}

impl Login {
    pub fn of(request: &Request) -> Result<Self, Refusal> {
        let header = request.header("authorization").ok_or(Refusal::Denied)?;
        let (scheme, encoded) = header.split_once(' ').ok_or(Refusal::Denied)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Refusal::Denied);
        }
        let bytes = STANDARD
            .decode(encoded.trim())
            .map_err(|_| Refusal::Denied)?;
        let text = String::from_utf8(bytes).map_err(|_| Refusal::Denied)?;
        let (user, password) = text.split_once(':').ok_or(Refusal::Denied)?;
        if user.trim().is_empty() {
            return Err(Refusal::NoUserName);
        }
        Ok(Self {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }
}
