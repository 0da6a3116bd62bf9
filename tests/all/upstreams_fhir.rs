//! FHIR servers that misbehave: each form of error, next links that lead astray, and answers that are none. And sandbox
//! mode, in which there is no server at all.

use std::net::SocketAddr;

use portcullis_runtime::{Integration, Outcome};
use portcullis_tests::upstream::{Answer, Received};
use serde_json::{Value, json};

use crate::{
    harness::{Case, call, secret},
    upstreams::{self, Expected, IMPATIENT, Manner, hold, manners},
};

/// An integration with all that the adapter asks for.
async fn integrated(case: &Case, address: SocketAddr, limits: &str) -> Integration {
    let config = json!({ "baseUrl": format!("http://{address}/fhir") });
    upstreams::integrated(case, "fhir", config, Some(address), limits).await
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "7", "name": [{"family": "Chalmers"}]})
}

fn one_of_each() -> Vec<(&'static str, Value)> {
    let quantity = json!({"value": 72, "unit": "beats/minute"});
    let delete = json!([{"request": {"method": "DELETE", "url": "Patient/7"}}]);
    vec![
        ("getCapabilities", json!({})),
        ("read", json!({"type": "Patient", "id": "7"})),
        ("search", json!({"type": "Patient", "parameters": {"family": "Chalmers"}})),
        ("create", json!({"resource": patient()})),
        ("update", json!({"resource": patient(), "ifMatch": "1"})),
        ("submitBundle", json!({"type": "batch", "entry": delete})),
        ("findPatient", json!({"identifier": {"system": "urn:x", "value": "7"}})),
        ("postObservation", json!({"patient": "7", "code": {"text": "Pulse"}, "valueQuantity": quantity})),
        ("listSlots", json!({"schedule": "1"})),
        ("bookAppointment", json!({"slot": "1", "patient": "7"})),
        ("cancelAppointment", json!({"id": "1", "reason": {"text": "ill"}})),
    ]
}

fn fails(name: &'static str, status: &str, body: &Value, code: &'static str) -> Manner {
    let head = format!("{status}\r\ncontent-type: application/fhir+json\r\nretry-after: 2");
    Manner::answer(name, &head, body.to_string(), Expected::Failure(code, Some(2_000)))
}

/// An OperationOutcome with one issue.
fn outcome(severity: &str, code: &str) -> Value {
    let issue = json!({"severity": severity, "code": code, "diagnostics": "because", "expression": ["Patient.name"]});
    json!({"resourceType": "OperationOutcome", "issue": [issue]})
}

/// What every adapter is held to. Some statuses have a meaning in FHIR, whoever sends them.
fn in_fhir() -> Vec<Manner> {
    let mine = |name: &str| name.starts_with("slow down") || name == "an HTML page of a firewall";
    let mut all: Vec<Manner> = manners().into_iter().filter(|manner| !mine(manner.name)).collect();
    let page = "403 Forbidden\r\ncontent-type: text/html";
    let seconds = "429 Too Many Requests\r\nretry-after: 7";
    let date =
        "429 Too Many Requests\r\nretry-after: Sat, 21 Nov 2026 10:01:30 GMT\r\ndate: Sat, 21 Nov 2026 10:00:00 GMT";
    let later = |ms| Expected::Failure("fhir.throttled", ms);
    all.extend([
        Manner::answer("a firewall", page, "<h1>No</h1>", Expected::Failure("fhir.forbidden", None)),
        Manner::answer("slow down, in seconds", seconds, "", later(Some(7_000))),
        Manner::answer("slow down, as a date", date, "", later(Some(90_000))),
    ]);
    all
}

#[tokio::test]
async fn whatever_a_fhir_server_does_ends_as_a_typed_error() {
    let case = Case::new().await;
    let operations: Vec<_> = one_of_each()
        .into_iter()
        .filter(|(name, _)| ["read", "search", "create", "submitBundle"].contains(name))
        .collect();
    hold(&case, &in_fhir(), &operations, |address| integrated(&case, address, IMPATIENT)).await;
}

