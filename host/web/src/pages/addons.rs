//! The add-ons of this host: their versions, installing and updating from a package file, and going back.
//!
//! A package goes the way of the command line: the same signature, the same comparison, the same trial. A key is trusted here only for a
//! package that bears its signature, and only by whoever enters the whole key: its id alone is easily made.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono_tz::Tz;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::App;
use crate::failure::Failure;
use crate::frame::{Frame, Moment, page, page_with};
use crate::login::session::Visitor;
use crate::staged::Package as Staging;
use crate::texts;
use crate::zone;
use addon_packages::{PackageError, Parts, split};
use addon_service::host::{HostError, Migrated, Offer, Terms};
use addon_store::AddonVersion;

#[derive(Template)]
#[template(path = "addons.html")]
struct AddonsPage {
    frame: Frame,
    zone: Tz,
    href: String,
    addons: Vec<AddonPart>,
    told: Option<String>,
    problem: Option<String>,
}

struct AddonPart {
    id: String,
    title: String,
    /// The newest first.
    versions: Vec<VersionLine>,
    /// The version that going back leads to.
    before: Option<String>,
    installations: Vec<(String, String)>,
}

struct VersionLine {
    version: String,
    active: bool,
    /// `None`: nobody who is trusted here signed it.
    signed_by: Option<String>,
    withdrawn: String,
    installed: Moment,
    by: String,
}

#[derive(Template)]
#[template(path = "offer.html")]
struct OfferPage {
    frame: Frame,
    href: String,
    title: String,
    version: String,
    description: String,
    sha256: String,
    signed_by: Option<String>,
    /// The version in use; `None`: the add-on is new here.
    current: Option<String>,
    asks_for: Vec<String>,
    other: Vec<String>,
}

#[derive(Template)]
#[template(path = "unknown_key.html")]
struct UnknownKeyPage {
    frame: Frame,
    href: String,
    /// The id of the key.
    signed_with: String,
    /// Of the file.
    sha256: String,
    key: String,
    name: String,
    problem: Option<String>,
}

/// The whole of a key, and whose it is.
#[derive(Default, Deserialize)]
pub struct Key {
    sha256: String,
    key: String,
    name: String,
}

/// Characters of what the owner of a key is called.
const LONGEST_NAME: usize = 100;

/// What was just done.
#[derive(Default, Deserialize)]
pub struct Done {
    installed: Option<String>,
    back: Option<String>,
}

#[derive(Deserialize)]
pub struct Agreed {
    sha256: String,
}

/// `GET /addons`
pub async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(done): Query<Done>,
) -> Result<Response, Failure> {
    draw(&app, &visitor, StatusCode::OK, done, None).await
}

/// `POST /addons`: a package file. What it asks for is shown, and nothing is changed.
pub async fn examine(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    mut form: Multipart,
) -> Result<Response, Failure> {
    let bad = |error: axum::extract::multipart::MultipartError| {
        Failure::new(error.status(), texts::addons::BROKEN_OFF)
    };
    let mut bytes = Vec::new();
    while let Some(field) = form.next_field().await.map_err(bad)? {
        if field.name() == Some("package") {
            bytes = field.bytes().await.map_err(bad)?.to_vec();
        }
    }
    if bytes.is_empty() {
        let problem = texts::addons::NO_FILE.to_owned();
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return draw(&app, &visitor, status, Done::default(), Some(problem)).await;
    }
    offer(&app, &visitor, Arc::new(bytes)).await
}

/// `POST /addons/trust`: trusts the key of a package that waits, and shows what the package asks for.
pub async fn trust(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Form(key): Form<Key>,
) -> Result<Response, Failure> {
    let now = app.clock.now();
    let waiting = app.staged.take(&visitor.account, &key.sha256, now);
    let Some(Staging::Unknown(bytes)) = waiting else {
        return gone(&app, &visitor).await;
    };
    let name = key.name.trim();
    let problem = if name.is_empty() || name.chars().count() > LONGEST_NAME {
        texts::unknown_key::NO_NAME.to_owned()
    } else {
        let (host, trying) = (app.host.clone(), bytes.clone());
        let (key, name) = (key.key.trim().to_owned(), name.to_owned());
        let actor = visitor.account.clone();
        let trusted =
            App::detached(async move { host.trust_for(&trying, &key, &name, &actor).await });
        match trusted.await? {
            Ok(_) => return offer(&app, &visitor, bytes).await,
            Err(HostError::Package(error)) => format!("{error}."),
            Err(error) => return Err(error.into()),
        }
    };
    let signed_with = match split(&bytes) {
        Ok(Parts {
            signature: Some(signature),
            ..
        }) => signature.key().to_owned(),
        _ => String::new(),
    };
    ask_for_key(&app, &visitor, bytes, signed_with, Some((key, problem)))
}

