//! Inputs, outputs and requests of scheduling.

use portcullis_sdk::{paging::Reason, prelude::*};

use crate::{
    errors::Issue,
    observation::Code,
    resources::{Appointment, Slot},
};

/// Which slots.
#[model]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SlotInput {
    /// Of this schedule: its id, or `Schedule/` and the id.
    #[schema(length(min = 1, max = 128), example = "Schedule/example")]
    pub(crate) schedule: Option<String>,
    /// That start then or later.
    #[schema(length(min = 20, max = 40), example = "2027-01-11T00:00:00Z")]
    pub(crate) from: Option<String>,
    /// That start earlier than this.
    #[schema(length(min = 20, max = 40), example = "2027-01-18T00:00:00Z")]
    pub(crate) until: Option<String>,
    /// In this state. By default `free`.
    pub(crate) status: Option<SlotStatus>,
    /// For this service, as `code` or `system|code`.
    #[schema(length(min = 1, max = 500))]
    pub(crate) service_type: Option<String>,
    /// Most slots in all. By default 50.
    #[schema(range(min = 1, max = 500), example = 50)]
    pub(crate) limit: Option<u32>,
}

/// Value set `slotstatus`.
#[model]
#[derive(Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SlotStatus {
    Free,
    Busy,
    BusyUnavailable,
    BusyTentative,
    EnteredInError,
}

impl SlotStatus {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Busy => "busy",
            Self::BusyUnavailable => "busy-unavailable",
            Self::BusyTentative => "busy-tentative",
            Self::EnteredInError => "entered-in-error",
        }
    }
}

/// Slots that were found.
#[model]
pub(crate) struct SlotOutput {
    /// How many there are in all, where the server says so.
    #[schema(example = 1)]
    pub(crate) total: Option<u64>,
    /// Whether there are more than were read.
    #[schema(example = false)]
    pub(crate) more: bool,
    /// Why not all of them were read, where a later page failed or there were too many pages.
    pub(crate) reason: Option<Reason>,
    /// The slots.
    pub(crate) slots: Vec<Json<Slot>>,
    /// What the server has to say about the search.
    pub(crate) warnings: Vec<Issue>,
}

/// What is booked.
#[model]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct BookInput {
    /// The slot: its id, or `Slot/` and the id.
    #[schema(length(min = 1, max = 128), example = "Slot/slot-0915")]
    pub(crate) slot: String,
    /// For whom: the patient's id, or `Patient/` and the id.
    #[schema(length(min = 1, max = 128), sensitive, example = "Patient/f001")]
    pub(crate) patient: String,
    /// Who else takes part, such as `Practitioner/f204` or `Location/1`.
    #[schema(length(min = 1, max = 20), extend("examples" = [["Practitioner/f204"]]))]
    pub(crate) participants: Option<Vec<String>>,
    /// Why the appointment is made.
    #[schema(sensitive)]
    pub(crate) reason: Option<Code>,
    /// What it says in a list of appointments.
    #[schema(length(min = 1, max = 2000), sensitive)]
    pub(crate) description: Option<String>,
    /// More about it.
    #[schema(length(min = 1, max = 100_000), sensitive)]
    pub(crate) comment: Option<String>,
}

/// What is cancelled.
#[model]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CancelInput {
    /// The appointment's id, or `Appointment/` and the id.
    #[schema(length(min = 1, max = 128), example = "Appointment/a-7731")]
    pub(crate) id: String,
    /// Why.
    #[schema(sensitive)]
    pub(crate) reason: Option<Code>,
    /// The version that was read: where the appointment has another by now, nothing is changed (`fhir.conflict`).
    #[schema(pattern = r"^[A-Za-z0-9\-.]{1,64}$")]
    pub(crate) if_match: Option<String>,
    /// Leave the slots as they are. By default those that are busy become free.
    pub(crate) keep_slots: Option<bool>,
}

