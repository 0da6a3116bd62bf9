//! The adapter against a host of functions: what it sends, what it makes of the answers, and what it declares.

use portcullis_sdk::{Effect, Header, Method, prelude::*, testing::Fake, testing::Sent};

mod bundles;
mod scheduling;

use crate::{
    config::Config,
    observation::CREATE_OBSERVATION,
    patient::{FIND, FIND_BY_POST},
    reading::{READ, READ_VERSION},
    searching::{NEXT_PAGE, SEARCH, SEARCH_BY_POST},
    writing::{CREATE, UPDATE},
};

const BASE: &str = "https://fhir.example.org/r4";

fn fake() -> Fake<Config> {
    Fake::new(Config { base_url: format!("{BASE}/"), scopes: None, token_url: None })
}

fn answer(status: u16, body: Value, headers: &[(&str, &str)]) -> Response {
    let header = |(name, value): &(&str, &str)| Header { name: (*name).to_owned(), value: value.as_bytes().to_vec() };
    Response { headers: headers.iter().map(header).collect(), ..Response::with_json(status, &body) }
}

fn header<'s>(sent: &'s Sent, name: &str) -> Option<&'s str> {
    sent.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "7", "meta": {"versionId": "3"}, "name": [{"family": "Chalmers"}]})
}

fn failure(result: Result<Value, Error>) -> Failure {
    match result.unwrap_err() {
        Error::Failed(failure) => failure,
        other => panic!("{other}"),
    }
}

fn pointer(result: Result<Value, Error>) -> String {
    match result.unwrap_err() {
        Error::InvalidInput { pointer, .. } => pointer,
        other => panic!("{other}"),
    }
}

fn outcome(severity: &str, code: &str) -> Value {
    json!({"resourceType": "OperationOutcome", "issue": [{
        "severity": severity, "code": code, "details": {"text": "about Chalmers"}, "diagnostics": "at line 3",
        "expression": ["Patient.name[0]"],
    }]})
}

#[test]
fn the_base_is_the_configs_and_a_slash_at_its_end_changes_nothing() {
    let descriptor = fake().describe().unwrap();
    let urls: Vec<&str> = descriptor.routes.iter().map(|route| route.url.as_str()).collect();
    assert!(urls.contains(&BASE) && urls.contains(&"https://fhir.example.org/r4/metadata"), "{urls:?}");
    assert!(urls.iter().all(|url| !url.contains("r4//")), "{urls:?}");
}

#[test]
fn tokens_come_from_where_the_server_says_or_from_where_the_config_does() {
    let server = |config: Config| Fake::new(config).describe().unwrap().slots.remove(0).oauth.unwrap();
    let smart = server(Config { base_url: format!("{BASE}/"), scopes: None, token_url: None });
    assert_eq!(smart.metadata_url, Some(format!("{BASE}/.well-known/smart-configuration")));
    assert_eq!((smart.token_url, smart.scopes), (None, vec!["system/*.rs".to_owned()]));
    let (scopes, url) = (vec!["system/Patient.r".to_owned()], "https://login.example.org/token".to_owned());
    let own = Config { base_url: BASE.to_owned(), scopes: Some(scopes.clone()), token_url: Some(url.clone()) };
    let own = server(own);
    assert_eq!((own.token_url, own.metadata_url, own.scopes), (Some(url), None, scopes));
}

#[test]
fn a_read_is_told_with_its_version_from_the_tag_or_the_resource() {
    let fake = fake()
        .on(&READ, |_| answer(200, patient(), &[("ETag", "W/\"4\"")]))
        .on(&READ_VERSION, |_| answer(200, patient(), &[]));
    let read = fake.invoke("read", &json!({"type": "Patient", "id": "7"})).unwrap();
    assert_eq!(read, json!({"versionId": "4", "resource": patient()}));
    let old = fake.invoke("read", &json!({"type": "Patient", "id": "7", "versionId": "3"})).unwrap();
    assert_eq!(old["versionId"], "3");
    let sent = fake.sent();
    assert_eq!(sent[0].url, format!("{BASE}/Patient/7"));
    assert_eq!(sent[1].url, format!("{BASE}/Patient/7/_history/3"));
    assert_eq!(header(&sent[0], "accept"), Some("application/fhir+json"));
    assert_eq!(sent[0].slots, ["access-token"]);
}

