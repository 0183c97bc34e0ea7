//! Revisions as their neighbours see them: what they import and export.

use std::collections::BTreeMap;

use super::state::{Loaded, State};
use stoa_service::contract::Contract;
use stoa_settings::Settings;

/// A revision as far as its neighbours are concerned.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) contract: &'a Contract,
    pub(super) settings: &'a Settings,
    /// Whether the change brings it, or it is there already.
    pub(super) is_new: bool,
}

/// Service → each of its revisions that will be live.
pub(super) type Candidates<'a> = BTreeMap<&'a str, Vec<Candidate<'a>>>;

/// Service → each of its revisions that is live now.
pub(super) type Present<'a> = BTreeMap<&'a str, Vec<&'a Contract>>;

/// What will be live, with the changed service as the newcomer.
pub(super) fn candidates<'a>(next: &'a State, changed: &str) -> Candidates<'a> {
    let candidate = |name: &str, loaded: &'a Loaded| Candidate {
        contract: &loaded.revision.contract,
        settings: &loaded.revision.settings,
        is_new: name == changed,
    };
    let services = next.services.iter().map(|(name, deployed)| {
        let live = deployed.live().map(|(_, loaded)| candidate(name, loaded));
        (name.as_str(), live.collect())
    });
    services.collect()
}

/// What every live revision exports now.
pub(super) fn present(state: &State) -> Present<'_> {
    let mut present = Present::new();
    for (name, deployed) in &state.services {
        let contracts = deployed
            .live()
            .map(|(_, loaded)| &*loaded.revision.contract);
        present.insert(name, contracts.collect());
    }
    present
}
