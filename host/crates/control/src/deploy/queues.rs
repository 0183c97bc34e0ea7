//! Imports that are queues: whether all that bind one and get its calls fit together, and
//! whether what is kept still fits them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::candidates::{Candidate, Candidates};
use super::state::{Linked, State};
use super::{ChangeError, Deployments, fault};
use stoa_api::Fault;
use stoa_engine::link::Link;
use stoa_engine::value::FunctionType;
use stoa_mesh::queue::{Publisher, Publishing, Queues, StoredCall, Topic, Topics};
use stoa_mesh::target::Queue;
use stoa_service::contract::Interface;
use stoa_service::revision::Revision;
use stoa_settings::Settings;
use stoa_settings::config::faults::nearest;
use stoa_store::log::Peek;
use stoa_store::{Log, StoreError};
use stoa_transcode::Arguments;

/// Stored calls that are looked at in one go.
const PAGE: usize = 1000;

/// Stored calls of which a refused deployment is told.
const TOLD: usize = 5;

/// How an imported interface is bound, if it is a queue.
pub(super) fn binding<'a>(
    settings: &'a Settings,
    import: &Interface,
) -> Option<&'a stoa_settings::Queue> {
    settings.queues.get(&import.name.unversioned())
}

/// What is wrong with the queues that a new revision binds, but for its contract.
pub(super) fn faults(
    service: &str,
    revision: Candidate<'_>,
    candidates: &Candidates<'_>,
) -> Vec<Fault> {
    let interfaces = revision.contract.imports().iter();
    let interfaces = interfaces.chain(revision.contract.exports());
    let interfaces: Vec<_> = interfaces.map(|one| one.name.unversioned()).collect();
    let mut faults = Vec::new();
    for (name, queue) in &revision.settings.queues {
        if !interfaces.contains(name) {
            faults.push(idle(service, name, &interfaces));
        }
        let others = candidates.iter().filter(|(other, _)| **other != service);
        let other = others.flat_map(|(other, revisions)| {
            let bound = revisions.iter().map(|one| one.settings.queues.get(name));
            bound.flatten().map(move |bound| (*other, bound))
        });
        if let Some((other, found)) = other_track(service, name, revision, candidates) {
            let message = format!(
                "[service.{service}.queues] {name:?} is bound by {other} in the version {found}, which is not \
                 compatible: a queue has calls of one version"
            );
            faults.push(fault(service, "queue_version", message));
        }
        for (other, _) in other.filter(|(_, bound)| *bound != queue).take(1) {
            let message = format!(
                "[service.{service}.queues] {name:?} is bound by {other} with other settings: a queue has one way to \
                 keep its calls, so give both the same"
            );
            faults.push(fault(service, "queue_settings", message));
        }
    }
    faults
}

/// Another service that binds the queue in a version that is not compatible.
fn other_track<'a>(
    service: &str,
    name: &str,
    revision: Candidate<'_>,
    candidates: &Candidates<'a>,
) -> Option<(&'a str, String)> {
    let track = |revision: &Candidate<'_>| {
        let contract = revision.contract;
        let mut all = contract.imports().iter().chain(contract.exports());
        let found = all.find(|one| one.name.unversioned() == name)?;
        Some(found.name.track())
    };
    let own = track(&revision)?;
    candidates
        .iter()
        .filter(|(other, _)| **other != service)
        .flat_map(|(other, revisions)| revisions.iter().map(move |one| (*other, one)))
        .filter(|(_, one)| one.settings.queues.contains_key(name))
        .find_map(|(other, one)| {
            let found = track(one)?;
            (found != own).then_some((other, found))
        })
}

fn idle(service: &str, name: &str, interfaces: &[String]) -> Fault {
    let hint = match nearest(name, interfaces.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean {near:?}?"),
        None => String::new(),
    };
    let message = format!(
        "[service.{service}.queues] expected interfaces that {service} imports, or exports, found {name:?}{hint}"
    );
    fault(service, "unknown_queue", message)
}

