//! Whether a set of services fits together: every import has somebody to meet
//! it, and nobody loses what it depends on.

use std::collections::BTreeSet;

use super::candidates::{Candidate, Candidates, Present, candidates, present};
use super::handlers::{self, Behind};
use super::state::{Names, State};
use super::{ChangeError, fault, queues};
use stoa_api::Fault;
use stoa_engine::{host_instead, host_lacking, host_meets};
use stoa_service::contract::{Contract, Interface, NamedType, compat};
use stoa_settings::config::faults::nearest;

/// Everything that keeps these services, and `upstreams`, from working together.
pub(super) fn faults(
    candidates: &Candidates<'_>,
    present: &Present<'_>,
    upstreams: &BTreeSet<String>,
) -> Vec<Fault> {
    let behind = Behind {
        candidates,
        present,
        upstreams,
    };
    let mut faults = handlers::circles(candidates);
    for (service, revisions) in candidates {
        for revision in revisions {
            let member = Member {
                service,
                revision: *revision,
            };
            for import in revision.contract.imports() {
                faults.extend(if handlers::is_handler(import) {
                    handlers::import_fault(service, *revision, import, &behind)
                } else if queues::binding(revision.settings, import).is_some() {
                    queue_fault(member, import, candidates)
                } else {
                    import_fault(member, import, candidates, present)
                });
            }
            if revision.is_new {
                faults.extend(idle_links(service, *revision));
                faults.extend(queues::faults(service, *revision, candidates));
            }
        }
    }
    faults
}

/// Refuses a state in which services do not work together that do now.
pub(super) fn fit(
    before: &State,
    next: &State,
    changed: &str,
    upstreams: &Names,
) -> Result<(), ChangeError> {
    let faults = faults(&candidates(next, changed), &present(before), upstreams);
    match faults.is_empty() {
        true => Ok(()),
        false => Err(ChangeError::Refused(faults)),
    }
}

/// What the host lacks of the interfaces that it has: all that the linker, which tells
/// only the first, would find missing.
pub(super) fn lacking(service: &str, contract: &Contract) -> Vec<Fault> {
    let met = contract.imports().iter();
    let met = met.filter(|import| host_meets(&import.name.to_string()) && !import.is_types_only());
    let lacking = met.flat_map(|import| {
        let functions = import
            .functions
            .iter()
            .map(|function| function.name.as_str());
        let resources = import.types.iter().filter_map(|named| match named {
            NamedType::Resource { name } => Some(name.as_str()),
            _ => None,
        });
        host_lacking(&import.name.to_string(), functions.chain(resources))
    });
    let told = lacking.map(|reason| fault(service, "not_linkable", reason));
    told.collect()
}

/// Links for interfaces that the component does not import: typos, all of them.
fn idle_links(service: &str, revision: Candidate<'_>) -> Vec<Fault> {
    let imports = revision.contract.imports().iter();
    let imports: Vec<_> = imports.map(|import| import.name.unversioned()).collect();
    let links = revision.settings.links.keys();
    let idle = links.filter(|interface| !imports.contains(interface));
    idle.map(|interface| {
        let hint = match nearest(interface, imports.iter().map(String::as_str)) {
            Some(near) => format!("; did you mean {near:?}?"),
            None => String::new(),
        };
        let message = format!(
            "[service.{service}.links] expected interfaces that {service} imports, found {interface:?}{hint}"
        );
        fault(service, "unknown_link", message)
    })
    .collect()
}

fn providers<'a>(import: &Interface, candidates: &Candidates<'a>) -> Vec<&'a str> {
    let exports = |candidate: &Candidate<'a>| export(candidate.contract, import).is_some();
    candidates
        .iter()
        .filter(|(_, revisions)| revisions.iter().any(exports))
        .map(|(name, _)| *name)
        .collect()
}

fn export<'a>(contract: &'a Contract, import: &Interface) -> Option<&'a Interface> {
    contract
        .exports()
        .iter()
        .find(|export| import.name.compatible_with(&export.name))
}

/// A revision and its service's name.
#[derive(Clone, Copy)]
struct Member<'a> {
    service: &'a str,
    revision: Candidate<'a>,
}

fn import_fault(
    consumer: Member<'_>,
    import: &Interface,
    candidates: &Candidates<'_>,
    present: &Present<'_>,
) -> Option<Fault> {
    if host_meets(&import.name.to_string()) || import.is_types_only() {
        return None;
    }
    let Member { service, revision } = consumer;
    let providers = providers(import, candidates);
    let chosen = revision.settings.links.get(&import.name.unversioned());
    let provider = match (providers.as_slice(), chosen) {
        ([], _) => return Some(nobody(consumer, import, candidates, present)),
        (several, Some(chosen)) => match several.iter().find(|name| *name == chosen) {
            Some(provider) => *provider,
            None => return Some(not_chosen(service, import, chosen, several)),
        },
        ([one], None) => *one,
        (several, None) => return Some(ambiguous(service, import, several)),
    };
    if let Some(handles) = &import.handles {
        let name = &import.name;
        let message = format!(
            "{service} imports {name} from {provider}, but {handles}: handles can't cross from one service to \
             another; pass plain values instead"
        );
        return Some(fault(service, "handles_in_link", message));
    }
    candidates[provider].iter().find_map(|revision| {
        let provider = Member {
            service: provider,
            revision: *revision,
        };
        mismatch(consumer, import, provider)
    })
}

