//! The activity log that people read: what happened to one record, when, in which run. Guests write it through commits
//! and never read it. Ids grow in the order of commits, so a reader can go on after the last one it saw.

use chrono::{DateTime, Utc};
use sqlx::Arguments;
use sqlx::AssertSqlSafe;
use sqlx::Row;
use sqlx::any::{AnyArguments, AnyRow};

use super::records::{instant, json, millis, number, text, to_json, without_nul};
use super::room::OVERHEAD;
use super::{RunId, Store, StoreError, Writing};

/// What an activity can be about, as `storage.wit` names it; an add-on may have more.
pub const ENTITIES: [&str; 9] = [
    "customer",
    "invoice",
    "credit-note",
    "payment",
    "receipt",
    "allocation",
    "statement",
    "mapping",
    "run",
];

/// What happens to records, and the states that they come to.
pub const ACTIONS: [&str; 16] = [
    "created",
    "updated",
    "removed",
    "paired",
    "unpaired",
    "imported",
    "listed",
    "loaded",
    "synced",
    "skipped",
    "held",
    "uncertain",
    "owed",
    "planned",
    "do-not-send",
    "done-by-hand",
];

/// As in `storage.wit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    pub entity: String,
    pub action: String,
    pub local_id: String,
    pub remote_id: String,
    pub customer_id: String,
    pub label: String,
    pub code: String,
    pub message: String,
    pub more: Vec<(String, String)>,
}

impl Activity {
    /// Bytes of all its texts.
    pub(super) fn size(&self) -> usize {
        let fields = [
            &self.entity,
            &self.action,
            &self.local_id,
            &self.remote_id,
            &self.customer_id,
            &self.label,
            &self.code,
            &self.message,
        ];
        fields.iter().map(|field| field.len()).sum::<usize>()
            + self
                .more
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>()
    }

    /// What it counts for in what the installation keeps.
    pub(super) fn kept(&self) -> usize {
        self.size() + OVERHEAD
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRow {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub run: Option<RunId>,
    pub activity: Activity,
}

/// Which activities; fields that are none or empty do not narrow.
#[derive(Debug, Clone)]
pub struct ActivityFilter {
    /// One of these.
    pub entities: Vec<String>,
    pub action: Option<String>,
    pub code: Option<String>,
    pub customer: Option<String>,
    pub run: Option<RunId>,
    pub since: Option<DateTime<Utc>>,
    /// Only what happened before it.
    pub until: Option<DateTime<Utc>>,
    /// Only ids above it: what is new.
    pub after: Option<i64>,
    /// Only ids below it: the next page of older ones.
    pub before: Option<i64>,
    pub order: Order,
    pub limit: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

impl Default for ActivityFilter {
    fn default() -> Self {
        Self {
            entities: Vec::new(),
            action: None,
            code: None,
            customer: None,
            run: None,
            since: None,
            until: None,
            after: None,
            before: None,
            order: Order::NewestFirst,
            limit: 100,
        }
    }
}

/// Records of one kind that wait for a person, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRecords {
    pub entity: String,
    /// `held` or `owed`.
    pub action: String,
    pub code: String,
    pub records: i64,
}

impl Store {
    /// Records whose newest activity says that they are held, or owed by a person.
    pub async fn held_records(&self, installation: &str) -> Result<Vec<HeldRecords>, StoreError> {
        let rows = sqlx::query(
            "SELECT a.entity, a.action, a.code, COUNT(*) AS records FROM activity a JOIN \
             (SELECT MAX(id) AS id FROM activity WHERE installation = $1 GROUP BY entity, local_id) AS newest ON newest.id = a.id \
             WHERE a.installation = $1 AND a.action IN ('held', 'owed') \
             GROUP BY a.entity, a.action, a.code ORDER BY a.entity, a.action, a.code",
        )
        .bind(installation)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(HeldRecords {
                    entity: text(row, "entity")?,
                    action: text(row, "action")?,
                    code: text(row, "code")?,
                    records: number(row, "records")?,
                })
            })
            .collect()
    }