#[tokio::test]
async fn each_form_of_error_has_its_code() {
    let case = Case::new().await;
    let bare = json!(null);
    let several = json!({"resourceType": "OperationOutcome", "issue": [
        {"severity": "warning", "code": "informational"}, {"severity": "fatal", "code": "not-found"},
    ]});
    let errors = [
        fails("no token", "401 Unauthorized", &outcome("error", "login"), "fhir.login"),
        fails("no token, and no words", "401 Unauthorized", &bare, "fhir.login"),
        fails("not allowed", "403 Forbidden", &outcome("error", "forbidden"), "fhir.forbidden"),
        fails("not there", "404 Not Found", &outcome("error", "not-found"), "fhir.not-found"),
        fails("not there, in vague words", "404 Not Found", &outcome("error", "processing"), "fhir.not-found"),
        fails("deleted", "410 Gone", &outcome("error", "deleted"), "fhir.deleted"),
        fails("deleted, and no words", "410 Gone", &bare, "fhir.deleted"),
        fails("an edit conflict", "409 Conflict", &bare, "fhir.conflict"),
        fails("too large", "413 Content Too Large", &bare, "fhir.too-long"),
        fails(
            "not as the profile wants",
            "422 Unprocessable Content",
            &outcome("error", "invariant"),
            "fhir.invariant",
        ),
        fails("not valid", "422 Unprocessable Content", &outcome("error", "invalid"), "fhir.invalid"),
        fails("not as anybody wants", "422 Unprocessable Content", &bare, "fhir.business-rule"),
        fails("bad syntax", "400 Bad Request", &outcome("fatal", "structure"), "fhir.structure"),
        fails("a crash", "500 Internal Server Error", &outcome("fatal", "exception"), "fhir.exception"),
        fails("overload", "503 Service Unavailable", &outcome("error", "throttled"), "fhir.throttled"),
        fails("a lock", "423 Locked", &outcome("error", "lock-error"), "fhir.lock-error"),
        fails("the worst counts", "400 Bad Request", &several, "fhir.not-found"),
        fails("a success with an error in it", "200 OK", &outcome("error", "timeout"), "fhir.timeout"),
        fails("an outcome without issues", "400 Bad Request", &json!({"resourceType": "OperationOutcome"}), "http.400"),
        fails("somebody else's form", "400 Bad Request", &json!({"error": "nope"}), "http.400"),
        fails("a code that is none", "400 Bad Request", &outcome("error", "My Code!"), "fhir.unknown"),
    ];
    let operations: Vec<_> = one_of_each().into_iter().filter(|(name, _)| *name != "getCapabilities").collect();
    hold(&case, &errors[..3], &operations, |address| integrated(&case, address, IMPATIENT)).await;
    hold(&case, &errors[3..], &operations[..1], |address| integrated(&case, address, IMPATIENT)).await;
    let create = [fails("several", "412 Precondition Failed", &bare, "fhir.multiple-matches")];
    hold(&case, &create, &operations[2..3], |address| integrated(&case, address, IMPATIENT)).await;
    let update = [fails("a version", "412 Precondition Failed", &outcome("error", "processing"), "fhir.conflict")];
    hold(&case, &update, &operations[3..4], |address| integrated(&case, address, IMPATIENT)).await;
}

/// A search whose first page has this next link.
async fn followed(next: &str) -> (Case, Outcome) {
    let next = next.to_owned();
    let answer = move |request: &Received| {
        let link = json!([{"relation": "self", "url": "x"}, {"relation": "next", "url": next}]);
        let entry = json!([{"resource": patient(), "search": {"mode": "match"}}]);
        if request.target.contains("page=2") {
            return Answer::json(&json!({"resourceType": "Bundle", "type": "searchset"}));
        }
        Answer::json(&json!({"resourceType": "Bundle", "type": "searchset", "link": link, "entry": entry}))
    };
    let case = Case::answering(answer).await;
    let fhir = integrated(&case, case.upstream.address, "").await;
    let search = json!({"type": "Patient", "parameters": {"family": "Chalmers"}});
    let outcome = fhir.call(call("search", search).live()).await;
    (case, outcome)
}

