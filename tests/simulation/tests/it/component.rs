//! The built component, for the tests that run it instead of the native domain.

use std::path::{Path, PathBuf};

use mock_host::component::Plugin;

/// Where the built component is, if it is built.
pub fn path() -> PathBuf {
    std::env::var_os("ADDON_COMPONENT").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugin/splynx-sageone.wasm"),
        Into::into,
    )
}

/// The built component, where there is one; `scripts/test` insists on it.
pub fn component() -> Option<Plugin> {
    let path = path();
    if !path.exists() {
        let required = std::env::var("REQUIRE_COMPONENT").is_ok_and(|value| value == "1");
        assert!(!required, "there is no component at {}", path.display());
        eprintln!(
            "skipped: no component at {}; scripts/build-plugin makes it",
            path.display()
        );
        return None;
    }
    let bytes = std::fs::metadata(&path).map_or(u64::MAX, |file| file.len());
    assert!(
        bytes < 3 << 20,
        "the component has {bytes} bytes, and may have three mebibytes"
    );
    Some(Plugin::load(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
