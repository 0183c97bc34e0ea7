//! Middleware: components that import a `wasi:http` handler, and what each stands before.
//!
//! Which service answers behind it is the operator's to say, with a link; nothing is
//! guessed from who exports a handler, as middleware does so too.

use std::collections::{BTreeMap, BTreeSet};

use super::candidates::{Candidate, Candidates, Present};
use super::fault;
use stoa_api::Fault;
use stoa_engine::handler_link::Handler;
use stoa_service::contract::Interface;
use stoa_settings::Target;
use stoa_settings::config::faults::nearest;

/// What there is for middleware to stand before.
pub(super) struct Behind<'a> {
    /// Services of components.
    pub(super) candidates: &'a Candidates<'a>,
    /// Those that are live now.
    pub(super) present: &'a Present<'a>,
    /// Services that are none.
    pub(super) upstreams: &'a BTreeSet<String>,
}

/// Whether an import is a handler.
pub(super) fn is_handler(import: &Interface) -> bool {
    Handler::of(&import.name.to_string()).is_some()
}

/// Why the handler that a revision imports can't be met, if it can't.
pub(super) fn import_fault(
    service: &str,
    revision: Candidate<'_>,
    import: &Interface,
    behind: &Behind<'_>,
) -> Option<Fault> {
    let Some(chosen) = target(revision, import) else {
        return Some(behind.nobody_chosen(service, import));
    };
    if behind.upstreams.contains(chosen) {
        return None;
    }
    let Some(revisions) = behind.candidates.get(chosen) else {
        return behind.is_not_there(service, revision, chosen);
    };
    let mute = revisions.iter().find(|one| !answers_http(**one))?;
    let message = format!(
        "{service} passes requests on to {chosen}, which answers none: expected a handler (wasi:http/handler@0.3 or \
         wasi:http/incoming-handler@0.2) among its exports, or a route to one of its functions in \
         [service.{chosen}.routes]"
    );
    Some(if mute.is_new && !revision.is_new {
        fault(chosen, "breaks_dependent", message)
    } else {
        fault(service, "unknown_import", message)
    })
}

/// Circles of services of which each passes its requests on to the next.
pub(super) fn circles(candidates: &Candidates<'_>) -> Vec<Fault> {
    let ways: Ways<'_> = candidates
        .iter()
        .map(|(name, revisions)| (*name, targets(revisions)))
        .collect();
    let is_new = |name: &&&str| candidates[**name].iter().any(|one| one.is_new);
    let circles = ways.keys().filter_map(|name| {
        let circle = way_back(&ways, name)?;
        // Each is told once, by the first of its names.
        (circle.iter().min() == Some(name)).then_some(circle)
    });
    let told = circles.filter_map(|circle| {
        let blamed = circle.iter().find(is_new)?;
        let first = circle[0];
        let message = format!(
            "{} → {first}: each passes requests on to the next, so nobody would answer them; have one of them stand \
             before another service, in its `links`",
            circle.join(" → ")
        );
        Some(fault(blamed, "circular_import", message))
    });
    told.collect()
}

/// The services that pass requests on to `name`.
pub(super) fn before<'a>(candidates: &Candidates<'a>, name: &str) -> Vec<&'a str> {
    let before = candidates.iter();
    before
        .filter(|(_, revisions)| targets(revisions).contains(name))
        .map(|(service, _)| *service)
        .collect()
}

/// Service → those that it passes requests on to.
type Ways<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn target<'a>(revision: Candidate<'a>, import: &Interface) -> Option<&'a str> {
    let chosen = revision.settings.links.get(&import.name.unversioned());
    chosen.map(String::as_str)
}

fn targets<'a>(revisions: &[Candidate<'a>]) -> BTreeSet<&'a str> {
    let of = |revision: &Candidate<'a>| {
        let revision = *revision;
        let handlers = revision.contract.imports().iter();
        let handlers = handlers.filter(|import| is_handler(import));
        handlers.filter_map(move |import| target(revision, import))
    };
    revisions.iter().flat_map(of).collect()
}

fn answers_http(revision: Candidate<'_>) -> bool {
    let own = revision.contract.serves_http();
    let routes = &revision.settings.routes;
    let is_call = |target: &Target| matches!(target, Target::Call(_) | Target::Queue(_));
    own.p2 || own.p3 || routes.iter().any(|route| is_call(&route.target))
}

/// The shortest way from a service back to it.
fn way_back<'a>(ways: &Ways<'a>, from: &'a str) -> Option<Vec<&'a str>> {
    let mut reached = BTreeSet::new();
    let mut ends = vec![vec![from]];
    while !ends.is_empty() {
        let mut further = Vec::new();
        for way in ends {
            let next = way.last().and_then(|last| ways.get(last));
            for next in next.into_iter().flatten() {
                if *next == from {
                    return Some(way);
                }
                if reached.insert(*next) {
                    further.push([&way[..], &[*next]].concat());
                }
            }
        }
        ends = further;
    }
    None
}

// === impl Behind ===

impl Behind<'_> {
    fn nobody_chosen(&self, service: &str, import: &Interface) -> Fault {
        let candidates = self.candidates.iter();
        let services = candidates
            .filter(|(name, revisions)| {
                **name != service && revisions.iter().all(|one| answers_http(*one))
            })
            .map(|(name, _)| *name);
        let known: Vec<_> = services
            .chain(self.upstreams.iter().map(String::as_str))
            .collect();
        let known = match known.as_slice() {
            [] => "a service that answers HTTP, and deploy that one first or together with it"
                .to_owned(),
            [one] => format!("a service that answers HTTP, such as {one}"),
            several => format!("a service that answers HTTP: {}", several.join(", ")),
        };
        let message = format!(
            "{service} imports {}, so it stands before another service, and nothing says which: write \
             [service.{service}.links] \"{}\" = \"NAME\" into stoa.toml, where NAME is {known}",
            import.name,
            import.name.unversioned()
        );
        fault(service, "unlinked_handler", message)
    }

    /// A target that left on its own, as upstreams may, keeps nobody from changing others.
    fn is_not_there(&self, service: &str, revision: Candidate<'_>, chosen: &str) -> Option<Fault> {
        if revision.is_new {
            let names = self.candidates.keys().copied();
            let names = names.chain(self.upstreams.iter().map(String::as_str));
            let hint = match nearest(chosen, names) {
                Some(name) => format!(" (did you mean {name:?}?)"),
                None => String::new(),
            };
            let message = format!(
                "[service.{service}.links] says that {service} stands before {chosen}, but there is no service or \
                 upstream of that name{hint}: deploy it first or together with {service}"
            );
            return Some(fault(service, "unknown_import", message));
        }
        let leaves = self.present.contains_key(chosen);
        leaves.then(|| is_needed(service, chosen))
    }
}

/// Why `name` can't leave.
pub(super) fn is_needed(service: &str, name: &str) -> Fault {
    let message = format!(
        "{service} passes requests on to {name}: undeploy {service} first, or change its [service.{service}.links]"
    );
    fault(name, "breaks_dependent", message)
}