/// An appointment that was booked or cancelled.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppointmentOutput {
    /// Its id.
    #[schema(example = "a-7731")]
    pub(crate) id: Option<String>,
    /// Its version.
    #[schema(example = "1")]
    pub(crate) version_id: Option<String>,
    /// The appointment; none where the server does not return it.
    #[schema(sensitive)]
    pub(crate) appointment: Option<Json<Appointment>>,
    /// The slots that changed with it.
    pub(crate) slots: Vec<SlotChange>,
}

/// A slot that was taken or freed.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlotChange {
    /// Its id.
    #[schema(example = "slot-0915")]
    pub(crate) id: String,
    /// Its version now.
    #[schema(example = "2")]
    pub(crate) version_id: Option<String>,
}

/// The parameters of a search of slots.
#[model]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SlotQuery {
    pub(crate) schedule: Option<String>,
    pub(crate) start: Vec<String>,
    // Text, so that the gate lets the server's own way of writing it pass in further pages.
    pub(crate) status: String,
    pub(crate) service_type: Option<String>,
    #[serde(rename = "_count")]
    pub(crate) count: String,
}

/// One resource by its id.
#[model]
pub(crate) struct ById {
    pub(crate) id: String,
}

/// An appointment with a change.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangedAppointment {
    pub(crate) id: String,
    pub(crate) resource: Json<Appointment>,
    pub(crate) if_match: Option<String>,
}

/// A Bundle of slots.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlotSet {
    #[schema(extend("const" = "Bundle"))]
    resource_type: String,
    #[schema(extend("examples" = ["searchset"]))]
    r#type: Option<Value>,
    #[schema(extend("examples" = [1]))]
    total: Option<Value>,
    #[schema(extend("examples" = [[{"relation": "self", "url": "https://fhir.example.org/r4/Slot?status=free"}]]))]
    link: Option<Value>,
    entry: Option<Vec<SlotEntry>>,
}

/// One slot that was found.
#[model]
pub(crate) struct SlotEntry {
    resource: Slot,
    #[schema(extend("examples" = [{"mode": "match"}]))]
    search: Option<Value>,
}

/// What a booking is answered with.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct Booked {
    #[schema(extend("const" = "Bundle"))]
    resource_type: String,
    #[schema(extend("examples" = ["transaction-response"]))]
    r#type: Option<Value>,
    #[schema(extend("examples" = [
        [
            {"response": {"status": "200 OK", "location": "Slot/slot-0915/_history/3", "etag": "W/\"3\""}},
            {"response": {"status": "201 Created", "location": "Appointment/a-7731/_history/1", "etag": "W/\"1\""}}
        ],
        [
            {"response": {"status": "200 OK", "location": "Slot/slot-0930/_history/2", "etag": "W/\"2\""}},
            {"response": {"status": "201 Created", "location": "Appointment/a-8015/_history/1", "etag": "W/\"1\""}}
        ],
        [
            {"response": {"status": "200 OK", "location": "Slot/example/_history/5", "etag": "W/\"5\""}},
            {"response": {"status": "201 Created", "location": "Appointment/a-8230/_history/1", "etag": "W/\"1\""}}
        ]
    ]))]
    entry: Option<Value>,
}

/// What a cancelling is answered with.
#[model]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cancelled {
    #[schema(extend("const" = "Bundle"))]
    resource_type: String,
    #[schema(extend("examples" = ["transaction-response"]))]
    r#type: Option<Value>,
    #[schema(extend("examples" = [
        [
            {"response": {"status": "200 OK", "location": "Appointment/a-7731/_history/2", "etag": "W/\"2\""}},
            {"response": {"status": "200 OK", "location": "Slot/slot-0915/_history/4", "etag": "W/\"4\""}}
        ],
        [
            {"response": {"status": "200 OK", "location": "Appointment/a-8015/_history/3", "etag": "W/\"3\""}},
            {"response": {"status": "200 OK", "location": "Slot/slot-0930/_history/5", "etag": "W/\"5\""}}
        ]
    ]))]
    entry: Option<Value>,
}
