//! Second factors of accounts: codes by the clock (RFC 6238), from a secret that the person's app knows too. What codes are made from is
//! sealed in the database, shown once, and no code is taken twice.

use addon_store::{Author, OF_SECOND_FACTORS};
use addon_vault::{Secret, VaultError};
use rand::TryRng;
use rand::rngs::SysRng;
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Totp};

use super::{Host, HostError, master_key};

/// As apps show whose codes these are.
const ISSUER: &str = "addon-host";

/// As RFC 4226 recommends.
const SECRET_BYTES: usize = 20;

/// How long a password that was right waits for its code.
const PATIENCE_SECONDS: i64 = 300;

/// What a person's app has to know, to be shown once.
pub struct Offered {
    /// In base 32, to be typed.
    pub secret: Secret,
    /// The same as a link that apps read.
    pub link: Secret,
}

/// How an account stands with its second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Off,
    /// Waits for the first code, and is not asked for.
    Offered,
    On,
}

impl Host {
    pub async fn second_factor(&self, account: &str) -> Result<Standing, HostError> {
        let stored = self.store().second_factor(account).await?;
        Ok(match stored {
            None => Standing::Off,
            Some(factor) if factor.is_proven => Standing::On,
            Some(_) => Standing::Offered,
        })
    }

    /// Makes a new one, which counts when a first code has proven it. `None`: there is one that counts, or the account's password is not
    /// kept here.
    pub async fn offer_second_factor(&self, account: &str) -> Result<Option<Offered>, HostError> {
        let mut bytes = [0; SECRET_BYTES];
        SysRng
            .try_fill_bytes(&mut bytes)
            .map_err(|error| VaultError::Random(error.to_string()))?;
        let codes = codes(account, totp_rs::Secret::from(bytes));
        let secret = Secret::new(codes.secret().to_base32());
        let link = Secret::new(codes.to_url().unwrap_or_default());
        let (store, vault) = (self.store(), &self.0.services.vault);
        master_key::follow(store, vault).await?;
        let sealed = vault.seal("", &place(account), &secret)?;
        let now = self.0.services.clock.now();
        let offered = store.offer_second_factor(account, &sealed, now).await?;
        Ok(offered.then_some(Offered { secret, link }))
    }

    /// Has the one that was offered count, where the code is its. False: it is not, or nothing is offered.
    pub async fn prove_second_factor(
        &self,
        account: &str,
        code: &str,
        actor: &str,
    ) -> Result<bool, HostError> {
        let Some((sealed, step)) = self.step_of(account, code, false).await? else {
            return Ok(false);
        };
        let author = Author::new(actor, self.0.services.clock.now());
        let store = self.store();
        Ok(store
            .prove_second_factor(account, &sealed, step, &author)
            .await?)
    }

    /// Whether the code is the account's, and was not taken before. It is taken by this.
    pub async fn take_code(&self, account: &str, code: &str) -> Result<bool, HostError> {
        match self.step_of(account, code, true).await? {
            Some((_, step)) => Ok(self.store().count_code(account, step).await?),
            None => Ok(false),
        }
    }

    /// What shows at the log-in that the password was right a moment ago. It opens nothing without a code, and nothing after another
    /// password was set.
    pub fn password_mark(&self, account: &str, password_hash: &str) -> String {
        let until = self.0.services.clock.now().timestamp() + PATIENCE_SECONDS;
        format!("{until}.{}", self.mark_until(account, password_hash, until))
    }

    /// Whether it is one that this host made, not too long ago.
    pub fn is_password_mark(&self, account: &str, password_hash: &str, mark: &str) -> bool {
        let Some((until, mark)) = mark.split_once('.') else {
            return false;
        };
        let Ok(until) = until.parse::<i64>() else {
            return false;
        };
        let made = self.mark_until(account, password_hash, until);
        let left = until - self.0.services.clock.now().timestamp();
        (0..=PATIENCE_SECONDS).contains(&left) && bool::from(made.as_bytes().ct_eq(mark.as_bytes()))
    }

    fn mark_until(&self, account: &str, password_hash: &str, until: i64) -> String {
        let vault = &self.0.services.vault;
        let parts = [account, password_hash, &until.to_string()];
        vault.fingerprint("password was right", parts)
    }

    /// The time step that a code is of, with what it was made from; of one that counts, or of one that is offered.
    async fn step_of(
        &self,
        account: &str,
        code: &str,
        counts: bool,
    ) -> Result<Option<(Vec<u8>, i64)>, HostError> {
        let (store, vault) = (self.store(), &self.0.services.vault);
        let stored = store.second_factor(account).await?;
        let Some(factor) = stored.filter(|factor| factor.is_proven == counts) else {
            return Ok(None);
        };
        master_key::follow(store, vault).await?;
        let place = place(account);
        let secret = vault.unseal("", &place, &factor.sealed)?;
        let secret = totp_rs::Secret::try_from_base32(secret.expose());
        let secret = secret.map_err(|_| VaultError::Tampered {
            installation: String::new(),
            key: place,
        })?;
        // As apps show it: in two groups.
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let now = self.0.services.clock.now().timestamp().unsigned_abs();
        let step = codes(account, secret).check(&code, now);
        Ok(step.map(|step| (factor.sealed, step.cast_signed())))
    }
}

/// Six digits by SHA-1, another every half a minute, the one before and the one after taken too: what every app can do.
fn codes(account: &str, secret: totp_rs::Secret) -> Totp {
    Builder::new()
        .with_secret(secret)
        .with_issuer(Some(ISSUER))
        .with_account_name(account)
        .build_noncompliant()
}

/// Where it is sealed for.
fn place(account: &str) -> String {
    format!("{OF_SECOND_FACTORS}{account}")
}