/// The link of an import that is a queue.
///
/// # Errors
///
/// What of its contract can't be called later.
pub(super) fn link(
    log: &Arc<dyn Log>,
    (service, revision): (&Arc<str>, u64),
    (import, settings): (&Interface, &stoa_settings::Queue),
    functions: &[(String, FunctionType)],
) -> Result<Link, Vec<Fault>> {
    let name = import.name.unversioned();
    let mut faults = Vec::new();
    let mut publishing = Vec::new();
    for (function, ty) in functions {
        match Publishing::compile(function, ty, settings) {
            Ok(one) => publishing.push(one),
            Err(found) => faults.extend(found.into_iter().map(|reason| {
                let message =
                    format!("{name}.{function}, which {service} binds as a queue: {reason}");
                fault(service, "queue_contract", message)
            })),
        }
    }
    for (setting, parameter) in [("key", &settings.key), ("dedupe", &settings.dedupe)] {
        if let Some(parameter) = parameter
            && faults.is_empty()
            && !publishing.iter().any(|one| one.arguments.has(parameter))
        {
            faults.push(no_parameter(
                service,
                &name,
                (setting, parameter),
                &publishing,
            ));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let queue = Queue {
        service: service.clone(),
        revision,
        name: name.into(),
        settings: Arc::new(settings.clone()),
        log: log.clone(),
    };
    Ok(Publisher::link(&import.name, queue, publishing))
}

fn no_parameter(
    service: &str,
    queue: &str,
    (setting, found): (&str, &str),
    functions: &[Publishing],
) -> Fault {
    let named = functions.iter().map(|function| {
        let names: Vec<_> = function.arguments.names().collect();
        format!("{}: {}", function.name, names.join(", "))
    });
    let named: Vec<_> = named.collect();
    let message = format!(
        "[service.{service}.queues] `{setting}` of {queue:?}: expected a parameter of one of its functions ({}), \
         found {found:?}",
        named.join("; ")
    );
    fault(service, "queue_contract", message)
}

// === impl State ===

impl State {
    /// The queues that there are, those among them that are `kept`, and who gets their calls.
    pub(super) fn topics(&self, kept: &[String]) -> Topics {
        let live = self.services.values().flat_map(|one| one.live());
        let mut queues = live.flat_map(|(_, loaded)| &loaded.revision.settings.queues);
        if kept.is_empty() && queues.next().is_none() {
            return Topics::new();
        }
        let services = self.services.iter().filter_map(|(name, deployed)| {
            let service = deployed.service(name);
            (!service.live.is_empty()).then(|| (service.name.clone(), Arc::new(service)))
        });
        Topic::all(&services.collect(), kept)
    }
}

// === impl Deployments ===

impl Deployments {
    /// Checks that the calls which are kept for a service fit one of its revisions that was
    /// live before.
    ///
    /// # Errors
    ///
    /// How many do not, and which.
    pub(super) async fn check_recalled(&self, revision: &Revision) -> Result<(), ChangeError> {
        let log = self.parts.queues.log();
        for queue in log.queues().await? {
            let subscribers = log.subscribers(&queue).await?;
            if subscribers.iter().any(|one| **one == *revision.service)
                && let Some(fault) = misfits(&**log, &queue, revision).await?
            {
                return Err(ChangeError::Refused(vec![fault]));
            }
        }
        Ok(())
    }

    /// Calls that are kept for later.
    pub fn queues(&self) -> &Arc<Queues> {
        &self.parts.queues
    }

    /// Checks that the calls which are kept for what is new still fit it.
    ///
    /// # Errors
    ///
    /// How many do not, and which.
    pub(super) async fn check_stored(
        &self,
        linked: &BTreeMap<String, Linked>,
    ) -> Result<(), ChangeError> {
        let mut faults = Vec::new();
        let log = self.parts.queues.log();
        for queue in log.queues().await? {
            let subscribers = log.subscribers(&queue).await?;
            for (service, one) in linked {
                if subscribers.contains(service) {
                    let revision = &one.loaded.revision;
                    faults.extend(misfits(&**log, &queue, revision).await?);
                }
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(ChangeError::Refused(faults)),
        }
    }
}

/// What is told of the calls of a queue that no longer fit a subscriber.
async fn misfits(
    log: &dyn Log,
    queue: &str,
    revision: &Revision,
) -> Result<Option<Fault>, StoreError> {
    let service = &*revision.service;
    let mut fits = Fits::of(revision, queue);
    let (mut after, mut found, mut told) = (0, 0_u64, Vec::new());
    loop {
        let what = Peek {
            subscriber: Some(service),
            standing: None,
            after,
            most: PAGE,
            body: stoa_store::log::MAX_BODY,
        };
        let page = log.peek(queue, what, SystemTime::now()).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for message in &page {
            if let Err(reason) = fits.check(&message.body) {
                found += 1;
                if told.len() < TOLD {
                    told.push(format!("{}: {reason}", message.id));
                }
            }
        }
    }
    Ok((found > 0).then(|| {
        let told = told.join("; ");
        let message = format!(
            "{queue} keeps calls for {service} that do not fit this revision, {found} of them ({told}): wait until the live \
             one has done them, keep the functions as they were beside the new ones, or drop them with `stoa queue \
             purge {queue} --subscriber {service}`"
        );
        fault(service, "stored_calls", message)
    }))
}

/// Whether stored calls fit the functions that a revision exports.
struct Fits<'a> {
    revision: &'a Revision,
    queue: &'a str,
    known: BTreeMap<String, Result<Arguments, String>>,
}

impl<'a> Fits<'a> {
    fn of(revision: &'a Revision, queue: &'a str) -> Self {
        Self {
            revision,
            queue,
            known: BTreeMap::new(),
        }
    }

    fn check(&mut self, body: &[u8]) -> Result<(), String> {
        let stored = StoredCall::read(body)?;
        let name = stored.function.to_string();
        let known = self.known.entry(name).or_insert_with_key(|name| {
            let code = &self.revision.code;
            let index = code.find(self.queue, name);
            let index = index.ok_or_else(|| format!("it exports no function {name}"))?;
            Arguments::compile(&code.function(index).ty).map_err(|faults| faults.join("; "))
        });
        let arguments = known.as_ref().map_err(Clone::clone)?;
        let fits = arguments.decode(stored.arguments.get().as_bytes());
        fits.map(drop).map_err(|fault| fault.to_string())
    }
}