    /// Those that fit, in the filter's order.
    pub async fn activities(
        &self,
        installation: &str,
        filter: &ActivityFilter,
    ) -> Result<Vec<ActivityRow>, StoreError> {
        let mut sql = "SELECT * FROM activity WHERE installation = $1".to_owned();
        let mut arguments = AnyArguments::default();
        arguments.add(installation).map_err(sqlx::Error::Encode)?;
        if !filter.entities.is_empty() {
            let mut places = Vec::new();
            for entity in &filter.entities {
                arguments
                    .add(entity.as_str())
                    .map_err(sqlx::Error::Encode)?;
                places.push(format!("${}", arguments.len()));
            }
            sql.push_str(&format!(" AND entity IN ({})", places.join(", ")));
        }
        for (column, value) in [
            ("action", &filter.action),
            ("code", &filter.code),
            ("customer_id", &filter.customer),
        ] {
            if let Some(value) = value {
                arguments.add(value.as_str()).map_err(sqlx::Error::Encode)?;
                sql.push_str(&format!(" AND {column} = ${}", arguments.len()));
            }
        }
        let bounds = [
            ("run =", filter.run),
            ("at >=", filter.since.map(millis)),
            ("at <", filter.until.map(millis)),
            ("id >", filter.after),
            ("id <", filter.before),
        ];
        for (comparison, bound) in bounds {
            if let Some(bound) = bound {
                arguments.add(bound).map_err(sqlx::Error::Encode)?;
                sql.push_str(&format!(" AND {comparison} ${}", arguments.len()));
            }
        }
        let order = match filter.order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        sql.push_str(&format!(" ORDER BY id {order} LIMIT {}", filter.limit));
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(activity).collect()
    }
}

pub(super) async fn insert_activities(
    writing: &mut Writing,
    installation: &str,
    run: Option<RunId>,
    activities: &[Activity],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if activities.is_empty() {
        return Ok(());
    }
    let first = writing
        .next_numbers("activity", activities.len() as i64)
        .await?;
    let rows: Vec<_> = (first..)
        .zip(activities)
        .map(|(id, told)| {
            (
                id,
                without_nul(&told.entity),
                without_nul(&told.action),
                without_nul(&told.local_id),
                without_nul(&told.remote_id),
                without_nul(&told.customer_id),
                without_nul(&told.label),
                without_nul(&told.code),
                without_nul(&told.message),
                to_json(&told.more),
            )
        })
        .collect();
    let sql = format!(
        "INSERT INTO activity (installation, run, at, id, entity, action, local_id, remote_id, customer_id, label, code, \
         message, more) SELECT $1, $2, $3, CAST(w.value ->> 0 AS BIGINT), w.value ->> 1, w.value ->> 2, w.value ->> 3, \
         w.value ->> 4, w.value ->> 5, w.value ->> 6, w.value ->> 7, w.value ->> 8, w.value ->> 9 FROM {} AS w",
        writing.dialect.rows("$4")
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(installation)
        .bind(run)
        .bind(millis(now))
        .bind(to_json(&rows))
        .execute(&mut *writing.transaction)
        .await?;
    Ok(())
}

fn activity(row: &AnyRow) -> Result<ActivityRow, StoreError> {
    Ok(ActivityRow {
        id: number(row, "id")?,
        at: instant(row, "at")?,
        run: row.try_get("run")?,
        activity: Activity {
            entity: text(row, "entity")?,
            action: text(row, "action")?,
            local_id: text(row, "local_id")?,
            remote_id: text(row, "remote_id")?,
            customer_id: text(row, "customer_id")?,
            label: text(row, "label")?,
            code: text(row, "code")?,
            message: text(row, "message")?,
            more: json(row.try_get("more")?)?,
        },
    })
}
