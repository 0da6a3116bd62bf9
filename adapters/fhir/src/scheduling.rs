//! Free slots, and appointments in them.
//!
//! A slot is taken and its appointment made in one transaction, and the slot only in the version that was seen free: of two
//! who book it at once, one gets `fhir.conflict` and nothing has changed for it. A server that keeps no versions cannot
//! promise that, so nothing is booked there.

use portcullis_sdk::prelude::*;

use crate::{
    bundle::{BundleRequest, Entry, Outcome, transact},
    config::Config,
    forms::{is_instant, is_reference, local, tag_of_version},
    reading::FHIR_JSON,
    resources::{Appointment, Slot},
    scheduling_types::*,
    searching::{NEXT_PAGE, page_size, walk},
    slots::ACCESS_TOKEN,
    stored::{self, id_of},
    structure,
    writing::WRITING,
};

pub(crate) const LIST_SLOTS: Route<SlotQuery, Json<SlotSet>> = Route::get("list-slots", "/Slot")
    .slot(&ACCESS_TOKEN)
    .headers(FHIR_JSON)
    .describe("Searches slots, and reads further pages.");

pub(crate) const READ_SLOT: Route<ById, Json<Slot>> =
    Route::get("read-slot", "/Slot/{id:text(1..64)}").slot(&ACCESS_TOKEN).headers(FHIR_JSON).describe("Reads a slot.");

/// The same, of one that is taken: its answers in sandbox mode are others.
pub(crate) const READ_TAKEN_SLOT: Route<ById, Json<Slot>> = Route::get("read-taken-slot", "/Slot/{id:text(1..64)}")
    .slot(&ACCESS_TOKEN)
    .headers(FHIR_JSON)
    .examples(&[("status", "busy")])
    .describe("Reads a slot that is to be freed.");

pub(crate) const READ_APPOINTMENT: Route<ById, Json<Appointment>> =
    Route::get("read-appointment", "/Appointment/{id:text(1..64)}")
        .slot(&ACCESS_TOKEN)
        .headers(FHIR_JSON)
        .describe("Reads an appointment.");

pub(crate) const BOOK: Route<BundleRequest, Json<Booked>> = Route::post("book", "")
    .body_field("bundle")
    .slot(&ACCESS_TOKEN)
    .headers(WRITING)
    .describe("Makes a slot busy and creates its appointment, in one transaction.");

pub(crate) const CANCEL: Route<BundleRequest, Json<Cancelled>> = Route::post("cancel", "")
    .body_field("bundle")
    .slot(&ACCESS_TOKEN)
    .headers(WRITING)
    .describe("Cancels an appointment and frees its slots, in one transaction.");

pub(crate) const UPDATE_APPOINTMENT: Route<ChangedAppointment, Json<Appointment>> =
    Route::put("update-appointment", "/Appointment/{id:text(1..64)}")
        .body_field("resource")
        .header_fields(&[("If-Match", "ifMatch")])
        .slot(&ACCESS_TOKEN)
        .headers(WRITING)
        .examples(&[("status", "cancelled")])
        .describe("Cancels an appointment.");

/// Lists slots, by default those that are free.
#[operation(read, uses(LIST_SLOTS, NEXT_PAGE))]
pub(crate) fn list_slots(cx: &Context<Config>, input: SlotInput) -> Result<SlotOutput, Error> {
    let mut start = Vec::new();
    for (name, prefix, moment) in [("from", "ge", input.from), ("until", "lt", input.until)] {
        let Some(moment) = moment else { continue };
        if !is_instant(&moment) {
            return structure::refuse("", name, "a moment is as in `2026-11-21T09:30:00+01:00`");
        }
        start.push([prefix, &moment].concat());
    }
    let schedule = input.schedule.as_deref().map(|schedule| id_of("Schedule", schedule, "/schedule")).transpose()?;
    let limit = input.limit.unwrap_or(50);
    let query = SlotQuery {
        schedule: schedule.map(|id| ["Schedule/", id].concat()),
        start,
        status: input.status.unwrap_or(SlotStatus::Free).code().to_owned(),
        service_type: input.service_type,
        count: page_size(limit),
    };
    let found = walk(cx, &LIST_SLOTS, &query, limit, Some("Slot"))?;
    Ok(SlotOutput {
        total: found.total,
        more: found.more,
        reason: found.reason,
        slots: found.resources.into_iter().map(Json::cast).collect(),
        warnings: found.warnings,
    })
}

/// Books an appointment in a free slot.
#[operation(write, uses(READ_SLOT, BOOK))]
pub(crate) fn book_appointment(cx: &Context<Config>, input: BookInput) -> Result<AppointmentOutput, Error> {
    let slot_id = id_of("Slot", &input.slot, "/slot")?.to_owned();
    let patient = id_of("Patient", &input.patient, "/patient")?;
    let mut actors = vec![["Patient/", patient].concat()];
    for (index, other) in input.participants.into_iter().flatten().enumerate() {
        if !is_reference(&other) {
            return structure::refuse("/participants", &index.to_string(), "a reference is `Type/id` or a URL");
        }
        actors.push(other);
    }
    let (mut slot, version) = read_slot(cx, &READ_SLOT, &slot_id)?;
    let is = |status: &str| slot.get("status").and_then(Value::as_str) == Some(status);
    if !is("free") {
        return Err(Failure::new("fhir.slot-not-free", "the slot is not free any more; list the free ones").into());
    }
    let version = version.ok_or_else(|| unversioned("slot"))?;
    let participants: Vec<Value> =
        actors.iter().map(|actor| json!({"actor": {"reference": actor}, "status": "accepted"})).collect();
    let mut appointment = json!({
        "resourceType": "Appointment",
        "status": "booked",
        "slot": [{"reference": (["Slot/", &slot_id].concat())}],
        "participant": participants,
    });
    for (name, value) in [
        ("start", slot.get("start").cloned()),
        ("end", slot.get("end").cloned()),
        ("serviceType", slot.get("serviceType").cloned()),
        ("description", input.description.map(Value::String)),
        ("comment", input.comment.map(Value::String)),
        ("reasonCode", input.reason.map(|reason| json!([reason.concept()]))),
    ] {
        if let Some(value) = value {
            put(&mut appointment, name, value);
        }
    }
    put(&mut slot, "status", Value::from("busy"));
    let entries = vec![Entry::replace("Slot", &slot_id, &version, slot), Entry::create("Appointment", appointment)];
    let mut done = transact(cx, &BOOK, entries)?.into_iter();
    let slot = done.next().and_then(|slot| slot.version_id);
    let made = done.next();
    let slots = vec![SlotChange { id: slot_id, version_id: slot }];
    Ok(told(made, None, slots))
}

