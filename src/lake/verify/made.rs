//! How a table was made: its columns, its partition, its properties, the gateway it is bound to, its protocol.

use std::path::Path;

use deltalake::kernel::StructType;

use crate::lake::TableName;
use crate::lake::error::remedy_of_foreign;
use crate::lake::protocol;
use crate::lake::schema::{GATEWAY_PROPERTY, Growth, PARTITION, Retention, growth, properties};
use crate::lake::store::Durability;
use crate::market::GatewayKind;

use super::entry::Metadata;
use super::fault::{FROM_BACKUP, Fault, FaultKind};
use super::log::LogState;
use super::{Bound, Verified};

/// Checks how a table was made, and gives the gateway it is bound to.
pub(super) fn check(name: TableName, path: &Path, state: &LogState, found: &mut Verified) -> Bound {
    found.faults.extend(state.faults.iter().cloned());
    found.notes.extend(state.notes.iter().cloned());
    if let Some(reason) = state.protocol.as_ref().and_then(protocol::unknown) {
        let remedy = "use the newer program that wrote it";
        found.faults.push(Fault::new(FaultKind::Protocol, path, reason).remedy(remedy));
    }
    let metadata = state.metadata.as_ref()?;
    let kind = bound(path, metadata, found);
    columns(name, (path, metadata), found);
    if let Some(kind) = kind {
        compare_properties((name, kind), metadata, found);
    }
    kind
}

fn bound(path: &Path, metadata: &Metadata, found: &mut Verified) -> Bound {
    let value = metadata.configuration.get(GATEWAY_PROPERTY).cloned().flatten();
    let kind: Bound = value.as_deref().and_then(|kind| kind.parse().ok());
    if kind.is_none() {
        let what = format!("the property {GATEWAY_PROPERTY} names no gateway: another program made the table");
        found.faults.push(Fault::new(FaultKind::Property, path, what).remedy(remedy_of_foreign(path)));
    }
    kind
}

fn columns(name: TableName, (path, metadata): (&Path, &Metadata), found: &mut Verified) {
    let mut fault =
        |what: String| found.faults.push(Fault::new(FaultKind::Columns, path, what).remedy(remedy_of_foreign(path)));
    if metadata.partition_columns != [PARTITION] {
        fault(format!("it is partitioned by ({}), not by {PARTITION}", metadata.partition_columns.join(", ")));
    }
    let Ok(schema) = serde_json::from_str::<StructType>(&metadata.schema_string) else {
        let what = "the columns in its metadata cannot be read";
        return found.faults.push(Fault::new(FaultKind::Columns, path, what).remedy(FROM_BACKUP));
    };
    match growth(name, &schema) {
        Growth::None => {}
        Growth::Lacks(lacking) => {
            let names: Vec<&str> = lacking.iter().map(|spec| spec.name).collect();
            found.notes.push(format!("the next write adds the columns that are new to it: {}", names.join(", ")));
        }
        Growth::Foreign(difference) => fault(difference),
    }
    let own = crate::lake::schema::columns(name);
    let further: Vec<&str> = schema
        .fields()
        .map(|field| field.name().as_str())
        .filter(|field| own.iter().all(|spec| spec.name != *field))
        .collect();
    if !further.is_empty() {
        found.notes.push(format!("columns of another program, which are kept: {}", further.join(", ")));
    }
}

/// Properties cost or save time and space; a table goes on with others, so they are only told.
fn compare_properties(made: (TableName, GatewayKind), metadata: &Metadata, found: &mut Verified) {
    let mut wanted: Vec<_> = properties(made, Retention::of(Durability::Flushed)).into_iter().collect();
    wanted.sort();
    for (key, value) in wanted {
        let set = metadata.configuration.get(&key).cloned().flatten();
        if set != value {
            let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            found.notes.push(format!("the property {key} is {}, new tables have {}", told(&set), told(&value)));
        }
    }
}
