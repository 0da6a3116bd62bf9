//! The adapter against a host of functions: what it sends, what it makes of the answers, and what it declares.

use portcullis_sdk::{Descriptor, Effect, Header, prelude::*, testing::Fake};

use crate::{config::Config, customers, payment_intents, refunds, search};

fn fake() -> Fake<Config> {
    Fake::new(Config::default())
}

fn described() -> Descriptor {
    fake().describe().unwrap()
}

fn customer(id: &str) -> Value {
    json!({"id": id, "object": "customer", "email": null, "default_source": null, "new_in_2030": {"a": 1}})
}

fn intent(status: &str) -> Value {
    json!({"id": "pi_1", "object": "payment_intent", "status": status, "amount": 2000, "currency": "eur"})
}

/// The body of the only request that was sent.
fn form(fake: &Fake<Config>) -> String {
    let [sent] = fake.sent().try_into().unwrap();
    let header = |name: &str| sent.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
    assert_eq!(header("content-type").as_deref(), Some("application/x-www-form-urlencoded"));
    // So that the test can be read.
    let body = String::from_utf8(sent.body).unwrap();
    body.replace("%5B", "[").replace("%5D", "]").replace("%40", "@").replace("%20", " ")
}

fn failure(status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    let header = |(name, value): &(&str, &str)| Header { name: (*name).into(), value: value.as_bytes().to_vec() };
    let headers = headers.iter().map(header).collect();
    let response = Response { status, url: String::new(), headers, body: body.as_bytes().to_vec() };
    let fake = fake().on(&payment_intents::CONFIRM, move |_| response.clone());
    match fake.invoke("confirmPaymentIntent", &json!({"intent": "pi_1"})) {
        Err(Error::Failed(failure)) => failure,
        other => panic!("{status} {body}: {other:?}"),
    }
}

