//! Passwords: argon2id, stored as PHC strings, so that an old hash still verifies after the parameters were raised.
//! Both directions take a good part of a second and much memory on purpose; callers on an async thread use `spawn_blocking`.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::TryRng;
use rand::rngs::SysRng;
use thiserror::Error;

use super::known::is_known;
use addon_vault::Secret;

/// Shortest password that a person may choose, in characters.
pub const SHORTEST: usize = 10;

/// Longer ones are not tried: hashing a megabyte is work that anybody could ask for.
const LONGEST_BYTES: usize = 1024;

/// 64 MiB and three passes: well above the minimum that OWASP asks for (19 MiB, two passes), about a quarter of a second on
/// a small server.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;

#[derive(Debug, Error)]
pub enum PasswordError {
    #[error("the password is too short: at least {SHORTEST} characters")]
    TooShort,
    #[error("the password is too long: at most {LONGEST_BYTES} bytes")]
    TooLong,
    #[error(
        "the password is one that everybody tries first: choose another, of a few words for instance"
    )]
    Known,
    #[error("the password cannot be hashed: {0}")]
    Hashing(String),
    #[error("the machine gives no random numbers: {0}")]
    Random(String),
}

/// What to store of a password.
pub fn hash(password: &Secret) -> Result<String, PasswordError> {
    if password.expose().chars().count() < SHORTEST {
        return Err(PasswordError::TooShort);
    }
    if password.expose().len() > LONGEST_BYTES {
        return Err(PasswordError::TooLong);
    }
    if is_known(password.expose()) {
        return Err(PasswordError::Known);
    }
    hasher()
        .hash_password(password.expose().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError::Hashing(error.to_string()))
}

/// Whether the password is the one that was hashed; `None` is an account that does not exist, and takes as long as one
/// that does.
pub fn verify(password: &Secret, stored: Option<&str>) -> bool {
    static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash(&generate().ok()?).ok());
    let Some(hash) = stored.or(NOBODY.as_deref()) else {
        return false;
    };
    let fits = password.expose().len() <= LONGEST_BYTES;
    let matches = PasswordHash::new(hash).is_ok_and(|hash| {
        hasher()
            .verify_password(password.expose().as_bytes(), &hash)
            .is_ok()
    });
    fits && matches && stored.is_some()
}

/// A new password for a person to copy: 20 characters that cannot be mistaken for each other, 98 bits.
pub fn generate() -> Result<Secret, PasswordError> {
    // 30 characters; bytes from 240 on are thrown away, so that all come equally often.
    const CHARACTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz2345678";
    let mut password = String::with_capacity(LENGTH);
    const LENGTH: usize = 20;
    while password.len() < LENGTH {
        let mut byte = [0];
        SysRng
            .try_fill_bytes(&mut byte)
            .map_err(|error| PasswordError::Random(error.to_string()))?;
        if usize::from(byte[0]) < 240 {
            password.push(char::from(
                CHARACTERS[usize::from(byte[0]) % CHARACTERS.len()],
            ));
        }
    }
    Ok(Secret::new(password))
}

fn hasher() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, PASSES, 1, None).expect("the constants are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_verifies_only_against_its_own_hash() {
        let password = Secret::new("correct horse");
        let stored = hash(&password).unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"),
            "{stored}"
        );
        assert_ne!(stored, hash(&password).unwrap(), "salted");
        assert!(verify(&password, Some(&stored)));
        assert!(!verify(&Secret::new("correct horsf"), Some(&stored)));
        assert!(!verify(&password, None));
        assert!(!verify(&password, Some("no hash")));
        assert!(matches!(
            hash(&Secret::new("too short")),
            Err(PasswordError::TooShort)
        ));
        assert!(matches!(
            hash(&Secret::new("Password123")),
            Err(PasswordError::Known)
        ));
        assert!(matches!(
            hash(&Secret::new("x".repeat(1025))),
            Err(PasswordError::TooLong)
        ));
        // With the parameters of an earlier version of this host, made by another implementation.
        let earlier = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(verify(&Secret::new("password"), Some(earlier)));
        let generated = generate().unwrap();
        assert_eq!(generated.expose().len(), 20);
        assert_ne!(generated.expose(), generate().unwrap().expose());
    }
}
