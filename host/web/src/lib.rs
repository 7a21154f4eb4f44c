//! The admin pages: rendered here, plain HTML first, whole without scripts.
//!
//! This folder decides nothing about runs, settings or schedules; it asks the host and shows the answer. It never opens a
//! secret. Every page but the log-in needs a session of somebody who may see it (`routes`), nothing changes on GET, changes from other sites are refused, and
//! all text goes through the templates' escaping. Beware: a handler dies with its connection, so work that must be
//! finished is handed to a task of its own (see [`App::detached`]).

mod assets;
mod base_path;
mod choices;
mod download;
mod failure;
mod findings;
mod frame;
mod health;
mod hooks;
pub mod login;
mod pages;
mod protection;
mod routes;
mod second_factor;
pub mod server;
mod sessions;
mod staged;
mod texts;
mod zone;

pub use base_path::{BasePath, BasePathError};
pub use health::Vitals;
pub use login::Sender;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Redirect;
use axum::routing::{get, post};

use addon_service::host::Host;
use addon_store::Role;
use addon_traffic::clock::Clock;
use choices::Choices;
use failure::Failure;
use findings::Findings;
use login::LoginGuard;
use staged::Staged;

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    host: Host,
    clock: Arc<dyn Clock>,
    base: BasePath,
    vitals: Vitals,
    door: Arc<LoginGuard>,
    choices: Arc<Choices>,
    findings: Arc<Findings>,
    refusals: Arc<hooks::Refusals>,
    staged: Arc<Staged>,
}

impl App {
    pub fn new(host: Host, clock: Arc<dyn Clock>, base: BasePath, vitals: Vitals) -> Self {
        Self {
            host,
            clock,
            base,
            vitals,
            door: Arc::default(),
            choices: Arc::default(),
            findings: Arc::default(),
            refusals: Arc::default(),
            staged: Arc::default(),
        }
    }

    /// Runs something to its end, also where the browser goes away meanwhile.
    async fn detached<T: Send + 'static>(
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failure> {
        tokio::spawn(work)
            .await
            .map_err(|error| Failure::internal(&error))
    }

    /// Address of a page.
    fn href(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str())
    }
}

/// All pages, as a service to be served by one listener. `within`: how long a request may take.
pub fn router(app: App, within: Duration) -> Router {
    // Who is not logged in, or may not do it, is turned away before a body is read.
    let inside = routes::viewing()
        .merge(permitted(routes::operating(), Role::Operate))
        .merge(permitted(routes::administering(), Role::Administer))
        .route_layer(from_fn_with_state(app.clone(), login::require));
    let outside = Router::new()
        .route("/", get(home))
        .route("/login", get(login::show).post(login::enter))
        .route("/logout", post(login::leave))
        .route("/health", get(health::ready))
        .route("/health/alive", get(health::alive))
        .route("/assets/{name}", get(assets::serve))
        .layer(protection::short_bodies());
    let base = app.base.clone();
    let told = Router::new()
        .route("/hooks/{installation}/{hook}", post(hooks::receive))
        .layer(hooks::bodies());
    let pages = inside.merge(outside);
    let pages = pages
        .layer(map_response(protection::in_our_words))
        .merge(told);
    let routes = match base.as_str() {
        "" => pages,
        path => Router::new()
            .nest(path, pages)
            .route(&format!("{path}/"), get(home)),
    };
    let routes = routes.fallback(async || Failure::not_found(texts::failure::NO_PAGE));
    protection::layers(routes, &base, within)
        .layer(from_fn(protection::headers))
        .with_state(app)
}

fn permitted(routes: Router<App>, role: Role) -> Router<App> {
    routes.route_layer(from_fn_with_state(role, login::permit))
}

/// `GET /`
async fn home(State(app): State<App>) -> Redirect {
    Redirect::to(&app.href("/installations"))
}
