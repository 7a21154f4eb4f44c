//! What the host's own tables hold of one customer in words: counted, and erased. Ids, numbers, days and amounts stay, since the books
//! need them; so do the add-on's tables, which follow what the services say of the customer.
//!
//! Entries of the activity log name their customer. Everything else is found by the customer's names, as they were written.

use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Row};

use super::host_changes::Author;
use super::records::{json, number, text, to_json};
use super::{Store, StoreError, WriteLock};

/// In place of a name.
const ERASED: &str = "[erased]";

/// A table with texts in which a name may stand. `$1` is the installation.
struct NamedColumns {
    what: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
    rows: &'static str,
}

const PLACES: [NamedColumns; 5] = [
    NamedColumns {
        what: "entries of the activity log that name the customer",
        table: "activity",
        columns: &["label", "message", "more"],
        rows: "installation = $1",
    },
    NamedColumns {
        what: "lines of logs of runs",
        table: "run_log",
        columns: &["message"],
        rows: "run IN (SELECT id FROM run WHERE installation = $1)",
    },
    NamedColumns {
        what: "rows of reports",
        table: "run_report",
        columns: &["cells", "more"],
        rows: "run IN (SELECT id FROM run WHERE installation = $1)",
    },
    NamedColumns {
        what: "runs",
        table: "run",
        columns: &["options", "outcome"],
        rows: "installation = $1 AND state <> 'running'",
    },
    NamedColumns {
        what: "alerts that were sent",
        table: "alert_message",
        columns: &["letter"],
        // Of any installation: a name is a name.
        rows: "state <> 'waiting' AND $1 <> ''",
    },
];

/// The add-on's own, which is counted only.
const STORED: NamedColumns = NamedColumns {
    what: "entries of the add-on's tables",
    table: "guest_entry",
    columns: &["value", "key"],
    rows: "installation = $1",
};

/// So many rows of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptRows {
    pub what: &'static str,
    pub rows: i64,
}

/// What is kept of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptOfCustomer {
    /// Entries of the activity log about the customer or its documents, with words.
    pub activities: i64,
    pub found: Vec<KeptRows>,
    /// In the add-on's tables; they stay.
    pub stored: i64,
}

impl NamedColumns {
    /// Rows in which a text (`$2`) stands.
    fn with_text(&self) -> String {
        let columns = self.columns.iter();
        let any: Vec<String> = columns
            .map(|column| format!("REPLACE({column}, $2, '') <> {column}"))
            .collect();
        format!("{} AND ({})", self.rows, any.join(" OR "))
    }
}

/// A name as it stands in texts, and in JSON.
fn forms(names: &[String]) -> Vec<String> {
    let mut forms: Vec<String> = names
        .iter()
        .flat_map(|name| [name.clone(), to_json(name).trim_matches('"').to_owned()])
        .collect();
    // The longer first: a name may be part of another one.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

impl Store {
    /// The names that a customer had; `entity`: what the activity log calls customers.
    pub async fn customer_names(
        &self,
        installation: &str,
        entity: &str,
        customer: &str,
    ) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT label FROM activity WHERE installation = $1 AND entity = $2 AND local_id = $3 \
             AND label NOT IN ('', $4) ORDER BY label",
        )
        .bind(installation)
        .bind(entity)
        .bind(customer)
        .bind(ERASED)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| text(row, "label")).collect()
    }

    pub async fn kept_of_customer(
        &self,
        installation: &str,
        customer: &str,
        names: &[String],
    ) -> Result<KeptOfCustomer, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS rows FROM activity WHERE installation = $1 AND customer_id = $2 \
             AND (message <> '' OR more <> '[]')",
        )
        .bind(installation)
        .bind(customer)
        .fetch_one(&self.pool)
        .await?;
        let activities = number(&row, "rows")?;
        let mut found = Vec::new();
        for place in &PLACES {
            let rows = self.count_named(place, installation, names).await?;
            found.push(KeptRows {
                what: place.what,
                rows,
            });
        }
        Ok(KeptOfCustomer {
            activities,
            found,
            stored: self.count_named(&STORED, installation, names).await?,
        })
    }

    async fn count_named(
        &self,
        place: &NamedColumns,
        installation: &str,
        names: &[String],
    ) -> Result<i64, StoreError> {
        let mut most = 0;
        for form in forms(names) {
            let sql = format!(
                "SELECT COUNT(*) AS rows FROM {} WHERE {}",
                place.table,
                place.with_text()
            );
            let row = sqlx::query(AssertSqlSafe(sql))
                .bind(installation)
                .bind(form)
                .fetch_one(&self.pool)
                .await?;
            most = most.max(number(&row, "rows")?);
        }
        Ok(most)
    }

    /// Takes the words away: the customer's names wherever they stand, and the texts of its entries in the activity log.
    pub async fn erase_customer(
        &self,
        installation: &str,
        customer: &str,
        names: &[String],
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut writing = self.write(WriteLock::Installation(installation)).await?;
        for place in &PLACES {
            let columns = place.columns.iter();
            let replaced: Vec<String> = columns
                .map(|column| format!("{column} = REPLACE({column}, $2, $3)"))
                .collect();
            let sql = format!(
                "UPDATE {} SET {} WHERE {}",
                place.table,
                replaced.join(", "),
                place.with_text()
            );
            for form in forms(names) {
                sqlx::query(AssertSqlSafe(sql.clone()))
                    .bind(installation)
                    .bind(form)
                    .bind(ERASED)
                    .execute(&mut *writing.transaction)
                    .await?;
            }
        }
        let rows = sqlx::query(
            "SELECT id, more FROM activity WHERE installation = $1 AND customer_id = $2",
        )
        .bind(installation)
        .bind(customer)
        .fetch_all(&mut *writing.transaction)
        .await?;
        for row in rows {
            let more: Vec<(String, String)> = json(row.try_get("more")?)?;
            let amounts: Vec<_> = more.into_iter().filter(is_amount).collect();
            sqlx::query("UPDATE activity SET message = '', more = $2 WHERE id = $1")
                .bind(number(&row, "id")?)
                .bind(to_json(&amounts))
                .execute(&mut *writing.transaction)
                .await?;
        }
        // Who asked for it, and for which customer; the names are what is gone.
        let name = format!("{installation}: customer {customer}");
        writing
            .note(author, "erasure", &name, None, Some(ERASED.into()))
            .await?;
        writing.commit().await
    }
}

/// What the books need of an entry's further values. A telephone number is none.
fn is_amount((_, value): &(String, String)) -> bool {
    const DIGITS: usize = 8;
    let whole = value.trim_start_matches('-').split('.').next();
    value.parse::<Decimal>().is_ok() && whole.is_some_and(|whole| whole.len() <= DIGITS)
}
