//! Changes as functions from one state to the next: no host, no store, no gateway.

mod workshop;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use serde_json::{Value, json};

use self::workshop::Workshop;
use super::arrive::{Around, Bringing, arrive};
use super::effects::{Effects, Stop};
use super::record::{Changes, ConfigRecord};
use super::state::{Deployed, Linked, Loaded, Names, State};
use super::traffic::{Ready, traffic};
use super::{ChangeError, configure, drain, scale, schedules, undeploy};
use stoa_api::{DeployRequest, ScaleRequest, TrafficRequest};
use stoa_engine::capabilities::config::Overrides;
use stoa_http::conditions::Conditions;
use stoa_mesh::{Forces, ScheduleName};
use stoa_settings::FunctionName;

fn names(names: &[&str]) -> Names {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn live(state: &State) -> Vec<(u64, u8)> {
    let live = state.services["hello"].record.live.iter();
    live.map(|live| (live.revision, live.weight)).collect()
}

fn numbers(ending: &[Loaded]) -> Vec<u64> {
    ending.iter().map(|loaded| loaded.revision.number).collect()
}

/// Kind, key, and whether it is there, of all records of a change.
fn records(effects: &Effects) -> Vec<(&str, &str, bool)> {
    let records = effects.records.iter();
    records
        .map(|one| (&*one.kind, &*one.key, one.value.is_some()))
        .collect()
}

/// Moves the traffic of `hello`, with these revisions made ready.
fn move_traffic(
    state: &State,
    request: &TrafficRequest,
    loaded: &BTreeMap<u64, Linked>,
) -> Result<(State, Effects), Stop> {
    let upstreams = &Names::new();
    traffic(state, "hello", request, &Ready { upstreams, loaded })
}

/// Deploys `hello` as what is `linked`.
fn deploy(
    workshop: &Workshop,
    state: &State,
    linked: Option<Loaded>,
    around: &Around<'_>,
) -> Result<(State, Effects), Stop> {
    let service = json!({ "service": "hello", "component": "digest" });
    let request: DeployRequest = serde_json::from_value(json!({ "services": [service] })).unwrap();
    let prepared = [("hello".to_owned(), workshop.prepared())].into();
    let bringing = Bringing {
        request: &request,
        prepared: &prepared,
        at: String::new(),
    };
    let linked = linked.map(|loaded| Linked {
        loaded,
        overrides: Arc::default(),
    });
    let linked = linked.map(|linked| ("hello".to_owned(), linked));
    arrive(state, &bringing, &linked.into_iter().collect(), around)
}

fn around(upstreams: &[&str]) -> Around<'static> {
    Around {
        upstreams: names(upstreams),
        is_purging: &|_| false,
        lately: &|_, _| Default::default(),
        work_out: &|_, _| unreachable!("no upstream is declared"),
        keep: 10,
    }
}

