//! What is refused before anything of it runs, by name.

use addon_host::packages::PackageError;
use addon_host::runs::{AuditError, COMPILE, Runtime};
use wit_parser::Resolve;

use crate::guest::{WIT, component, guest, manifest, package};

async fn refusal(bytes: &[u8]) -> AuditError {
    match Runtime::new()
        .unwrap()
        .admit(bytes.to_vec(), "digest")
        .await
    {
        Ok(_) => panic!("it was admitted"),
        Err(error) => error,
    }
}

/// The contract as `edit` changes it, and a component of a world that imports or exports some of it.
fn of_world(edit: impl Fn(String) -> String, world: &str, module: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    for file in ["types", "http", "storage", "run", "addon"] {
        let text = std::fs::read_to_string(format!("{WIT}/{file}.wit")).unwrap();
        std::fs::write(folder.path().join(format!("{file}.wit")), edit(text)).unwrap();
    }
    let world = format!("package splynx:addon@1.0.0;\nworld test {{ {world} }}");
    std::fs::write(folder.path().join("world.wit"), edit(world)).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(folder.path()).unwrap();
    let world = resolve.select_world(&[package], Some("test")).unwrap();
    component(module, &resolve, world)
}

#[tokio::test]
async fn a_component_that_fits_is_admitted_and_what_is_none_says_what_it_is() {
    assert!(
        Runtime::new()
            .unwrap()
            .admit(guest().to_vec(), "digest")
            .await
            .is_ok()
    );
    assert!(matches!(
        refusal(b"MZ\x90\0 not WebAssembly").await,
        AuditError::NotWasm
    ));
    assert!(matches!(refusal(b"").await, AuditError::NotWasm));
    assert!(matches!(
        refusal(&wat::parse_str("(module)").unwrap()).await,
        AuditError::CoreModule
    ));
    let mut broken = guest().to_vec();
    broken.truncate(broken.len() / 2);
    assert!(matches!(refusal(&broken).await, AuditError::Invalid(_)));
    assert!(matches!(
        refusal(&wat::parse_str("(component)").unwrap()).await,
        AuditError::NoEntry
    ));
}

