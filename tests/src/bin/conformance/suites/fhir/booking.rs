//! Observations, slots and appointments on Medplum's router.

use serde_json::{Value, json};

use super::{Bed, MRN, output, patient, refused, text};
use crate::{
    cache::Cache,
    counterparts::medplum,
    expect::{done, failed, holds, same, statuses, within},
    report::{Checked, Checks, Stop},
};

pub(super) async fn run(cache: &Cache, checks: &mut Checks) -> Checked {
    let server = medplum::start(cache, Some(super::TOKEN)).await?;
    let mut bed = Bed::new(server.address, medplum::BASE).await?;
    let ada = text(&bed.call("create", json!({"resource": patient("Lovelace", "m-1")})).await, "/id")?;
    observations(&bed, checks, &ada).await?;
    bed.passed();
    appointments(&mut bed, checks, &ada).await?;
    bed.end(cache, checks).await
}

async fn observations(bed: &Bed, checks: &mut Checks, ada: &str) -> Checked {
    let heart_rate = json!({
        "patient": ada,
        "category": "vital-signs",
        "code": {"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"},
        "valueQuantity": {"value": 72, "unit": "beats/minute", "code": "/min"},
        "effectiveDateTime": "2026-11-21T09:30:00+01:00",
        "issued": "2026-11-21T09:31:00+01:00",
        "performer": format!("Patient/{ada}"),
        "note": "at rest",
        "identifier": {"system": "https://device.example.org", "value": "r-1"},
    });
    let posted = bed.call("postObservation", heart_rate.clone()).await;
    let expected = json!({"created": true, "resource": {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": format!("Patient/{ada}")},
        "valueQuantity": {"value": 72, "unit": "beats/minute", "system": "http://unitsofmeasure.org", "code": "/min"},
    }});
    checks.check("an observation is posted", statuses(&posted, &[201]).and_then(|()| output(&posted, &expected)));
    let again = bed.call("postObservation", heart_rate).await;
    let known = text(&posted, "/id").and_then(|id| output(&again, &json!({"created": false, "id": id})));
    checks.check("with the same identifier it is posted once", known);
    let words = json!({"patient": ada, "code": {"text": "Mood"}, "valueString": "good", "status": "preliminary"});
    checks.check(
        "a finding is posted in words",
        output(&bed.call("postObservation", words).await, &json!({"created": true})),
    );
    let code = json!({"system": "http://snomed.info/sct", "code": "112144000", "display": "Blood group A"});
    let coded = json!({"patient": ada, "code": {"text": "Blood group"}, "valueCodeableConcept": code});
    let expected = json!({"resource": {"valueCodeableConcept": {"coding": [code]}}});
    checks.check("a finding is posted as a code", output(&bed.call("postObservation", coded).await, &expected));
    Ok(())
}

