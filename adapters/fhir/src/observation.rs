//! Posting one measurement or finding.

use portcullis_sdk::prelude::*;

use crate::{
    config::Config,
    errors::create_failure,
    forms::{is_date_time, is_instant, is_reference},
    patient::Identifier,
    resources::Observation,
    slots::ACCESS_TOKEN,
    stored::{self, Stored, id_of},
    structure,
    writing::WRITING,
};

pub(crate) const CREATE_OBSERVATION: Route<NewObservation, Json<Observation>> =
    Route::post("create-observation", "/Observation")
        .body_field("resource")
        .header_fields(&[("If-None-Exist", "ifNoneExist")])
        .error(create_failure)
        .slot(&ACCESS_TOKEN)
        .headers(WRITING)
        .describe("Creates an Observation.");

/// Posts an observation of a patient: what was measured, when, and one value.
#[operation(write, uses(CREATE_OBSERVATION))]
pub(crate) fn post_observation(cx: &Context<Config>, input: ObservationInput) -> Result<Stored, Error> {
    let if_none_exist =
        input.identifier.as_ref().map(|identifier| format!("identifier={}", in_query(&identifier.token())));
    let resource = observation(input)?;
    structure::check(&resource, "")?;
    let conditional = if_none_exist.is_some();
    let request = NewObservation { resource: Json::new(resource), if_none_exist };
    Ok(stored::created(&cx.send_response(&CREATE_OBSERVATION, &request)?, conditional)?)
}

/// The resource that the input stands for.
fn observation(input: ObservationInput) -> Result<Value, Error> {
    let patient = id_of("Patient", &input.patient, "/patient")?;
    let code = input.code.concept();
    let status = input.status.unwrap_or(ObservationStatus::Final);
    let mut resource = json!({
        "resourceType": "Observation",
        "status": status,
        "code": code,
        "subject": {"reference": (["Patient/", patient].concat())},
    });
    let mut put = |name: &str, value: Value| {
        if let Value::Object(members) = &mut resource {
            members.insert(name.to_owned(), value);
        }
    };
    if let Some(category) = input.category {
        let coding = json!({"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category});
        put("category", json!([{"coding": [coding]}]));
    }
    if let Some(identifier) = input.identifier {
        put("identifier", json!([identifier]));
    }
    if let Some(effective) = input.effective_date_time {
        if !is_date_time(&effective) {
            return structure::refuse("", "effectiveDateTime", "a time is as in `2026-11-21T09:30:00+01:00`");
        }
        put("effectiveDateTime", Value::String(effective));
    }
    if let Some(issued) = input.issued {
        if !is_instant(&issued) {
            return structure::refuse("", "issued", "a moment is as in `2026-11-21T09:30:00+01:00`");
        }
        put("issued", Value::String(issued));
    }
    for (name, reference) in [("encounter", input.encounter), ("performer", input.performer)] {
        let Some(reference) = reference else { continue };
        if !is_reference(&reference) {
            return structure::refuse("", name, "a reference is `Type/id` or a URL");
        }
        let reference = json!({ "reference": reference });
        put(name, if name == "performer" { json!([reference]) } else { reference });
    }
    if let Some(note) = input.note {
        put("note", json!([{ "text": note }]));
    }
    let mut values = 0;
    let given = [
        ("valueQuantity", input.value_quantity.map(|quantity| quantity.value())),
        ("valueString", input.value_string.map(Value::String)),
        ("valueCodeableConcept", input.value_codeable_concept.map(|code| code.concept())),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            values += 1;
            put(name, value);
        }
    }
    if values == 1 { Ok(resource) } else { structure::refuse("", "", "give one of the three values") }
}

/// Percent-encoded as a value of a query: what `If-None-Exist` holds is one.
fn in_query(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/|".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// One measurement or finding, with one value.
#[model]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(extend("oneOf" = [
    {"required": ["valueQuantity"]}, {"required": ["valueString"]}, {"required": ["valueCodeableConcept"]}
]))]
pub(crate) struct ObservationInput {
    /// Whose it is: the patient's id, or `Patient/` and the id.
    #[schema(length(min = 1, max = 128), sensitive, example = "Patient/f001")]
    patient: String,
    /// What was measured.
    code: Code,
    /// What it is: a measurement.
    value_quantity: Option<Quantity>,
    /// What it is, in words.
    #[schema(length(min = 1, max = 100_000), sensitive)]
    value_string: Option<String>,
    /// What it is, as a code.
    #[schema(sensitive)]
    value_codeable_concept: Option<Code>,
    /// How certain it is. By default `final`.
    status: Option<ObservationStatus>,
    /// Its kind.
    category: Option<Category>,
    /// When it was measured.
    #[schema(length(min = 4, max = 40), sensitive, example = "2026-11-21T09:30:00+01:00")]
    effective_date_time: Option<String>,
    /// When it was made known.
    #[schema(length(min = 20, max = 40))]
    issued: Option<String>,
    /// During which encounter, as a reference.
    #[schema(length(min = 1, max = 500))]
    encounter: Option<String>,
    /// Who measured it, as a reference.
    #[schema(length(min = 1, max = 500))]
    performer: Option<String>,
    /// A remark.
    #[schema(length(min = 1, max = 100_000), sensitive)]
    note: Option<String>,
    /// What the sender knows it by. It is then created once: where there is one with this identifier, that is returned.
    identifier: Option<Identifier>,
}

