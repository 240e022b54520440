//! `jobs table list`: every table of the lake in a line.

use serde_json::{Value as Json, json};

use crate::job::JobError;
use crate::lake::{TableFacts, TableName};
use crate::telemetry;

use super::super::block_on;
use super::super::existing_lake::lake_to_read;
use super::super::output::{eastern, grouped, plain_table, print_documents, print_text, right, utc};
use super::super::settings::{Format, Globals};

/// Prints the tables.
pub(super) fn list(globals: &Globals) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    telemetry::start_on_stderr(globals.verbosity());
    let lake = lake_to_read(&loaded)?;
    let facts = block_on(async {
        let mut facts = Vec::new();
        for table in TableName::ALL {
            facts.push((table, lake.facts(table).await?));
        }
        Ok(facts)
    })?;
    if globals.format == Format::Text {
        print_text(&text(&facts))?;
    } else {
        let document = |(table, facts): &(TableName, Option<TableFacts>)| document(*table, facts.as_ref());
        print_documents(facts.iter().map(document).collect(), globals.format)?;
    }
    Ok(0)
}

fn document(table: TableName, facts: Option<&TableFacts>) -> Json {
    json!({
        "table": table,
        "exists": facts.is_some(),
        "version": facts.map(|facts| facts.version),
        "rows": facts.and_then(|facts| facts.num_rows),
        "files": facts.map(|facts| facts.num_files),
        "bytes": facts.map(|facts| facts.num_bytes),
        "partitions": facts.map(|facts| facts.num_partitions),
        "newest": facts.and_then(|facts| facts.newest).map(utc),
        "newest_et": facts.and_then(|facts| facts.newest).map(eastern),
        "gateway": facts.map(|facts| facts.kind.as_str()),
    })
}

fn text(tables: &[(TableName, Option<TableFacts>)]) -> comfy_table::Table {
    let mut table = plain_table();
    table.set_header(["table", "rows", "files", "bytes", "partitions", "version", "newest slot", "gateway"]);
    for (name, facts) in tables {
        let Some(facts) = facts else {
            table.add_row([name.as_str(), "-", "-", "-", "-", "-", "not made yet", "-"]);
            continue;
        };
        let known = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| grouped(&count));
        table.add_row([
            name.to_string().into(),
            right(known(facts.num_rows)),
            right(grouped(&facts.num_files)),
            right(grouped(&facts.num_bytes)),
            right(grouped(&facts.num_partitions)),
            right(facts.version),
            facts.newest.map_or_else(|| "-".to_owned(), eastern).into(),
            facts.kind.as_str().into(),
        ]);
    }
    table
}
