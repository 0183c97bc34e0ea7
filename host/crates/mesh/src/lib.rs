//! Every way into a service meets here.
//!
//! ```text
//!  gateway ────┐
//!  link ───────┼─► Guard: let in ─► ask ─► record, tell ─► perhaps again
//!  neighbour ──┤     │ Gate         │ Target
//!  schedule ───┤     │              │
//!  the host ───┘     │              ├── function ─┬─► pool ─► instance
//!                    │              ├── handler ──┘
//!                    │              └── upstream ───► one of its instances
//!                    └── intake, breaker, retries, health
//! ```
//!
//! - [`guard`]: the one way, whoever calls and whatever answers; [`target`]: who does;
//! - [`gate`]: what lets calls through: [`intake`], [`breaker`], [`retry`], and the
//!   [`health`] that it counts; [`guards`]: all of them;
//! - [`fault`]: why a call got no answer; [`upload`]: a request's body, whose faults are
//!   its client's;
//! - [`registry`]: which revisions are live, and who exports which interface; [`split`]:
//!   which of them gets the next call;
//! - [`discovery`]: the same for who watches: states, and each change in order;
//! - [`link`]: calls from component to component; [`schedule`]: calls by the clock;
//! - [`upstream`]: HTTP services that are no components.
//!
//! A revision is picked before its guard is asked: in a snapshot of the registry, or by
//! the route. Whether it is the gateway or another component that calls makes no
//! difference from there on. Knows nothing of HTTP statuses.

pub mod breaker;
pub mod discovery;
pub mod fault;
pub mod gate;
pub mod guard;
pub mod guards;
mod health_check;
pub mod intake;
pub mod link;
mod own_error;
pub mod queue;
pub mod record;
pub mod registry;
pub mod retry;
pub mod schedule;
pub mod split;
pub mod target;
pub mod upload;
pub mod upstream;

pub use fault::{CallError, QueueFault, UploadFault, UpstreamFault};
pub use gate::{GATEWAY, Gate};
pub use guard::{Guard, Terms};
pub use guards::{Forces, Guards};
pub use health_check::check_health;
pub use intake::{Intake, Intakes};
pub use registry::{Live, Registry, Service, Snapshot};
pub use retry::Repeat;
pub use schedule::{SCHEDULE, ScheduleName, Schedules};
pub use split::pick;
pub use target::Target;
pub use upload::RequestBodyState;
