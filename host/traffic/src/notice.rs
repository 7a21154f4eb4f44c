//! A message of the host's own to an address that an administrator gave: not an add-on's request, so nothing is counted, and no
//! connection's credentials come near it. The address itself may be a secret, and is in no error.

use std::time::Duration;

use reqwest::Method;
use url::Url;

use super::Connections;
use super::auth::Proof;
use super::egress::{Broken, Outgoing, Terms};
use super::haul::Haul;
use super::reach::Reach;

const TIMEOUT: Duration = Duration::from_secs(20);

/// What the receiver says is not read further.
const LONGEST_ANSWER: usize = 64 << 10;

impl Connections {
    /// Posts it. Answers the status, or why there is none. No redirect is followed.
    pub async fn post_notice(
        &self,
        to: Url,
        reach: Reach,
        headers: Vec<(String, String)>,
        body: String,
    ) -> Result<u16, String> {
        let outgoing = Outgoing {
            method: Method::POST,
            url: to,
            headers,
            body,
        };
        let terms = Terms {
            reach,
            timeout: TIMEOUT,
            max_response_bytes: LONGEST_ANSWER,
        };
        let proof = Proof::default();
        match self.egress.exchange(terms, &outgoing, &proof, &Haul::default()).await {
            Ok(answer) => Ok(answer.status),
            Err(Broken::Forbidden) => Err(
                "the address is of this machine or a private network, which the channel may not reach: allow it there"
                    .to_owned(),
            ),
            Err(Broken::Timeout) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
            Err(Broken::TooLarge | Broken::HaulFull) => Err("the answer is too large".to_owned()),
            Err(Broken::Unsendable(why) | Broken::Unreachable(why) | Broken::Lost(why)) => Err(why),
        }
    }
}
