//! What resources look like, for schemas, mocks and readers. Resources are passed on as they are (`Json`), so nothing here
//! limits what a server may send: members without a type take anything, and members that are not listed stay.

use portcullis_sdk::prelude::*;

/// Any resource of FHIR R4, in FHIR's JSON.
#[model]
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resource {
    /// Its type.
    #[schema(pattern = "^[A-Z][A-Za-z]{0,63}$", example = "Patient")]
    resource_type: String,
    /// Its id on the server.
    #[schema(extend("examples" = ["example", "f001", "pat1", "p-1042"]))]
    id: Option<Value>,
    /// Its version and when it was last changed.
    #[schema(extend("examples" = [
        {"versionId": "1", "lastUpdated": "2026-03-14T08:15:30.000Z"},
        {"versionId": "4", "lastUpdated": "2026-09-02T16:40:05.000Z"}
    ]))]
    meta: Option<Value>,
}

/// A person who is or was treated (<https://hl7.org/fhir/R4/patient.html>).
#[model]
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Patient {
    /// `Patient`.
    #[schema(extend("const" = "Patient"))]
    resource_type: String,
    /// Its id on the server.
    #[schema(extend("examples" = ["example", "f001", "pat1", "p-1042"]))]
    id: Option<Value>,
    /// Its version and when it was last changed.
    #[schema(extend("examples" = [
        {"versionId": "1", "lastUpdated": "2026-03-14T08:15:30.000Z"},
        {"versionId": "4", "lastUpdated": "2026-09-02T16:40:05.000Z"}
    ]))]
    meta: Option<Value>,
    /// What others know the patient by, such as a medical record number.
    #[schema(extend("examples" = [
        [{"use": "usual", "system": "urn:oid:1.2.36.146.595.217.0.1", "value": "12345"}],
        [{"use": "official", "system": "https://clinic.example.org/mrn", "value": "MRN-88123"}]
    ]))]
    identifier: Option<Value>,
    /// Whether the record is in use.
    #[schema(extend("examples" = [true]))]
    active: Option<Value>,
    /// Names.
    #[schema(extend("examples" = [
        [{"use": "official", "family": "Chalmers", "given": ["Peter", "James"]}],
        [{"use": "official", "family": "Levin", "given": ["Henry"]}],
        [{"use": "usual", "family": "Notsowell", "given": ["Simone"]}]
    ]))]
    name: Option<Value>,
    /// `male`, `female`, `other` or `unknown`.
    #[schema(extend("examples" = ["female", "male", "other", "unknown"]))]
    gender: Option<Value>,
    /// Date of birth.
    #[schema(extend("examples" = ["1974-12-25", "1932-09-24", "2003-05"]))]
    birth_date: Option<Value>,
}

/// A stretch of time that can be booked (<https://hl7.org/fhir/R4/slot.html>).
#[model]
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Slot {
    /// `Slot`.
    #[schema(extend("const" = "Slot"))]
    resource_type: String,
    /// Its id on the server.
    #[schema(extend("examples" = ["slot-0915", "slot-0930", "example"]))]
    id: Option<Value>,
    /// Its version and when it was last changed.
    #[schema(extend("examples" = [
        {"versionId": "1", "lastUpdated": "2026-03-14T08:15:30.000Z"},
        {"versionId": "2", "lastUpdated": "2026-09-02T16:40:05.000Z"}
    ]))]
    meta: Option<Value>,
    /// Whose time it is.
    #[schema(extend("examples" = [{"reference": "Schedule/example"}, {"reference": "Schedule/exampleloc1"}]))]
    schedule: Option<Value>,
    /// `free`, `busy`, `busy-unavailable`, `busy-tentative` or `entered-in-error`.
    #[schema(extend("examples" = ["free"]))]
    status: Option<Value>,
    /// When it starts.
    #[schema(extend("examples" = ["2027-01-11T09:15:00Z"]))]
    start: Option<Value>,
    /// When it ends.
    #[schema(extend("examples" = ["2027-01-11T09:30:00Z", "2027-01-11T09:45:00Z"]))]
    end: Option<Value>,
}