#[test]
fn what_is_read_is_a_resource() {
    for body in [json!([]), json!({}), json!({"resourceType": 7}), json!({"resourceType": "patient"}), json!("x")] {
        let fake = fake().on(&READ, move |_| answer(200, body.clone(), &[]));
        let failure = failure(fake.invoke("read", &json!({"type": "Patient", "id": "7"})));
        assert_eq!((failure.code.as_ref(), failure.retryable), ("http.unexpected-body", false));
    }
    let fake = fake().on(&READ, |_| answer(200, outcome("information", "informational"), &[]));
    assert_eq!(failure(fake.invoke("read", &json!({"type": "Patient", "id": "7"}))).code, "http.unexpected-body");
}

#[test]
fn an_outcome_is_a_failure_whose_message_repeats_no_words_of_the_server() {
    let fake = fake().on(&READ, |_| answer(400, outcome("error", "invariant"), &[]));
    let failure = failure(fake.invoke("read", &json!({"type": "Patient", "id": "7"})));
    assert_eq!(failure.code, "fhir.invariant");
    assert_eq!(failure.message, "the FHIR server says `invariant` (status 400) at Patient.name[0]");
    let issue = json!({"severity": "error", "code": "invariant", "text": "about Chalmers", "diagnostics": "at line 3",
        "expression": ["Patient.name[0]"]});
    assert_eq!(failure.details, Some(json!({"status": 400, "issues": [issue]})));
}

#[test]
fn words_where_a_code_or_a_place_belongs_are_not_repeated() {
    for (code, place) in [
        ("Patient Chalmers not found", "Patient.name"),
        ("not-found", "Patient.name.where(family='Chalmers')"),
        ("not-found", "the patient Chalmers"),
        ("chalmers-peter-born-1974-12-25-is-not-known-here", "Patient"),
    ] {
        let issue = json!({"severity": "error", "code": code, "expression": [place]});
        let body = json!({"resourceType": "OperationOutcome", "issue": [issue]});
        let fake = fake().on(&READ, move |_| answer(404, body.clone(), &[]));
        let failure = failure(fake.invoke("read", &json!({"type": "Patient", "id": "7"})));
        assert_eq!(failure.code, "fhir.not-found", "it is recorded with the call");
        assert!(failure.details.unwrap().to_string().to_lowercase().contains("chalmers"), "it is told where it may be");
        assert!(!failure.message.to_lowercase().contains("chalmers"), "{}", failure.message);
    }
}

#[test]
fn the_worst_issue_gives_the_code() {
    let issue = |severity: &str, code: &str| json!({"severity": severity, "code": code});
    let issues = json!([issue("warning", "informational"), issue("error", "value"), issue("fatal", "structure")]);
    let body = json!({"resourceType": "OperationOutcome", "issue": issues});
    let fake = fake().on(&READ, move |_| answer(400, body.clone(), &[]));
    let failure = failure(fake.invoke("read", &json!({"type": "Patient", "id": "7"})));
    assert_eq!(failure.code, "fhir.structure");
    assert_eq!(failure.details.unwrap()["issues"].as_array().unwrap().len(), 3);
}

#[test]
fn not_now_is_a_status_or_a_code() {
    for (status, code, expected, retryable) in [
        (400, "throttled", "fhir.throttled", true),
        (409, "lock-error", "fhir.lock-error", true),
        (400, "timeout", "fhir.timeout", true),
        (500, "exception", "fhir.exception", true),
        (429, "processing", "fhir.throttled", true),
        (412, "processing", "fhir.conflict", false),
        (422, "invalid", "fhir.invalid", false),
        (404, "not-found", "fhir.not-found", false),
        (200, "not-supported", "fhir.not-supported", false),
    ] {
        let fake = fake().on(&READ, move |_| answer(status, outcome("error", code), &[]));
        let failure = failure(fake.invoke("read", &json!({"type": "Patient", "id": "7"})));
        assert_eq!((failure.code.as_ref(), failure.retryable), (expected, retryable), "{status} {code}");
    }
}