#[tokio::test]
async fn next_links_are_followed_where_servers_put_them() {
    for next in [
        "/fhir/Patient?page=2&_opaque=%7Bx%7D",
        "?page=2",
        "/fhir?_getpages=1b2c&page=2",
        "/fhir/Patient/_search?page=2",
        "/fhir/Patient/?_page_token=abc&page=2",
        "Patient?page=2",
        "./Patient/../Patient?page=2",
        "/fhir/R4/Patient?_cursor=x&page=2",
        "Patient?note=a b;c&amp;page=2",
    ] {
        let (case, outcome) = followed(next).await;
        let output = outcome.result.as_ref().unwrap();
        assert_eq!((&output["more"], output["resources"].as_array().unwrap().len()), (&json!(false), 1), "{next}");
        let received = case.upstream.received();
        assert_eq!(received.len(), 2, "{next}");
        assert!(received[1].header("authorization").unwrap().contains(&secret("access-token")), "{next}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn next_links_that_lead_elsewhere_are_denied_and_the_first_page_is_given() {
    for next in [
        "https://b.example/fhir/Patient?page=2",
        "//b.example/fhir/Patient?page=2",
        "/admin?page=2",
        "../../admin?page=2",
        "/fhir/Patient/../../admin?page=2",
        "http://127.0.0.1:1/fhir/Patient?page=2",
        "javascript:alert(1)",
    ] {
        let (case, outcome) = followed(next).await;
        let output = outcome.result.as_ref().unwrap();
        assert_eq!((&output["more"], output["resources"].as_array().unwrap().len()), (&json!(true), 1), "{next}");
        assert_eq!(output["reason"]["code"], "host.denied", "{next}: {output}");
        assert_eq!((case.upstream.received().len(), outcome.denials.len()), (1, 1), "{next}");
        case.holds(&outcome).await;
    }
}

#[tokio::test]
async fn next_links_that_never_end_do() {
    let (case, outcome) = followed("/fhir/Patient?page=1").await;
    let output = outcome.result.as_ref().unwrap();
    assert_eq!((&output["more"], output["resources"].as_array().unwrap().len()), (&json!(true), 2));
    assert_eq!(output["reason"]["code"], "http.next-page-repeats");
    case.holds(&outcome).await;
}

#[tokio::test]
async fn sandbox_mode_answers_every_operation_and_nothing_leaves() {
    let case = Case::new().await;
    let fhir = integrated(&case, case.upstream.address, "").await;
    for (operation, input) in one_of_each() {
        let mut answers = Vec::new();
        for seed in [1, 1, 2, 3, 4, 5] {
            let outcome = fhir.call(call(operation, input.clone()).seed(seed)).await;
            assert!(outcome.result.is_ok(), "{operation}: {:?}", outcome.result);
            assert!(!outcome.would_send.is_empty(), "{operation}");
            case.holds(&outcome).await;
            answers.push(outcome.result.unwrap());
        }
        assert_eq!(answers[0], answers[1], "{operation}");
        assert!(answers.iter().any(|answer| *answer != answers[0]), "{operation}: the seed makes no difference");
    }
    assert!(case.upstream.received().iter().all(|received| received.target == "/ok"), "nothing but the benign calls");
}

/// A record of half a megabyte is ordinary, and is handed on whole. What that costs is what the SDK's page "Limits" says.
#[tokio::test]
async fn handing_on_what_was_read_costs_at_most_a_hundred_units_of_fuel_a_byte() {
    let component = |number: u32| {
        json!({"code": {"coding": [{"system": "http://loinc.org", "code": number.to_string(), "display": "Body \"weight\""}]},
            "valueQuantity": {"value": 72.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}})
    };
    let components: Vec<Value> = (0..2_000).map(component).collect();
    let resource = json!({"resourceType": "Observation", "id": "7", "component": components});
    let page = json!({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": resource}]});
    let bodies = [resource.to_string(), page.to_string()];
    let length = bodies[0].len() as u64;
    let case = Case::answering(move |request: &Received| {
        let mut answer = Answer::json(&json!({}));
        answer.body = bodies[usize::from(!request.target.contains("/7"))].clone().into_bytes();
        answer
    })
    .await;
    let fhir = integrated(&case, case.upstream.address, "").await;
    let read = fhir.call(call("read", json!({"type": "Observation", "id": "7"})).live()).await;
    assert_eq!(read.result.unwrap()["resource"], resource);
    let search = fhir.call(call("search", json!({"type": "Observation"})).live()).await;
    assert_eq!(search.result.unwrap()["resources"][0], resource);
    for fuel in [read.receipt.fuel, search.receipt.fuel] {
        assert!(fuel > 10 * length && fuel < 100 * length, "{} units a byte", fuel / length);
    }
}
