//! What systemd is told of `serve`: that it is up, that it still works, that it stops. Says nothing where nobody manages it.
//!
//! Beware: a watchdog that is fed by a timer alone keeps a host alive that does nothing. Ours is fed only while the host is well.

#[cfg(unix)]
pub use systemd::{feed_watchdog, ready, stopping};
#[cfg(windows)]
pub use unmanaged::{feed_watchdog, ready, stopping};

#[cfg(unix)]
mod systemd {
    use addon_host::web::Vitals;
    use sd_notify::NotifyState;

    pub fn ready(admin_page: &str) {
        let status = format!("admin pages on {admin_page}");
        tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    pub fn stopping() {
        let status = "runs and answers are brought to an end";
        tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// Tells the watchdog, where there is one, that the host is well, twice in the time it allows.
    pub fn feed_watchdog(vitals: Vitals) {
        let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero())
        else {
            return;
        };
        let mut times = tokio::time::interval(patience / 2);
        tokio::spawn(async move {
            while !vitals.is_stopping() {
                times.tick().await;
                match vitals.ailment() {
                    None => tell(&[NotifyState::Watchdog]),
                    Some(ailment) => tracing::error!("the watchdog is not fed: {ailment}"),
                }
            }
        });
    }

    /// A manager that does not listen is no reason not to work.
    fn tell(states: &[NotifyState]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!("systemd cannot be told how the host is: {error}");
        }
    }
}

#[cfg(windows)]
mod unmanaged {
    use addon_host::web::Vitals;

    pub fn ready(_: &str) {}

    pub fn stopping() {}

    pub fn feed_watchdog(_: Vitals) {}
}
