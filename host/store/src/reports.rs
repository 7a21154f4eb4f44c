//! What a run leaves behind besides its outcome: log lines for engineers, and report rows for people. Both are numbered
//! from one within the run (and kind), and read page by page.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::records::{count, instant, json, millis, number, text, to_json, without_nul};
use super::room::OVERHEAD;
use super::{RunId, Store, StoreError, WriteLock, Writing};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub at: DateTime<Utc>,
    /// `trace`, `debug`, `info`, `warn`, `error`
    pub level: String,
    pub message: String,
}

/// A log line with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    pub number: i64,
    pub line: LogLine,
}

/// As in `run.wit`, `row`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportRow {
    pub id: String,
    pub cells: Vec<String>,
    pub more: Vec<(String, String)>,
}

impl Store {
    /// Adds lines behind those that are there.
    pub async fn append_log(&self, run: RunId, lines: &[LogLine]) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut writing = self.write(WriteLock::Run(run)).await?;
        let row =
            sqlx::query("SELECT COALESCE(MAX(number), 0) AS last FROM run_log WHERE run = $1")
                .bind(run)
                .fetch_one(&mut *writing.transaction)
                .await?;
        let rows: Vec<_> = (number(&row, "last")? + 1..)
            .zip(lines)
            .map(|(number, line)| {
                (
                    number,
                    millis(line.at),
                    &line.level,
                    without_nul(&line.message),
                )
            })
            .collect();
        let sql = format!(
            "INSERT INTO run_log (run, number, at, level, message) SELECT $1, CAST(w.value ->> 0 AS BIGINT), \
             CAST(w.value ->> 1 AS BIGINT), w.value ->> 2, w.value ->> 3 FROM {} AS w",
            self.dialect.rows("$2")
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(run)
            .bind(to_json(&rows))
            .execute(&mut *writing.transaction)
            .await?;
        let told = lines.iter().map(|line| line.message.len() + OVERHEAD);
        writing.count_run(run, told.sum()).await?;
        writing.commit().await
    }

    /// Lines with a number above `after`, in order.
    pub async fn log_lines(
        &self,
        run: RunId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<LogRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM run_log WHERE run = $1 AND number > $2 ORDER BY number LIMIT $3",
        )
        .bind(run)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(log_row).collect()
    }

    /// So many lines at the end, in order.
    pub async fn last_log_lines(&self, run: RunId, limit: u32) -> Result<Vec<LogRow>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM run_log WHERE run = $1 ORDER BY number DESC LIMIT $2")
                .bind(run)
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
                .await?;
        rows.iter().rev().map(log_row).collect()
    }

    /// Adds rows behind those that are there.
    pub async fn append_report(
        &self,
        run: RunId,
        kind: &str,
        rows: &[ReportRow],
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut writing = self.write(WriteLock::Run(run)).await?;
        let first = last_number(&mut writing, run, kind).await? + 1;
        let rows: Vec<_> = (first..)
            .zip(rows)
            .map(|(number, row)| {
                let (cells, more) = (to_json(&row.cells), to_json(&row.more));
                (number, without_nul(&row.id), cells, more)
            })
            .collect();
        let told = rows
            .iter()
            .map(|(_, id, cells, more)| id.len() + cells.len() + more.len() + OVERHEAD)
            .sum();
        let sql = format!(
            "INSERT INTO run_report (run, kind, number, row_id, cells, more) SELECT $1, $2, CAST(w.value ->> 0 AS BIGINT), \
             w.value ->> 1, w.value ->> 2, w.value ->> 3 FROM {} AS w",
            self.dialect.rows("$3")
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(run)
            .bind(kind)
            .bind(to_json(&rows))
            .execute(&mut *writing.transaction)
            .await?;
        writing.count_run(run, told).await?;
        writing.commit().await
    }

    /// Rows of one kind with a number above `after`, each with its number, in order.
    pub async fn report_rows(
        &self,
        run: RunId,
        kind: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, ReportRow)>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM run_report WHERE run = $1 AND kind = $2 AND number > $3 ORDER BY number LIMIT $4",
        )
        .bind(run)
        .bind(kind)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(report_row).collect()
    }

    /// As [`Store::report_rows`], of those rows whose cells hold all these texts somewhere, in small or capital letters; what is no
    /// ASCII has to agree as it is.
    pub async fn report_rows_with(
        &self,
        run: RunId,
        kind: &str,
        texts: &[&str],
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, ReportRow)>, StoreError> {
        let mut query =
            String::from("SELECT * FROM run_report WHERE run = $1 AND kind = $2 AND number > $3");
        for place in 0..texts.len() {
            query.push_str(&format!(
                " AND LOWER(cells) LIKE LOWER(${}) ESCAPE '!'",
                place + 5
            ));
        }
        query.push_str(" ORDER BY number LIMIT $4");
        let mut query = sqlx::query(AssertSqlSafe(query))
            .bind(run)
            .bind(kind)
            .bind(after)
            .bind(i64::from(limit));
        for text in texts {
            query = query.bind(format!("%{}%", pattern(text)));
        }
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(report_row).collect()
    }

    /// The kinds of report that a run has, with the number of rows of each.
    pub async fn report_kinds(&self, run: RunId) -> Result<Vec<(String, u64)>, StoreError> {
        let rows =
            sqlx::query("SELECT kind, COUNT(*) AS amount FROM run_report WHERE run = $1 GROUP BY kind ORDER BY kind")
                .bind(run)
                .fetch_all(&self.pool)
                .await?;
        rows.iter()
            .map(|row| Ok((text(row, "kind")?, count(row, "amount")?)))
            .collect()
    }
}

async fn last_number(writing: &mut Writing, run: RunId, kind: &str) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT COALESCE(MAX(number), 0) AS last FROM run_report WHERE run = $1 AND kind = $2",
    )
    .bind(run)
    .bind(kind)
    .fetch_one(&mut *writing.transaction)
    .await?;
    number(&row, "last")
}

fn report_row(row: &AnyRow) -> Result<(i64, ReportRow), StoreError> {
    let report = ReportRow {
        id: text(row, "row_id")?,
        cells: json(row.try_get("cells")?)?,
        more: json(row.try_get("more")?)?,
    };
    Ok((number(row, "number")?, report))
}

/// A text as it stands in stored JSON, for LIKE with the escape `!`.
fn pattern(text: &str) -> String {
    let json = to_json(&without_nul(text));
    let inner = json
        .strip_prefix('"')
        .and_then(|json| json.strip_suffix('"'));
    let inner = inner.unwrap_or(&json);
    inner
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_")
}

fn log_row(row: &AnyRow) -> Result<LogRow, StoreError> {
    let line = LogLine {
        at: instant(row, "at")?,
        level: text(row, "level")?,
        message: text(row, "message")?,
    };
    Ok(LogRow {
        number: number(row, "number")?,
        line,
    })
}
