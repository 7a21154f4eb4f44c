//! Opening a database: its address, a first look that says at once what is wrong with it, and the connections that all share.
//!
//! The first look is a connection of its own: the pool would try for its whole time-out, and then not say what was wrong.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

use super::StoreError;
use super::continuity::look_at_server;
use super::dialect::{Dialect, PATIENCE_MS};
use super::schema::sqlite_file;

/// The parameter of an address that says how many connections a process may have; it is the host's own.
pub(super) const CONNECTIONS: &str = "connections";

/// How many connections a process has at most, where its address does not say.
const USUAL_CONNECTIONS: u32 = 8;

/// While one is written with, another one reads.
const FEWEST_CONNECTIONS: u32 = 2;

const MOST_CONNECTIONS: u32 = 100;

/// How long a server may take to answer, and how long whoever needs a connection waits for one.
const PATIENCE: Duration = Duration::from_secs(30);

/// What PostgreSQL calls the one encoding that holds every name.
const ENCODING: &str = "UTF8";

/// Opens a database that is there, or an empty file in its place.
pub(super) async fn open(url: &str) -> Result<(AnyPool, Dialect), StoreError> {
    let dialect = Dialect::of(url)?;
    sqlx::any::install_default_drivers();
    let (options, wanted) = options(url, dialect)?;
    let allowed = look(url, dialect, &options).await?;
    let connections = wanted.unwrap_or(USUAL_CONNECTIONS).min(allowed);
    let pool = AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                begin_session(dialect, connection).await?;
                let looked = look_at_server(dialect, connection).await;
                looked.map_err(|error| sqlx::Error::Configuration(error.into()))
            })
        })
        // Where a disk is full, SQLite itself undoes the transaction, and the connection still believes in it.
        .before_acquire(|connection, _| {
            let is_free = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_free) })
        })
        .connect_with(options)
        .await?;
    Ok((pool, dialect))
}

/// What the driver is told, and how many connections the address allows where it says so.
fn options(url: &str, dialect: Dialect) -> Result<(AnyConnectOptions, Option<u32>), StoreError> {
    let mut options: AnyConnectOptions = url.parse()?;
    if dialect == Dialect::Sqlite {
        return Ok((options, None));
    }
    let pairs = options.database_url.query_pairs().into_owned();
    let (own, others): (Vec<_>, Vec<_>) = pairs.partition(|(key, _)| key == CONNECTIONS);
    if own.is_empty() {
        return Ok((options, None));
    }
    let connections = own
        .iter()
        .map(|(_, value)| value.parse().ok())
        .next_back()
        .flatten();
    let connections = connections
        .filter(|count| (FEWEST_CONNECTIONS..=MOST_CONNECTIONS).contains(count))
        .ok_or_else(|| {
            StoreError::Address(format!(
                "its parameter `{CONNECTIONS}` is a number from {FEWEST_CONNECTIONS} to {MOST_CONNECTIONS}"
            ))
        })?;
    options.database_url.set_query(None);
    if !others.is_empty() {
        options.database_url.query_pairs_mut().extend_pairs(others);
    }
    Ok((options, Some(connections)))
}

/// Opens and closes it once, and says what is wrong; answers how many connections there may be.
async fn look(url: &str, dialect: Dialect, options: &AnyConnectOptions) -> Result<u32, StoreError> {
    let began = Instant::now();
    loop {
        let looked = tokio::time::timeout(PATIENCE, look_once(dialect, options)).await;
        let error = match looked.unwrap_or(Err(StoreError::Unreachable(sqlx::Error::PoolTimedOut)))
        {
            Ok(allowed) => return Ok(allowed),
            Err(error) => error,
        };
        // Two that make a database at the same time are in each other's way for a moment.
        let is_passing = matches!(error, StoreError::Busy(_));
        if !is_passing || began.elapsed() > Duration::from_millis(PATIENCE_MS.into()) {
            return Err(match sqlite_file(url)? {
                Some(file) => why_not(&file, error),
                None => error,
            });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn look_once(dialect: Dialect, options: &AnyConnectOptions) -> Result<u32, StoreError> {
    let mut connection = options.connect().await?;
    begin_session(dialect, &mut connection).await?;
    let allowed = match dialect {
        Dialect::Sqlite => {
            // Reads the first page, and the schema.
            sqlx::query("SELECT COUNT(*) FROM sqlite_master")
                .fetch_one(&mut connection)
                .await?;
            MOST_CONNECTIONS
        }
        Dialect::Postgres => {
            let allowed = limits_of_server(&mut connection).await?;
            if allowed < FEWEST_CONNECTIONS {
                return Err(StoreError::FewConnections(allowed));
            }
            look_at_server(dialect, &mut connection).await?;
            // A pooler that does not keep a client's statements apart gives them to the next one.
            let mut other = options.connect().await?;
            limits_of_server(&mut other).await?;
            other.close().await?;
            allowed
        }
    };
    connection.close().await?;
    Ok(allowed)
}

/// Refuses an encoding that does not hold every name; answers how many connections the user or the database is limited to.
async fn limits_of_server(connection: &mut AnyConnection) -> Result<u32, StoreError> {
    let row = sqlx::query(
        "SELECT current_setting('server_encoding'), (SELECT MIN(most) FROM \
         (SELECT CAST(rolconnlimit AS BIGINT) AS most FROM pg_roles WHERE rolname = current_user AND NOT rolsuper UNION ALL \
         SELECT CAST(datconnlimit AS BIGINT) FROM pg_database WHERE datname = current_database()) AS limits WHERE most >= 0)",
    )
    .fetch_one(connection)
    .await?;
    let encoding: String = row.try_get(0)?;
    if encoding != ENCODING {
        return Err(StoreError::Encoding(encoding));
    }
    let most: Option<i64> = row.try_get(1)?;
    Ok(most.map_or(MOST_CONNECTIONS, |most| {
        u32::try_from(most).unwrap_or(MOST_CONNECTIONS)
    }))
}

async fn begin_session(
    dialect: Dialect,
    connection: &mut AnyConnection,
) -> Result<(), sqlx::Error> {
    for statement in dialect.session() {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.into_owned()));
        connection.execute(statement).await?;
    }
    Ok(())
}

/// What the operating system says of a file that SQLite cannot use; the error itself where that is nothing.
fn why_not(file: &Path, error: StoreError) -> StoreError {
    if !matches!(error, StoreError::Unreachable(_) | StoreError::ReadOnly(_)) {
        return error;
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let tried = std::fs::read_dir(folder)
        .map(drop)
        .map_err(|why| (folder, why))
        .and_then(|()| match file.exists() {
            true => std::fs::File::options()
                .read(true)
                .write(true)
                .open(file)
                .map(drop)
                .map_err(|why| (file, why)),
            false => Ok(()),
        });
    match tried {
        Ok(()) => error,
        Err((place, why)) => StoreError::File(format!(
            "{}: {why}; the user that the host runs as has to own the data folder and all that is in it, on a disk that may be written",
            place.display()
        )),
    }
}
