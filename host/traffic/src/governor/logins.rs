//! What a service makes of credentials. Refused ones are never sent again until a person vouches for them; such as have not proven
//! themselves lately go alone, over all processes: a wrong password is refused once, and not as many times as
//! requests could be in flight (Sage API, failed logins).
//!
//! Beware: several installations may share a bucket with different passwords, so each is remembered by itself.

use serde::{Deserialize, Serialize};

/// How long accepted credentials are believed: they may be changed at the service at any time.
const BELIEVED_MS: i64 = 5 * 60_000;

/// Added to the time that a request can be in flight: clocks of two machines differ a little.
const SPARE_MS: i64 = 5_000;

/// Credentials that are remembered.
const MOST: usize = 32;

/// By credentials' fingerprint, the last used at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Logins(Vec<Login>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Login {
    credentials: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Refused,
    Accepted {
        at: i64,
    },
    /// One request is on its way with them; `who` sent it, and it is answered or lost by then.
    Trial {
        who: u64,
        until: i64,
    },
}

/// How credentials stand with the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialStatus {
    Refused,
    /// Somebody else tries them.
    OnTrial {
        until: i64,
    },
    Unproven,
    /// Good, and it should be noted again when they are accepted.
    ToRenew,
    Proven,
}

impl Logins {
    pub fn standing(
        &self,
        credentials: &str,
        who: u64,
        flight_ms: i64,
        now: i64,
    ) -> CredentialStatus {
        let longest = now + flight_ms + SPARE_MS;
        match self.state(credentials) {
            Some(State::Refused) => CredentialStatus::Refused,
            Some(State::Trial { who: other, until })
                if other != who && (now..=longest).contains(&until) =>
            {
                CredentialStatus::OnTrial { until }
            }
            // What lies in the future was noted by a clock that went back since.
            Some(State::Accepted { at }) if (0..BELIEVED_MS / 2).contains(&(now - at)) => {
                CredentialStatus::Proven
            }
            Some(State::Accepted { at }) if (0..BELIEVED_MS).contains(&(now - at)) => {
                CredentialStatus::ToRenew
            }
            _ => CredentialStatus::Unproven,
        }
    }

    pub fn try_out(&mut self, credentials: &str, who: u64, flight_ms: i64, now: i64) {
        let until = now + flight_ms + SPARE_MS;
        self.set(credentials, State::Trial { who, until });
    }

    pub fn accepted(&mut self, credentials: &str, now: i64) {
        // A late answer to an earlier request does not outweigh a refusal.
        if self.state(credentials) != Some(State::Refused) {
            self.set(credentials, State::Accepted { at: now });
        }
    }

    pub fn refused(&mut self, credentials: &str) {
        self.set(credentials, State::Refused);
    }

    /// The trial, if there is one, is over without a result.
    pub fn unsure(&mut self, credentials: &str) {
        self.0.retain(|login| {
            login.credentials != credentials || !matches!(login.state, State::Trial { .. })
        });
    }

    pub fn forgive(&mut self, credentials: &str) {
        self.0
            .retain(|login| login.credentials != credentials || login.state != State::Refused);
    }

    pub fn are_refused(&self, credentials: &str) -> bool {
        self.state(credentials) == Some(State::Refused)
    }

    fn state(&self, credentials: &str) -> Option<State> {
        let known = self.0.iter().find(|login| login.credentials == credentials);
        known.map(|login| login.state)
    }

    fn set(&mut self, credentials: &str, state: State) {
        self.0.retain(|login| login.credentials != credentials);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        let credentials = credentials.to_owned();
        self.0.push(Login { credentials, state });
    }
}
