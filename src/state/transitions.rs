//! Whatever order calls come in, a slot moves by the rules: checked against a model of a few lines.

use proptest::prelude::*;

use super::fixtures::{NOW, end, executions, file, request, slot};
use super::*;

#[derive(Debug, Clone, Copy)]
enum Call {
    Plan,
    Skip,
    Miss,
    Recover,
    Start(Trigger),
    Finish(EndState),
    Die,
    Prune,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let triggers = prop::sample::select(Trigger::ALL.to_vec());
    let ends = prop::sample::select(vec![EndState::Done, EndState::Skipped, EndState::Failed, EndState::TimedOut]);
    let call = prop_oneof![
        1 => Just(Call::Plan),
        1 => Just(Call::Skip),
        1 => Just(Call::Miss),
        2 => Just(Call::Recover),
        4 => triggers.prop_map(Call::Start),
        4 => ends.prop_map(Call::Finish),
        1 => Just(Call::Die),
        1 => Just(Call::Prune),
    ];
    prop::collection::vec(call, 1..40)
}

/// What the slot should be.
#[derive(Debug, Default)]
struct Model {
    state: Option<RunState>,
    good: Option<RunState>,
    is_planned: bool,
    attempts: u32,
    starts: usize,
}

impl Model {
    fn apply(&mut self, call: Call) {
        use RunState::{Done, Failed, Missed, Planned, Recovered, Running, Skipped, TimedOut};
        let is_open = matches!(self.state, None | Some(Planned));
        match call {
            Call::Plan => {
                self.state = self.state.or(Some(Planned));
                self.is_planned = true;
            }
            Call::Skip | Call::Miss if is_open => {
                self.state = Some(if matches!(call, Call::Skip) { Skipped } else { Missed });
                self.is_planned = true;
            }
            Call::Recover if matches!(self.state, Some(Missed | Failed | TimedOut)) => self.state = Some(Recovered),
            Call::Start(trigger) => {
                let is_settled = matches!(self.state, Some(Done | Recovered | Skipped));
                if self.state != Some(Running) && (!is_settled || trigger.is_asked_for()) {
                    self.good = self.state.filter(|state| matches!(state, Done | Recovered));
                    self.state = Some(Running);
                    self.is_planned |= !trigger.is_asked_for();
                    self.starts += 1;
                }
            }
            Call::Finish(end) if self.state == Some(Running) => self.end(end),
            Call::Die if self.state == Some(Running) => self.end(EndState::Failed),
            _ => {}
        }
    }

    fn end(&mut self, end: EndState) {
        let end = RunState::from(end);
        self.state = if end == RunState::Done { Some(end) } else { self.good.or(Some(end)) };
        self.attempts += 1;
    }
}

fn make(ledger: &Ledger, call: Call, number: usize) {
    let run_id = |number: usize| format!("r{number}");
    let not_run = [NotRun { job: "snapshot".into(), slot: slot(1), reason: "so".into() }];
    let planned = [Planned { job: "snapshot".into(), slot: slot(1), due_at: slot(1) }];
    match call {
        Call::Plan => _ = ledger.plan(&planned).expect("planned"),
        Call::Skip => _ = ledger.skip(&not_run, NOW).expect("noted"),
        Call::Miss => _ = ledger.miss(&not_run, NOW).expect("noted"),
        Call::Recover => _ = ledger.recover("snapshot", &[slot(1)], NOW).expect("noted"),
        Call::Start(trigger) => {
            _ = ledger.start(&request(slot(1), trigger, &run_id(number)), NOW).expect("an answer");
        }
        // Of the execution that runs, or a second time of the one before.
        Call::Finish(state) => {
            if let Some(last) = executions(ledger, slot(1)).iter().find(|one| one.state == RunState::Running) {
                ledger.finish(last.run_id.as_deref().expect("a run"), &end(state), NOW).expect("noted");
            } else if let Some(last) = executions(ledger, slot(1)).last() {
                ledger.finish(last.run_id.as_deref().expect("a run"), &end(state), NOW).expect("no error");
            }
        }
        Call::Die => _ = ledger.close_orphans(NOW, |_| false).expect("closed"),
        Call::Prune => _ = ledger.prune(1, NOW).expect("nothing is old"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_slot_moves_by_the_rules_and_what_is_good_stays_good(calls in calls()) {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::open_with(&file(&folder), Durability::Unsynced).expect("opened");
        let mut model = Model::default();
        let mut was_good = false;
        for (number, call) in calls.into_iter().enumerate() {
            make(&ledger, call, number);
            model.apply(call);
            let row = ledger.find("snapshot", slot(1)).expect("readable");
            prop_assert_eq!(row.as_ref().map(|row| row.state), model.state, "after {:?}", call);
            let Some(row) = row else { continue };
            prop_assert_eq!(row.attempts, model.attempts);
            prop_assert_eq!(row.due_at.is_some(), model.is_planned);
            prop_assert_eq!(row.ended_at.is_none(), matches!(row.state, RunState::Planned | RunState::Running));
            let executions = executions(&ledger, slot(1));
            prop_assert_eq!(executions.len(), model.starts);
            let num_running = executions.iter().filter(|one| one.state == RunState::Running).count();
            prop_assert_eq!(num_running, usize::from(row.state == RunState::Running));
            prop_assert!(!was_good || row.state.is_good() || row.state == RunState::Running);
            was_good |= row.state.is_good();
        }
        ledger.integrity_check().expect("sound");
    }
}