async fn appointments(bed: &mut Bed, checks: &mut Checks, ada: &str) -> Checked {
    let practitioner = json!({"resourceType": "Practitioner", "identifier": [{"system": MRN, "value": "dr-1"}]});
    let practitioner = text(&bed.call("create", json!({ "resource": practitioner })).await, "/id")?;
    let doctor = format!("Practitioner/{practitioner}");
    let schedule = json!({"resourceType": "Schedule", "actor": [{"reference": doctor}]});
    let schedule = text(&bed.call("create", json!({ "resource": schedule })).await, "/id")?;
    let mut slots = Vec::new();
    for (hour, status) in [("08", "busy"), ("09", "free"), ("10", "free"), ("11", "free")] {
        let slot = json!({
            "resourceType": "Slot",
            "schedule": {"reference": format!("Schedule/{schedule}")},
            "status": status,
            "start": format!("2027-01-11T{hour}:00:00Z"),
            "end": format!("2027-01-11T{hour}:30:00Z"),
        });
        slots.push(text(&bed.call("create", json!({ "resource": slot })).await, "/id")?);
    }
    let [_, nine, ten, _] = slots.as_slice() else { return Err(Stop::Failed("there are no slots".to_owned())) };
    let day = json!({"schedule": schedule, "from": "2027-01-11T08:00:00Z", "until": "2027-01-11T11:00:00Z"});
    let free = bed.call("listSlots", day.clone()).await;
    checks.check("the free slots of a schedule are listed", ids(done(&free)?, &[nine, ten]));

    bed.passed();
    let wanted = json!({"slot": nine, "patient": ada, "participants": [doctor], "reason": {"text": "Check-up"}, "description": "Yearly check-up"});
    let booked = bed.call("bookAppointment", wanted.clone()).await;
    let expected = json!({"appointment": {
        "status": "booked",
        "start": "2027-01-11T09:00:00Z",
        "slot": [{"reference": format!("Slot/{nine}")}],
        "participant": [{"actor": {"reference": format!("Patient/{ada}")}}, {"actor": {"reference": doctor}}],
    }});
    checks.check("an appointment is booked", output(&booked, &expected));
    checks.check("in two requests", statuses(&booked, &[200, 200]));
    let guarded = bed.passed().last().and_then(|one| one.sent_json().pointer("/entry/0/request/ifMatch").cloned());
    checks
        .check("its slot is taken only as it was seen", holds(guarded.is_some(), || "there is no ifMatch".to_owned()));
    checks.check("it is free no more", ids(done(&bed.call("listSlots", day.clone()).await)?, &[ten]));
    let again = bed.call("bookAppointment", wanted).await;
    checks.check("it cannot be booked twice", failed(&again, "fhir.slot-not-free").map(drop));
    race(bed, checks, ten, ada).await?;

    let id = text(&booked, "/id")?;
    let wrong = bed.call("cancelAppointment", json!({"id": id, "ifMatch": "another"})).await;
    checks.check("an appointment in another version is not cancelled", failed(&wrong, "fhir.conflict").map(drop));
    let cancelled = bed.call("cancelAppointment", json!({"id": id, "reason": {"text": "ill"}})).await;
    let expected = json!({"id": id, "appointment": {"status": "cancelled", "cancelationReason": {"text": "ill"}}, "slots": [{"id": nine}]});
    checks.check("an appointment is cancelled", output(&cancelled, &expected));
    let slot = bed.call("read", json!({"type": "Slot", "id": nine})).await;
    checks.check("and its slot is free again", output(&slot, &json!({"resource": {"status": "free"}})));
    let twice = bed.call("cancelAppointment", json!({"id": id})).await;
    checks.check("it is cancelled once", failed(&twice, "fhir.already-cancelled").map(drop));
    let unknown = bed.call("cancelAppointment", json!({"id": "00000000-0000-4000-8000-000000000000"})).await;
    checks.check("one that is not there is `fhir.not-found`", refused(&unknown, 404, "fhir.not-found", false));
    Ok(())
}

/// Two at once: whoever comes second, however late it notices, gets a failure with a code. (Which of the codes depends on
/// whether it read the slot before the other had taken it.)
async fn race(bed: &Bed, checks: &mut Checks, slot: &str, ada: &str) -> Checked {
    let wanted = || json!({"slot": slot, "patient": ada});
    let (one, other) = tokio::join!(bed.call("bookAppointment", wanted()), bed.call("bookAppointment", wanted()));
    let codes: Vec<&str> =
        [&one, &other].iter().map(|won| won.result.as_ref().map_or_else(|e| e.code(), |_| "done")).collect();
    let won = codes.iter().filter(|code| **code == "done").count();
    let lost = codes.iter().any(|code| ["fhir.conflict", "fhir.slot-not-free"].contains(code));
    checks.check("of two who book at once one gets it", holds(won == 1 && lost, || format!("{codes:?}")));
    // The same with a version that is old for certain.
    let current = bed.call("read", json!({"type": "Slot", "id": slot})).await;
    let resource = done(&current)?.get("resource").cloned().unwrap_or_default();
    let entry = json!([{"resource": resource, "request": {"method": "PUT", "url": format!("Slot/{slot}"), "ifMatch": "W/\"1\""}}]);
    let stale = bed.call("submitBundle", json!({"type": "transaction", "entry": entry})).await;
    checks.check("a transaction on an older version is `fhir.conflict`", refused(&stale, 412, "fhir.conflict", false));
    Ok(())
}

/// These slots and no others, in any order.
fn ids(output: &Value, expected: &[&String]) -> Checked {
    let slots = output.get("slots").and_then(Value::as_array).into_iter().flatten();
    let mut found: Vec<&str> = slots.filter_map(|slot| slot.get("id")?.as_str()).collect();
    let mut expected: Vec<&str> = expected.iter().map(|id| id.as_str()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    within(&json!({"more": false}), output)?;
    same(&json!(expected), &json!(found))
}
