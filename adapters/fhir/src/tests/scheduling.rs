//! Slots and appointments.

use super::*;
use crate::scheduling::{BOOK, CANCEL, LIST_SLOTS, READ_APPOINTMENT, READ_SLOT, READ_TAKEN_SLOT, UPDATE_APPOINTMENT};

fn slot(status: &str) -> Value {
    json!({"resourceType": "Slot", "id": "1", "meta": {"versionId": "5"}, "schedule": {"reference": "Schedule/1"},
        "status": status, "start": "2027-01-11T09:00:00Z", "end": "2027-01-11T09:30:00Z"})
}

fn done(entries: Value) -> Response {
    answer(200, json!({"resourceType": "Bundle", "type": "transaction-response", "entry": entries}), &[])
}

#[test]
fn a_slot_is_taken_in_the_version_that_was_free_together_with_its_appointment() {
    let made = json!([
        {"response": {"status": "200 OK", "etag": "W/\"6\""}},
        {"response": {"status": "201 Created", "location": "Appointment/a1/_history/1"}},
    ]);
    let fake = fake().on(&READ_SLOT, |_| answer(200, slot("free"), &[])).on(&BOOK, move |_| done(made.clone()));
    let input =
        json!({"slot": "Slot/1", "patient": "7", "participants": ["Practitioner/2"], "reason": {"text": "Check-up"}});
    let output = fake.invoke("bookAppointment", &input).unwrap();
    assert_eq!(output, json!({"id": "a1", "versionId": "1", "slots": [{"id": "1", "versionId": "6"}]}));
    let bundle = fake.sent()[1].json();
    assert_eq!(bundle["type"], "transaction");
    assert_eq!(
        bundle["entry"][0],
        json!({"resource": slot("busy"), "request": {"method": "PUT", "url": "Slot/1", "ifMatch": "W/\"5\""}})
    );
    let participants = json!([
        {"actor": {"reference": "Patient/7"}, "status": "accepted"}, {"actor": {"reference": "Practitioner/2"}, "status": "accepted"},
    ]);
    let appointment = json!({"resourceType": "Appointment", "status": "booked", "slot": [{"reference": "Slot/1"}],
        "start": "2027-01-11T09:00:00Z", "end": "2027-01-11T09:30:00Z", "participant": participants, "reasonCode": [{"text": "Check-up"}]});
    assert_eq!(
        bundle["entry"][1],
        json!({"resource": appointment, "request": {"method": "POST", "url": "Appointment"}})
    );
}

#[test]
fn what_cannot_be_booked_for_certain_is_not_booked() {
    let booked = |slot: Value, answers: Value| {
        let fake =
            fake().on(&READ_SLOT, move |_| answer(200, slot.clone(), &[])).on(&BOOK, move |_| done(answers.clone()));
        let result = fake.invoke("bookAppointment", &json!({"slot": "1", "patient": "7"}));
        (failure(result), fake.sent().len())
    };
    let (busy, sent) = booked(slot("busy"), json!([]));
    assert_eq!((busy.code.as_ref(), sent), ("fhir.slot-not-free", 1));
    let mut unversioned = slot("free");
    unversioned.as_object_mut().unwrap().remove("meta");
    let (failure, sent) = booked(unversioned, json!([]));
    assert_eq!((failure.code.as_ref(), sent), ("fhir.no-version", 1));
    let (failure, _) = booked(patient(), json!([]));
    assert_eq!(failure.code, "http.unexpected-body");
    let lost = json!([{"response": {"status": "412 Precondition Failed"}}, {"response": {"status": "201 Created"}}]);
    let (failure, _) = booked(slot("free"), lost);
    assert_eq!((failure.code.as_ref(), failure.retryable), ("fhir.conflict", false));
    assert_eq!(failure.details.unwrap()["statuses"], json!([412, 201]));
}

