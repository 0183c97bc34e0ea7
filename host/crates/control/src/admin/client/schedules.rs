//! Schedules.

use http::Method;

use super::{Client, ClientError, json, segment};
use stoa_api::{PauseRequest, RunUnderWay, ScheduleDetail, ScheduleSummary};

impl Client {
    /// All schedules.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn schedules(&self) -> Result<Vec<ScheduleSummary>, ClientError> {
        self.get("/v1/schedules").await
    }

    /// One schedule, with its last runs.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as for an unknown schedule.
    pub async fn schedule(
        &self,
        service: &str,
        function: &str,
    ) -> Result<ScheduleDetail, ClientError> {
        self.get(&of(service, function, "")).await
    }

    /// Begins a run now.
    ///
    /// # Errors
    /// If the host can't be reached or refuses, as while one is under way.
    pub async fn run_schedule(
        &self,
        service: &str,
        function: &str,
    ) -> Result<RunUnderWay, ClientError> {
        let path = of(service, function, "/run");
        self.parsed(self.send(Method::POST, &path, None).await?)
            .await
    }

    /// Pauses a schedule, or has it go on.
    ///
    /// # Errors
    /// If the host can't be reached or refuses.
    pub async fn pause_schedule(
        &self,
        service: &str,
        function: &str,
        paused: bool,
    ) -> Result<ScheduleDetail, ClientError> {
        let path = of(service, function, "/paused");
        let request = json(&PauseRequest { paused });
        self.parsed(self.send(Method::PUT, &path, Some(request)).await?)
            .await
    }
}

/// Path of a schedule, and what follows it.
fn of(service: &str, function: &str, rest: &str) -> String {
    format!(
        "/v1/schedules/{}/{}{rest}",
        segment(service),
        segment(function)
    )
}
