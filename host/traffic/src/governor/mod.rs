//! How many requests a service may get, when, and whose go first: a pure state machine over a clock.
//!
//! A [`Bucket`] is what one service counts by (a login, a key, a company). Its state is plain data, kept by the caller where all
//! processes share it; it is taken **before** sending, so a crash can waste some of the budget and never exceeds it.
//!
//! The limits are in [`windows`], the order of those who wait in [`line`], what is known of credentials in [`logins`]. A service
//! that said "too many" is left alone until its block is over. Times are milliseconds since the Unix epoch.

mod estimate;
mod figures;
mod line;
mod logins;
#[cfg(test)]
mod tests;
mod windows;

use serde::{Deserialize, Serialize};

pub use self::estimate::{Estimate, Pause};
pub use self::figures::{Figures, Usage, Waiting};
use self::line::{Claim, Line};
use self::logins::{CredentialStatus, Logins};
use self::windows::Windows;

/// The longest wait that `send` makes a guest wait (`http.wit`).
pub const LONGEST_WAIT_MS: i64 = 120_000;

/// How long after its admission a request may still leave. The window of a minute is longer by this, so what leaves late exceeds no
/// limit.
pub const LEAVES_WITHIN_MS: i64 = 250;

/// How long whoever waits for another's trial of the same credentials waits before asking again.
const TRIAL_POLL_MS: i64 = 250;

/// Longest block that is believed: an answer may ask for a day at most, and a clock may have been set back since.
const LONGEST_BLOCK_MS: i64 = 25 * 60 * 60 * 1_000;

/// Users that a bucket remembers, and for how long after their last request.
const MOST_USERS: usize = 64;
const USER_KEPT_MS: i64 = 60 * 60 * 1_000;

/// What a service tolerates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Most requests in any 60 seconds.
    pub per_minute: u32,
    /// Most requests in any 24 hours.
    pub per_day: Option<u32>,
    /// How many of the day's requests automatic runs leave to people.
    pub reserve: u32,
    /// How many may go at once after a rest; the rest of the minute's budget sets the pace.
    pub burst: u32,
    /// Seconds of silence after a 429.
    pub rest_seconds: u32,
}

impl Limits {
    /// What a class may use of the day. Automatic requests leave the reserve to people, and automatic ones of low priority as
    /// much again to those that matter more: a payment must not wait until tomorrow for a thousand new telephone numbers.
    pub fn day_of(&self, class: Class) -> Option<u32> {
        let day = self.per_day?;
        // Whatever an operator writes, work goes on: at most half is kept back each time.
        let reserve = self.reserve.min(day / 2);
        let automatic = day - reserve;
        Some(match (class.by, class.priority) {
            (By::Person, _) => day,
            (By::Schedule, Priority::Low) => automatic - reserve.min(automatic / 2),
            (By::Schedule, _) => automatic,
        })
    }
}

/// For whom a request is made.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Nobody waits for it.
    #[default]
    Schedule,
    Person,
}

/// What the add-on says of a request (`http.wit`, `options`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

/// Whose turn is first: people before automatic runs, and among these by priority.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Class {
    pub by: By,
    pub priority: Priority,
}

/// Somebody wants to send.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// Changes exactly when the credentials do.
    pub credentials: &'a str,
    pub class: Class,
    /// How many requests are ready to leave at once.
    pub want: u32,
    /// How many will follow them within [`LEAVES_WITHIN_MS`].
    pub more: u32,
    /// A number of one's own, the same for as long as one waits.
    pub who: u64,
    /// Since when one has been waiting.
    pub since: Option<i64>,
    /// How long a request can be in flight.
    pub flight_ms: i64,
    pub run: Option<RunPace>,
}

/// The run that asks, and how it gets on: what its current stage has cost so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunPace {
    pub run: i64,
    pub calls: u64,
    pub records: u64,
}

/// Whether requests may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// That many may go at once (at least one); they are counted already. `vouch`: nothing more may be asked for before it is told
    /// what the service makes of the credentials ([`Bucket::answered`], [`Bucket::unanswered`]).
    Go { count: u32, vouch: bool },
    /// None before then.
    Wait { until: i64, why: Why },
    /// None until the credentials change.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    Pace,
    /// Others are before in the line.
    Turn,
    /// Another one tries the same credentials.
    Login,
    Day,
    /// What requests of low priority may use of the day.
    Share,
    Block,
}

/// What was sent, who waits, and what the service said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bucket {
    windows: Windows,
    block: Option<Block>,
    logins: Logins,
    line: Line,
    users: Vec<User>,
}

/// The service wants silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Block {
    until: i64,
    /// Its own words.
    said: String,
}

/// A run that draws on the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct User {
    run: i64,
    /// All its requests.
    calls: u64,
    /// Requests and records of its current stage.
    stage: (u64, u64),
    last: i64,
}

