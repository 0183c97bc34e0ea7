//! One route of one revision, with all that can be worked out before a request.

use std::sync::Arc;

use http::HeaderValue;

use super::transcode::Operation;
use crate::engine::FunctionIndex;
use crate::service::revision::Revision;
use crate::service::settings::{Route, Target};
use crate::telemetry::metrics::{Metrics, RouteMetrics};

/// Where a route leads in one revision.
pub struct Endpoint {
    /// The route as it was deployed.
    pub route: Route,
    /// The revision that serves it.
    pub revision: Arc<Revision>,
    pub(super) kind: Kind,
    pub(super) metrics: Arc<RouteMetrics>,
    pub(super) cache_control: Option<HeaderValue>,
}

/// What serves a request.
pub(super) enum Kind {
    /// An exported function.
    Function {
        function: FunctionIndex,
        operation: Box<Operation>,
    },
    /// The component's own handler.
    Http,
}

impl Endpoint {
    /// Works a route out.
    ///
    /// # Errors
    ///
    /// Every reason why the revision can't serve it.
    pub fn new(
        route: &Route,
        revision: &Arc<Revision>,
        metrics: &Metrics,
    ) -> Result<Self, Vec<String>> {
        let kind = kind(route, revision)?;
        let cache_control = route.cache.and_then(|age| {
            HeaderValue::try_from(format!("public, max-age={}", age.as_secs())).ok()
        });
        Ok(Self {
            route: route.clone(),
            revision: revision.clone(),
            kind,
            metrics: metrics.route(&route.path, &revision.service, revision.number),
            cache_control,
        })
    }
}

fn kind(route: &Route, revision: &Revision) -> Result<Kind, Vec<String>> {
    let name = match &route.target {
        Target::Call(name) => name,
        Target::Http if revision.code.serves_http() => return Ok(Kind::Http),
        Target::Http => {
            return Err(vec![
                "the route wants the component's own wasi:http handler, but it exports none (neither \
                 wasi:http/incoming-handler@0.2 nor wasi:http/handler@0.3)"
                    .to_owned(),
            ]);
        }
    };
    let Some(function) = revision.code.find(&name.interface, &name.function) else {
        let exported: Vec<_> = revision
            .code
            .functions()
            .iter()
            .map(|f| format!("{}.{}", f.interface, f.function))
            .collect();
        let exported = if exported.is_empty() {
            "nothing".to_owned()
        } else {
            exported.join(", ")
        };
        return Err(vec![format!(
            "the route wants {name}, but the component exports {exported}"
        )]);
    };
    let operation = Operation::compile(route, &revision.code.function(function).ty)?;
    Ok(Kind::Function {
        function,
        operation: Box::new(operation),
    })
}