/// What keeps the calls of a queue from fitting those that get them. There may be none yet.
fn queue_fault(
    publisher: Member<'_>,
    import: &Interface,
    candidates: &Candidates<'_>,
) -> Option<Fault> {
    let mut subscribers = candidates.iter().flat_map(|(service, revisions)| {
        revisions.iter().map(|revision| Member {
            service,
            revision: *revision,
        })
    });
    subscribers.find_map(|subscriber| {
        export(subscriber.revision.contract, import)?;
        mismatch(publisher, import, subscriber)
    })
}

fn mismatch(consumer: Member<'_>, import: &Interface, provider: Member<'_>) -> Option<Fault> {
    let contract = provider.revision.contract;
    let Some(export) = export(contract, import) else {
        let message = format!(
            "{} imports {}, which this revision of {} does not export: {}",
            consumer.service,
            import.name,
            provider.service,
            remedy(consumer, provider)
        );
        return Some(blame(consumer, provider, message));
    };
    let wanted = consumer.revision.contract;
    let refused = compat::provides(contract, &export.name, wanted, &import.name).err()?;
    let message = format!(
        "{} imports {} and {} exports {}: {refused}; {}",
        consumer.service,
        import.name,
        provider.service,
        export.name,
        remedy(consumer, provider)
    );
    Some(blame(consumer, provider, message))
}

/// What to do where two revisions do not fit.
fn remedy(consumer: Member<'_>, provider: Member<'_>) -> String {
    let is_providers = is_providers_fault(consumer, provider);
    let (service, provider) = (consumer.service, provider.service);
    if is_providers {
        return format!(
            "keep what {service} imports, or deploy together with it a {service} that is built against the new WIT \
             of {provider}"
        );
    }
    format!(
        "deploy the {provider} that exports it first or together with {service}, or build {service} against the WIT \
         of the {provider} that is there"
    )
}

/// Whoever comes new is at fault.
fn is_providers_fault(consumer: Member<'_>, provider: Member<'_>) -> bool {
    provider.revision.is_new && !consumer.revision.is_new
}

fn blame(consumer: Member<'_>, provider: Member<'_>, message: String) -> Fault {
    if is_providers_fault(consumer, provider) {
        fault(provider.service, "breaks_dependent", message)
    } else {
        fault(consumer.service, "incompatible_import", message)
    }
}

fn nobody(
    Member { service, revision }: Member<'_>,
    import: &Interface,
    candidates: &Candidates<'_>,
    present: &Present<'_>,
) -> Fault {
    let name = &import.name;
    let until_now = present.iter().find(|(_, revisions)| {
        revisions
            .iter()
            .any(|contract| export(contract, import).is_some())
    });
    if let Some((provider, _)) = until_now.filter(|_| !revision.is_new) {
        let message = format!(
            "{service} imports {name}, which {provider} exports now and would not any more; keep the interface, or \
             change {service} first"
        );
        return fault(provider, "breaks_dependent", message);
    }
    let others = other_versions(import, candidates);
    let message = match host_instead(&name.to_string()) {
        Some(instead) if others.is_empty() => format!("{service} imports {name}; {instead}"),
        _ => format!(
            "{service} imports {name}: expected the host or a service to export a compatible version, but {}; deploy \
             the service that exports it first or together with {service}",
            if others.is_empty() {
                similar(import, candidates)
            } else {
                others.join(", ")
            }
        ),
    };
    fault(service, "unknown_import", message)
}

fn other_versions(import: &Interface, candidates: &Candidates<'_>) -> Vec<String> {
    exports(candidates)
        .filter(|(_, export)| export.name.unversioned() == import.name.unversioned())
        .map(|(provider, export)| format!("{provider} exports {}", export.name))
        .collect()
}

/// Says that nobody exports it, and what may have been meant.
fn similar(import: &Interface, candidates: &Candidates<'_>) -> String {
    let names: Vec<_> = exports(candidates)
        .filter(|(_, export)| export.name.package == import.name.package)
        .map(|(_, export)| export.name.to_string())
        .collect();
    match nearest(&import.name.to_string(), names.iter().map(String::as_str)) {
        Some(near) => format!("nothing does (did you mean {near}?)"),
        None => "nothing does".to_owned(),
    }
}

fn exports<'a>(candidates: &'a Candidates<'_>) -> impl Iterator<Item = (&'a str, &'a Interface)> {
    candidates.iter().flat_map(|(provider, revisions)| {
        let exports = revisions
            .iter()
            .flat_map(|candidate| candidate.contract.exports());
        exports.map(|export| (*provider, export))
    })
}

fn ambiguous(service: &str, import: &Interface, providers: &[&str]) -> Fault {
    let message = format!(
        "{service} imports {}, which {} export; choose one with [service.{service}.links] \"{}\" = \"{}\"",
        import.name,
        providers.join(" and "),
        import.name.unversioned(),
        providers[0]
    );
    fault(service, "ambiguous_import", message)
}

fn not_chosen(service: &str, import: &Interface, chosen: &str, providers: &[&str]) -> Fault {
    let message = format!(
        "[service.{service}.links] says that {chosen} exports {}, but it is {}",
        import.name,
        providers.join(" and ")
    );
    fault(service, "unknown_import", message)
}
