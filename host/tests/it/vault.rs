use addon_host::store::Store;
use addon_host::vault::{Secret, Vault, VaultError, sealed_with};

#[test]
fn what_was_sealed_opens_in_its_place_only_and_only_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("master.key");
    let vault = Vault::open(&file).unwrap();
    let secret = Secret::new("Pässwort with a {brace}");
    let sealed = vault.seal("books", "password", &secret).unwrap();

    // The same key, read again by another process.
    let again = Vault::open(&file).unwrap();
    assert_eq!(
        again.unseal("books", "password", &sealed).unwrap().expose(),
        secret.expose()
    );
    assert_ne!(
        vault.seal("books", "password", &secret).unwrap(),
        sealed,
        "each sealing has its own nonce"
    );
    assert!(!sealed.windows(5).any(|bytes| bytes == b"brace"));

    for (installation, key) in [
        ("other", "password"),
        ("books", "api_key"),
        ("book", "s|password"),
    ] {
        assert!(
            matches!(
                vault.unseal(installation, key, &sealed),
                Err(VaultError::Tampered { .. })
            ),
            "{installation} {key}"
        );
    }
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(
            vault.unseal("books", "password", &changed).is_err(),
            "bit {bit}"
        );
    }
    for length in 0..sealed.len() {
        assert!(
            vault
                .unseal("books", "password", &sealed[..length])
                .is_err(),
            "{length} bytes"
        );
    }
    let stranger = Vault::open(&folder.path().join("other.key")).unwrap();
    let error = stranger.unseal("books", "password", &sealed).unwrap_err();
    let (wanted, has) = (vault.key_id().to_string(), stranger.key_id().to_string());
    for part in [&wanted, &has, "other.key", "put the key file there"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[test]
fn what_was_sealed_before_keys_had_ids_opens_with_any_key_of_the_file() {
    // Format 1: nonce and ciphertext, bound to `books|password`; made by the first version of this host.
    let nonce = "0102030405060708090a0b0c0d0e0f101112131415161718";
    let ciphertext = "54393aae5698cb669473f3ffe33f13a7d0f94944bc89b3ccdc8284c50b534f1d8387";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("master.key");
    std::fs::write(&file, format!("{}\n{}\n", "5a".repeat(32), "00".repeat(32))).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let sealed = hex::decode(format!("01{nonce}{ciphertext}")).unwrap();
    let vault = Vault::open(&file).unwrap();
    let opened = vault.unseal("books", "password", &sealed).unwrap();
    assert_eq!(opened.expose(), "from the beginning");
    assert!(vault.unseal("other", "password", &sealed).is_err());
    let again = vault.reseal("books", "password", &sealed).unwrap();
    assert_eq!(sealed_with(&again), Some(vault.key_id()));
}

#[test]
fn secrets_do_not_show_and_fingerprints_tell_lists_apart() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::open(&folder.path().join("a.key")).unwrap();
    let other = Vault::open(&folder.path().join("b.key")).unwrap();
    let secret = Secret::new("hunter2");
    assert!(!format!("{secret:?} {vault:?}").contains("hunter2"));

    let print = |parts: &[&'static str]| vault.fingerprint("p", parts.iter().copied());
    assert_eq!(print(&["ab", "c"]), print(&["ab", "c"]));
    assert_ne!(print(&["ab", "c"]), print(&["a", "bc"]));
    assert_ne!(print(&["a"]), print(&["a", ""]));
    assert_ne!(vault.fingerprint("p", ["a"]), vault.fingerprint("q", ["a"]));
    assert_ne!(vault.fingerprint("p", ["a"]), other.fingerprint("p", ["a"]));
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_in_a_folder_that_others_made_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let file = folder.path().join("addon-host.db");
    for left_open in [false, true] {
        if left_open {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        let store = Store::open(&Store::default_url(folder.path()))
            .await
            .unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
        }
        store.close().await;
    }
}

#[cfg(unix)]
#[test]
fn a_master_key_is_made_for_its_owner_alone_and_a_bad_one_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("master.key");
    Vault::open(&file).unwrap();
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Vault::open(&file), Err(VaultError::Open { .. })));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&file, "short").unwrap();
    assert!(
        matches!(Vault::open(&file), Err(VaultError::NoKey { .. })),
        "it is not replaced by a new one"
    );
    assert!(matches!(
        Vault::open(&folder.path().join("no/where.key")),
        Err(VaultError::File { .. })
    ));
}