/// Shows what a package asks for, or what keeps it from being installed.
async fn offer(app: &App, visitor: &Visitor, bytes: Arc<Vec<u8>>) -> Result<Response, Failure> {
    let (host, examining) = (app.host.clone(), bytes.clone());
    let examined =
        App::detached(async move { host.examine(&examining, Terms::default(), None).await });
    match examined.await? {
        Ok(offer) => {
            let offer = Arc::new(offer);
            let waiting = Staging::Offered(offer.clone());
            let sha256 = &offer.package.sha256;
            app.staged
                .keep(&visitor.account, sha256, waiting, app.clock.now());
            Ok(page(&offer_page(app, visitor, &offer)))
        }
        Err(HostError::Package(PackageError::UnknownKey(key))) => {
            ask_for_key(app, visitor, bytes, key, None)
        }
        Err(error) => {
            // It is about what was sent, and not about this host.
            let is_theirs = matches!(
                error,
                HostError::Package(_) | HostError::Manifest(_) | HostError::Audit(_)
            );
            let Failure { status, message } = error.into();
            let status = if is_theirs {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                status
            };
            draw(app, visitor, status, Done::default(), Some(message)).await
        }
    }
}

/// Keeps a package that is signed with an unknown key, and asks for the whole of the key. `again`: what was entered, and what is wrong
/// with it.
fn ask_for_key(
    app: &App,
    visitor: &Visitor,
    bytes: Arc<Vec<u8>>,
    signed_with: String,
    again: Option<(Key, String)>,
) -> Result<Response, Failure> {
    let sha256 = hex::encode(Sha256::digest(bytes.as_slice()));
    let waiting = Staging::Unknown(bytes);
    app.staged
        .keep(&visitor.account, &sha256, waiting, app.clock.now());
    let (key, problem) = match again {
        Some((key, problem)) => (key, Some(problem)),
        None => (Key::default(), None),
    };
    let template = UnknownKeyPage {
        frame: Frame::new(app.base.as_str(), Some(visitor), texts::unknown_key::TITLE),
        href: app.href("/addons"),
        signed_with,
        sha256,
        key: key.key,
        name: key.name,
        problem,
    };
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &template))
}

async fn gone(app: &App, visitor: &Visitor) -> Result<Response, Failure> {
    let problem = texts::addons::GONE.to_owned();
    draw(
        app,
        visitor,
        StatusCode::GONE,
        Done::default(),
        Some(problem),
    )
    .await
}

/// `POST /addons/accept`: agrees to the package that was examined.
pub async fn accept(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Form(agreed): Form<Agreed>,
) -> Result<Response, Failure> {
    let now = app.clock.now();
    let waiting = app.staged.take(&visitor.account, &agreed.sha256, now);
    let Some(Staging::Offered(offer)) = waiting else {
        return gone(&app, &visitor).await;
    };
    let (host, actor) = (app.host.clone(), visitor.account.clone());
    let installed = App::detached(async move {
        let version = host.accept(&offer, None, &actor).await?;
        let migrated = host.migrate_installations(&version, &actor).await?;
        Ok::<(AddonVersion, Vec<Migrated>), HostError>((version, migrated))
    });
    let (version, migrated) = match installed.await? {
        Ok(installed) => installed,
        Err(error) => {
            let Failure { status, message } = error.into();
            return draw(&app, &visitor, status, Done::default(), Some(message)).await;
        }
    };
    let failed: Vec<String> = migrated
        .iter()
        .filter_map(|one| {
            let why = one.failure.as_ref()?;
            Some(format!("{}: {}", one.installation, why.message))
        })
        .collect();
    if !failed.is_empty() {
        let problem =
            texts::addons::did_not_work(&version.addon, &version.version, &failed.join(" "));
        let status = StatusCode::CONFLICT;
        return draw(&app, &visitor, status, Done::default(), Some(problem)).await;
    }
    let address = format!("/addons?installed={}", version.addon);
    Ok(Redirect::to(&app.href(&address)).into_response())
}

