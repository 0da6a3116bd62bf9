//! What must hold for a resource before it is sent: FHIR's rules for JSON (<https://hl7.org/fhir/R4/json.html>), and what
//! the types need that this adapter writes itself.
//!
//! It is no validator. It knows no profiles and few types; it finds what no server can take, before data about a person
//! leaves for nothing. A refusal names the place and never the value.

use portcullis_sdk::{Map, prelude::*};

use crate::forms::{is_date, is_date_time, is_id, is_reference, is_type};

/// Checks a resource that stands at `pointer` in the input, and all that it contains. Returns its type.
pub(crate) fn check<'r>(resource: &'r Value, pointer: &str) -> Result<&'r str, Error> {
    let at = At { above: None, step: Step::Start(pointer) };
    let kind = check_head(resource, &at)?;
    check_value(resource, &at)?;
    required(kind, resource, &at)?;
    Ok(kind)
}

/// Refuses the place, with one more step; without a step the place itself.
pub(crate) fn refuse<T>(pointer: &str, step: &str, message: impl Into<String>) -> Result<T, Error> {
    let start = At { above: None, step: Step::Start(pointer) };
    if step.is_empty() { start.refuse(message) } else { start.member(step).refuse(message) }
}

/// A place, from the inside out: resources have thousands, and a pointer is written for the one that is refused alone.
struct At<'a> {
    above: Option<&'a At<'a>>,
    step: Step<'a>,
}

enum Step<'a> {
    Start(&'a str),
    Member(&'a str),
    Item(usize),
}

impl At<'_> {
    fn member<'a>(&'a self, name: &'a str) -> At<'a> {
        At { above: Some(self), step: Step::Member(name) }
    }

    fn item(&self, index: usize) -> At<'_> {
        At { above: Some(self), step: Step::Item(index) }
    }

    fn refuse<T>(&self, message: impl Into<String>) -> Result<T, Error> {
        Err(Error::invalid_input(self.pointer(), message))
    }

    fn pointer(&self) -> String {
        let above = self.above.map(At::pointer).unwrap_or_default();
        match self.step {
            Step::Start(pointer) => pointer.to_owned(),
            Step::Member(name) => [&above, "/", &name.replace('~', "~0").replace('/', "~1")].concat(),
            Step::Item(index) => format!("{above}/{index}"),
        }
    }
}

fn check_head<'r>(resource: &'r Value, at: &At) -> Result<&'r str, Error> {
    if !resource.is_object() {
        return at.refuse("a resource is a JSON object");
    }
    let kind = match resource.get("resourceType") {
        Some(Value::String(kind)) if is_type(kind) => kind.as_str(),
        _ => return at.member("resourceType").refuse("write the resource's type here, as in `Patient`"),
    };
    match resource.get("id") {
        None => {}
        Some(Value::String(id)) if is_id(id) => {}
        _ => return at.member("id").refuse("an id is 1 to 64 letters, digits, `-` and `.`"),
    }
    Ok(kind)
}

/// Goes through all members.
fn check_value(value: &Value, at: &At) -> Result<(), Error> {
    match value {
        Value::Object(members) if members.is_empty() => at.refuse("FHIR knows no empty objects; leave it out"),
        Value::Object(members) => {
            if members.contains_key("resourceType") {
                check_head(value, at)?;
            }
            for (name, member) in members {
                let here = at.member(name);
                check_member(name, member, members, &here)?;
                check_value(member, &here)?;
            }
            Ok(())
        }
        Value::Array(items) if items.is_empty() => at.refuse("FHIR knows no empty lists; leave it out"),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                // A null in a list was judged with its member.
                if !item.is_null() {
                    check_value(item, &at.item(index))?;
                }
            }
            Ok(())
        }
        Value::String(text) if text.is_empty() => at.refuse("FHIR knows no empty texts; leave it out"),
        _ => Ok(()),
    }
}

