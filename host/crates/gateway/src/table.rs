//! Which route takes a request: by method, host and path, most specific wins.
//!
//! Segments are matched as a whole: `/products` does not take `/products-for-sale`.
//! At each segment a literal goes before a parameter and a parameter before the
//! trailing wildcard; a route for the method goes before one for any method, and
//! one for the host before one for any host.

mod nearest;
pub mod path;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use http::Method;

use super::Plan;
use path::{Pattern, Tree};
use stoa_mesh::pick;
use stoa_settings::MAX_PARAMETERS;
use stoa_telemetry::metrics::{Held, ShardedArc};

/// All routes of all live revisions.
#[derive(Default)]
pub struct Table {
    hosts: HashMap<String, Paths>,
    any_host: Paths,
    services: HashMap<Arc<str>, Paths>,
    routes: Vec<(Arc<str>, Arc<Plan>)>,
}

/// A service's live revisions with their plans.
pub struct ServiceRoutes {
    /// The service's name.
    pub service: Arc<str>,
    /// Weight in per cent and plans, heaviest first.
    pub live: Vec<(u8, Vec<Arc<Plan>>)>,
}

/// Two services that want the same requests, or a path that can't be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The service that came second.
    pub service: Arc<str>,
    /// What is wrong, with both sides.
    pub message: String,
}

/// The plans of one route, by weight.
type Choices = Vec<(u8, Arc<ShardedArc<Plan>>)>;

/// What a look-up found.
pub(super) enum RouteMatch<'p> {
    Plan(Held<Plan>, Parameters<'p>),
    /// The path is there, for these methods.
    OtherMethods(Vec<Method>),
    Nothing,
}

/// Raw path parameters, in the template's order.
#[derive(Default)]
pub struct Parameters<'p> {
    values: [&'p str; MAX_PARAMETERS],
    length: usize,
}

/// [`Parameters`] without the path that they are of.
#[derive(Clone, Default)]
pub(super) struct Places {
    /// A path is shorter than 4 GiB.
    starts_and_ends: [(u32, u32); MAX_PARAMETERS],
    length: usize,
}

impl Places {
    /// The parameters of an equal path.
    pub(super) fn of<'p>(&self, path: &'p str) -> Parameters<'p> {
        let mut parameters = Parameters::default();
        for (start, end) in &self.starts_and_ends[..self.length] {
            let place = *start as usize..*end as usize;
            parameters.push(path.get(place).unwrap_or_default());
        }
        parameters
    }
}

impl<'p> Parameters<'p> {
    /// Where the parameters stand in their path.
    pub(super) fn places(&self, path: &str) -> Places {
        let place = |value: &str| {
            let start = (value.as_ptr() as usize).saturating_sub(path.as_ptr() as usize);
            let offset = |at| u32::try_from(at).unwrap_or_default();
            (offset(start), offset(start + value.len()))
        };
        Places {
            starts_and_ends: self.values.map(place),
            length: self.length,
        }
    }

    /// The values, in the order of the names in the template.
    pub fn as_slice(&self) -> &[&'p str] {
        &self.values[..self.length]
    }

    /// A pattern has no more parameters than there is room for.
    fn push(&mut self, value: &'p str) {
        self.values[self.length] = value;
        self.length += 1;
    }

    fn pop(&mut self) {
        self.length -= 1;
    }
}

impl Table {
    /// Puts the routes of all services together.
    ///
    /// # Errors
    ///
    /// Every conflict between two services.
    pub fn build(services: &[ServiceRoutes]) -> Result<Self, Vec<Conflict>> {
        let mut routes: BTreeMap<Key, (Arc<str>, Choices)> = BTreeMap::new();
        let mut conflicts = Vec::new();
        for service in services {
            for (weight, plans) in &service.live {
                for plan in plans {
                    if let Err(message) = add(&mut routes, &service.service, *weight, plan) {
                        conflicts.push(Conflict {
                            service: service.service.clone(),
                            message,
                        });
                    }
                }
            }
        }
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        Ok(Self::assemble(routes))
    }

    /// Every route with its service and its plan in the heaviest revision.
    pub fn routes(&self) -> &[(Arc<str>, Arc<Plan>)] {
        &self.routes
    }

    /// Every plan, of every live revision.
    pub(super) fn plans(&self) -> impl Iterator<Item = &Arc<Plan>> {
        let paths = self.hosts.values().chain([&self.any_host]);
        paths
            .flat_map(|paths| &paths.patterns)
            .flat_map(|(_, _, choices)| choices.iter().map(|(_, plan)| plan.value()))
    }