fn invalid(operation: &str, input: &Value) -> (String, String) {
    match fake().invoke(operation, input) {
        Err(Error::InvalidInput { pointer, message }) => (pointer, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_customer_is_sent_as_a_form_with_brackets_and_returned_with_what_is_new() {
    let fake = fake().on(&customers::CREATE, |_| Response::with_json(200, &customer("cus_1")));
    let input = json!({
        "email": "ada@example.com",
        "address": {"line1": "Unter den Linden 1", "country": "DE"},
        "preferred_locales": ["de", "en"],
        "invoice_settings": {"footer": "Thanks"},
        "metadata": {"order_id": "6735"},
        "balance": -500,
        "tax_exempt": "reverse",
        "expand": ["default_source", "invoice_settings.default_payment_method"],
    });
    assert_eq!(fake.invoke("createCustomer", &input), Ok(customer("cus_1")));
    assert_eq!(
        form(&fake),
        "address[country]=DE&address[line1]=Unter den Linden 1&balance=-500&email=ada@example.com\
         &expand[]=default_source&expand[]=invoice_settings.default_payment_method&invoice_settings[footer]=Thanks\
         &metadata[order_id]=6735&preferred_locales[]=de&preferred_locales[]=en&tax_exempt=reverse"
    );
}

#[test]
fn every_request_says_the_version_and_every_post_has_a_key() {
    let fake = fake()
        .idempotency_key("order-6735")
        .on(&customers::GET, |_| Response::with_json(200, &customer("cus_1")))
        .on(&customers::UPDATE, |_| Response::with_json(200, &customer("cus_1")));
    fake.invoke("getCustomer", &json!({"customer": "cus_1", "expand": ["default_source"]})).unwrap();
    fake.invoke("updateCustomer", &json!({"customer": "cus_1", "name": ""})).unwrap();
    let [read, changed] = fake.sent().try_into().unwrap();
    let has =
        |headers: &[(String, String)], name: &str, value: &str| headers.contains(&(name.to_owned(), value.to_owned()));
    for sent in [&read, &changed] {
        assert!(has(&sent.headers, "Stripe-Version", "2020-08-27"), "{:?}", sent.headers);
        assert!(!sent.headers.iter().any(|(name, _)| name == "Stripe-Account"));
        assert_eq!(sent.slots, ["secret-key"]);
    }
    assert_eq!(read.url, "https://api.stripe.com/v1/customers/cus_1?expand%5B%5D=default_source");
    assert!(!read.headers.iter().any(|(name, _)| name == "Idempotency-Key"));
    assert!(has(&changed.headers, "Idempotency-Key", "order-6735"), "{:?}", changed.headers);
    assert_eq!(
        (changed.url.as_str(), changed.body.as_slice()),
        ("https://api.stripe.com/v1/customers/cus_1", &b"name="[..])
    );
}

#[test]
fn a_connected_account_is_the_configs() {
    let config = Config { account: Some("acct_1".to_owned()), ..Config::default() };
    let fake = Fake::new(config).on(&customers::GET, |_| Response::with_json(200, &customer("cus_1")));
    fake.invoke("getCustomer", &json!({"customer": "cus_1"})).unwrap();
    assert!(fake.sent()[0].headers.contains(&("Stripe-Account".to_owned(), "acct_1".to_owned())));
    let declared = fake.describe().unwrap();
    let header = |route: &str| {
        let route = declared.routes.iter().find(|one| one.id == route).unwrap();
        route.headers.iter().map(|header| header.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(header("get-customer"), ["Stripe-Version", "Stripe-Account"]);
}

/// Stripe's list of customers 0 to 249, newest first, as it answers to `limit` and `starting_after`.
fn listed(url: &str) -> Response {
    let query = |name: &str| url.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let size: usize = query("limit").unwrap().parse().unwrap();
    let start = query("starting_after").map_or(0, |id| id.strip_prefix("cus_").unwrap().parse::<usize>().unwrap() + 1);
    let end = (start + size).min(250);
    let data: Vec<Value> = (start..end).map(|number| customer(&format!("cus_{number}"))).collect();
    Response::with_json(200, &json!({"object": "list", "data": data, "has_more": end < 250}))
}

#[test]
fn customers_are_listed_over_pages_up_to_the_limit() {
    for (limit, urls, found, more) in [
        (3, vec!["limit=3"], 3, true),
        (150, vec!["limit=75", "limit=75&starting_after=cus_74"], 150, true),
        (1000, vec!["limit=100", "limit=100&starting_after=cus_99", "limit=100&starting_after=cus_199"], 250, false),
    ] {
        let fake = fake().on(&customers::LIST, |request| listed(&request.url));
        let output = fake.invoke("listCustomers", &json!({ "limit": limit })).unwrap();
        assert_eq!((output["data"].as_array().unwrap().len(), &output["has_more"]), (found, &json!(more)));
        assert_eq!(output["data"][found - 1]["id"], json!(format!("cus_{}", found - 1)));
        let expected: Vec<_> =
            urls.iter().map(|query| format!("https://api.stripe.com/v1/customers?{query}")).collect();
        assert_eq!(fake.sent().into_iter().map(|sent| sent.url).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_list_is_filtered_and_goes_on_after_an_id() {
    let fake = fake().on(&customers::LIST, |request| listed(&request.url));
    let input = json!({"email": "a+b@example.com", "created": {"gte": 5, "lt": 9}, "starting_after": "cus_0"});
    fake.invoke("listCustomers", &input).unwrap();
    assert_eq!(
        fake.sent()[0].url,
        "https://api.stripe.com/v1/customers?created%5Bgte%5D=5&created%5Blt%5D=9&email=a%2Bb%40example.com&limit=10\
         &starting_after=cus_0"
    );
}

#[test]
fn a_search_goes_on_by_cursor_and_says_where_it_stopped() {
    let answer = |request: &portcullis_sdk::Request| {
        let next = if request.url.contains("page=two") { "three" } else { "two" };
        let data: Vec<Value> = (0..100).map(|number| customer(&format!("cus_{number}"))).collect();
        let page = json!({"object": "search_result", "data": data, "has_more": true, "next_page": next});
        Response::with_json(200, &page)
    };
    let fake = fake().on(&search::SEARCH, answer);
    let output = fake.invoke("searchCustomers", &json!({"query": "name~\"Ada\"", "limit": 200})).unwrap();
    assert_eq!((output["data"].as_array().unwrap().len(), &output["next_page"]), (200, &json!("three")));
    let [first, second] = fake.sent().try_into().unwrap();
    assert_eq!(first.url, "https://api.stripe.com/v1/customers/search?limit=100&query=name~%22Ada%22");
    assert_eq!(second.url, format!("{}&page=two&query=name~%22Ada%22", first.url.split_once("&query").unwrap().0));
    // The answer had more items than were asked for: whoever went on behind that page would miss some.
    let cut = fake.invoke("searchCustomers", &json!({"query": "name~\"Ada\"", "limit": 50})).unwrap();
    assert_eq!((cut["data"].as_array().unwrap().len(), cut.get("next_page")), (50, None));
}

#[test]
fn a_payment_is_sent_with_its_nested_parts() {
    let fake = fake().on(&payment_intents::CREATE, |_| Response::with_json(200, &intent("requires_confirmation")));
    let input = json!({
        "amount": 2000, "currency": "eur", "customer": "cus_1", "payment_method_types": ["card"],
        "capture_method": "manual", "shipping": {"name": "Ada", "address": {"city": "Berlin"}},
        "transfer_data": {"destination": "acct_1", "amount": 1500}, "application_fee_amount": 300,
    });
    fake.invoke("createPaymentIntent", &input).unwrap();
    assert_eq!(
        form(&fake),
        "amount=2000&application_fee_amount=300&capture_method=manual&currency=eur&customer=cus_1\
         &payment_method_types[]=card&shipping[address][city]=Berlin&shipping[name]=Ada&transfer_data[amount]=1500\
         &transfer_data[destination]=acct_1"
    );
}

#[test]
fn amounts_are_checked_before_anything_is_sent() {
    let create = |amount: u64, currency: &str| json!({"amount": amount, "currency": currency});
    assert_eq!(invalid("createPaymentIntent", &create(5_124, "kwd")).0, "/amount");
    assert_eq!(invalid("createPaymentIntent", &create(100, "EUR")).0, "/currency");
    let mut fee = create(100, "eur");
    fee["application_fee_amount"] = json!(101);
    assert_eq!(invalid("createPaymentIntent", &fee).0, "/application_fee_amount");
    let mut transfer = create(100, "eur");
    transfer["transfer_data"] = json!({"destination": "acct_1", "amount": 101});
    assert_eq!(invalid("createPaymentIntent", &transfer).0, "/transfer_data/amount");
    let capture = json!({"intent": "pi_1", "amount_to_capture": 0});
    assert_eq!(invalid("capturePaymentIntent", &capture).0, "/amount_to_capture");
    let capture = json!({"intent": "pi_1", "amount_to_capture": 10, "application_fee_amount": 11});
    assert_eq!(invalid("capturePaymentIntent", &capture).0, "/application_fee_amount");
    assert_eq!(invalid("createRefund", &json!({"payment_intent": "pi_1", "amount": 0})).0, "/amount");
}

#[test]
fn a_payment_that_waits_for_its_customer_is_an_output() {
    let mut waiting = intent("requires_action");
    waiting["next_action"] =
        json!({"type": "redirect_to_url", "redirect_to_url": {"url": "https://a", "return_url": null}});
    let answer = waiting.clone();
    let fake = fake().on(&payment_intents::CONFIRM, move |_| Response::with_json(200, &answer));
    assert_eq!(fake.invoke("confirmPaymentIntent", &json!({"intent": "pi_1"})), Ok(waiting));
    assert_eq!(fake.sent()[0].url, "https://api.stripe.com/v1/payment_intents/pi_1/confirm");
    assert!(fake.sent()[0].body.is_empty());
}

#[test]
fn a_payment_is_captured_canceled_and_paid_back() {
    let refund = json!({"id": "re_1", "object": "refund", "amount": 5, "currency": "eur", "status": "pending",
        "payment_intent": {"id": "pi_1", "object": "payment_intent"}});
    let answer = refund.clone();
    let fake = fake()
        .on(&payment_intents::CAPTURE, |_| Response::with_json(200, &intent("succeeded")))
        .on(&payment_intents::CANCEL, |_| Response::with_json(200, &intent("canceled")))
        .on(&payment_intents::GET, |_| Response::with_json(200, &intent("canceled")))
        .on(&refunds::CREATE, move |_| Response::with_json(200, &answer))
        .on(&refunds::GET, |_| {
            Response::with_json(200, &json!({"id": "re_1", "object": "refund", "amount": 5, "currency": "eur"}))
        });
    fake.invoke("capturePaymentIntent", &json!({"intent": "pi_1", "amount_to_capture": 500})).unwrap();
    fake.invoke("cancelPaymentIntent", &json!({"intent": "pi_1", "cancellation_reason": "requested_by_customer"}))
        .unwrap();
    fake.invoke("getPaymentIntent", &json!({"intent": "pi_1", "expand": ["customer"]})).unwrap();
    let input = json!({"payment_intent": "pi_1", "amount": 5, "reason": "duplicate", "expand": ["payment_intent"]});
    assert_eq!(fake.invoke("createRefund", &input), Ok(refund));
    fake.invoke("getRefund", &json!({"refund": "re_1"})).unwrap();
    let sent: Vec<_> =
        fake.sent().iter().map(|sent| format!("{} {}", sent.url, String::from_utf8_lossy(&sent.body))).collect();
    assert_eq!(
        sent,
        [
            "https://api.stripe.com/v1/payment_intents/pi_1/capture amount_to_capture=500",
            "https://api.stripe.com/v1/payment_intents/pi_1/cancel cancellation_reason=requested_by_customer",
            "https://api.stripe.com/v1/payment_intents/pi_1?expand%5B%5D=customer ",
            "https://api.stripe.com/v1/refunds amount=5&expand%5B%5D=payment_intent&payment_intent=pi_1&reason=duplicate",
            "https://api.stripe.com/v1/refunds/re_1 ",
        ]
    );
}

#[test]
fn a_declined_card_is_a_typed_error_without_the_payment_it_comes_with() {
    let error = json!({"error": {
        "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "charge": "ch_1",
        "message": "Your card has insufficient funds.", "doc_url": "https://stripe.com/docs/error-codes/card-declined",
        "payment_intent": {"id": "pi_1", "status": "requires_payment_method", "client_secret": "pi_1_secret_x"},
        "payment_method": {"billing_details": {"email": "ada@example.com"}},
    }});
    let failure = failure(402, &[("Request-Id", "req_1")], &error.to_string());
    assert_eq!((failure.code.as_ref(), failure.retryable), ("stripe.card-declined", false));
    assert_eq!(failure.message, "Your card has insufficient funds.");
    let details = json!({
        "status": 402, "type": "card_error", "code": "card_declined", "declineCode": "insufficient_funds", "charge": "ch_1",
        "docUrl": "https://stripe.com/docs/error-codes/card-declined", "requestId": "req_1",
        "paymentIntent": {"id": "pi_1", "status": "requires_payment_method"},
    });
    assert_eq!(failure.details, Some(details));
}

#[test]
fn stripes_errors_have_stable_codes() {
    for (status, error, code, retryable) in [
        (
            400,
            json!({"type": "invalid_request_error", "code": "parameter_missing", "param": "amount"}),
            "stripe.parameter-missing",
            false,
        ),
        (400, json!({"type": "invalid_request_error", "param": "foo"}), "stripe.invalid-request-error", false),
        (400, json!({"type": "idempotency_error"}), "stripe.idempotency-error", false),
        (401, json!({"type": "invalid_request_error"}), "stripe.authentication", false),
        (401, json!({"type": "invalid_request_error", "code": "api_key_expired"}), "stripe.api-key-expired", false),
        (
            402,
            json!({"type": "card_error", "code": "authentication_required"}),
            "stripe.authentication-required",
            false,
        ),
        (403, json!({"type": "invalid_request_error"}), "stripe.permission", false),
        (404, json!({"type": "invalid_request_error", "code": "resource_missing"}), "stripe.resource-missing", false),
        (
            409,
            json!({"type": "idempotency_error", "code": "idempotency_key_in_use"}),
            "stripe.idempotency-key-in-use",
            true,
        ),
        (429, json!({"type": "invalid_request_error", "code": "rate_limit"}), "stripe.rate-limit", true),
        (429, json!({"type": "api_error"}), "stripe.rate-limit", true),
        (429, json!({"type": "invalid_request_error", "code": "lock_timeout"}), "stripe.lock-timeout", true),
        (500, json!({"type": "api_error"}), "stripe.api-error", true),
        (200, json!({"type": "api_error"}), "stripe.api-error", false),
        (418, json!({}), "http.418", false),
    ] {
        let failure = failure(status, &[], &json!({ "error": error }).to_string());
        assert_eq!((failure.code.as_ref(), failure.retryable), (code, retryable), "{error}");
        let details = failure.details.unwrap();
        assert_eq!((&details["status"], details.get("param")), (&json!(status), error.get("param")));
    }
}

#[test]
fn stripe_says_when_to_try_again_and_whether() {
    let body = json!({"error": {"type": "invalid_request_error", "code": "rate_limit"}}).to_string();
    assert_eq!(failure(429, &[("Retry-After", "2")], &body).retry_after_ms, Some(2_000));
    assert!(!failure(500, &[("Stripe-Should-Retry", "false")], &body).retryable);
    assert!(failure(400, &[("Stripe-Should-Retry", "true")], &body).retryable);
    let page = failure(429, &[("Retry-After", "3")], "<html>slow down</html>");
    assert_eq!((page.code.as_ref(), page.retryable, page.retry_after_ms), ("stripe.rate-limit", true, Some(3_000)));
}

#[test]
fn what_is_no_answer_of_stripes_is_no_success() {
    let html = [("Content-Type", "text/html; charset=utf-8")];
    assert_eq!(failure(502, &html, "<html>").code, "http.502");
    assert_eq!(failure(200, &html, &intent("succeeded").to_string()).code, "http.unexpected-body");
    let of_another_kind = customer("cus_1").to_string();
    let mut wrong = intent("succeeded");
    wrong["customer"] = json!(5);
    for body in ["", "null", "[]", "\"ok\"", "{}", "{\"id\":", "<html>", &of_another_kind, &wrong.to_string()] {
        assert_eq!(failure(200, &[], body).code, "http.unexpected-body", "{body}");
    }
}

#[test]
fn what_moves_money_is_destructive_and_routes_are_narrow() {
    let descriptor = described();
    let effects: Vec<(&str, Effect)> =
        descriptor.operations.iter().map(|operation| (operation.name.as_str(), operation.effect)).collect();
    assert_eq!(
        effects,
        [
            ("createCustomer", Effect::Write),
            ("getCustomer", Effect::Read),
            ("updateCustomer", Effect::Write),
            ("listCustomers", Effect::Read),
            ("searchCustomers", Effect::Read),
            ("createPaymentIntent", Effect::Write),
            ("getPaymentIntent", Effect::Read),
            ("confirmPaymentIntent", Effect::Destructive),
            ("capturePaymentIntent", Effect::Destructive),
            ("cancelPaymentIntent", Effect::Destructive),
            ("createRefund", Effect::Destructive),
            ("getRefund", Effect::Read),
        ]
    );
    for operation in &descriptor.operations {
        assert_eq!(operation.routes.len(), 1, "{}", operation.name);
    }
    for route in &descriptor.routes {
        assert!(!route.url.contains('{') || route.url.contains(":word(1..255)}"), "{}", route.url);
        assert!(!route.query.iter().any(|parameter| parameter.name == "*"), "{}", route.url);
        assert_eq!(route.slots, ["secret-key"]);
    }
}

#[test]
fn creating_a_payment_cannot_confirm_it() {
    let refused = fake().invoke("createPaymentIntent", &json!({"amount": 100, "currency": "eur", "confirm": true}));
    assert!(matches!(refused, Err(Error::InvalidInput { .. })), "{refused:?}");
}

#[test]
fn the_schemas_say_what_stripe_demands() {
    let descriptor = described();
    let input = |name: &str| -> Value {
        descriptor.operations.iter().find(|operation| operation.name == name).unwrap().input.parse().unwrap()
    };
    assert_eq!(input("createPaymentIntent")["required"], json!(["amount", "currency"]));
    assert_eq!(input("listCustomers")["properties"]["limit"]["maximum"], json!(1000));
    assert_eq!(input("createRefund")["oneOf"][1]["required"], json!(["charge"]));
    let metadata = input("createCustomer")["properties"]["metadata"].clone();
    assert_eq!(metadata["maxProperties"], json!(50), "{metadata}");
    let output: Value = descriptor.operations[5].output.parse().unwrap();
    assert_eq!(output["properties"]["client_secret"]["x-sensitive"], json!(true), "{output}");
    assert_eq!(output["required"], json!(["id", "object", "status", "amount", "currency"]));
}

#[test]
fn an_amount_with_a_point_or_an_exponent_is_refused_before_it_is_sent() {
    for (operation, input, pointer) in [
        ("createPaymentIntent", r#"{"amount": 2000.0, "currency": "eur"}"#, "/amount"),
        (
            "createPaymentIntent",
            r#"{"amount": 9, "currency": "eur", "application_fee_amount": 1.0}"#,
            "/application_fee_amount",
        ),
        ("capturePaymentIntent", r#"{"intent": "pi_1", "amount_to_capture": 2e3}"#, "/amount_to_capture"),
        ("createRefund", r#"{"payment_intent": "pi_1", "amount": 2000.0}"#, "/amount"),
    ] {
        let error = fake().invoke(operation, &input.parse().unwrap()).unwrap_err();
        assert!(matches!(&error, Error::InvalidInput { pointer: at, .. } if at == pointer), "{operation}: {error}");
    }
}