/// A member by its name: nulls, and the forms of what always has the same.
fn check_member(name: &str, member: &Value, beside: &Map, at: &At) -> Result<(), Error> {
    match member {
        Value::Null => at.refuse("FHIR knows no null; leave it out"),
        Value::Array(items) if items.iter().any(Value::is_null) => {
            // `given: [null, "b"]` is right where `_given` has something for the first.
            let twin = name.strip_prefix('_').map_or_else(|| format!("_{name}"), str::to_owned);
            let other = |index: usize| {
                beside.get(&twin).and_then(|twin| twin.as_array()?.get(index)).filter(|other| !other.is_null())
            };
            let lonely = items.iter().enumerate().find(|(index, item)| item.is_null() && other(*index).is_none());
            match lonely {
                None => Ok(()),
                Some((index, _)) => at.item(index).refuse(format!("a null in a list needs its other half in `{twin}`")),
            }
        }
        Value::String(text) if name == "reference" && !is_reference(text) => {
            at.refuse("a reference is `Type/id`, a URL, `urn:uuid:…` or `#id`")
        }
        Value::String(text) if name == "birthDate" && !is_date(text) => {
            at.refuse("a date is `2026`, `2026-11` or `2026-11-21`")
        }
        Value::String(text) if is_time(name) && !is_date_time(text) => {
            at.refuse("a time is as in `2026-11-21` or `2026-11-21T09:30:00+01:00`: with seconds and a zone")
        }
        _ => Ok(()),
    }
}

/// Members that are dates or times wherever they occur in R4.
fn is_time(name: &str) -> bool {
    name.ends_with("DateTime")
        || matches!(name, "authoredOn" | "birthDate" | "issued" | "lastUpdated" | "recordedDate" | "start" | "end")
}

/// What R4 demands of the types that this adapter has operations for.
fn required(kind: &str, resource: &Value, at: &At) -> Result<(), Error> {
    let one_of = |name: &str, codes: &[&str]| match resource.get(name) {
        Some(Value::String(code)) if codes.contains(&code.as_str()) => Ok(()),
        _ => at.member(name).refuse(format!("{kind} needs it: one of {}", codes.join(", "))),
    };
    let there = |name: &str| match resource.get(name) {
        Some(_) => Ok(()),
        None => at.member(name).refuse(format!("{kind} needs it")),
    };
    match kind {
        "Observation" => {
            one_of("status", OBSERVATION_STATUS)?;
            there("code")?;
            let mut values = resource.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("value"));
            let value = values.next();
            if let Some((second, _)) = values.next() {
                return at.member(second).refuse("an Observation has one value");
            }
            if value.is_some() && resource.get("dataAbsentReason").is_some() {
                let message = "an Observation has a value or a reason why there is none";
                return at.member("dataAbsentReason").refuse(message);
            }
            Ok(())
        }
        "Appointment" => {
            one_of("status", APPOINTMENT_STATUS)?;
            participants(resource, at)?;
            let status = resource.get("status").and_then(Value::as_str).unwrap_or_default();
            let may_be_open = matches!(status, "proposed" | "cancelled" | "waitlist");
            match (resource.get("start").is_some(), resource.get("end").is_some()) {
                (true, true) => Ok(()),
                (false, false) if may_be_open => Ok(()),
                (true, _) => at.member("end").refuse("an Appointment has both start and end"),
                _ => at.member("start").refuse("it is needed but where proposed, cancelled or waiting"),
            }
        }
        "Slot" => {
            one_of("status", SLOT_STATUS)?;
            ["schedule", "start", "end"].into_iter().try_for_each(there)
        }
        "Bundle" => there("type"),
        _ => Ok(()),
    }
}

fn participants(appointment: &Value, at: &At) -> Result<(), Error> {
    let at = at.member("participant");
    let participants = appointment.get("participant").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if participants.is_empty() {
        return at.refuse("Appointment needs at least one");
    }
    for (index, participant) in participants.iter().enumerate() {
        let here = at.item(index);
        if participant.get("status").is_none() {
            return here.member("status").refuse("a participant needs it: accepted, declined, tentative, needs-action");
        }
        if participant.get("actor").is_none() && participant.get("type").is_none() {
            return here.member("actor").refuse("say who participates, or of which type");
        }
    }
    Ok(())
}

/// Value set `observation-status`.
pub(crate) const OBSERVATION_STATUS: &[&str] =
    &["registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"];