/// A code, or words, or both.
#[model]
#[serde(deny_unknown_fields)]
#[schema(extend("anyOf" = [{"required": ["code"]}, {"required": ["text"]}]))]
pub(crate) struct Code {
    /// The code system, as a URI.
    #[schema(length(min = 1, max = 500), example = "http://loinc.org")]
    system: Option<String>,
    /// The code.
    #[schema(pattern = r"^[^\s]+(\s[^\s]+)*$", length(max = 200), example = "8867-4")]
    code: Option<String>,
    /// What the code system calls it.
    #[schema(length(min = 1, max = 500), example = "Heart rate")]
    display: Option<String>,
    /// What the sender calls it.
    #[schema(length(min = 1, max = 2000))]
    text: Option<String>,
}

impl Code {
    /// As a CodeableConcept.
    pub(crate) fn concept(self) -> Value {
        let Self { system, code, display, text } = self;
        let mut concept = portcullis_sdk::Map::new();
        if let Some(code) = code {
            let mut coding = json!({ "code": code });
            for (name, value) in [("system", system), ("display", display)] {
                if let (Value::Object(coding), Some(value)) = (&mut coding, value) {
                    coding.insert(name.to_owned(), Value::String(value));
                }
            }
            concept.insert("coding".to_owned(), json!([coding]));
        }
        if let Some(text) = text {
            concept.insert("text".to_owned(), Value::String(text));
        }
        Value::Object(concept)
    }
}

/// A measurement.
#[model]
#[serde(deny_unknown_fields)]
#[schema(sensitive)]
pub(crate) struct Quantity {
    /// The number.
    #[schema(extend("type" = "number"), example = 72)]
    value: Value,
    /// The unit, for people.
    #[schema(length(min = 1, max = 100), example = "beats/minute")]
    unit: Option<String>,
    /// The unit's code in UCUM.
    #[schema(length(min = 1, max = 100), example = "/min")]
    code: Option<String>,
}

impl Quantity {
    fn value(self) -> Value {
        let Self { value, unit, code } = self;
        let mut quantity = json!({ "value": value });
        if let Value::Object(members) = &mut quantity {
            if let Some(unit) = unit {
                members.insert("unit".to_owned(), Value::String(unit));
            }
            if let Some(code) = code {
                members.insert("system".to_owned(), Value::from("http://unitsofmeasure.org"));
                members.insert("code".to_owned(), Value::String(code));
            }
        }
        quantity
    }
}

/// Value set `observation-status`.
#[model]
#[derive(Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ObservationStatus {
    Registered,
    Preliminary,
    Final,
    Amended,
    Corrected,
    Cancelled,
    EnteredInError,
    Unknown,
}

/// Code system `observation-category`.
#[model]
#[derive(Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Category {
    SocialHistory,
    VitalSigns,
    Imaging,
    Laboratory,
    Procedure,
    Survey,
    Exam,
    Therapy,
    Activity,
}

/// The request of a new Observation.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewObservation {
    resource: Json<Observation>,
    if_none_exist: Option<String>,
}
