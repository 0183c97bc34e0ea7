//! Schedules, as `/v1/schedules` shows and takes them. Times are RFC 3339, in UTC.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use stoa_settings::Schedule;

/// A schedule as `GET /v1/schedules` lists it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleSummary {
    /// The service.
    pub service: String,
    /// The function that is called: `shop:product/maintenance.expire`.
    pub function: String,
    /// When, as the service was deployed with.
    #[schema(value_type = Object)]
    pub settings: Schedule,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// The next slot; none while it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The run that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<RunUnderWay>,
    /// The last run that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<ScheduleRun>,
    /// Slots for which nothing was called, as they passed while it could not be.
    pub missed: u64,
}

/// A schedule as `GET /v1/schedules/{service}/{function}` shows it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleDetail {
    /// What the list says.
    #[serde(flatten)]
    pub summary: ScheduleSummary,
    /// Its last runs, the latest first.
    pub runs: Vec<ScheduleRun>,
}

/// A run that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleRun {
    /// Counts the runs of its schedule.
    pub number: u64,
    /// The slot that it was for; none where an operator asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// When it began.
    pub started: String,
    /// How long it took, in microseconds; not known of one that was cut off.
    pub micros: u64,
    /// What it came to.
    pub outcome: RunOutcome,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its trace, as the log names it.
    pub trace_id: String,
}

/// A run that is under way: also the answer to `POST /v1/schedules/{service}/{function}/run`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunUnderWay {
    /// The number that it will have.
    pub number: u64,
    /// The slot that it is for; none where an operator asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// When it began.
    pub started: String,
    /// Its trace, as the log names it.
    pub trace_id: String,
}

/// Body of `PUT /v1/schedules/{service}/{function}/paused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// Whether its slots pass without a call.
    pub paused: bool,
}

/// What a slot may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The function was called and returned no error.
    Succeeded,
    /// It returned an error.
    Error,
    /// The component crashed, or could not start.
    Trap,
    /// It took too long.
    Deadline,
    /// The host did not call it.
    Refused,
    /// The host ended meanwhile: how far it came is not known.
    CutOff,
    /// The slot passed, and nothing was called for it.
    Missed,
}

impl RunOutcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Succeeded,
        Self::Error,
        Self::Trap,
        Self::Deadline,
        Self::Refused,
        Self::CutOff,
        Self::Missed,
    ];

    /// As metrics and the API name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Error => "error",
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Refused => "refused",
            Self::CutOff => "cut_off",
            Self::Missed => "missed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_have_one_name_and_stand_in_their_order() {
        for (number, outcome) in RunOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, number);
            let json = serde_json::to_value(outcome).unwrap();
            assert_eq!(json, outcome.name());
        }
    }
}
