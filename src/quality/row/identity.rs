//! Whose row it is: a known symbol, one row a key, the contract that leads.

use std::collections::BTreeMap;

use crate::calendar::{Slot, lead_month};

use super::super::{Batch, CheckFault, FUTURES_TABLE, Finding, Measured, Row, Rule, Seen};

pub(super) fn known(batch: &Batch<'_>, row: &Row, rule: &Rule<'_>) -> Option<Finding> {
    let captured = batch.captured().into_iter().any(|(table, all)| table == row.table && all.contains(&row.symbol));
    if captured && batch.tick(&row.symbol).is_some() {
        return None;
    }
    rule.judge(&row.place(), Measured::new(1.0, format!("{} in {}", row.symbol, row.table)))
}

pub(super) fn named(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    Seen::each(batch.rows.iter().filter(|row| row.table == FUTURES_TABLE), |row| {
        let contract = row.contract.as_deref().is_some_and(|contract| contract.len() > row.symbol.as_str().len());
        let con_id = row.con_id.is_none_or(|id| id > 0);
        let date = row.date.is_some();
        let missing = [(contract, "contract"), (con_id, "con_id"), (date, "date")];
        let missing: Vec<&str> = missing.into_iter().filter(|(there, _)| !there).map(|(_, name)| name).collect();
        rule.judge(&row.place(), Measured::count(missing.len(), format!("without {}", missing.join(", "))))
    })
}

pub(super) fn unique(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    let mut keys: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
    for row in batch.rows {
        keys.entry((row.table, &row.symbol, Slot::at_or_before(row.at))).or_default().push(row);
    }
    Seen::each(keys.into_values(), |rows| {
        let (first, others) = rows.split_first()?;
        let contracts: Vec<&str> = rows.iter().filter_map(|row| row.contract.as_deref()).collect();
        let seen = Measured::count(others.len(), format!("{} rows of one key", rows.len()));
        rule.judge(&first.place(), seen.with_detail(contracts.join(", ")))
    })
}

pub(super) fn lead(batch: &Batch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let mut seen = Seen::default();
    for row in batch.rows.iter().filter(|row| row.table == FUTURES_TABLE) {
        let Some(contract) = &row.contract else { continue };
        seen.looked_at += 1;
        // A slot is the end of its five minutes: at the roll's instant itself the old contract was the lead.
        let month = lead_month(row.at - chrono::TimeDelta::seconds(1), batch.market.roll_rule)?;
        let wanted = month.local_symbol(row.symbol.as_str());
        if *contract != wanted {
            let told = Measured::new(1.0, contract.clone()).with_detail(format!("{wanted} leads"));
            seen.findings.extend(rule.judge(&row.place(), told));
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::{at, batch, row, run};
    use super::super::super::{Row, Status};
    use super::super::row_checks;

    const DAYS: (&str, &str) = ("2026-11-18", "2026-11-18");

    fn status(check: &str, rows: &[Row]) -> Status {
        run(&row_checks(&batch(rows, DAYS)), check).status
    }

    fn es() -> Row {
        row("ES", at("2026-11-18 12:00"), 6_000.0)
    }

    #[test]
    fn a_sound_row_passes_every_check_of_its_identity() {
        for check in ["ref.known", "keys.not_null", "keys.unique", "contract.lead"] {
            assert_eq!(status(check, &[es()]), Status::Pass, "{check}");
        }
    }

    #[test]
    fn a_symbol_that_nobody_captures_is_told() {
        assert_eq!(status("ref.known", &[row("YM", at("2026-11-18 12:00"), 40_000.0)]), Status::Fail);
    }

    #[test]
    fn a_row_without_its_contract_is_told() {
        assert_eq!(status("keys.not_null", &[Row { contract: None, ..es() }]), Status::Fail);
        assert_eq!(status("keys.not_null", &[Row { con_id: Some(0), ..es() }]), Status::Fail);
    }

    #[test]
    fn two_rows_of_one_key_are_critical_whatever_their_contract() {
        let rows = [es(), Row { contract: Some("ESH7".to_owned()), ..es() }];
        let run = run(&row_checks(&batch(&rows, DAYS)), "keys.unique");
        assert_eq!((run.looked_at, run.findings.len()), (1, 1));
        assert_eq!(run.findings[0].detail, "ESZ6, ESH7");
    }

    #[test]
    fn a_contract_that_does_not_lead_is_told() {
        assert_eq!(status("contract.lead", &[Row { contract: Some("ESH7".to_owned()), ..es() }]), Status::Fail);
    }
}
