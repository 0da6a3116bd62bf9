//! Records as OCSF events, one a line: class API Activity (6003) of version 1.6.0, the first in which `PATCH` is a method.
//!
//! Every kind is an API Activity, also a sign-in or a grant: each of them is a request to this host's own interface, and a
//! chain that stands in one class keeps its sequence without gaps. `metadata.event_code` says which kind it is. One event
//! stands for one record. `raw_data` is the record as it stands in the chain, so that an archive of events proves as much
//! as the chain does: its SHA-256 is `raw_data_hash`, and the next record's `unmapped.prev`. What the class has no place for
//! is in `unmapped`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::facts::{self, Weight, Went};
use crate::{
    block::Line,
    heads::SignedHead,
    record::{Caller, Exchange, Kind, Record},
};

/// The version of OCSF that events are written in.
pub const OCSF_VERSION: &str = "1.6.0";

const CATEGORY: u32 = 6;
const CLASS: u32 = 6003;

/// What of create, read, update and delete an event is.
#[derive(Clone, Copy)]
enum Activity {
    Create = 1,
    Read = 2,
    Update = 3,
    Delete = 4,
    Other = 99,
}

/// A record as an event.
pub(super) fn event(line: &Line, record: &Record) -> Value {
    let activity = activity(record);
    let mut event =
        base(activity, activity_name(activity, record), record.time, record.kind.as_str(), &record.workspace);
    let (status_id, status) = match Went::of(record) {
        Went::Well => (1, "Success".to_owned()),
        Went::Wrong => (2, "Failure".to_owned()),
        Went::Unknown => (0, "Unknown".to_owned()),
        Went::Begun => (99, "Begun".to_owned()),
    };
    put(&mut event, "status_id", Some(status_id));
    put(&mut event, "status", Some(status));
    put(&mut event, "status_code", facts::reason(record).or(record.status.map(crate::Status::as_str)));
    put(&mut event, "status_detail", record.denial.as_ref().map(portcullis_gate::Denial::told));
    let (severity_id, severity) = match Weight::of(record) {
        Weight::Informational => (1, "Informational"),
        Weight::Low => (2, "Low"),
        Weight::Medium => (3, "Medium"),
        Weight::High => (4, "High"),
    };
    put(&mut event, "severity_id", Some(severity_id));
    put(&mut event, "severity", Some(severity));
    put(&mut event, "message", Some(facts::message(record)));
    put(&mut event, "duration", record.receipt.map(|receipt| receipt.wall_us / 1_000));
    put(&mut event, "actor", Some(actor(record.caller.as_ref())));
    put(&mut event, "api", Some(api(record)));
    put(&mut event, "resources", Some(resources(record)).filter(|resources| !resources.is_empty()));
    if let Some(exchange) = facts::last_exchange(record) {
        put(&mut event, "http_request", Some(request(exchange)));
        put(&mut event, "http_response", exchange.status.map(|code| json!({"code": code})));
        put(&mut event, "dst_endpoint", Some(destination(exchange)));
    }
    if let Some(Value::Object(metadata)) = event.get_mut("metadata") {
        put(metadata, "uid", Some(format!("{}/{}", record.workspace, record.seq)));
        put(metadata, "sequence", Some(record.seq));
        put(metadata, "log_version", Some(record.v.to_string()));
        put(metadata, "correlation_uid", record.call.map(|call| call.to_string()));
    }
    put(&mut event, "unmapped", Some(unmapped(record)));
    put(&mut event, "raw_data", Some(line.text.as_str()));
    let hash = json!({"algorithm_id": 3, "algorithm": "SHA-256", "value": line.hash()});
    put(&mut event, "raw_data_hash", Some(hash));
    Value::Object(event)
}

/// A signed head as an event: it ties all events of its workspace, up to the sequence number that it names, to a key.
pub(super) fn head(line: &str, signed: &SignedHead, workspace: &str) -> Value {
    let name = "Signed head".to_owned();
    let mut event = base(Activity::Other, name, signed.head.time, "signed_head", workspace);
    put(&mut event, "status_id", Some(1));
    put(&mut event, "status", Some("Success"));
    put(&mut event, "severity_id", Some(1));
    put(&mut event, "severity", Some("Informational"));
    put(&mut event, "message", Some("where the chain ended, signed by the host's key"));
    put(&mut event, "actor", Some(actor(None)));
    put(&mut event, "api", Some(json!({"operation": "sign_head"})));
    put(&mut event, "unmapped", Some(json!({"signed_head": signed})));
    put(&mut event, "raw_data", Some(line));
    Value::Object(event)
}