#[test]
fn a_create_tells_what_is_there_now_and_whether_it_is_new() {
    let create = |status, body: Value, headers: &'static [(&str, &str)], input: Value| {
        let fake = fake().on(&CREATE, move |_| answer(status, body.clone(), headers));
        fake.invoke("create", &input).map(|output| (output, fake.sent().remove(0)))
    };
    let new = json!({"resource": {"resourceType": "Patient", "active": true}});
    let (output, sent) = create(201, patient(), &[("ETag", "W/\"3\"")], new.clone()).unwrap();
    assert_eq!(output, json!({"id": "7", "versionId": "3", "created": true, "resource": patient(), "warnings": []}));
    assert_eq!(
        (sent.method, sent.url.as_str(), sent.json()),
        (Method::Post, "https://fhir.example.org/r4/Patient", new["resource"].clone())
    );
    let expected = [Some("application/fhir+json"), Some("return=representation"), None];
    assert_eq!(["content-type", "prefer", "if-none-exist"].map(|name| header(&sent, name)), expected);

    let location: &[(&str, &str)] = &[("Location", "https://fhir.example.org/r4/Patient/8/_history/1")];
    let (output, _) = create(201, json!(null), location, new.clone()).unwrap();
    assert_eq!(output, json!({"id": "8", "versionId": "1", "created": true, "warnings": []}));
    let (output, _) =
        create(201, outcome("information", "informational"), &[("Location", "r4/Patient/8")], new.clone()).unwrap();
    assert_eq!((&output["id"], &output["warnings"][0]["severity"]), (&json!("8"), &json!("information")));
    // Some servers answer 200; without a condition it is new all the same.
    let (output, _) = create(200, patient(), &[], new.clone()).unwrap();
    assert_eq!(output["created"], true);
    let nothing = create(201, json!(null), &[], new).map(|(output, _)| output);
    assert_eq!(failure(nothing).code, "http.unexpected-body");

    let once = json!({"resource": {"resourceType": "Patient", "active": true}, "ifNoneExist": "identifier=a|7"});
    let (output, sent) = create(200, patient(), &[], once.clone()).unwrap();
    assert_eq!((&output["created"], header(&sent, "if-none-exist")), (&json!(false), Some("identifier=a|7")));
    let several = create(412, outcome("error", "processing"), &[], once).map(|(output, _)| output);
    assert_eq!(failure(several).code, "fhir.multiple-matches");
}

#[test]
fn an_update_is_of_the_resources_own_id_and_of_the_version_that_was_read() {
    let fake = fake().on(&UPDATE, |_| answer(200, json!(null), &[("ETag", "W/\"4\"")]));
    let output = fake.invoke("update", &json!({"resource": patient(), "ifMatch": "3"})).unwrap();
    assert_eq!(output, json!({"id": "7", "versionId": "4", "created": false, "warnings": []}));
    let [sent] = fake.sent().try_into().unwrap();
    assert_eq!((sent.method, sent.url.as_str()), (Method::Put, "https://fhir.example.org/r4/Patient/7"));
    assert_eq!(header(&sent, "if-match"), Some("W/\"3\""));
    assert_eq!(
        pointer(fake.invoke("update", &json!({"resource": {"resourceType": "Patient", "active": true}}))),
        "/resource/id"
    );
    assert_eq!(fake.sent().len(), 1, "what is refused is not sent");
}

fn page(entries: Value, next: Option<&str>) -> Value {
    let mut page =
        json!({"resourceType": "Bundle", "type": "searchset", "total": 3, "link": [{"relation": "self", "url": "x"}]});
    if entries != json!([]) {
        page["entry"] = entries;
    }
    if let Some(next) = next {
        page["link"] = json!([{"relation": "self", "url": "x"}, {"relation": "next", "url": next}]);
    }
    page
}