impl Bucket {
    /// Takes up to `want` requests out of the budget, or joins the line of those who wait.
    pub fn admit(&mut self, limits: &Limits, ask: &Ask<'_>, now: i64) -> Verdict {
        self.forget(now);
        let standing = self
            .logins
            .standing(ask.credentials, ask.who, ask.flight_ms, now);
        match standing {
            CredentialStatus::Refused => {
                self.line.leave(ask.who);
                return Verdict::Refused;
            }
            CredentialStatus::OnTrial { until } => {
                // Not in the line meanwhile: others' credentials may be good.
                self.line.leave(ask.who);
                let until = until.min(now + TRIAL_POLL_MS).max(now + 1);
                return Verdict::Wait {
                    until,
                    why: Why::Login,
                };
            }
            CredentialStatus::Unproven | CredentialStatus::Proven | CredentialStatus::ToRenew => {}
        }
        let claim = Claim {
            who: ask.who,
            class: ask.class,
            since: ask.since.unwrap_or(now).min(now),
            until: 0,
        };
        if let Some((until, why)) = self.obstacle(limits, &claim, now) {
            self.line.leave(ask.who);
            if until - now <= LONGEST_WAIT_MS {
                self.line.join(claim, until);
            }
            return Verdict::Wait { until, why };
        }
        self.line.leave(ask.who);
        let want = match standing {
            CredentialStatus::Unproven => 1,
            // Nobody waits longer because of what does not leave at once.
            CredentialStatus::Proven if self.line.is_empty() => ask.want + ask.more,
            _ => ask.want,
        };
        let mut count = 0;
        while count < want.max(1) && (count == 0 || self.limit(limits, ask.class, now).is_none()) {
            self.windows.take(limits, now);
            count += 1;
        }
        if standing == CredentialStatus::Unproven {
            self.logins
                .try_out(ask.credentials, ask.who, ask.flight_ms, now);
        }
        self.note_user(ask, count, now);
        Verdict::Go {
            count,
            vouch: standing != CredentialStatus::Proven,
        }
    }

    /// Notes what a service answered.
    pub fn answered(&mut self, limits: &Limits, credentials: &str, status: u16, now: i64) {
        match status {
            401 => self.logins.refused(credentials),
            429 => {
                self.logins.unsure(credentials);
                self.rest(now + i64::from(limits.rest_seconds) * 1_000, "");
            }
            _ => self.logins.accepted(credentials, now),
        }
    }

    /// No answer came that says anything of the credentials.
    pub fn unanswered(&mut self, credentials: &str) {
        self.logins.unsure(credentials);
    }

    /// The service wants silence until then; `said` is its reason.
    pub fn rest(&mut self, until: i64, said: &str) {
        if self.block.as_ref().is_none_or(|block| block.until <= until) {
            let said = said.to_owned();
            self.block = Some(Block { until, said });
        }
    }

    /// A person vouches for the credentials: they may be tried once more.
    pub fn forgive(&mut self, credentials: &str) {
        self.logins.unsure(credentials);
        self.logins.forgive(credentials);
    }

    /// Gives up a place in the line.
    pub fn leave(&mut self, who: u64) {
        self.line.leave(who);
    }

    /// Until when the service blocks, if it still does.
    pub fn blocked_until(&self, now: i64) -> Option<i64> {
        let until = self.block.as_ref()?.until;
        (until > now).then_some(until)
    }

    /// What is in the way of a claim: a limit, or others who are before it in the line.
    fn obstacle(&self, limits: &Limits, claim: &Claim, now: i64) -> Option<(i64, Why)> {
        let limit = self.limit(limits, claim.class, now);
        if limit.is_some_and(|(_, why)| why != Why::Pace) {
            return limit;
        }
        match self.line.ahead_of(claim, now) {
            0 => limit,
            ahead => Some((self.turn_after(limits, ahead, now), Why::Turn)),
        }
    }

    /// When the class could send next, were it alone; `None`: now.
    fn limit(&self, limits: &Limits, class: Class, now: i64) -> Option<(i64, Why)> {
        if let Some(until) = self.blocked_until(now) {
            return Some((until, Why::Block));
        }
        let (until, why) = self
            .windows
            .earliest(limits, limits.day_of(class), now)
            .map(|(until, day)| (until, if day { Why::Day } else { Why::Pace }))?;
        let usual = Class {
            priority: Priority::Normal,
            ..class
        };
        let only_low =
            why == Why::Day && !self.windows.day_is_full(limits.day_of(usual)) && class < usual;
        Some((until, if only_low { Why::Share } else { why }))
    }

    /// When that many others will have had their turns. Each takes one at least; who takes more makes the rest ask again.
    fn turn_after(&self, limits: &Limits, others: usize, now: i64) -> i64 {
        let mut windows = self.windows.clone();
        let mut at = now;
        for _ in 0..others.min(line::MOST_AHEAD) {
            at = windows.pass(limits, None, at);
        }
        let next = windows.next(limits, None, at);
        next.clamp(now + line::SHORTEST_WAIT_MS, now + line::LONGEST_WAIT_MS)
    }

    fn note_user(&mut self, ask: &Ask<'_>, count: u32, now: i64) {
        let Some(RunPace {
            run,
            calls,
            records,
        }) = ask.run
        else {
            return;
        };
        let known = self.users.iter().position(|user| user.run == run);
        let before = known.map(|index| self.users.remove(index).calls);
        if self.users.len() >= MOST_USERS {
            self.users.remove(0);
        }
        self.users.push(User {
            run,
            calls: before.unwrap_or(0) + u64::from(count),
            stage: (calls, records),
            last: now,
        });
    }

    fn forget(&mut self, now: i64) {
        self.windows.forget(now);
        self.line.forget(now);
        self.block = self.block.take().filter(|block| block.until > now);
        if let Some(block) = &mut self.block {
            block.until = block.until.min(now + LONGEST_BLOCK_MS);
        }
        self.users.retain(|user| now - user.last < USER_KEPT_MS);
    }
}
