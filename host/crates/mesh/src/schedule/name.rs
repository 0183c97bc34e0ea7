//! What schedules are called.

use std::fmt;

use stoa_settings::FunctionName;

/// A service and the function of it that the clock calls: a schedule has no other name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleName {
    /// The service.
    pub service: String,
    /// The function.
    pub function: FunctionName,
}

impl ScheduleName {
    /// The least name that a service's schedules may have.
    pub(super) fn first_of(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            function: FunctionName {
                interface: String::new(),
                function: String::new(),
            },
        }
    }

    /// Reads what [`fmt::Display`] writes. No service has a slash in its name.
    pub fn parse(text: &str) -> Option<Self> {
        let (service, function) = text.split_once('/')?;
        Some(Self {
            service: service.to_owned(),
            function: function.to_owned().try_into().ok()?,
        })
    }
}

/// `order/shop:order/reports.daily`.
impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.function)
    }
}