#[test]
fn a_search_by_post_goes_on_with_gets_and_keeps_matches_includes_and_outcomes_apart() {
    let match_of = |id: &str| json!({"resource": {"resourceType": "Patient", "id": id}});
    let first = json!([
        match_of("1"),
        {"resource": {"resourceType": "Organization", "id": "9"}, "search": {"mode": "include"}},
        {"resource": outcome("warning", "not-supported"), "search": {"mode": "outcome"}},
    ]);
    let first = page(first, Some("https://fhir.example.org/r4/Patient?page=2"));
    let second = page(json!([match_of("2"), match_of("3")]), Some("?page=3"));
    let fake = fake()
        .on(&SEARCH_BY_POST, move |_| answer(200, first.clone(), &[]))
        .on(&NEXT_PAGE, move |_| answer(200, second.clone(), &[]));
    let input = json!({"type": "Patient", "parameters": {"family": "a&b", "date": ["ge2026", "lt2027"]}, "method": "POST", "limit": 2});
    let output = fake.invoke("search", &input).unwrap();
    let ids = |name: &str| output[name].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Value>();
    assert_eq!((ids("resources"), ids("included")), (json!(["1", "2"]), json!(["9"])));
    assert_eq!((&output["total"], &output["more"]), (&json!(3), &json!(true)));
    assert_eq!(output["warnings"][0]["code"], "not-supported");
    let sent = fake.sent();
    assert_eq!(sent[0].url, format!("{BASE}/Patient/_search"));
    assert_eq!(sent[0].body, b"_count=2&date=ge2026&date=lt2027&family=a%26b");
    assert_eq!(header(&sent[0], "content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!((sent[1].method, sent[1].url.clone()), (Method::Get, format!("{BASE}/Patient?page=2")));
}

#[test]
fn an_answer_to_a_search_is_a_bundle_a_bare_list_or_a_failure() {
    let found = |body: Value| {
        let fake = fake().on(&SEARCH, move |_| answer(200, body.clone(), &[]));
        fake.invoke("search", &json!({"type": "Patient", "parameters": {"_count": "5"}}))
            .map(|output| output["resources"].clone())
    };
    assert_eq!(found(page(json!([]), None)), Ok(json!([])));
    assert_eq!(found(json!([patient()])), Ok(json!([patient()])));
    assert_eq!(found(outcome("information", "not-found")), Ok(json!([])));
    for body in
        [json!({}), json!(7), json!([7]), patient(), page(json!({}), None), page(json!([{"fullUrl": "x"}]), None)]
    {
        assert_eq!(failure(found(body.clone())).code, "http.unexpected-body", "{body}");
    }
    let named = fake().invoke("search", &json!({"type": "Patient", "parameters": {"resourceType": "Slot"}}));
    assert_eq!(pointer(named), "/parameters/resourceType");
}

#[test]
fn patients_are_searched_in_bodies_and_nobody_else_is_taken_for_one() {
    let entry = json!([{"resource": patient()}]);
    let found = page(entry, None);
    let fake = fake()
        .on(&FIND_BY_POST, move |_| answer(200, found.clone(), &[]))
        .on(&FIND, |_| answer(200, json!([{"resourceType": "Person"}]), &[]));
    let by_number = json!({"identifier": {"system": "https://a.example", "value": "a|b,c"}});
    assert_eq!(fake.invoke("findPatient", &by_number).unwrap()["patients"], json!([patient()]));
    let by_name = json!({"family": "Chalmers", "birthdate": "1974-12", "gender": "male", "method": "GET"});
    assert_eq!(failure(fake.invoke("findPatient", &by_name)).code, "http.unexpected-body");
    let sent = fake.sent();
    assert_eq!(sent[0].body, b"_count=10&identifier=https%3A%2F%2Fa.example%7Ca%5C%7Cb%5C%2Cc");
    assert_eq!(sent[1].url, format!("{BASE}/Patient?_count=10&birthdate=1974-12&family=Chalmers&gender=male"));
    assert_eq!(pointer(fake.invoke("findPatient", &json!({"birthdate": "1974-13"}))), "/birthdate");
}

#[test]
fn an_observation_is_what_was_said_and_is_posted_once_by_its_identifier() {
    let fake = fake().on(&CREATE_OBSERVATION, |_| answer(200, json!({"resourceType": "Observation", "id": "1"}), &[]));
    let input = json!({
        "patient": "Patient/7", "code": {"system": "http://loinc.org", "code": "8867-4"}, "category": "vital-signs",
        "valueQuantity": {"value": 72.5, "unit": "beats/minute", "code": "/min"}, "effectiveDateTime": "2026-11-21",
        "identifier": {"system": "https://a.example", "value": "x&y"}, "performer": "Practitioner/1", "note": "at rest",
    });
    assert_eq!(fake.invoke("postObservation", &input).unwrap()["created"], false);
    let [sent] = fake.sent().try_into().unwrap();
    assert_eq!(header(&sent, "if-none-exist"), Some("identifier=https://a.example|x%26y"));
    let category =
        json!({"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"});
    assert_eq!(
        sent.json(),
        json!({
            "resourceType": "Observation",
            "status": "final",
            "category": [{"coding": [category]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"reference": "Patient/7"},
            "effectiveDateTime": "2026-11-21",
            "identifier": [{"system": "https://a.example", "value": "x&y"}],
            "performer": [{"reference": "Practitioner/1"}],
            "note": [{"text": "at rest"}],
            "valueQuantity": {"value": 72.5, "unit": "beats/minute", "system": "http://unitsofmeasure.org", "code": "/min"},
        })
    );
    let wrong = |name: &str, value: Value| {
        let mut wrong = input.clone();
        wrong[name] = value;
        pointer(fake.invoke("postObservation", &wrong))
    };
    assert_eq!(wrong("patient", json!("Practitioner/7")), "/patient");
    assert_eq!(wrong("effectiveDateTime", json!("21.11.2026")), "/effectiveDateTime");
    assert_eq!(wrong("issued", json!("2026-11-21")), "/issued");
    assert_eq!(wrong("performer", json!("me")), "/performer");
    assert_eq!(wrong("valueString", json!("two values")), "");
    assert_eq!(fake.sent().len(), 1, "what is refused is not sent");
}

#[test]
fn the_descriptor_says_what_each_operation_can_do() {
    let descriptor = fake().describe().unwrap();
    let told: Vec<(&str, Effect)> = descriptor.operations.iter().map(|one| (one.name.as_str(), one.effect)).collect();
    assert_eq!(
        told,
        [
            ("getCapabilities", Effect::Read),
            ("read", Effect::Read),
            ("search", Effect::Read),
            ("create", Effect::Write),
            ("update", Effect::Write),
            ("submitBundle", Effect::Destructive),
            ("findPatient", Effect::Read),
            ("postObservation", Effect::Write),
            ("listSlots", Effect::Read),
            ("bookAppointment", Effect::Write),
            ("cancelAppointment", Effect::Destructive),
        ]
    );
    let capabilities = descriptor.routes.iter().find(|route| route.id == "capabilities").unwrap();
    assert!(capabilities.slots.is_empty());
    let open: Vec<&str> = descriptor
        .routes
        .iter()
        .filter(|route| route.query.iter().any(|p| p.name == "*"))
        .map(|route| route.id.as_str())
        .collect();
    assert_eq!(open, ["search", "next-page"]);
}

#[test]
fn what_is_about_a_person_is_marked() {
    let descriptor = fake().describe().unwrap();
    let marked = |name: &str, output: bool, at: &str| {
        let operation = descriptor.operations.iter().find(|operation| operation.name == name).unwrap();
        let schema: Value = if output { &operation.output } else { &operation.input }.parse().unwrap();
        assert_eq!(
            schema.pointer(at).and_then(|field| field.get("x-sensitive")),
            Some(&json!(true)),
            "{name} {at}: {schema}"
        );
    };
    for (name, output, field) in [
        ("read", true, "resource"),
        ("search", false, "parameters"),
        ("search", true, "resources"),
        ("search", true, "included"),
        ("create", false, "resource"),
        ("create", true, "resource"),
        ("update", false, "resource"),
        ("submitBundle", false, "entry"),
        ("findPatient", false, "family"),
        ("findPatient", false, "given"),
        ("findPatient", false, "birthdate"),
        ("findPatient", false, "gender"),
        ("findPatient", false, "identifier"),
        ("findPatient", true, "patients"),
        ("postObservation", false, "patient"),
        ("postObservation", false, "valueQuantity"),
        ("postObservation", false, "valueString"),
        ("postObservation", false, "note"),
        ("postObservation", true, "resource"),
        ("bookAppointment", false, "patient"),
        ("bookAppointment", false, "reason"),
        ("bookAppointment", true, "appointment"),
        ("cancelAppointment", false, "reason"),
    ] {
        marked(name, output, &format!("/properties/{field}"));
    }
}
