//! What there is behind the log-in, by the role that it needs. A new route goes into one of these three, and into the table of the
//! test that tries all of them in every role.

use axum::Router;
use axum::routing::{get, post};

use super::{App, pages, protection, second_factor, sessions};

/// For everybody who is logged in: nothing here changes anything but the visitor's own sessions and second factor.
pub fn viewing() -> Router<App> {
    Router::new()
        .route("/installations", get(pages::installations::show))
        .route("/installations/{name}", get(pages::overview::show))
        .route("/installations/{name}/todo", get(pages::todo::show))
        .route("/installations/{name}/jobs", get(pages::jobs::show))
        .route(
            "/installations/{name}/jobs/{job}/form",
            get(pages::job::show),
        )
        .route("/installations/{name}/setup", get(pages::setup::show))
        .route(
            "/installations/{name}/readiness",
            get(pages::readiness::show),
        )
        .route("/installations/{name}/settings", get(pages::settings::show))
        .route("/installations/{name}/changes", get(pages::changes::show))
        .route("/installations/{name}/mappings", get(pages::mappings::show))
        .route("/installations/{name}/activity", get(pages::activity::show))
        .route(
            "/installations/{name}/activity/{format}",
            get(pages::activity::download),
        )
        .route("/installations/{name}/runs", get(pages::runs::show))
        .route("/installations/{name}/support", get(pages::support::show))
        .route(
            "/installations/{name}/support/file",
            get(pages::support::file),
        )
        .route("/installations/{name}/pages/{page}", get(pages::rows::show))
        .route(
            "/installations/{name}/pages/{page}/{format}",
            get(pages::rows::download),
        )
        .route("/runs/{run}", get(pages::run::show))
        .route("/runs/{run}/live", get(pages::run::live))
        .route("/runs/{run}/recording", get(pages::run::recording))
        .route(
            "/runs/{run}/reports/{report}/{format}",
            get(pages::run::download),
        )
        .route("/sessions", get(sessions::show))
        .route("/sessions/{session}/revoke", post(sessions::revoke))
        .route(
            "/second-factor",
            get(second_factor::show).post(second_factor::offer),
        )
        .route("/second-factor/prove", post(second_factor::prove))
        .route("/second-factor/off", post(second_factor::turn_off))
        .layer(protection::short_bodies())
}

/// What costs the services requests, writes to them, or decides what will be written.
pub fn operating() -> Router<App> {
    let short = Router::new()
        .route("/installations/{name}/check", post(pages::overview::check))
        .route(
            "/installations/{name}/mappings",
            post(pages::mappings::save),
        )
        .route("/runs/{run}/stop", post(pages::run::stop))
        .route(
            "/installations/{name}/runs/record",
            post(pages::runs::record),
        )
        .layer(protection::short_bodies());
    let with_texts = Router::new()
        .route("/installations/{name}/jobs/{job}", post(pages::job::start))
        .route(
            "/installations/{name}/pages/{page}/act",
            post(pages::act::submit),
        )
        .layer(protection::long_bodies());
    short.merge(with_texts)
}

/// Settings, which hold credentials and where they go; the code that may use them, and the people.
pub fn administering() -> Router<App> {
    let short = Router::new()
        .route("/installations", post(pages::installations::make))
        .route(
            "/installations/{name}/settings",
            post(pages::settings::save),
        )
        .route(
            "/installations/{name}/setup/{step}",
            post(pages::setup::save),
        )
        .route(
            "/people",
            get(pages::people::show).post(pages::people::make),
        )
        .route("/people/{name}/password", post(pages::people::renew))
        .route("/people/{name}/role", post(pages::people::change_role))
        .route("/people/{name}/remove", post(pages::people::remove))
        .route("/changes", get(pages::host_changes::show))
        .route("/alerts", get(pages::alerts::show))
        .route("/alerts/{kind}", post(pages::alerts::save))
        .route(
            "/alerts/channels/{name}/remove",
            post(pages::alerts::remove),
        )
        .route("/alerts/channels/{name}/test", post(pages::alerts::test))
        .route("/addons/trust", post(pages::addons::trust))
        .route("/addons/accept", post(pages::addons::accept))
        .route("/addons/{id}/rollback", post(pages::addons::roll_back))
        .layer(protection::short_bodies());
    let packages = Router::new()
        .route(
            "/addons",
            get(pages::addons::show).post(pages::addons::examine),
        )
        .layer(protection::package_bodies());
    short.merge(packages)
}