/// What every event has.
fn base(activity: Activity, name: String, time: Timestamp, code: &str, workspace: &str) -> Map<String, Value> {
    let (id, milliseconds) = (activity as u32, time.as_millisecond());
    let mut event = Map::new();
    put(&mut event, "activity_id", Some(id));
    put(&mut event, "activity_name", Some(name));
    put(&mut event, "category_uid", Some(CATEGORY));
    put(&mut event, "category_name", Some("Application Activity"));
    put(&mut event, "class_uid", Some(CLASS));
    put(&mut event, "class_name", Some("API Activity"));
    put(&mut event, "type_uid", Some(CLASS * 100 + id));
    put(&mut event, "time", Some(milliseconds));
    put(&mut event, "timezone_offset", Some(0));
    // What called is told by `actor`; the ledger knows no address of it, and says whose log this is.
    put(&mut event, "src_endpoint", Some(json!({"svc_name": "portcullis"})));
    let product = json!({
        "name": "Portcullis", "uid": "portcullis", "vendor_name": "Portcullis", "version": env!("CARGO_PKG_VERSION"),
    });
    let metadata = json!({
        "version": OCSF_VERSION, "product": product, "log_name": "ledger", "log_provider": "portcullis",
        "event_code": code, "logged_time": milliseconds, "original_time": time.to_string(), "tenant_uid": workspace,
    });
    put(&mut event, "metadata", Some(metadata));
    event
}

fn activity(record: &Record) -> Activity {
    if record.kind == Kind::Outcome {
        // The one that changes most, whatever came after it.
        let of = |exchange: &Exchange| match exchange.method.as_str() {
            "DELETE" => (4, Activity::Delete),
            "PUT" | "PATCH" => (3, Activity::Update),
            "POST" => (2, Activity::Create),
            _ => (1, Activity::Read),
        };
        let most = record.exchanges.iter().map(of).max_by_key(|(rank, _)| *rank);
        return most.map_or(Activity::Other, |(_, activity)| activity);
    }
    match (record.kind, facts::action(record)) {
        (Kind::Erasure, _) | (_, "revoked" | "removed" | "erased") => Activity::Delete,
        (Kind::Export, _) => Activity::Read,
        (_, "granted" | "created" | "stored") => Activity::Create,
        (_, "replaced" | "changed" | "updated") => Activity::Update,
        _ => Activity::Other,
    }
}

fn activity_name(activity: Activity, record: &Record) -> String {
    match activity {
        Activity::Create => "Create".to_owned(),
        Activity::Read => "Read".to_owned(),
        Activity::Update => "Update".to_owned(),
        Activity::Delete => "Delete".to_owned(),
        Activity::Other => facts::title(record).to_owned(),
    }
}

fn actor(caller: Option<&Caller>) -> Value {
    let Some(caller) = caller else { return json!({"app_name": "portcullis"}) };
    let is_user = ["user:", "os:"].iter().any(|kind| caller.principal.starts_with(kind));
    let (type_id, kind) = if is_user { (1, "User") } else { (0, "Unknown") };
    let mut actor = Map::new();
    let user = json!({"name": caller.principal, "uid": caller.principal, "type_id": type_id, "type": kind});
    put(&mut actor, "user", Some(user));
    put(&mut actor, "invoked_by", caller.workflow.as_ref().or(caller.agent.as_ref()).cloned());
    put(&mut actor, "session", caller.run.as_ref().map(|run| json!({"uid": run})));
    Value::Object(actor)
}

