//! The rules of pacing for history: no identical request within 15 seconds, at most 60 in ten minutes.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::super::messages::HistoricalDataRequest;

const SAME_WITHIN: Duration = Duration::from_secs(15);
const WINDOW: Duration = Duration::from_mins(10);
const MAX_REQUESTS: usize = 60;

/// The requests of the last ten minutes, by the machine's time as a real gateway counts them.
#[derive(Debug, Default)]
pub(in super::super) struct Pacer {
    seen: VecDeque<(Instant, HistoricalDataRequest)>,
}

impl Pacer {
    /// Whether a request violates the rules; it counts either way.
    pub(in super::super) fn violates(&mut self, request: &HistoricalDataRequest, now: Instant) -> bool {
        let request = HistoricalDataRequest { req_id: None, ..request.clone() };
        while self.seen.front().is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.seen.pop_front();
        }
        let same = self.seen.iter().any(|(at, seen)| *seen == request && now.duration_since(*at) < SAME_WITHIN);
        let violates = same || self.seen.len() >= MAX_REQUESTS;
        if self.seen.len() < MAX_REQUESTS {
            self.seen.push_back((now, request));
        }
        violates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: usize) -> HistoricalDataRequest {
        HistoricalDataRequest {
            req_id: Some(9),
            duration: Some(format!("{number} D")),
            ..HistoricalDataRequest::default()
        }
    }

    #[test]
    fn the_same_request_must_wait_fifteen_seconds() {
        let (mut pacer, start) = (Pacer::default(), Instant::now());
        assert!(!pacer.violates(&request(1), start));
        assert!(pacer.violates(&request(1), start + Duration::from_secs(14)));
        assert!(!pacer.violates(&request(1), start + Duration::from_secs(40)));
    }

    #[test]
    fn sixty_fit_into_ten_minutes() {
        let (mut pacer, start) = (Pacer::default(), Instant::now());
        assert!((0..60).all(|number| !pacer.violates(&request(number), start)));
        assert!(pacer.violates(&request(60), start + Duration::from_secs(599)));
        assert!(!pacer.violates(&request(61), start + Duration::from_mins(10)));
    }
}