fn appointment(status: &str) -> Value {
    let participant = json!([{"actor": {"reference": "Patient/7"}, "status": "accepted"}]);
    json!({"resourceType": "Appointment", "id": "a1", "meta": {"versionId": "2"}, "status": status, "participant": participant,
        "slot": [{"reference": "Slot/1"}, {"reference": "https://b.example/Slot/2"}]})
}

#[test]
fn an_appointment_is_cancelled_together_with_the_slots_that_it_took() {
    let freed = json!([{"response": {"status": "200 OK", "etag": "W/\"3\""}}, {"response": {"status": "200 OK", "etag": "W/\"6\""}}]);
    let fake = fake()
        .on(&READ_APPOINTMENT, |_| answer(200, appointment("booked"), &[]))
        .on(&READ_TAKEN_SLOT, |_| answer(200, slot("busy"), &[]))
        .on(&CANCEL, move |_| done(freed.clone()))
        .on(&UPDATE_APPOINTMENT, |_| answer(200, appointment("cancelled"), &[("ETag", "W/\"3\"")]));
    let output = fake.invoke("cancelAppointment", &json!({"id": "a1", "reason": {"text": "ill"}})).unwrap();
    assert_eq!(output, json!({"id": "a1", "versionId": "3", "slots": [{"id": "1", "versionId": "6"}]}));
    let entries = fake.sent()[2].json()["entry"].clone();
    let mut cancelled = appointment("cancelled");
    cancelled["cancelationReason"] = json!({"text": "ill"});
    assert_eq!(
        entries[0],
        json!({"resource": cancelled, "request": {"method": "PUT", "url": "Appointment/a1", "ifMatch": "W/\"2\""}})
    );
    assert_eq!(
        entries[1],
        json!({"resource": slot("free"), "request": {"method": "PUT", "url": "Slot/1", "ifMatch": "W/\"5\""}})
    );
    let kept = fake.invoke("cancelAppointment", &json!({"id": "a1", "keepSlots": true})).unwrap();
    assert_eq!((&kept["slots"], &kept["appointment"]["status"]), (&json!([]), &json!("cancelled")));
    let last = fake.sent().pop().unwrap();
    assert_eq!((last.method, header(&last, "if-match")), (Method::Put, Some("W/\"2\"")));
}

#[test]
fn only_what_is_ahead_and_as_it_was_read_is_cancelled() {
    let cancel = |status: &'static str, input: Value| {
        let fake = fake().on(&READ_APPOINTMENT, move |_| answer(200, appointment(status), &[]));
        let result = fake.invoke("cancelAppointment", &input);
        assert_eq!(fake.sent().len(), 1, "nothing is changed");
        failure(result).code
    };
    assert_eq!(cancel("cancelled", json!({"id": "a1"})), "fhir.already-cancelled");
    assert_eq!(cancel("fulfilled", json!({"id": "a1"})), "fhir.not-cancellable");
    assert_eq!(cancel("booked", json!({"id": "a1", "ifMatch": "1"})), "fhir.conflict");
}

#[test]
fn slots_are_asked_for_by_schedule_time_and_state() {
    let fake = fake().on(&LIST_SLOTS, |_| answer(200, page(json!([{"resource": slot("free")}]), None), &[]));
    let input =
        json!({"schedule": "Schedule/1", "from": "2027-01-11T00:00:00Z", "until": "2027-01-12T00:00:00Z", "limit": 5});
    assert_eq!(fake.invoke("listSlots", &input).unwrap()["slots"], json!([slot("free")]));
    let query =
        "_count=5&schedule=Schedule%2F1&start=ge2027-01-11T00%3A00%3A00Z&start=lt2027-01-12T00%3A00%3A00Z&status=free";
    assert_eq!(fake.sent()[0].url, format!("{BASE}/Slot?{query}"));
    assert_eq!(pointer(fake.invoke("listSlots", &json!({"from": "2027-01-11"}))), "/from");
    assert_eq!(pointer(fake.invoke("listSlots", &json!({"schedule": "Slot/1"}))), "/schedule");
}
