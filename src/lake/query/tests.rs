//! What a statement may ask and what it is answered.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use tempfile::tempdir;

use super::*;
use crate::lake::Value;
use crate::lake::fixtures::{config, futures_of, futures_row, lake, slot, spot_row};
use crate::market::FuturesSnapshot;

const MEMORY: usize = 64 << 20;

async fn rows_as_of(lake: &Lake, sql: &str, as_of: QueryAsOf) -> Result<Vec<Vec<Value>>, QueryError> {
    let query = Query { sql: sql.to_owned(), as_of, memory_bytes: MEMORY, spill_folder: None };
    let mut answer = lake.query(&query).await?;
    let mut rows = Vec::new();
    while let Some(chunk) = answer.next().await? {
        rows.extend(chunk.rows()?);
    }
    Ok(rows)
}

async fn rows(lake: &Lake, sql: &str) -> Result<Vec<Vec<Value>>, QueryError> {
    rows_as_of(lake, sql, QueryAsOf::Latest).await
}

/// A lake with three slots of the futures and one of an ETF.
async fn filled(folder: &std::path::Path) -> Lake {
    let lake = lake(folder);
    for number in 1..=3 {
        lake.append_futures(&futures_of(slot(number))).await.expect("written");
    }
    lake.append_spot(&[spot_row("SPY", slot(1))]).await.expect("written");
    lake
}