/// `POST /addons/{id}/rollback`: to the version before.
pub async fn roll_back(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let (host, actor) = (app.host.clone(), visitor.account.clone());
    let back = App::detached(async move { host.roll_back(&id, None, &actor).await });
    match back.await? {
        Ok(version) => {
            let address = format!("/addons?back={}", version.addon);
            Ok(Redirect::to(&app.href(&address)).into_response())
        }
        Err(error) => {
            let Failure { status, message } = error.into();
            draw(&app, &visitor, status, Done::default(), Some(message)).await
        }
    }
}

async fn draw(
    app: &App,
    visitor: &Visitor,
    status: StatusCode,
    done: Done,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let store = app.host.store();
    let zone = zone::shared(app).await?;
    let versions = store.addon_versions().await?;
    let installations = store.installations().await?;
    let mut addons: Vec<AddonPart> = Vec::new();
    for version in &versions {
        let signed_by = match version.signed_by.as_str() {
            "" => None,
            key => Some(
                store
                    .trusted_key(key)
                    .await?
                    .map_or_else(|| texts::addons::not_trusted(key), |key| key.name),
            ),
        };
        let line = VersionLine {
            version: version.version.clone(),
            active: version.active,
            signed_by,
            withdrawn: version.withdrawn.clone(),
            installed: Moment::new(version.installed_at, zone),
            by: version.installed_by.clone(),
        };
        match addons.iter_mut().find(|addon| addon.id == version.addon) {
            Some(addon) => addon.versions.push(line),
            None => addons.push(AddonPart {
                id: version.addon.clone(),
                title: title(version),
                versions: vec![line],
                before: None,
                installations: installations
                    .iter()
                    .filter(|one| one.addon == version.addon)
                    .map(|one| {
                        let href = app.href(&format!("/installations/{}", one.name));
                        (one.name.clone(), href)
                    })
                    .collect(),
            }),
        }
    }
    for addon in &mut addons {
        let active = versions
            .iter()
            .find(|version| version.addon == addon.id && version.active);
        // As the host chooses it.
        let earlier = versions.iter().filter(|version| {
            version.addon == addon.id
                && !version.active
                && version.withdrawn.is_empty()
                && active.is_some_and(|active| version.installed_at <= active.installed_at)
        });
        addon.before = earlier
            .max_by_key(|version| version.installed_at)
            .map(|version| version.version.clone());
    }
    let in_use = |id: &str| {
        let active = versions.iter().find(|one| one.addon == id && one.active)?;
        Some(format!("{} {}", title(active), active.version))
    };
    let told = match (&done.installed, &done.back) {
        (Some(id), _) => in_use(id).map(|addon| texts::addons::installed(&addon)),
        (None, Some(id)) => in_use(id).map(|addon| texts::addons::back(&addon)),
        (None, None) => None,
    };
    Ok(page_with(
        status,
        &AddonsPage {
            frame: Frame::new(app.base.as_str(), Some(visitor), texts::addons::TITLE),
            href: app.href("/addons"),
            addons,
            told,
            problem,
            zone,
        },
    ))
}

fn offer_page(app: &App, visitor: &Visitor, offer: &Offer) -> OfferPage {
    let addon = &offer.package.manifest.addon;
    OfferPage {
        frame: Frame::new(app.base.as_str(), Some(visitor), texts::offer::TITLE),
        href: app.href("/addons"),
        title: addon.title.clone(),
        version: addon.version.to_string(),
        description: addon.description.clone(),
        sha256: offer.package.sha256.clone(),
        signed_by: offer.signed_by.as_ref().map(|key| key.name.clone()),
        current: offer
            .current
            .as_ref()
            .map(|current| current.version.clone()),
        asks_for: offer.changes.asks_for_more.clone(),
        other: offer.changes.other.clone(),
    }
}

/// As people call the add-on.
pub fn title(version: &AddonVersion) -> String {
    addon_manifest::Manifest::parse(&version.manifest)
        .map_or_else(|_| version.addon.clone(), |manifest| manifest.addon.title)
}