/// Value set `appointmentstatus`.
const APPOINTMENT_STATUS: &[&str] = &[
    "proposed",
    "pending",
    "booked",
    "arrived",
    "fulfilled",
    "cancelled",
    "noshow",
    "entered-in-error",
    "checked-in",
    "waitlist",
];
/// Value set `slotstatus`.
const SLOT_STATUS: &[&str] = &["busy", "free", "busy-unavailable", "busy-tentative", "entered-in-error"];

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(resource: Value) -> String {
        match check(&resource, "/resource").unwrap_err() {
            Error::InvalidInput { pointer, message } => {
                assert!(!message.contains("Chalmers"), "{message}");
                pointer.strip_prefix("/resource").unwrap().to_owned()
            }
            other => panic!("{other}"),
        }
    }

    fn patient(members: Value) -> Value {
        let mut patient = json!({"resourceType": "Patient"});
        patient.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        patient
    }

    #[test]
    fn what_is_no_resource_is_refused() {
        assert_eq!(refused(json!([])), "");
        assert_eq!(refused(json!({"active": true})), "/resourceType");
        assert_eq!(refused(json!({"resourceType": "patient"})), "/resourceType");
        assert_eq!(refused(patient(json!({"id": "a_b"}))), "/id");
        assert_eq!(
            refused(patient(json!({"contained": [{"resourceType": "Organization", "id": "a_b"}]}))),
            "/contained/0/id"
        );
    }

    #[test]
    fn fhir_knows_no_nulls_and_nothing_empty() {
        assert_eq!(refused(patient(json!({"active": null}))), "/active");
        assert_eq!(refused(patient(json!({"name": []}))), "/name");
        assert_eq!(refused(patient(json!({"name": [{}]}))), "/name/0");
        assert_eq!(refused(patient(json!({"name": [{"family": ""}]}))), "/name/0/family");
        assert_eq!(refused(patient(json!({"a/b~c": ""}))), "/a~1b~0c");
        assert_eq!(refused(patient(json!({"name": [{"given": [null, "Chalmers"]}]}))), "/name/0/given/0");
        assert_eq!(
            refused(patient(json!({"name": [{"given": ["x", null], "_given": [{"id": "1"}]}]}))),
            "/name/0/given/1"
        );
        let twins = json!({"name": [{"given": [null, "Peter"], "_given": [{"id": "1"}, null]}]});
        assert_eq!(check(&patient(twins), "").unwrap(), "Patient");
    }

    #[test]
    fn dates_and_references_have_their_form() {
        assert_eq!(refused(patient(json!({"birthDate": "25.12.1974 Chalmers"}))), "/birthDate");
        assert_eq!(refused(patient(json!({"deceasedDateTime": "2026-11-21T09:30"}))), "/deceasedDateTime");
        assert_eq!(refused(patient(json!({"meta": {"lastUpdated": "now"}}))), "/meta/lastUpdated");
        let link = json!({"managingOrganization": {"reference": "Chalmers"}});
        assert_eq!(refused(patient(link)), "/managingOrganization/reference");
    }

    #[test]
    fn an_observation_has_a_status_a_code_and_at_most_one_value() {
        let observation = |members: Value| {
            let mut all = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}});
            all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            all
        };
        assert!(check(&observation(json!({"valueString": "x"})), "").is_ok());
        assert_eq!(refused(json!({"resourceType": "Observation", "code": {"text": "x"}})), "/status");
        assert_eq!(refused(observation(json!({"status": "done"}))), "/status");
        assert_eq!(refused(json!({"resourceType": "Observation", "status": "final"})), "/code");
        assert_eq!(refused(observation(json!({"valueString": "x", "valueInteger": 1}))), "/valueString");
        let both = json!({"valueString": "x", "dataAbsentReason": {"text": "x"}});
        assert_eq!(refused(observation(both)), "/dataAbsentReason");
    }

    #[test]
    fn an_appointment_has_participants_and_a_time_and_a_slot_its_own() {
        let appointment = |change: fn(&mut Map)| {
            let mut all = json!({"resourceType": "Appointment", "status": "booked", "start": "2027-01-11T09:00:00Z",
                "end": "2027-01-11T09:30:00Z", "participant": [{"actor": {"reference": "Patient/7"}, "status": "accepted"}]});
            change(all.as_object_mut().unwrap());
            all
        };
        assert!(check(&appointment(|_| {}), "").is_ok());
        assert_eq!(refused(appointment(|all| drop(all.remove("participant")))), "/participant");
        assert_eq!(
            refused(appointment(|all| drop(
                all.insert("participant".to_owned(), json!([{"actor": {"reference": "Patient/7"}}]))
            ))),
            "/participant/0/status"
        );
        assert_eq!(
            refused(appointment(|all| drop(all.insert("participant".to_owned(), json!([{"status": "accepted"}]))))),
            "/participant/0/actor"
        );
        assert_eq!(refused(appointment(|all| drop(all.remove("end")))), "/end");
        assert_eq!(refused(appointment(|all| drop(all.remove("start")))), "/start");
        let open = appointment(|all| {
            all.remove("start");
            all.remove("end");
            drop(all.insert("status".to_owned(), json!("proposed")));
        });
        assert!(check(&open, "").is_ok());
        assert_eq!(
            refused(json!({"resourceType": "Slot", "status": "free", "start": "2027-01-11T09:00:00Z"})),
            "/schedule"
        );
        assert_eq!(refused(json!({"resourceType": "Bundle"})), "/type");
    }
}