/// Cancels an appointment and frees its slots.
#[operation(destructive, uses(READ_APPOINTMENT, READ_TAKEN_SLOT, CANCEL, UPDATE_APPOINTMENT))]
pub(crate) fn cancel_appointment(cx: &Context<Config>, input: CancelInput) -> Result<AppointmentOutput, Error> {
    let id = id_of("Appointment", &input.id, "/id")?.to_owned();
    let response = cx.send_response(&READ_APPOINTMENT, &ById { id: id.clone() })?;
    let (appointment, version) = stored::read::<Appointment>(&response)?;
    stored::expect(&appointment, "Appointment")?;
    let mut appointment = appointment.into_value();
    let status = appointment.get("status").and_then(Value::as_str).unwrap_or_default();
    if !matches!(status, "proposed" | "pending" | "booked" | "waitlist") {
        let code = if status == "cancelled" { "fhir.already-cancelled" } else { "fhir.not-cancellable" };
        return Err(Failure::new(code, "only what is proposed, pending, booked or waiting can be cancelled").into());
    }
    let version = version.ok_or_else(|| unversioned("appointment"))?;
    if input.if_match.as_ref().is_some_and(|wanted| *wanted != version) {
        let message = format!("the appointment is in another version by now: {version}");
        return Err(Failure::new("fhir.conflict", message).into());
    }
    let slots = if input.keep_slots.unwrap_or(false) { Vec::new() } else { busy_slots(cx, &appointment)? };
    put(&mut appointment, "status", Value::from("cancelled"));
    if let Some(reason) = input.reason {
        put(&mut appointment, "cancelationReason", reason.concept());
    }
    if slots.is_empty() {
        let if_match = Some(tag_of_version(&version));
        let request = ChangedAppointment { id: id.clone(), resource: Json::new(appointment), if_match };
        let stored = stored::written(&cx.send_response(&UPDATE_APPOINTMENT, &request)?)?;
        let version_id = stored.version_id;
        let appointment = stored.resource.map(Json::cast);
        return Ok(AppointmentOutput { id: Some(id), version_id, appointment, slots: Vec::new() });
    }
    let mut entries = vec![Entry::replace("Appointment", &id, &version, appointment)];
    let mut freed = Vec::new();
    for (slot_id, slot_version, slot) in slots {
        entries.push(Entry::replace("Slot", &slot_id, &slot_version, slot));
        freed.push(slot_id);
    }
    let mut done = transact(cx, &CANCEL, entries)?.into_iter();
    let cancelled = done.next();
    let slots = freed.into_iter().zip(done).map(|(id, slot)| SlotChange { id, version_id: slot.version_id }).collect();
    Ok(told(cancelled, Some(id), slots))
}

/// The appointment's slots that are busy, to be freed: id, version, and the slot as it shall be.
fn busy_slots(cx: &Context<Config>, appointment: &Value) -> Result<Vec<(String, String, Value)>, Failure> {
    let references = appointment.get("slot").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut slots = Vec::new();
    for reference in references {
        // A slot that is somewhere else is somebody else's to free.
        let Some(("Slot", id)) = reference.get("reference").and_then(Value::as_str).and_then(local) else { continue };
        let (mut slot, version) = read_slot(cx, &READ_TAKEN_SLOT, id)?;
        if slot.get("status").and_then(Value::as_str) == Some("busy") {
            put(&mut slot, "status", Value::from("free"));
            slots.push((id.to_owned(), version.ok_or_else(|| unversioned("slot"))?, slot));
        }
    }
    Ok(slots)
}

fn read_slot<Answer>(
    cx: &Context<Config>,
    route: &Route<ById, Answer>,
    id: &str,
) -> Result<(Value, Option<String>), Failure> {
    let (slot, version) = stored::read(&cx.send_response(route, &ById { id: id.to_owned() })?)?;
    stored::expect::<Slot>(&slot, "Slot")?;
    Ok((slot.into_value(), version))
}

fn told(made: Option<Outcome>, id: Option<String>, slots: Vec<SlotChange>) -> AppointmentOutput {
    let (found, version_id, resource) = made.map(|made| (made.id, made.version_id, made.resource)).unwrap_or_default();
    let of_type = |resource: Json<_>| stored::expect(&resource, "Appointment").is_ok().then(|| resource.cast());
    AppointmentOutput { id: id.or(found), version_id, appointment: resource.and_then(of_type), slots }
}

fn unversioned(what: &str) -> Failure {
    let message =
        format!("the server says no version of the {what}, so two could change it at once; nothing was changed");
    Failure::new("fhir.no-version", message)
}

fn put(resource: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = resource {
        members.insert(name.to_owned(), value);
    }
}
