//! Time as a parameter. Everything that needs the time is given a [`Clock`] or an instant; only [`SystemClock`] asks the
//! machine. Beware: a wall clock jumps, so sleeping is done in short pieces and compares with `now` each time.

use std::pin::Pin;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

/// Where the time comes from, and how one waits for a later one.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> DateTime<Utc>;

    /// Returns at `instant` or soon after; at once where it has passed.
    fn sleep_until(&self, instant: DateTime<Utc>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The longest single sleep: after this long a changed wall clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        SystemTime::now().into()
    }

    fn sleep_until(&self, instant: DateTime<Utc>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // A negative remainder does not convert: the instant has passed.
            while let Ok(left) = (instant - self.now()).to_std() {
                if left.is_zero() {
                    break;
                }
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
        })
    }
}