#[tokio::test]
async fn foreign_imports_and_other_versions_are_refused_by_name() {
    for import in [
        "wasi:nn/graph@0.2.0",
        "wasi:keyvalue/store@0.2.0",
        "acme:spy/eyes@1.0.0",
        "naked",
    ] {
        let text = format!(r#"(component (import "{import}" (instance)))"#);
        let error = refusal(&wat::parse_str(text).unwrap()).await;
        assert!(
            matches!(&error, AuditError::ForeignImport(found) if found == import),
            "{import}: {error}"
        );
        assert!(error.to_string().contains(import));
    }
    let two = r#"(component (import "acme:spy/eyes@1.0.0" (instance)) (import "acme:spy/ears@1.0.0" (instance)))"#;
    let error = refusal(&wat::parse_str(two).unwrap()).await.to_string();
    for part in [
        "`acme:spy/eyes@1.0.0`, `acme:spy/ears@1.0.0`",
        "splynx:addon",
        "wasi:sockets",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    for version in ["1.0.1", "1.1.0", "2.0.0", "0.9.0"] {
        let later =
            |text: String| text.replace("splynx:addon@1.0.0", &format!("splynx:addon@{version}"));
        let module = format!(
            r#"(module (import "splynx:addon/run@{version}" "now" (func (result i64))) (memory (export "memory") 1))"#
        );
        let error = refusal(&of_world(later, "import run;", &module)).await;
        let wanted = format!("splynx:addon/run@{version}");
        assert!(
            matches!(&error, AuditError::OtherVersion { import } if *import == wanted),
            "{version}: {error}"
        );
        assert!(
            error.to_string().contains(&wanted) && error.to_string().contains("1.0.0"),
            "{error}"
        );
    }
    for version in ["1.1.0", "2.0.0", "0.9.0"] {
        let entry = format!("splynx:addon/addon@{version}");
        let text = format!(r#"(component (instance $entry) (export "{entry}" (instance $entry)))"#);
        let error = refusal(&wat::parse_str(text).unwrap()).await.to_string();
        assert!(
            error.contains(&entry)
                && error.contains("calls splynx:addon 1.0.0")
                && error.contains("update the host"),
            "{error}"
        );
    }
    // WASI that languages drag in is admitted, and the entry is looked for next.
    for import in [
        "wasi:cli/environment@0.2.6",
        "wasi:sockets/network@0.2.9",
        "wasi:http/outgoing-handler@0.2.10",
    ] {
        let text = format!(r#"(component (import "{import}" (instance)))"#);
        let wasi = wat::parse_str(text).unwrap();
        assert!(
            matches!(refusal(&wasi).await, AuditError::NoEntry),
            "{import}"
        );
    }
    let canonical = r#"(component (core func (canon backpressure.inc)))"#;
    let error = refusal(&wat::parse_str(canonical).unwrap()).await;
    assert!(matches!(error, AuditError::Async), "{error}");
    assert!(error.to_string().contains("--backend-qjs-disable-async"));
}

#[tokio::test]
async fn another_shape_of_a_known_function_is_refused() {
    let widened = |text: String| text.replace("now: func() -> u64;", "now: func() -> u32;");
    let module = r#"(module
        (import "splynx:addon/run@1.0.0" "now" (func $now (result i32)))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
        (func (export "splynx:addon/addon@1.0.0#check") (result i32) (call $now))
        (func (export "splynx:addon/addon@1.0.0#run-job") (param i32 i32 i32 i32 i32) (result i32) unreachable)
        (func (export "splynx:addon/addon@1.0.0#choices") (param i32 i32) (result i32) unreachable)
        (func (export "splynx:addon/addon@1.0.0#view")
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
        (func (export "splynx:addon/addon@1.0.0#act") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
        (func (export "splynx:addon/addon@1.0.0#migrate") (param i32) (result i32) unreachable))"#;
    let error = refusal(&of_world(widened, "import run; export addon;", module)).await;
    assert!(
        matches!(&error, AuditError::Misfit(text) if text.contains("now")),
        "{error}"
    );
}

#[test]
fn a_package_says_so_too_before_anything_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("addon.toml"), manifest("1.0.0", 1)).unwrap();
    std::fs::write(
        folder.path().join("guest.wasm"),
        wat::parse_str("(module)").unwrap(),
    )
    .unwrap();
    let error = addon_host::packages::pack(folder.path()).unwrap_err();
    assert!(matches!(error, PackageError::NoComponent { .. }), "{error}");
    assert!(addon_host::packages::read(&package(&manifest("1.0.0", 1), guest())).is_ok());
}

/// What the host's own compiler answers under these limits: its exit code, if it came to one, and whether it made code.
#[cfg(target_os = "linux")]
fn compiled(component: &[u8], seconds: &str, mebibytes: &str) -> (Option<i32>, bool) {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut compiler = Command::new(env!("CARGO_BIN_EXE_addon-host"))
        .args([COMPILE, seconds, mebibytes])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = compiler.stdin.take().unwrap();
    input.write_all(component).unwrap();
    drop(input);
    let output = compiler.wait_with_output().unwrap();
    (output.status.code(), !output.stdout.is_empty())
}

#[cfg(target_os = "linux")]
#[test]
fn compiling_has_a_process_of_its_own_that_ends_at_its_limits() {
    assert_eq!(compiled(guest(), "60", "2048"), (Some(0), true));
    assert_eq!(compiled(b"nothing", "60", "2048"), (Some(1), false));
    // Large, and harmless otherwise: more than a second's work, and more than so little memory holds.
    let function = format!(
        "(func (param i32) (result i32) (local.get 0) {})",
        "(i32.const 3) (i32.mul)".repeat(2000)
    );
    let large = crate::guest::built(&crate::guest::scripted("", &function.repeat(300), ""));
    assert_eq!(compiled(&large, "1", "2048"), (None, false), "time");
    assert_eq!(compiled(&large, "60", "24"), (None, false), "memory");
}
