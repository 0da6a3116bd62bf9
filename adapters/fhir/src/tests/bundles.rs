//! Batches and transactions.

use super::*;
use crate::bundle::SUBMIT;

#[test]
fn a_batch_tells_of_each_entry_what_became_of_it() {
    let answers = json!([
        {"resource": patient(), "response": {"status": "201 Created", "etag": "W/\"1\"", "location": "Patient/7/_history/1"}},
        {"response": {"status": "412", "outcome": outcome("error", "processing")}},
        {"response": {"status": "200 OK", "location": "Patient/9/_history/2"}, "resource": outcome("information", "informational")},
        {"response": {}},
    ]);
    let fake = fake().on(&SUBMIT, move |_| {
        answer(200, json!({"resourceType": "Bundle", "type": "batch-response", "entry": answers}), &[])
    });
    let put = json!({"resource": patient(), "request": {"method": "PUT", "url": "Patient/7", "ifMatch": "W/\"3\""}});
    let post = json!({"resource": patient(), "request": {"method": "POST", "url": "Patient"}});
    let delete = json!({"request": {"method": "DELETE", "url": "Patient/9"}});
    let entry = json!([post, put, put, delete, delete]);
    let output = fake.invoke("submitBundle", &json!({"type": "batch", "entry": entry})).unwrap();
    assert_eq!(output["failed"], 3);
    let told = output["entry"].as_array().unwrap();
    assert_eq!((&told[0]["status"], &told[0]["id"], &told[0]["resource"]), (&json!(201), &json!("7"), &patient()));
    assert_eq!((&told[1]["error"]["code"], &told[1]["error"]["retryable"]), (&json!("fhir.conflict"), &json!(false)));
    assert_eq!((&told[2]["id"], &told[2]["versionId"], told[2].get("resource")), (&json!("9"), &json!("2"), None));
    assert_eq!(
        (&told[3]["error"]["code"], &told[4]["error"]["code"]),
        (&json!("fhir.no-answer"), &json!("fhir.no-answer"))
    );
    assert_eq!(fake.sent()[0].json(), json!({"resourceType": "Bundle", "type": "batch", "entry": entry}));
    assert_eq!(fake.sent()[0].url, BASE);
}

#[test]
fn an_entry_says_what_is_done_below_the_base_url() {
    let refused = |entry: Value| pointer(fake().invoke("submitBundle", &json!({"type": "batch", "entry": [entry]})));
    let get = |url: &str| json!({"request": {"method": "GET", "url": url}});
    for url in ["/Patient/7", "https://b.example/Patient/7", "Patient/../admin", "patient", "Patient/7 8", "Patient//7"]
    {
        assert_eq!(refused(get(url)), "/entry/0/request/url", "{url}");
    }
    assert_eq!(refused(json!({"request": {"method": "PUT", "url": "Patient/7"}})), "/entry/0/resource");
    assert_eq!(refused(json!({"request": {"method": "POST", "url": "Patient"}})), "/entry/0/resource");
    let other = json!({"resource": patient(), "request": {"method": "POST", "url": "Observation"}});
    assert_eq!(refused(other), "/entry/0/resource/resourceType");
    let empty =
        json!({"resource": {"resourceType": "Patient", "name": []}, "request": {"method": "POST", "url": "Patient"}});
    assert_eq!(refused(empty), "/entry/0/resource/name");
}
