//! Folders with names of every sort: what the configuration takes works, and nothing is written beside the lake.

use std::fs;
use std::path::Path;

use super::fixtures::{futures_of, futures_row, slot, symbol};
use super::{AsOf, KeyCount, KeyRange, Lake, LakeConfig, Query, QueryAsOf, RowQuery, TableName};
use crate::clock::{Clock, SystemClock};
use crate::market::{FuturesSnapshot, GatewayKind};

const FUTURES: TableName = TableName::FuturesSnapshots;

/// Names of a folder, one for each character that a path, an address or a pattern may take for something else.
fn names() -> Vec<String> {
    let special = (0x20_u8..0x7f).map(char::from).filter(|c| !c.is_ascii_alphanumeric() && *c != '/');
    let around = special.flat_map(|c| [format!("a{c}b"), format!("{c}1"), format!("a{c}")]);
    let others = ["é", "Börse", "日本", "🚀", "%20", "a%2Fb", "a%41b", "%", "a#12", "symbol=ES", "_delta_log", "..."];
    around.chain(others.map(str::to_owned)).collect()
}

async fn used(at: &Path) -> Result<(), String> {
    let told = |what: &'static str| move |error: super::LakeError| format!("{what}: {error:?}");
    let config = LakeConfig { uri: at.display().to_string(), ..LakeConfig::default() };
    let lake = Lake::open(&config, GatewayKind::Simulated).map_err(told("open"))?;
    for number in [1, 2, 4, 0, 3] {
        let written = lake.append_futures(&futures_of(slot(number))).await.map_err(told("append"))?;
        assert_eq!(written.added, 3);
    }
    let new = FuturesSnapshot { last: Some(1.0), ..futures_row("ES", slot(2)) };
    lake.replace_futures(&[new]).await.map_err(told("replace"))?;
    for number in 5..12 {
        lake.append_futures(&futures_of(slot(number))).await.map_err(told("append"))?;
    }
    let compacted = lake.compact(FUTURES).await.map_err(told("compact"))?;
    assert!(compacted.files_removed > 0, "{compacted:?}");
    let now = SystemClock.now() + chrono::TimeDelta::days(9);
    let tidied = lake.tidy(FUTURES, now).await.map_err(told("tidy"))?;
    assert!(tidied.files_deleted > 0 && tidied.checkpoint.is_some(), "{tidied:?}");
    lake.append_futures(&futures_of(slot(12))).await.map_err(told("append"))?;
    let reader = Lake::reader(&config).map_err(told("open"))?;
    let range =
        KeyRange { symbols: ["ES", "NQ", "RTY"].map(symbol).to_vec(), from: slot(0).instant(), to: slot(99).instant() };
    let count = reader.count(FUTURES, &range).await.map_err(told("count"))?;
    assert_eq!(count, KeyCount { rows: 39, keys: 39 });
    let rows = reader.futures(&range, &AsOf::Latest).await.map_err(told("rows"))?;
    assert_eq!(rows.len(), 39);
    let shown = reader.rows(FUTURES, &RowQuery::default()).await.map_err(told("show"))?;
    assert_eq!(shown.rows.len(), 39);
    let sql = "SELECT symbol, last FROM futures_snapshots".to_owned();
    let query = Query { sql, as_of: QueryAsOf::Latest, memory_bytes: 32 << 20, spill_folder: None };
    let mut answer = reader.query(&query).await.map_err(|error| format!("query: {error:?}"))?;
    let mut num_rows = 0;
    while let Some(chunk) = answer.next().await.map_err(|error| format!("query: {error:?}"))? {
        num_rows += chunk.rows().map_err(|error| format!("query: {error:?}"))?.len();
    }
    assert_eq!(num_rows, 39);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_works_in_a_folder_of_any_name_or_the_name_is_refused() {
    let parent = tempfile::tempdir().expect("a folder");
    let (mut failed, mut refused) = (Vec::new(), Vec::new());
    for name in names() {
        let home = parent.path().join("home");
        fs::create_dir(&home).expect("made");
        let at = home.join(&name).join("lake");
        let config = LakeConfig { uri: at.display().to_string(), ..LakeConfig::default() };
        if config.faults().is_empty() {
            let work = tokio::spawn(async move { used(&at).await });
            match work.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed.push(format!("{name}: {error}")),
                Err(panic) => failed.push(format!("{name}: {panic}")),
            }
        } else {
            refused.push(name.clone());
        }
        let beside = fs::read_dir(&home).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let beside: Vec<_> = beside.filter(|found| *found != *name).collect();
        if !beside.is_empty() {
            failed.push(format!("{name}: beside it {beside:?}"));
        }
        fs::remove_dir_all(&home).expect("removed");
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let is_refused = |name: &String| {
        let is_escape = ["%20", "a%2Fb", "a%41b", "_delta_log", "a$b"].contains(&name.as_str());
        is_escape || name.contains(['[', ']', '^', '|', '\\'])
    };
    assert_eq!(refused, names().into_iter().filter(is_refused).collect::<Vec<_>>());
}