/// A booking of a service for a patient (<https://hl7.org/fhir/R4/appointment.html>).
#[model]
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Appointment {
    /// `Appointment`.
    #[schema(extend("const" = "Appointment"))]
    resource_type: String,
    /// Its id on the server.
    #[schema(extend("examples" = ["example", "2docs", "a-7731"]))]
    id: Option<Value>,
    /// Its version and when it was last changed.
    #[schema(extend("examples" = [
        {"versionId": "1", "lastUpdated": "2026-03-14T08:15:30.000Z"},
        {"versionId": "2", "lastUpdated": "2026-09-02T16:40:05.000Z"}
    ]))]
    meta: Option<Value>,
    /// `booked`, `cancelled`, `fulfilled` and so on (value set `appointmentstatus`).
    #[schema(extend("examples" = ["booked"]))]
    status: Option<Value>,
    /// The slots that it takes.
    #[schema(extend("examples" = [[{"reference": "Slot/slot-0915"}], [{"reference": "Slot/example"}]]))]
    slot: Option<Value>,
    /// When it starts.
    #[schema(extend("examples" = ["2027-01-11T09:15:00Z"]))]
    start: Option<Value>,
    /// When it ends.
    #[schema(extend("examples" = ["2027-01-11T09:30:00Z", "2027-01-11T09:45:00Z"]))]
    end: Option<Value>,
    /// Who takes part, and whether they said so.
    #[schema(extend("examples" = [
        [{"actor": {"reference": "Patient/example"}, "status": "accepted"}],
        [{"actor": {"reference": "Patient/f001"}, "status": "accepted"},
         {"actor": {"reference": "Practitioner/f204"}, "status": "accepted"}]
    ]))]
    participant: Option<Value>,
}

/// A measurement or a finding (<https://hl7.org/fhir/R4/observation.html>).
#[model]
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Observation {
    /// `Observation`.
    #[schema(extend("const" = "Observation"))]
    resource_type: String,
    /// Its id on the server.
    #[schema(extend("examples" = ["f001", "bmi", "o-20391"]))]
    id: Option<Value>,
    /// Its version and when it was last changed.
    #[schema(extend("examples" = [{"versionId": "1", "lastUpdated": "2026-03-14T08:15:30.000Z"}]))]
    meta: Option<Value>,
    /// How certain it is.
    #[schema(extend("examples" = ["final"]))]
    status: Option<Value>,
    /// What was measured.
    #[schema(extend("examples" = [
        {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]},
        {"coding": [{"system": "http://loinc.org", "code": "29463-7", "display": "Body weight"}]}
    ]))]
    code: Option<Value>,
    /// Whose it is.
    #[schema(extend("examples" = [{"reference": "Patient/example"}]))]
    subject: Option<Value>,
}

/// What a server can do (<https://hl7.org/fhir/R4/capabilitystatement.html>).
#[model]
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CapabilityStatement {
    /// `CapabilityStatement`.
    #[schema(extend("const" = "CapabilityStatement"))]
    resource_type: String,
    /// Whether it is in use.
    #[schema(extend("examples" = ["active"]))]
    status: Option<Value>,
    /// The server's software.
    #[schema(extend("examples" = [
        {"name": "Example FHIR Server", "version": "7.2.0"},
        {"name": "Clinic EHR", "version": "2026.3"}
    ]))]
    software: Option<Value>,
    /// The version of FHIR.
    #[schema(extend("examples" = ["4.0.1"]))]
    fhir_version: Option<Value>,
    /// The formats that the server reads and writes.
    #[schema(extend("examples" = [["application/fhir+json", "application/fhir+xml"], ["json"]]))]
    format: Option<Value>,
    /// What can be done, by resource type.
    #[schema(extend("examples" = [[{
        "mode": "server",
        "interaction": [{"code": "batch"}, {"code": "transaction"}],
        "resource": [
            {
                "type": "Patient",
                "interaction": [{"code": "read"}, {"code": "search-type"}],
                "versioning": "versioned",
                "searchParam": [{"name": "identifier", "type": "token"}, {"name": "birthdate", "type": "date"}]
            },
            {
                "type": "Observation",
                "interaction": [{"code": "read"}, {"code": "create"}, {"code": "search-type"}],
                "versioning": "versioned",
                "conditionalCreate": true
            }
        ]
    }]]))]
    rest: Option<Value>,
}
