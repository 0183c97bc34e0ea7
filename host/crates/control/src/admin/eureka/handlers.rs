//! One function a path of Eureka's interface.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

use super::model::Status;
use super::wire;
use crate::admin::state::Admin;

type Id = Path<(String, String)>;

/// Entries of an instance's metadata that updates may make: they can't be removed.
const METADATA: usize = 256;

/// All applications.
pub(super) async fn apps(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    wire::applications(&headers, &admin.eureka.apps())
}

/// What changed lately.
pub(super) async fn delta(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    let (apps, version, hash) = admin.eureka.delta();
    wire::delta(&headers, &apps, version, &hash)
}

/// An instance says that it is there.
pub(super) async fn register(
    State(admin): State<Admin>,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let instance = match wire::read(&headers, &body) {
        Ok(instance) => instance,
        Err(reason) => return wire::bad(reason),
    };
    if instance.app != app.to_uppercase() {
        return wire::bad(format!(
            "expected an instance of {app:?} as the path says, found one of {:?}",
            instance.app
        ));
    }
    tracing::info!(
        app = instance.app,
        instance = instance.id,
        status = instance.status().name(),
        "registered by Eureka"
    );
    match admin.eureka.register(instance) {
        Ok(()) => wire::registered(),
        Err(super::registry::Full) => wire::full(),
    }
}

/// One application.
pub(super) async fn app(
    State(admin): State<Admin>,
    Path(app): Path<String>,
    headers: HeaderMap,
) -> Response {
    match admin.eureka.app(&app) {
        Some(found) => wire::application(&headers, &found),
        None => wire::unknown(),
    }
}

/// One instance of an application.
pub(super) async fn instance(
    State(admin): State<Admin>,
    Path((app, id)): Id,
    headers: HeaderMap,
) -> Response {
    match admin.eureka.instance(&app, &id) {
        Some(found) => wire::instance(&headers, &found),
        None => wire::unknown(),
    }
}

/// One instance of any application.
pub(super) async fn instance_anywhere(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match admin.eureka.instance_anywhere(&id) {
        Some(found) => wire::instance(&headers, &found),
        None => wire::unknown(),
    }
}

/// What comes with a heartbeat.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Heartbeat {
    last_dirty_timestamp: Option<String>,
}

/// A heartbeat.
pub(super) async fn renew(
    State(admin): State<Admin>,
    Path((app, id)): Id,
    Query(heartbeat): Query<Heartbeat>,
) -> Response {
    let dirty = heartbeat.last_dirty_timestamp;
    let dirty = dirty.and_then(|dirty| dirty.parse().ok());
    wire::done(admin.eureka.renew(&app, &id, dirty))
}

/// An instance says that it goes.
pub(super) async fn cancel(State(admin): State<Admin>, Path((app, id)): Id) -> Response {
    wire::done(admin.eureka.cancel(&app, &id))
}

/// Which status.
#[derive(Deserialize)]
pub(super) struct Value {
    value: Option<String>,
}

/// An operator's status goes before the instance's own.
pub(super) async fn set_status(
    State(admin): State<Admin>,
    Path((app, id)): Id,
    Query(query): Query<Value>,
) -> Response {
    let status = match Status::read(query.value.as_deref().unwrap_or_default()) {
        Ok(status) => status,
        Err(reason) => return wire::bad(reason),
    };
    let change = |instance: &mut super::model::Instance| instance.overridden = Some(status);
    wire::done(admin.eureka.change(&app, &id, change))
}

/// The instance's own status counts again, or the one that is given.
pub(super) async fn unset_status(
    State(admin): State<Admin>,
    Path((app, id)): Id,
    Query(query): Query<Value>,
) -> Response {
    let status = match query.value.as_deref().map(Status::read).transpose() {
        Ok(status) => status,
        Err(reason) => return wire::bad(reason),
    };
    let known = admin.eureka.change(&app, &id, |instance| {
        instance.overridden = None;
        instance.own_status = status.unwrap_or(instance.own_status);
    });
    wire::done(known)
}

/// Adds to an instance's metadata.
pub(super) async fn set_metadata(
    State(admin): State<Admin>,
    Path((app, id)): Id,
    Query(values): Query<BTreeMap<String, String>>,
) -> Response {
    match admin.eureka.instance(&app, &id) {
        None => return wire::unknown(),
        Some(known) if known.metadata.len() + values.len() > METADATA => {
            return wire::bad(format!("expected at most {METADATA} entries of metadata"));
        }
        Some(_) => {}
    }
    let known = admin.eureka.change(&app, &id, |instance| {
        instance.metadata.extend(values);
    });
    wire::done(known)
}

/// Instances with a virtual address.
pub(super) async fn vip(
    State(admin): State<Admin>,
    Path(vip): Path<String>,
    headers: HeaderMap,
) -> Response {
    wire::applications(&headers, &admin.eureka.with_vip("vipAddress", &vip))
}

/// Instances with a virtual address of TLS.
pub(super) async fn secure_vip(
    State(admin): State<Admin>,
    Path(vip): Path<String>,
    headers: HeaderMap,
) -> Response {
    wire::applications(&headers, &admin.eureka.with_vip("secureVipAddress", &vip))
}
