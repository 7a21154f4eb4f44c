//! The guest of `guest.wat` as a component, packed for installing.

use std::sync::OnceLock;

use addon_host::packages;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");

/// A module of `wat` text as a component of a world.
pub fn component(module: &str, resolve: &Resolve, world: wit_parser::WorldId) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .validate(true)
        .encode()
        .unwrap()
}

pub fn guest() -> &'static [u8] {
    static GUEST: OnceLock<Vec<u8>> = OnceLock::new();
    GUEST.get_or_init(|| built(include_str!("guest.wat")))
}

/// The guest of `guest.wat` with some of its text replaced.
pub fn changed_guest(changes: &[(&str, &str)]) -> Vec<u8> {
    let mut text = include_str!("guest.wat").to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    built(&text)
}

/// The guest of `table.wat`.
pub fn table_guest() -> &'static [u8] {
    static GUEST: OnceLock<Vec<u8>> = OnceLock::new();
    GUEST.get_or_init(|| built(include_str!("table.wat")))
}

/// The text of `scripted.wat` with this job, further parts of the module, and this at the start of each allocation.
pub fn scripted(body: &str, parts: &str, allocating: &str) -> String {
    include_str!("scripted.wat")
        .replace(";; BODY", body)
        .replace(";; PARTS", parts)
        .replace(";; ALLOCATING", allocating)
}

/// A component of a module's text.
pub fn built(module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(WIT).unwrap();
    let world = resolve
        .select_world(&[package], Some("sync-addon"))
        .unwrap();
    component(module, &resolve, world)
}

/// A package with this manifest and component.
pub fn package(manifest: &str, component: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("addon.toml"), manifest).unwrap();
    std::fs::write(folder.path().join("guest.wasm"), component).unwrap();
    packages::pack(folder.path()).unwrap()
}

/// The manifest of `guest.wat`, with this version and version of its state.
pub fn manifest(version: &str, state: u32) -> String {
    let jobs = [
        "finish",
        "endless",
        "hoard",
        "break",
        "get",
        "write",
        "commit",
        "progress",
        "obstinate",
        "log",
        "nap",
    ];
    let jobs = jobs
        .map(|job| format!("[[jobs]]\nid = \"{job}\"\ntitle = \"{job}\"\npreview = true\n"))
        .concat();
    format!(
        r#"[addon]
id = "guest"
version = "{version}"
title = "Guest"
interface = "splynx:addon@1.0.0"
component = "guest.wasm"
state = {state}

[connections.books]
base_url = "{{books_url}}api/"
hosts = ["{{books_url}}"]
private_addresses = true
auth = [{{ type = "basic", user = "login", password = "password" }}]
counted_by = ["login"]
per_minute = 6000
timeout_seconds = 5

[[settings]]
key = "books_url"
title = "Address"
type = "url"
required = true

[[settings]]
key = "login"
title = "Login"
type = "text"
required = true

[[settings]]
key = "password"
title = "Password"
type = "secret"
required = true

[[settings]]
key = "company"
title = "Company"
type = "fetched"

[[pages]]
id = "outbox"
title = "Waiting"
columns = ["Kind"]
acts = [{{ id = "retry", title = "Retry", rows = "some" }}]

{jobs}"#
    )
}