fn api(record: &Record) -> Value {
    let mut api = Map::new();
    put(&mut api, "operation", Some(facts::operation(record)));
    if let Some(name) = &record.integration {
        let mut service = Map::new();
        put(&mut service, "name", Some(name.clone()));
        put(&mut service, "version", record.integration_version.map(|version| version.to_string()));
        put(&mut api, "service", Some(Value::Object(service)));
    }
    put(&mut api, "request", record.call.map(|call| json!({"uid": call.to_string()})));
    let mut response = Map::new();
    put(&mut response, "code", facts::last_exchange(record).and_then(|exchange| exchange.status));
    put(&mut response, "error", facts::reason(record));
    put(&mut response, "error_message", record.denial.as_ref().map(portcullis_gate::Denial::told));
    put(&mut api, "response", Some(Value::Object(response)).filter(|response| response != &json!({})));
    Value::Object(api)
}

fn resources(record: &Record) -> Vec<Value> {
    let mut resources = Vec::new();
    if let Some(name) = &record.integration {
        let mut resource = Map::new();
        put(&mut resource, "type", Some("integration"));
        put(&mut resource, "name", Some(name.clone()));
        put(&mut resource, "namespace", Some(record.workspace.clone()));
        put(&mut resource, "version", record.integration_version.map(|version| version.to_string()));
        resources.push(Value::Object(resource));
    }
    if let Some(digest) = &record.adapter {
        resources.push(json!({"type": "adapter", "uid": digest}));
    }
    if let Some(digest) = &record.grant {
        let mut resource = Map::new();
        put(&mut resource, "type", Some("grant"));
        put(&mut resource, "uid", Some(digest.clone()));
        put(&mut resource, "owner", record.grantor.as_ref().map(|grantor| json!({"name": grantor})));
        resources.push(Value::Object(resource));
    }
    if let Some(change) = record.change.as_ref().filter(|change| !change.of.is_empty()) {
        resources.push(json!({"type": record.kind.as_str(), "name": change.of}));
    }
    resources
}

fn request(exchange: &Exchange) -> Value {
    let mut url = Map::new();
    // Of a granted template, for paths can name people.
    let path = exchange.template.strip_prefix(exchange.origin.as_str()).unwrap_or(&exchange.template);
    put(&mut url, "url_string", Some(exchange.template.clone()));
    put(&mut url, "path", Some(path.to_owned()));
    if let Some(endpoint) = facts::endpoint(&exchange.origin) {
        put(&mut url, "scheme", Some(endpoint.scheme));
        put(&mut url, "hostname", Some(endpoint.host));
        put(&mut url, "port", endpoint.port);
    }
    json!({"http_method": exchange.method, "uid": exchange.route, "url": url})
}

fn destination(exchange: &Exchange) -> Value {
    let mut destination = Map::new();
    put(&mut destination, "name", Some(exchange.origin.clone()));
    if let Some(endpoint) = facts::endpoint(&exchange.origin) {
        put(&mut destination, if endpoint.is_address { "ip" } else { "hostname" }, Some(endpoint.host));
        put(&mut destination, "port", endpoint.port);
    }
    Value::Object(destination)
}

/// All that the class has no place for.
fn unmapped(record: &Record) -> Value {
    let mut rest = Map::new();
    put(&mut rest, "prev", Some(record.prev));
    put(&mut rest, "mode", record.mode);
    put(&mut rest, "step", record.step);
    put(&mut rest, "caller", record.caller.as_ref());
    put(&mut rest, "status", record.status);
    put(&mut rest, "error", record.error.as_deref());
    put(&mut rest, "denial", record.denial.as_ref());
    put(&mut rest, "change", record.change.as_ref());
    put(&mut rest, "receipt", record.receipt);
    put(&mut rest, "input", record.input.as_ref());
    put(&mut rest, "output", record.output.as_ref());
    put(&mut rest, "outside_words", record.outside_words.as_ref());
    put(&mut rest, "bounds", Some(&record.bounds).filter(|bounds| !bounds.is_empty()));
    put(&mut rest, "cost", Some(&record.cost).filter(|cost| !cost.is_empty()));
    put(&mut rest, "exchanges", Some(&record.exchanges).filter(|exchanges| !exchanges.is_empty()));
    Value::Object(rest)
}

/// Adds what there is; OCSF knows no null.
fn put(map: &mut Map<String, Value>, name: &str, value: Option<impl Serialize>) {
    if let Some(Ok(value)) = value.map(serde_json::to_value) {
        map.insert(name.to_owned(), value);
    }
}