fn files(folder: &std::path::Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).expect("a file"));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_does_not_only_read_is_refused_and_changes_nothing() {
    let folder = tempdir().expect("a folder");
    let lake = filled(folder.path()).await;
    let before = files(folder.path());
    let target = folder.path().join("out").display().to_string();
    let statements = [
        ("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc/'".to_owned(), "CREATE EXTERNAL TABLE"),
        ("CREATE TABLE t AS SELECT * FROM spot_snapshots".to_owned(), "CREATE MEMORY TABLE"),
        ("CREATE TABLE t (x INT)".to_owned(), "CREATE MEMORY TABLE"),
        ("CREATE VIEW v AS SELECT 1".to_owned(), "CREATE VIEW"),
        ("CREATE SCHEMA s".to_owned(), "CREATE CATALOG SCHEMA"),
        ("CREATE DATABASE d".to_owned(), "CREATE CATALOG"),
        ("DROP TABLE spot_snapshots".to_owned(), "DROP TABLE"),
        ("DROP VIEW spot_snapshots".to_owned(), "DROP VIEW"),
        ("INSERT INTO spot_snapshots SELECT * FROM spot_snapshots".to_owned(), "INSERT INTO"),
        ("INSERT OVERWRITE spot_snapshots SELECT * FROM spot_snapshots".to_owned(), "INSERT OVERWRITE"),
        ("DELETE FROM spot_snapshots".to_owned(), "DELETE"),
        ("UPDATE spot_snapshots SET last = 1".to_owned(), "UPDATE"),
        ("TRUNCATE TABLE spot_snapshots".to_owned(), "TRUNCATE"),
        (format!("COPY spot_snapshots TO '{target}.csv'"), "COPY"),
        (format!("COPY (SELECT 1) TO '{target}.parquet' STORED AS PARQUET"), "COPY"),
        ("SET datafusion.execution.batch_size = 1".to_owned(), "SET VARIABLE"),
        ("RESET datafusion.execution.batch_size".to_owned(), "RESET VARIABLE"),
        ("START TRANSACTION".to_owned(), "TRANSACTION START"),
        ("COMMIT".to_owned(), "TRANSACTION END"),
        ("PREPARE p AS SELECT 1".to_owned(), "PREPARE"),
        ("EXECUTE p".to_owned(), "EXECUTE"),
        ("DEALLOCATE p".to_owned(), "DEALLOCATE"),
        ("EXPLAIN INSERT INTO spot_snapshots SELECT * FROM spot_snapshots".to_owned(), "INSERT INTO"),
        ("EXPLAIN ANALYZE INSERT INTO spot_snapshots SELECT * FROM spot_snapshots".to_owned(), "INSERT INTO"),
        (format!("EXPLAIN ANALYZE COPY spot_snapshots TO '{target}.csv'"), "COPY"),
        ("EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1".to_owned(), "CREATE MEMORY TABLE"),
    ];
    for (sql, what) in statements {
        match rows(&lake, &sql).await.expect_err(&sql) {
            QueryError::Refused { what: told } => assert!(told.starts_with(what), "{sql}: {told}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    for sql in
        ["SELECT 1; DROP TABLE spot_snapshots", "ALTER TABLE spot_snapshots ADD COLUMN x INT", "BEGIN", "VACUUM", ""]
    {
        let error = rows(&lake, sql).await.expect_err(sql);
        assert!(matches!(error, QueryError::Statement { .. } | QueryError::Refused { .. }), "{sql}: {error:?}");
    }
    assert_eq!(files(folder.path()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_can_be_read_by_name() {
    let folder = tempdir().expect("a folder");
    let lake = filled(folder.path()).await;
    let data = files(folder.path()).into_keys().find(|path| path.extension().is_some_and(|e| e == "parquet"));
    let data = data.expect("a data file").display().to_string();
    let csv = folder.path().join("secret.csv");
    std::fs::write(&csv, "a,b\n1,2\n").expect("written");
    for sql in [
        format!("SELECT * FROM '{data}'"),
        format!("SELECT * FROM \"{}\"", csv.display()),
        format!("SELECT * FROM 'file://{}'", csv.display()),
        "SELECT * FROM '/etc/passwd'".to_owned(),
        format!("SELECT * FROM read_parquet('{data}')"),
        format!("SELECT * FROM read_csv('{}')", csv.display()),
        format!("SELECT * FROM parquet_metadata('{data}')"),
        format!("SELECT * FROM delta_scan('{}')", folder.path().display()),
    ] {
        let error = rows(&lake, &sql).await.expect_err(&sql);
        let is_unknown =
            matches!(error, QueryError::Lake(LakeError::UnknownTable { .. }) | QueryError::Statement { .. });
        assert!(is_unknown, "{sql}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_not_made_yet_is_empty_and_is_not_made() {
    let folder = tempdir().expect("a folder");
    let lake = Lake::reader(&config(folder.path())).expect("a local folder");
    let error = rows(&lake, "select count(*) from futures_snapshots").await.expect_err("no lake");
    assert!(matches!(error, QueryError::Lake(LakeError::NoLake { .. })), "{error:?}");
    assert!(!lake.root().exists());
    let written = crate::lake::fixtures::lake(folder.path());
    written.append_spot(&[spot_row("SPY", slot(1))]).await.expect("written");
    let counted = rows(&lake, "select count(*), max(timestamp) from lake.public.futures_snapshots").await.expect("0");
    assert_eq!(counted, [[Value::Integer(0), Value::Null]]);
    assert_eq!(rows(&lake, "describe spot_snapshots").await.expect("columns").len(), 10);
    let tables = rows(&lake, "show tables").await.expect("tables");
    let own = tables.iter().filter(|row| row[1] == Value::Text("public".to_owned()));
    assert_eq!(own.count(), TableName::ALL.len(), "{tables:?}");
    assert!(!lake.root().join("futures_snapshots").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_joined_grouped_and_explained() {
    let folder = tempdir().expect("a folder");
    let lake = filled(folder.path()).await;
    let joined = "select f.symbol, f.last - s.last as difference from futures_snapshots f join spot_snapshots s \
                  on f.timestamp = s.timestamp where f.symbol in ('ES', 'RTY') order by 1";
    let expected = ["ES", "RTY"].map(|name| vec![Value::Text(name.to_owned()), Value::Float(0.0)]);
    assert_eq!(rows(&lake, joined).await.expect("rows"), expected);
    let same = "select a.symbol from futures_snapshots a join futures_snapshots b using (symbol, timestamp)";
    assert_eq!(rows(&lake, same).await.expect("rows").len(), 9);
    for explain in ["explain", "explain analyze"] {
        assert!(!rows(&lake, &format!("{explain} {joined}")).await.expect("a plan").is_empty());
    }
    let series = rows(&lake, "select sum(value) from generate_series(1, 10)").await.expect("55");
    assert_eq!(series, [[Value::Integer(55)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_of_an_instant_or_a_version_shows_the_tables_then() {
    let folder = tempdir().expect("a folder");
    let lake = filled(folder.path()).await;
    let backfilled = FuturesSnapshot { captured_at: slot(20).instant(), ..futures_row("ES", slot(0)) };
    lake.append_futures(&[backfilled]).await.expect("written");
    let count = async |as_of| rows_as_of(&lake, "select count(*) from futures_snapshots", as_of).await;
    let at = |number: i64, seconds: i64| QueryAsOf::Instant(slot(number).instant() + TimeDelta::seconds(seconds));
    let is = |number| vec![vec![Value::Integer(number)]];
    assert_eq!(count(QueryAsOf::Latest).await.expect("all"), is(10));
    assert_eq!(count(at(2, 29)).await.expect("one slot"), is(3));
    assert_eq!(count(at(2, 30)).await.expect("two slots"), is(6));
    assert_eq!(count(QueryAsOf::Version(1)).await.expect("kept"), is(3));
    let named = BTreeMap::from([(TableName::FuturesSnapshots, 2)]);
    assert_eq!(count(QueryAsOf::Versions(named.clone())).await.expect("kept"), is(6));
    let both = "select count(*) from futures_snapshots f, spot_snapshots s";
    let told = rows_as_of(&lake, both, QueryAsOf::Version(2)).await.expect_err("which").to_string();
    assert!(told.ends_with("give --as-of futures_snapshots=2"), "{told}");
    assert_eq!(rows_as_of(&lake, both, QueryAsOf::Versions(named)).await.expect("named"), is(6));
    let newer = count(QueryAsOf::Version(9)).await.expect_err("never");
    assert!(matches!(newer, QueryError::Lake(LakeError::NoSuchVersion { .. })), "{newer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_misspelt_is_told_with_what_there_is() {
    let folder = tempdir().expect("a folder");
    let lake = filled(folder.path()).await;
    let told = async |sql| rows(&lake, sql).await.expect_err(sql).to_string();
    let column = told("select lst from spot_snapshots").await;
    let known = "known here are symbol, timestamp, bid, ask, last,";
    assert!(column.starts_with("unknown column lst: ") && column.contains(known), "{column}");
    assert!(column.ends_with("; did you mean last?"), "{column}");
    let table = told("select * from spot").await;
    assert!(table.contains("known are futures_snapshots, spot_snapshots, "), "{table}");
    assert!(table.ends_with("; did you mean spot_snapshots?"), "{table}");
    let syntax = told("selec 1").await;
    assert!(syntax.starts_with("cannot read the statement: Expected: "), "{syntax}");
    let function = told("select medain(last) from spot_snapshots").await;
    assert!(function.contains("Invalid function 'medain'. Did you mean"), "{function}");
    let failed = rows(&lake, "select 1 / (volume - volume) from spot_snapshots").await.expect_err("by zero");
    assert!(matches!(&failed, QueryError::Failed { .. }), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_beyond_its_memory_spills_or_is_told_what_to_do() {
    let folder = tempdir().expect("a folder");
    let lake = filled(folder.path()).await;
    let limited = async |sql: &str, memory_bytes| {
        let query = Query { sql: sql.to_owned(), as_of: QueryAsOf::Latest, memory_bytes, spill_folder: None };
        let mut answer = lake.query(&query).await?;
        let mut num_rows = 0;
        while let Some(chunk) = answer.next().await? {
            num_rows += chunk.rows()?.len();
        }
        Ok::<_, QueryError>(num_rows)
    };
    let sorted = "select value, value % 7 from generate_series(1, 1000000) order by 2, 1";
    assert_eq!(limited(sorted, 32 << 20).await.expect("spilled"), 1_000_000);
    let aggregated = "select array_agg(value) from generate_series(1, 1000000)";
    let error = limited(aggregated, 1 << 20).await.expect_err("too much");
    assert!(matches!(error, QueryError::Memory { limit_mb: 1, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_form_of_file_holds_the_whole_answer() {
    let folder = tempdir().expect("a folder");
    let lake = filled(folder.path()).await;
    let sql = "select symbol, timestamp, bid, volume, date, null as \"nothing\", [1, 2] as list from spot_snapshots";
    let written = async |sql: &str, format| {
        let query = Query { sql: sql.to_owned(), as_of: QueryAsOf::Latest, memory_bytes: MEMORY, spill_folder: None };
        let mut answer = lake.query(&query).await.expect("planned");
        let mut writer = AnswerWriter::new(format, &answer, Vec::new()).expect("begun");
        while let Some(chunk) = answer.next().await.expect("rows") {
            writer.write(&chunk).expect("written");
        }
        writer.finish().expect("ended")
    };
    let text = async |sql, format| String::from_utf8(written(sql, format).await).expect("text");
    let object = "{\"symbol\":\"SPY\",\"timestamp\":\"2026-11-18T15:05:00Z\",\"bid\":6000.75,\"volume\":100,\
                  \"date\":\"2026-11-18\",\"nothing\":null,\"list\":[1,2]}";
    assert_eq!(text(sql, AnswerFormat::Jsonl).await, format!("{object}\n"));
    assert_eq!(text(sql, AnswerFormat::Json).await, format!("[{object}]\n"));
    let plain = "select symbol, timestamp, bid, null as \"nothing\" from spot_snapshots";
    let header = "symbol,timestamp,bid,nothing\n";
    assert_eq!(text(plain, AnswerFormat::Csv).await, format!("{header}SPY,2026-11-18T15:05:00Z,6000.75,\n"));
    let none = format!("{plain} where symbol = 'QQQ'");
    assert_eq!(text(&none, AnswerFormat::Csv).await, header);
    assert_eq!(text(&none, AnswerFormat::Json).await, "[]\n");
    assert_eq!(text(&none, AnswerFormat::Jsonl).await, "");
    let parquet = written("select * from futures_snapshots order by symbol, timestamp", AnswerFormat::Parquet).await;
    let reader =
        deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet));
    let batches: Vec<_> = reader.expect("parquet").build().expect("rows").map(|batch| batch.expect("read")).collect();
    let names: Vec<_> = batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!((batches[0].num_rows(), names.len(), names[19].as_str()), (9, 20, "captured_at"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_columns_of_one_name_are_told_where_they_cannot_be_kept_apart() {
    let folder = tempdir().expect("a folder");
    let lake = filled(folder.path()).await;
    let sql = "select a.symbol, b.symbol from spot_snapshots a, spot_snapshots b";
    let query = Query { sql: sql.to_owned(), as_of: QueryAsOf::Latest, memory_bytes: MEMORY, spill_folder: None };
    let answer = lake.query(&query).await.expect("planned");
    let told = AnswerWriter::new(AnswerFormat::Jsonl, &answer, Vec::new()).err().expect("refused").to_string();
    assert!(told.contains("two columns are named symbol: name one of them with AS"), "{told}");
    assert!(AnswerWriter::new(AnswerFormat::Csv, &answer, Vec::new()).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_sees_one_snapshot_while_others_write() {
    let folder = tempdir().expect("a folder");
    let writer = filled(folder.path()).await;
    let reader = Lake::reader(&config(folder.path())).expect("a local folder");
    let writing = tokio::spawn(async move {
        for number in 4..24 {
            writer.append_futures(&futures_of(slot(number))).await.expect("written");
            if number % 8 == 0 {
                writer.compact(TableName::FuturesSnapshots).await.expect("compacted");
            }
        }
    });
    let mut last = 0;
    while !writing.is_finished() {
        let sql = "select count(*), count(distinct timestamp) from futures_snapshots";
        let counted = rows(&reader, sql).await.expect("an answer");
        let [Value::Integer(num_rows), Value::Integer(num_slots)] = counted[0][..] else { panic!("{counted:?}") };
        assert!(num_rows >= last && num_rows == 3 * num_slots, "{num_rows} rows of {num_slots} slots after {last}");
        last = num_rows;
    }
    writing.await.expect("no failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_planner_would_pass_over_is_refused() {
    let folder = tempdir().expect("a folder");
    let lake = filled(folder.path()).await;
    for sql in [
        "select count(*) from futures_snapshots tablesample (10 percent)",
        "select count(*) from futures_snapshots as f tablesample bernoulli (10)",
        "explain select count(*) from futures_snapshots tablesample (10 percent)",
        "select * from spot_snapshots where symbol in (select symbol from futures_snapshots tablesample (10 percent))",
    ] {
        let refused = rows(&lake, sql).await.expect_err(sql).to_string();
        assert!(refused.contains("TABLESAMPLE is not supported"), "{sql}: {refused}");
    }
    assert_eq!(rows(&lake, "select count(*) from futures_snapshots").await.expect("an answer").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_cannot_be_read_comes_with_the_form_that_can() {
    let folder = tempdir().expect("a folder");
    let lake = filled(folder.path()).await;
    let asked = |time: &str| format!("select count(*) from futures_snapshots where timestamp >= '{time}'");
    let refused = rows(&lake, &asked("2026-11-02 09:30")).await.expect_err("no seconds");
    assert!(matches!(refused, QueryError::Statement { .. }), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains("2026-11-02 09:30") && told.contains("with seconds"), "{told}");
    for time in ["2026-11-02 09:30:00", "2026-11-02T09:30:00Z", "2026-11-02"] {
        assert_eq!(rows(&lake, &asked(time)).await.expect(time).len(), 1);
    }
}