/// The codes of the faults that a change is refused for.
fn codes(refused: Result<(State, Effects), Stop>) -> Vec<String> {
    match refused {
        Err(Stop::Error(ChangeError::Refused(faults))) => {
            faults.into_iter().map(|fault| fault.code).collect()
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was made"),
    }
}

#[tokio::test]
async fn a_rollback_ends_the_calls_of_what_was_live_and_leaves_the_old_state_alone() {
    let state = Workshop::new().state();
    let request = TrafficRequest::Rollback { to: None };
    let (next, effects) = move_traffic(&state, &request, &BTreeMap::new()).unwrap();
    assert_eq!(
        (live(&state), live(&next)),
        (vec![(2, 100)], vec![(1, 100)])
    );
    assert_eq!(numbers(&effects.ending), [2]);
    assert_eq!(records(&effects), [("service", "hello", true)]);
    assert_eq!(effects.moved, names(&["hello"]));
    assert!(effects.table.is_some() && effects.forgotten.is_empty());
}

#[tokio::test]
async fn traffic_needs_its_revision_in_memory_in_the_size_that_is_set() {
    let workshop = Workshop::new();
    let mut state = workshop.state();
    state.entry("hello").loaded.remove(&1);
    let request = TrafficRequest::Rollback { to: None };
    let needs = move_traffic(&state, &request, &BTreeMap::new());
    assert!(matches!(needs, Err(Stop::Needs(1))));
    let made = |overrides: &Arc<Overrides>| Linked {
        loaded: workshop.loaded("hello", 1),
        overrides: overrides.clone(),
    };
    let strange = BTreeMap::from([(1, made(&Arc::default()))]);
    let needs = move_traffic(&state, &request, &strange);
    assert!(
        matches!(needs, Err(Stop::Needs(1))),
        "it is of a service that is gone"
    );
    let ready = BTreeMap::from([(1, made(&state.services["hello"].overrides))]);
    let (next, _) = move_traffic(&state, &request, &ready).unwrap();
    assert!(next.has_loaded("hello", 1));
    let size = ScaleRequest {
        min: Some(1),
        max: Some(9),
    };
    let (scaled, _) = scale::scale(&state, "hello", &size, &Names::new()).unwrap();
    let needs = move_traffic(&scaled, &request, &ready);
    assert!(matches!(needs, Err(Stop::Needs(1))), "it has another size");
}

#[tokio::test]
async fn a_size_is_kept_and_moves_no_traffic() {
    let state = Workshop::new().state();
    let size = |min, max| ScaleRequest {
        min: Some(min),
        max: Some(max),
    };
    let (next, effects) = scale::scale(&state, "hello", &size(1, 3), &Names::new()).unwrap();
    assert_eq!(next.services["hello"].record.scale.unwrap().max, 3);
    assert_eq!(effects.sizes, names(&["hello"]));
    assert_eq!(records(&effects), [("service", "hello", true)]);
    assert!(effects.moved.is_empty() && effects.table.is_none());
    let (_, again) = scale::scale(&next, "hello", &size(1, 3), &Names::new()).unwrap();
    assert_eq!(
        again.sizes,
        names(&["hello"]),
        "what is idle beyond it goes"
    );
    assert!(scale::scale(&state, "hello", &size(3, 1), &Names::new()).is_err());
    let upstream = scale::scale(&state, "old", &size(1, 3), &names(&["old"]));
    assert!(matches!(upstream, Err(ChangeError::IsUpstream(_))));
}

#[tokio::test]
async fn a_removal_takes_what_an_operator_set_with_it() {
    let mut state = Workshop::new().state();
    state.drained = names(&["hello", "other"]);
    let forces = Forces::default();
    state.forces = [("hello".to_owned(), forces)].into();
    let (next, effects) = undeploy::undeploy(&state, "hello", &Names::new()).unwrap();
    assert!(next.services.is_empty() && next.forces.is_empty());
    assert_eq!(next.drained, names(&["other"]));
    let gone = ["service", "drain", "breaker"].map(|kind| (kind, "hello", false));
    assert_eq!(records(&effects), gone);
    assert_eq!(numbers(&effects.ending), [2]);
    let forgotten = [1, 2].map(|number| ("hello".to_owned(), number));
    assert_eq!(effects.forgotten, forgotten);
    let unknown = undeploy::undeploy(&next, "hello", &Names::new());
    assert!(matches!(unknown, Err(ChangeError::NoService { .. })));
}

#[tokio::test]
async fn an_upstream_that_only_joined_can_be_removed() {
    let state = State::default();
    let (_, effects) = undeploy::undeploy(&state, "joined", &names(&["joined"])).unwrap();
    assert_eq!(effects.upstreams, names(&["joined"]));
    assert!(effects.records.is_empty());
}

#[tokio::test]
async fn a_drain_ends_calls_and_leaves_the_routes() {
    let state = Workshop::new().state();
    let (next, effects) = drain::drain(&state, "hello", &Names::new()).unwrap();
    assert_eq!(
        (numbers(&effects.ending), live(&next)),
        (vec![2], vec![(2, 100)])
    );
    assert_eq!(records(&effects), [("drain", "hello", true)]);
    assert!(effects.moved.is_empty() && effects.table.is_none());
    let (_, again) = drain::drain(&next, "hello", &Names::new()).unwrap();
    assert!(again.records.is_empty() && again.ending.is_empty());
}

#[tokio::test]
async fn a_value_is_set_once() {
    let state = Workshop::new().state();
    let changes = Changes::from([("key".to_owned(), Some("value".to_owned()))]);
    let set = |state: &State, conditions: &Conditions| {
        let change = |_: &Deployed, config: &mut ConfigRecord| {
            config.change(&changes, String::new());
            Ok(())
        };
        configure::configure(state, "hello", conditions, change)
    };
    let (next, effects) = set(&state, &Conditions::default()).unwrap();
    assert_eq!(effects.values, names(&["hello"]));
    assert_eq!(records(&effects), [("service", "hello", true)]);
    let (_, again) = set(&next, &Conditions::default()).unwrap();
    assert!(again.records.is_empty() && again.values.is_empty());
    let mut headers = HeaderMap::new();
    headers.insert("if-match", "\"0\"".parse().unwrap());
    let stale = set(&next, &Conditions::of(&headers));
    assert!(matches!(stale, Err(ChangeError::Stale { found: 1, .. })));
}

#[tokio::test]
async fn a_deployment_takes_the_traffic_and_what_nothing_goes_back_to_is_forgotten() {
    let workshop = Workshop::new();
    let (state, third) = (workshop.state(), workshop.loaded("hello", 3));
    let (next, effects) = deploy(&workshop, &state, Some(third), &around(&[])).unwrap();
    assert_eq!(live(&next), [(3, 100)]);
    assert_eq!(numbers(&effects.ending), [2]);
    assert_eq!(effects.forgotten, [("hello".to_owned(), 1)]);
    let kept: Vec<_> = next.services["hello"].loaded.keys().copied().collect();
    assert_eq!(kept, [2, 3]);
    let Value::Object(record) = effects.records[0].value.clone().unwrap() else {
        panic!("a record is an object");
    };
    assert_eq!(record["newest"], json!(3));
}

#[tokio::test]
async fn a_deployment_is_made_ready_again_where_its_number_has_gone() {
    let workshop = Workshop::new();
    let third = workshop.loaded("hello", 3);
    let moved = deploy(&workshop, &State::default(), Some(third), &around(&[]));
    assert!(matches!(moved, Err(Stop::Moved)));
}

#[tokio::test]
async fn a_name_that_is_taken_or_being_purged_is_refused() {
    let workshop = Workshop::new();
    let state = State::default();
    let taken = deploy(&workshop, &state, None, &around(&["hello"]));
    assert_eq!(codes(taken), ["name_taken"]);
    let purging = Around {
        is_purging: &|name| name == "hello",
        ..around(&[])
    };
    assert_eq!(
        codes(deploy(&workshop, &state, None, &purging)),
        ["purging"]
    );
}

/// `hello`, whose second revision, which is live, has these schedules.
fn with_schedules(state: &mut State, schedules: Value) {
    let live = &mut state.entry("hello").record.revisions[1];
    live.settings.schedules = serde_json::from_value(schedules).unwrap();
}

#[tokio::test]
async fn schedules_are_those_of_the_revision_with_the_traffic() {
    let mut state = Workshop::new().state();
    with_schedules(&mut state, json!({ "a:b/c.d": { "every": "1h" } }));
    let name: FunctionName = "a:b/c.d".to_owned().try_into().unwrap();
    let request = TrafficRequest::Rollback { to: None };
    let (next, effects) = move_traffic(&state, &request, &BTreeMap::new()).unwrap();
    assert_eq!(effects.schedules, names(&["hello"]));
    let wanted = next.wanted(&effects).services;
    assert_eq!(wanted, [("hello".to_owned(), Some(BTreeMap::new()))].into());
    let (back, effects) = move_traffic(&next, &request, &BTreeMap::new()).unwrap();
    let wanted = back.wanted(&effects).services;
    assert!(wanted["hello"].as_ref().unwrap().contains_key(&name));
    let size = ScaleRequest {
        min: Some(1),
        max: Some(3),
    };
    let (_, effects) = scale::scale(&back, "hello", &size, &Names::new()).unwrap();
    assert!(effects.schedules.is_empty(), "they are as they were");
    let (gone, effects) = undeploy::undeploy(&back, "hello", &Names::new()).unwrap();
    let wanted = gone.wanted(&effects).services;
    assert_eq!(wanted, [("hello".to_owned(), None)].into());
}

#[tokio::test]
async fn a_pause_is_written_down_once_and_goes_with_its_service() {
    let mut state = Workshop::new().state();
    with_schedules(&mut state, json!({ "a:b/c.d": { "every": "1h" } }));
    let name = || ScheduleName::parse("hello/a:b/c.d").unwrap();
    let (paused, effects) = schedules::pause(&state, name(), true).unwrap();
    let record = |there| ("schedule-paused", "hello/a:b/c.d", there);
    assert_eq!(records(&effects), [record(true)]);
    assert_eq!(paused.wanted(&effects).paused, [(name(), true)].into());
    let (_, again) = schedules::pause(&paused, name(), true).unwrap();
    assert!(again.records.is_empty() && again.paused.is_empty());
    let (resumed, effects) = schedules::pause(&paused, name(), false).unwrap();
    assert_eq!(records(&effects), [record(false)]);
    assert!(resumed.paused.is_empty());
    let (_, effects) = undeploy::undeploy(&paused, "hello", &Names::new()).unwrap();
    assert!(records(&effects).contains(&record(false)));
}
