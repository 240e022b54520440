//! The configuration section `quality`: for each check its steps, what is done, and whether it is asked at all.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::market::Symbol;

use super::{Action, all};

/// Names less alike than this are not suggested.
const LIKENESS: f64 = 0.8;

/// The steps of one symbol; what is not given is as for the others.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SymbolSteps {
    /// From this value on it is a warning.
    pub warn_if: Option<f64>,
    /// From this value on it is as bad as the check can say.
    pub error_if: Option<f64>,
}

/// The settings of one check. The default steps, and the reason of each, stand beside the check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSettings {
    /// From this value on a finding is a warning; none: it never is.
    pub warn_if: Option<f64>,
    /// From this value on a finding is as bad as the check can say; none: it never is.
    pub error_if: Option<f64>,
    /// What is done about a finding that is no warning.
    pub action: Action,
    /// Whether the check is asked. On by default: a check that nobody wants is turned off by name, so that it shows.
    #[serde(default = "on")]
    pub enabled: bool,
    /// Until then findings are written down and nobody is mailed. A mute ends by itself, so that none is forgotten.
    #[serde(default)]
    pub muted_until: Option<DateTime<Utc>>,
    /// Other steps for single symbols.
    #[serde(default)]
    pub symbols: BTreeMap<Symbol, SymbolSteps>,
}

fn on() -> bool {
    true
}

impl CheckSettings {
    /// The two steps for a symbol.
    #[must_use]
    pub fn steps(&self, symbol: Option<&Symbol>) -> (Option<f64>, Option<f64>) {
        let own = symbol.and_then(|symbol| self.symbols.get(symbol)).copied().unwrap_or_default();
        (own.warn_if.or(self.warn_if), own.error_if.or(self.error_if))
    }
}

/// The configuration section `quality`: one entry a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QualityConfig(BTreeMap<String, CheckSettings>);

impl Default for QualityConfig {
    fn default() -> Self {
        let settings = all().into_iter().map(|spec| {
            let settings = CheckSettings {
                warn_if: spec.warn_if,
                error_if: spec.error_if,
                action: spec.action,
                enabled: true,
                muted_until: None,
                symbols: BTreeMap::new(),
            };
            (spec.id.to_owned(), settings)
        });
        Self(settings.collect())
    }
}

impl QualityConfig {
    /// The settings of a check; none where the section does not name it.
    #[must_use]
    pub fn check(&self, id: &str) -> Option<&CheckSettings> {
        self.0.get(id)
    }

    /// The settings of all checks by name, to change them.
    pub fn checks_mut(&mut self) -> &mut BTreeMap<String, CheckSettings> {
        &mut self.0
    }

    /// Every fault of the section, given the symbols that are captured.
    #[must_use]
    pub fn faults(&self, captured: &[&Symbol]) -> Vec<String> {
        let ids: Vec<&str> = all().iter().map(|spec| spec.id).collect();
        let symbols: Vec<&str> = captured.iter().map(|symbol| symbol.as_str()).collect();
        let mut faults = Vec::new();
        for (id, settings) in &self.0 {
            if !ids.contains(&id.as_str()) {
                faults.push(format!("quality.{id} is no check: {}", suggestion(id, &ids)));
            }
            faults.extend(step_fault(&format!("quality.{id}"), (settings.warn_if, settings.error_if)));
            for symbol in settings.symbols.keys() {
                let place = format!("quality.{id}.symbols.{symbol}");
                if !symbols.contains(&symbol.as_str()) {
                    faults.push(format!("{place} is not captured: {}", suggestion(symbol.as_str(), &symbols)));
                }
                faults.extend(step_fault(&place, settings.steps(Some(symbol))));
            }
        }
        faults
    }
}

fn step_fault(place: &str, steps: (Option<f64>, Option<f64>)) -> Option<String> {
    let odd = [steps.0, steps.1].into_iter().flatten().find(|step| !step.is_finite());
    if let Some(step) = odd {
        return Some(format!("{place} has a step of {step}: give a number, or null for none"));
    }
    let (warn, error) = steps.0.zip(steps.1)?;
    (warn > error).then(|| format!("{place} warns from {warn} and fails from {error}: give warn_if below error_if"))
}

/// The known name that was probably meant, else all of them.
fn suggestion(name: &str, known: &[&str]) -> String {
    let likeness = |other: &&str| strsim::jaro_winkler(other, name);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|near| likeness(near) > LIKENESS) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: impl FnOnce(&mut BTreeMap<String, CheckSettings>)) -> Vec<String> {
        let mut config = QualityConfig::default();
        change(config.checks_mut());
        let captured: Symbol = "ES".parse().expect("a symbol");
        config.faults(&[&captured])
    }

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(faults(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn all_faults_come_at_once_each_with_what_to_do() {
        let told = faults(|checks| {
            let settings = checks["quote.spread"].clone();
            checks.insert("quote.spraed".to_owned(), settings);
            let spread = checks.get_mut("quote.spread").expect("a check");
            (spread.warn_if, spread.error_if) = (Some(9.0), Some(3.0));
            let symbol = "ESX".parse().expect("a symbol");
            checks.get_mut("quote.age").expect("a check").symbols.insert(symbol, SymbolSteps::default());
        });
        assert_eq!(
            told,
            [
                "quality.quote.age.symbols.ESX is not captured: did you mean ES?",
                "quality.quote.spraed is no check: did you mean quote.spread?",
                "quality.quote.spread warns from 9 and fails from 3: give warn_if below error_if",
            ]
        );
    }
}
