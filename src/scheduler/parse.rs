//! Reading schedule files: all of them together, with every fault at once.

use std::path::{Path, PathBuf};

use super::error::{Faults, Place, ScheduleErrors, remedy};
use super::read_job::{LocatedJob, read_job};
use super::schedule::{JobSchedule, Schedules, Timing};
use super::yaml::{self, Content};

/// The schedule files compiled in, by the path they have in the project.
const BUILT_IN: [(&str, &str); 3] = [
    ("schedules/capture.yaml", include_str!("../../schedules/capture.yaml")),
    ("schedules/maintenance.yaml", include_str!("../../schedules/maintenance.yaml")),
    ("schedules/signals.yaml", include_str!("../../schedules/signals.yaml")),
];

/// A job's schedule and where it stands.
struct Found {
    job: LocatedJob,
    place: Place,
}

impl Schedules {
    /// Reads schedule files, given as path and text. `known_jobs` are the jobs there are.
    ///
    /// # Errors
    ///
    /// [`ScheduleErrors`] with every fault of every file.
    pub fn parse(files: &[(PathBuf, String)], known_jobs: &[&str]) -> Result<Self, ScheduleErrors> {
        let mut faults = Faults::default();
        let mut found: Vec<Found> = Vec::new();
        let mut named: Vec<(String, Place)> = Vec::new();
        for (path, text) in files {
            faults.enter(path);
            read_file(text, known_jobs, (&mut found, &mut named), &mut faults);
        }
        judge_chains(&found, &named, known_jobs, &mut faults);
        faults.finish()?;
        Ok(Self::new(found.into_iter().map(|Found { job, place }| {
            let places = job.rule_lines.iter().map(|line| Place { line: *line, ..place.clone() }).collect();
            (job.schedule, places)
        })))
    }

    /// The schedules compiled in.
    ///
    /// # Errors
    ///
    /// [`ScheduleErrors`] where they name a job that `known_jobs` lacks.
    pub fn built_in(known_jobs: &[&str]) -> Result<Self, ScheduleErrors> {
        let files = BUILT_IN.map(|(path, text)| (Path::new(path).to_path_buf(), text.to_owned()));
        Self::parse(&files, known_jobs)
    }
}

fn read_file(
    text: &str,
    known_jobs: &[&str],
    (found, named): (&mut Vec<Found>, &mut Vec<(String, Place)>),
    faults: &mut Faults,
) {
    let Some(root) = yaml::parse(text, faults) else { return };
    if root.content == Content::Empty {
        return;
    }
    let Content::Map(sections) = &root.content else {
        faults.add(root.line, "is no mapping: write jobs: and the jobs below it");
        return;
    };
    for (key, _) in sections.iter().filter(|(key, _)| key.name != "jobs") {
        faults.add(key.line, format!("unknown key {}: {}", key.name, remedy(&key.name, &["jobs"])));
    }
    let Some((_, jobs)) = sections.iter().find(|(key, _)| key.name == "jobs") else { return };
    let jobs = match &jobs.content {
        Content::Map(jobs) => jobs,
        Content::Empty => return,
        _ => return faults.add(jobs.line, "jobs: write a mapping of job names"),
    };
    for (key, node) in jobs {
        let place = faults.place(key.line);
        if !known_jobs.contains(&key.name.as_str()) {
            faults.add(key.line, format!("unknown job {:?}: {}", key.name, remedy(&key.name, known_jobs)));
        }
        if let Some((_, first)) = named.iter().find(|(job, _)| *job == key.name) {
            faults.add(key.line, format!("job {} has a schedule in {first} already: keep one of the two", key.name));
        }
        named.push((key.name.clone(), place.clone()));
        found.extend(read_job(&key.name, node, faults).map(|job| Found { job, place }));
    }
}

/// Every job that another comes after must be known, scheduled, and must not come after that other.
fn judge_chains(found: &[Found], named: &[(String, Place)], known_jobs: &[&str], faults: &mut Faults) {
    for Found { job, place } in found {
        for (rule, line) in job.schedule.rules.iter().zip(&job.rule_lines) {
            let Timing::After(upstream) = &rule.timing else { continue };
            let path = format!("jobs.{}.schedule.after", job.schedule.job);
            let told = if !known_jobs.contains(&upstream.as_str()) {
                format!("unknown job {upstream:?}: {}", remedy(upstream, known_jobs))
            } else if !named.iter().any(|(job, _)| job == upstream) {
                format!("job {upstream} has no schedule, so nothing ever comes after it: give it one")
            } else if comes_after(found, upstream, &job.schedule.job) {
                format!("{upstream} itself comes after {}: break the circle", job.schedule.job)
            } else {
                continue;
            };
            faults.add_at(&Place { line: *line, ..place.clone() }, format!("{path}: {told}"));
        }
    }
}

/// Whether `job` is `other` or comes after it, over any number of steps.
fn comes_after(found: &[Found], job: &str, other: &str) -> bool {
    let mut reached = vec![job];
    let mut at = 0;
    while let Some(job) = reached.get(at).copied() {
        let schedules = found.iter().map(|found| &found.job.schedule).filter(|schedule| schedule.job == job);
        for upstream in schedules.flat_map(JobSchedule::upstream) {
            if !reached.contains(&upstream) {
                reached.push(upstream);
            }
        }
        at += 1;
    }
    reached.contains(&other)
}
