//! The check of the checks: each one that is on was asked today.

use std::collections::BTreeSet;

use crate::calendar::Slot;

use super::{Action, CheckSpec, LooksAt, Measure, Measured, Place, QualityConfig, Seen, Status, all};

/// The table of findings, as findings name it.
const TABLE: &str = "quality_findings";

/// The check of the checks.
pub(super) const SPECS: &[CheckSpec] =
    &[CheckSpec::new("meta.ran", LooksAt::Checks, "every check that is on was asked today, and did not crash")
        .steps(None, Some(1.0), "checks not asked")
        .acts(Action::Alert)
        .critical()
        .because("silence must mean that all is well, not that nobody looked")];

/// The check that every check which is on ran today: given are the name and the status of each that did, in any order.
#[must_use]
pub fn meta_check<'a>(ran: &'a [(String, Status)], config: &'a QualityConfig, slot: Slot) -> Measure<'a> {
    Measure::new("meta.ran", move |rule| {
        let worked: BTreeSet<&str> =
            ran.iter().filter(|(_, status)| *status != Status::Error).map(|(id, _)| id.as_str()).collect();
        let is_on = |id: &str| config.check(id).is_some_and(|settings| settings.enabled);
        let wanted: Vec<&str> = all().iter().map(|spec| spec.id).filter(|id| *id != "meta.ran" && is_on(id)).collect();
        let missing: Vec<&str> = wanted.iter().copied().filter(|id| !worked.contains(id)).collect();
        let told = Measured::count(missing.len(), format!("{} of {} checks", missing.len(), wanted.len()));
        let place = Place { table: TABLE, symbol: None, timestamp: slot };
        let findings = rule.judge(&place, told.with_detail(missing.join(", ")));
        Ok(Seen { looked_at: wanted.len(), findings: findings.into_iter().collect() })
    })
}

#[cfg(test)]
mod tests {
    use super::super::CheckRun;
    use super::super::fixtures::{at, run};
    use super::*;

    fn ran_but(change: impl Fn(&'static str) -> Option<Status>, config: &QualityConfig) -> CheckRun {
        let ran: Vec<(String, Status)> =
            all().iter().filter_map(|spec| Some((spec.id.to_owned(), change(spec.id)?))).collect();
        run(&[meta_check(&ran, config, Slot::at_or_before(at("2026-11-18 12:00")))], "meta.ran")
    }

    #[test]
    fn a_check_that_did_not_run_or_crashed_is_named() {
        let config = QualityConfig::default();
        assert_eq!(ran_but(|_| Some(Status::Skipped), &config).status, Status::Pass);
        let absent = ran_but(|id| (id != "fresh.slot").then_some(Status::Pass), &config);
        assert_eq!((absent.status, absent.findings[0].detail.as_str()), (Status::Fail, "fresh.slot"));
        let crashed = |id| if id == "quote.age" { Some(Status::Error) } else { Some(Status::Pass) };
        assert_eq!(ran_but(crashed, &config).findings[0].detail, "quote.age");
    }

    #[test]
    fn a_check_that_is_off_need_not_run() {
        let mut config = QualityConfig::default();
        config.checks_mut().get_mut("fresh.slot").expect("a check").enabled = false;
        assert_eq!(ran_but(|id| (id != "fresh.slot").then_some(Status::Pass), &config).status, Status::Pass);
    }
}
