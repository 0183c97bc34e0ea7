//! Pages of other origins.

use std::sync::Arc;

use http::header::{self, HeaderValue};

use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::respond::{self, Answer, Response};
use stoa_http::cors::{self, Origins, Policy};
use stoa_settings::{self as settings, Choice};

/// The route's policy, or that of its service.
#[derive(Clone)]
pub(crate) struct Cors(Arc<Policy>);

impl Cors {
    /// # Errors
    ///
    /// Everything that browsers would not understand.
    pub(crate) fn compile(to: &Endpoint) -> Result<Option<Self>, Vec<String>> {
        let service = to.settings().and_then(|settings| settings.cors.as_ref());
        let Some(settings) = Choice::in_force(to.route.cors.as_ref(), service) else {
            return Ok(None);
        };
        match policy(settings) {
            Ok(policy) => Ok(Some(Self(Arc::new(policy)))),
            Err(faults) => Err(faults
                .iter()
                .map(|fault| format!("`cors`: {fault}"))
                .collect()),
        }
    }

    /// A preflight is answered before anybody asks who calls.
    pub(crate) fn request(&self, exchange: &mut Exchange) -> Answer {
        exchange.page = exchange.head.headers.get(header::ORIGIN).cloned();
        let Some(method) = cors::preflight_for(&exchange.head) else {
            return Ok(None);
        };
        let mut headers = self.0.preflight(exchange.page.as_ref(), &method);
        self.0.finish(exchange.page.as_ref(), &mut headers);
        Ok(Some(respond::preflight(headers)))
    }

    /// What a component says of other origins does not count.
    pub(crate) fn response(&self, exchange: &Exchange, response: &mut Response) {
        let headers = response.headers_mut();
        Policy::silence(headers);
        self.0.finish(exchange.page.as_ref(), headers);
    }

    /// Whether the page that asks may open a WebSocket.
    pub(crate) fn admits(&self, exchange: &Exchange) -> bool {
        self.0.admits(exchange.page.as_ref(), &exchange.head)
    }
}

/// Works a policy out.
fn policy(settings: &settings::Cors) -> Result<Policy, Vec<String>> {
    settings.check()?;
    let origins = settings.origins.iter();
    Ok(Policy {
        origins: match settings.any_origin() {
            true => Origins::Any,
            false => Origins::These(origins.filter_map(|origin| origin.parse().ok()).collect()),
        },
        methods: list(&settings.methods),
        headers: list(&settings.headers),
        expose: list(&settings.expose),
        credentials: settings.credentials,
        max_age: settings.max_age,
    })
}

fn list(names: &[String]) -> Option<HeaderValue> {
    let list = HeaderValue::try_from(names.join(", ")).ok();
    list.filter(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> settings::Cors {
        settings::Cors {
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            ..settings::Cors::default()
        }
    }

    #[test]
    fn what_browsers_do_not_understand_is_refused() {
        let faults = |settings: &settings::Cors| policy(settings).err().unwrap().join("\n");
        assert!(faults(&cors(&[])).contains("expected at least one"));
        for origin in [
            "https://a.example/",
            "a.example",
            "https://A.example",
            "https://a.example:443",
            "null",
            "https://*.example",
        ] {
            assert!(faults(&cors(&[origin])).contains(&format!("found {origin:?}")));
        }
        let open = settings::Cors {
            credentials: true,
            ..cors(&["*"])
        };
        assert!(faults(&open).contains("name the origins"));
        let names = settings::Cors {
            methods: vec!["get".into()],
            headers: vec!["a b".into()],
            ..cors(&["*"])
        };
        assert_eq!(faults(&names).lines().count(), 2);
    }
}
