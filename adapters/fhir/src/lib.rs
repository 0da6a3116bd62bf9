//! FHIR R4: any server's patients, observations, appointments and all other resources.
//!
//! Resources are JSON that is passed on as it is, checked by FHIR's rules for JSON before it is sent. Member names are
//! FHIR's own, so that its specification applies (<https://hl7.org/fhir/R4/>). What can delete is `destructive`: a Bundle
//! may hold any request, and a cancelled appointment is lost to its patient.

mod bundle;
mod config;
mod errors;
mod forms;
mod observation;
mod patient;
mod reading;
mod resources;
mod scheduling;
mod scheduling_types;
mod searching;
mod slots;
mod stored;
mod structure;
mod writing;

#[cfg(test)]
mod tests;

use bundle::submit_bundle;
use config::Config;
use observation::post_observation;
use patient::find_patient;
use reading::{get_capabilities, read};
use scheduling::{book_appointment, cancel_appointment, list_slots};
use searching::search;
use writing::{create, update};

portcullis_sdk::register!(
    config: Config,
    base: |config| config.base(),
    oauth: slots::server,
    success: errors::is_success,
    error: errors::failure,
    operations: [
        get_capabilities,
        read,
        search,
        create,
        update,
        submit_bundle,
        find_patient,
        post_observation,
        list_slots,
        book_appointment,
        cancel_appointment,
    ],
);