    pub(super) fn find<'p>(
        &self,
        host: Option<&str>,
        method: &Method,
        path: &'p str,
    ) -> RouteMatch<'p> {
        let own = self.own(host);
        for paths in own.into_iter().chain([&self.any_host]) {
            if let Some((plan, parameters)) = paths.find(method, path) {
                return RouteMatch::Plan(plan, parameters);
            }
        }
        let mut others: Vec<Method> = own
            .into_iter()
            .chain([&self.any_host])
            .flat_map(|paths| paths.methods(path))
            .collect();
        others.dedup();
        if others.is_empty() {
            RouteMatch::Nothing
        } else {
            RouteMatch::OtherMethods(others)
        }
    }

    /// The plan for a path that somebody has decoded.
    pub(super) fn find_decoded(
        &self,
        host: Option<&str>,
        method: &Method,
        path: &str,
    ) -> Option<Held<Plan>> {
        let mut paths = self.own(host).into_iter().chain([&self.any_host]);
        paths.find_map(|paths| paths.find_decoded(method, path))
    }

    fn own(&self, host: Option<&str>) -> Option<&Paths> {
        match host {
            Some(host) if !self.hosts.is_empty() => self.hosts.get(&host.to_ascii_lowercase()),
            _ => None,
        }
    }

    /// As [`Table::find`], for who names a service in the place of a host: its routes are
    /// all there is, those for any host before those for one.
    pub(super) fn find_of<'p>(
        &self,
        service: &str,
        method: &Method,
        path: &'p str,
    ) -> RouteMatch<'p> {
        let Some(paths) = self.services.get(service) else {
            return RouteMatch::Nothing;
        };
        if let Some((plan, parameters)) = paths.find(method, path) {
            return RouteMatch::Plan(plan, parameters);
        }
        match paths.methods(path) {
            none if none.is_empty() => RouteMatch::Nothing,
            others => RouteMatch::OtherMethods(others),
        }
    }

    fn assemble(routes: BTreeMap<Key, (Arc<str>, Choices)>) -> Self {
        let mut table = Self::default();
        let mut methods: BTreeSet<String> =
            routes.keys().filter_map(|key| key.method.clone()).collect();
        methods.insert(Method::HEAD.to_string());
        for (key, (service, choices)) in &routes {
            table
                .routes
                .push((service.clone(), choices[0].1.value().clone()));
            let paths = match &key.host {
                Some(host) => table.hosts.entry(host.clone()).or_default(),
                None => &mut table.any_host,
            };
            let own = table.services.entry(service.clone()).or_default();
            for paths in [paths, own] {
                let pattern = (key.method.clone(), key.pattern.clone(), choices.clone());
                paths.patterns.push(pattern);
            }
        }
        let by_host = table.hosts.values_mut().chain([&mut table.any_host]);
        for paths in by_host.chain(table.services.values_mut()) {
            paths.compile(&methods);
        }
        table
    }
}

/// What makes two routes the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    host: Option<String>,
    pattern: Pattern,
    method: Option<String>,
}

fn add(
    routes: &mut BTreeMap<Key, (Arc<str>, Choices)>,
    service: &Arc<str>,
    weight: u8,
    plan: &Arc<Plan>,
) -> Result<(), String> {
    let route = plan.route();
    let key = Key {
        host: route.host.clone(),
        pattern: Pattern::parse(&route.path)?,
        method: route.method.clone(),
    };
    let (owner, choices) = routes
        .entry(key)
        .or_insert_with(|| (service.clone(), Vec::new()));
    let twice = choices
        .iter()
        .map(|(_, other)| other.value())
        .find(|other| *owner != *service || other.number() == plan.number());
    if let Some(other) = twice {
        return Err(format!(
            "the route {:?} of {service} takes the same requests as {:?} of {owner}; change one of them",
            route.key(),
            other.route().key()
        ));
    }
    choices.push((weight, Arc::new(ShardedArc::new(plan.clone()))));
    Ok(())
}

/// The routes of one host, or of one service.
#[derive(Default)]
struct Paths {
    patterns: Vec<(Option<String>, Pattern, Choices)>,
    methods: HashMap<Method, Tree<Choices>>,
    /// For methods that no route names.
    any_method: Tree<Choices>,
}

impl Paths {
    fn find<'p>(&self, method: &Method, path: &'p str) -> Option<(Held<Plan>, Parameters<'p>)> {
        let tree = self.methods.get(method).unwrap_or(&self.any_method);
        let (choices, parameters) = tree.find(path)?;
        Some((pick(choices, |choice| choice.0).1.hold(), parameters))
    }

    fn find_decoded(&self, method: &Method, path: &str) -> Option<Held<Plan>> {
        let tree = self.methods.get(method).unwrap_or(&self.any_method);
        let choices = tree.find_decoded(path)?;
        Some(pick(choices, |choice| choice.0).1.hold())
    }

    fn methods(&self, path: &str) -> Vec<Method> {
        let mut methods: Vec<_> = self
            .methods
            .iter()
            .filter(|(_, tree)| tree.find(path).is_some())
            .map(|(method, _)| method.clone())
            .collect();
        methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        methods
    }

    fn compile(&mut self, methods: &BTreeSet<String>) {
        for name in methods {
            let Ok(method) = Method::from_bytes(name.as_bytes()) else {
                continue;
            };
            let tree = self.tree(Some(name));
            self.methods.insert(method, tree);
        }
        self.any_method = self.tree(None);
    }

    /// What one method sees: its own routes, for HEAD those of GET, then those for any.
    fn tree(&self, method: Option<&str>) -> Tree<Choices> {
        let mut ranks = vec![method];
        if method == Some("HEAD") {
            ranks.push(Some("GET"));
        }
        if method.is_some() {
            ranks.push(None);
        }
        let mut tree = Tree::default();
        // The first at a place keeps it.
        for rank in ranks {
            for (of, pattern, choices) in &self.patterns {
                if of.as_deref() == rank {
                    tree.insert(pattern, choices.clone());
                }
            }
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_again_in_an_equal_path() {
        let path = "/orders/7/lines/a%2Fb".to_owned();
        let mut parameters = Parameters::default();
        parameters.push(&path[8..9]);
        parameters.push(&path[16..]);
        let again = path.clone();
        let found = parameters.places(&path).of(&again);
        assert_eq!(found.as_slice(), ["7", "a%2Fb"]);
        assert!(
            Parameters::default()
                .places(&path)
                .of(&again)
                .as_slice()
                .is_empty()
        );
    }
}
