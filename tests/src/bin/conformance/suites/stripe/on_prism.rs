//! All operations against Prism: what arrives is valid by Stripe's description, and whatever answer fits it is understood.

use std::collections::BTreeSet;

use portcullis_runtime::{Body, CallError, Outcome};
use serde_json::{Value, json};

use super::{SUBSET, WHOLE};
use crate::{
    bench::{Bench, Setup},
    cache::Cache,
    counterparts::prism,
    expect::{done, holds, same, statuses},
    report::{Checked, Checks, Stop},
    tap::Tap,
};

const KEY: &str = "sk_test_5d2c7a90b1";
const ACCOUNT: &str = "acct_1032D82eZvKYlo2C";

/// An operation, a good input, and what must arrive for it.
struct Case {
    operation: &'static str,
    input: Value,
    method: &'static str,
    /// Path and query, with brackets as they are.
    target: &'static str,
    /// The form, likewise.
    form: &'static str,
}

pub(super) async fn run(cache: &Cache, checks: &mut Checks) -> Checked {
    // The smaller description starts faster, and has everything but the search.
    let search = cache.spec_json(WHOLE)?.pointer("/paths/~1v1~1customers~1search").cloned();
    let search = search.ok_or_else(|| Stop::Failed(format!("{WHOLE} has no search")))?;
    let add = |description: &mut Value| {
        if let Some(paths) = description.pointer_mut("/paths").and_then(Value::as_object_mut) {
            paths.insert("/v1/customers/search".to_owned(), search);
        }
    };
    let prism = prism::start_mended(cache, SUBSET, add).await?;
    let tap = Tap::before(prism.address).await?;
    let config = json!({ "baseUrl": tap.origin(), "account": ACCOUNT });
    let bench = Bench::new("stripe", Setup::config(config).carve_out(tap.address).secret("secret-key", KEY)).await?;
    for case in cases() {
        let Case { operation, input, .. } = &case;
        tap.change(&[]);
        let live = bench.call(operation, input.clone()).await;
        let sent = arrived(&tap, &case);
        checks.check(&format!("{operation}: what arrives is what was meant, and is valid"), sent);
        let answered = statuses(&live, &[200]).and_then(|()| done(&live).map(drop));
        checks.check(&format!("{operation}: the answer that is described is an output"), answered);

        tap.change(&[("prefer", Some("dynamic=true"))]);
        let made_up = bench.call(operation, input.clone()).await;
        checks.check(&format!("{operation}: an answer that is made up to fit is an output"), done(&made_up).map(drop));

        tap.change(&[("prefer", Some("code=402"))]);
        let refused = bench.call(operation, input.clone()).await;
        let typed = failed(&refused, 402, |code| code.starts_with("stripe."));
        checks.check(&format!("{operation}: the error that is described is a failure with Stripe's code"), typed);

        // Prism's validator, not its wish to please.
        tap.change(&[("authorization", None)]);
        let invalid = bench.call(operation, input.clone()).await;
        let typed = failed(&invalid, 401, |code| code.starts_with("stripe."));
        checks.check(&format!("{operation}: what Prism finds invalid is a failure with Stripe's code"), typed);

        tap.take();
        let sandbox = bench.sandbox(operation, input.clone()).await;
        let pretended = pretended(&sandbox, &case, &tap)
            .and_then(|()| holds(tap.take().is_empty(), || "something was sent".to_owned()));
        checks.check(&format!("{operation}: sandbox mode would send the same, and sends nothing"), pretended);
    }
    checks.check("each operation was called", all_called(&bench));
    bench.end(checks);
    Ok(())
}

fn cases() -> Vec<Case> {
    let case = |operation, input, method, target, form| Case { operation, input, method, target, form };
    let customer = json!({
        "email": "ada@example.com", "name": "Ada", "phone": "+1-202-555-0143", "description": "First",
        "address": {"line1": "Unter den Linden 1", "city": "Berlin", "country": "DE"},
        "shipping": {"name": "Ada", "address": {"city": "Berlin"}, "phone": "1"},
        "balance": -500, "payment_method": "pm_card_visa", "invoice_settings": {"footer": "Thanks"},
        "invoice_prefix": "ADA1", "preferred_locales": ["de", "en"], "tax_exempt": "reverse",
        "metadata": {"order_id": "6735", "a b": "c&d=é"}, "expand": ["default_source"],
    });
    let update = json!({
        "customer": "cus_1", "name": "", "default_source": "card_1", "metadata": {"order_id": ""},
        "shipping": {"name": "Ada", "address": {}}, "expand": ["default_source"],
    });
    let list = json!({
        "limit": 1, "email": "a+b@example.com", "created": {"gte": 5, "lt": 9}, "starting_after": "cus_0",
        "expand": ["data.default_source"],
    });
    let payment = json!({
        "amount": 2000, "currency": "eur", "customer": "cus_1", "payment_method": "pm_card_visa",
        "payment_method_types": ["card", "ideal"], "capture_method": "manual", "confirmation_method": "automatic",
        "setup_future_usage": "off_session", "description": "Order", "receipt_email": "ada@example.com",
        "shipping": {"name": "Ada", "address": {"city": "Berlin"}, "carrier": "DHL", "tracking_number": "7"},
        "statement_descriptor": "ACME", "statement_descriptor_suffix": "6735", "application_fee_amount": 100,
        "on_behalf_of": "acct_1", "transfer_data": {"destination": "acct_1", "amount": 1900}, "transfer_group": "g",
        "metadata": {"order_id": "6735"}, "expand": ["customer"],
    });
    let confirm = json!({
        "intent": "pi_1", "payment_method": "pm_card_visa", "off_session": true, "error_on_requires_action": true,
        "return_url": "https://example.com/back", "mandate": "mandate_1", "receipt_email": "ada@example.com",
        "setup_future_usage": "on_session", "shipping": {"name": "Ada", "address": {"city": "Berlin"}},
        "expand": ["customer"],
    });
    let capture = json!({
        "intent": "pi_1", "amount_to_capture": 500, "application_fee_amount": 10, "statement_descriptor": "ACME",
        "statement_descriptor_suffix": "6735", "expand": ["customer"],
    });
    let refund = json!({
        "payment_intent": "pi_1", "amount": 500, "reason": "duplicate", "refund_application_fee": true,
        "reverse_transfer": true, "metadata": {"order_id": "6735"}, "expand": ["payment_intent"],
    });
    vec![
        case(
            "createCustomer",
            customer,
            "POST",
            "/v1/customers",
            "address[city]=Berlin&address[country]=DE&address[line1]=Unter den Linden 1&balance=-500&description=First\
             &email=ada@example.com&expand[]=default_source&invoice_prefix=ADA1&invoice_settings[footer]=Thanks\
             &metadata[a b]=c%26d%3Dé&metadata[order_id]=6735&name=Ada&payment_method=pm_card_visa&phone=+1-202-555-0143\
             &preferred_locales[]=de&preferred_locales[]=en&shipping[address][city]=Berlin&shipping[name]=Ada\
             &shipping[phone]=1&tax_exempt=reverse",
        ),
        case(
            "getCustomer",
            json!({"customer": "cus_1", "expand": ["default_source"]}),
            "GET",
            "/v1/customers/cus_1?expand[]=default_source",
            "",
        ),
        case(
            "updateCustomer",
            update,
            "POST",
            "/v1/customers/cus_1",
            "default_source=card_1&expand[]=default_source&metadata[order_id]=&name=&shipping[name]=Ada",
        ),
        case(
            "listCustomers",
            list,
            "GET",
            "/v1/customers?created[gte]=5&created[lt]=9&email=a+b@example.com&expand[]=data.default_source&limit=1\
             &starting_after=cus_0",
            "",
        ),
        case(
            "searchCustomers",
            json!({"query": "email:\"ada@example.com\"", "limit": 1, "page": "abc", "expand": ["data.default_source"]}),
            "GET",
            "/v1/customers/search?expand[]=data.default_source&limit=1&page=abc&query=email:\"ada@example.com\"",
            "",
        ),
        case(
            "createPaymentIntent",
            payment,
            "POST",
            "/v1/payment_intents",
            "amount=2000&application_fee_amount=100&capture_method=manual&confirmation_method=automatic&currency=eur\
             &customer=cus_1&description=Order&expand[]=customer&metadata[order_id]=6735&on_behalf_of=acct_1\
             &payment_method=pm_card_visa&payment_method_types[]=card&payment_method_types[]=ideal\
             &receipt_email=ada@example.com&setup_future_usage=off_session&shipping[address][city]=Berlin\
             &shipping[carrier]=DHL&shipping[name]=Ada&shipping[tracking_number]=7&statement_descriptor=ACME\
             &statement_descriptor_suffix=6735&transfer_data[amount]=1900&transfer_data[destination]=acct_1\
             &transfer_group=g",
        ),
        case(
            "getPaymentIntent",
            json!({"intent": "pi_1", "expand": ["customer"]}),
            "GET",
            "/v1/payment_intents/pi_1?expand[]=customer",
            "",
        ),
        case(
            "confirmPaymentIntent",
            confirm,
            "POST",
            "/v1/payment_intents/pi_1/confirm",
            "error_on_requires_action=true&expand[]=customer&mandate=mandate_1&off_session=true&payment_method=pm_card_visa\
             &receipt_email=ada@example.com&return_url=https://example.com/back&setup_future_usage=on_session\
             &shipping[address][city]=Berlin&shipping[name]=Ada",
        ),
        case(
            "capturePaymentIntent",
            capture,
            "POST",
            "/v1/payment_intents/pi_1/capture",
            "amount_to_capture=500&application_fee_amount=10&expand[]=customer&statement_descriptor=ACME\
             &statement_descriptor_suffix=6735",
        ),
        case(
            "cancelPaymentIntent",
            json!({"intent": "pi_1", "cancellation_reason": "abandoned", "expand": ["customer"]}),
            "POST",
            "/v1/payment_intents/pi_1/cancel",
            "cancellation_reason=abandoned&expand[]=customer",
        ),
        case(
            "createRefund",
            refund,
            "POST",
            "/v1/refunds",
            "amount=500&expand[]=payment_intent&metadata[order_id]=6735&payment_intent=pi_1&reason=duplicate\
             &refund_application_fee=true&reverse_transfer=true",
        ),
        case(
            "getRefund",
            json!({"refund": "re_1", "expand": ["payment_intent"]}),
            "GET",
            "/v1/refunds/re_1?expand[]=payment_intent",
            "",
        ),
    ]
}

/// What was encoded, so that it can be read; but for what would be read otherwise then.
fn legible(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match after {
            [high, low, ..] if *first == b'%' => std::str::from_utf8(&[*high, *low]).ok().map(str::to_owned),
            _ => None,
        };
        match escaped.and_then(|hex| u8::from_str_radix(&hex, 16).ok()).filter(|byte| !b"&=%?#".contains(byte)) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What reached the counterpart is what the case says.
fn arrived(tap: &Tap, case: &Case) -> Checked {
    let passed = tap.take();
    let [passed] = passed.as_slice() else {
        return Err(Stop::Failed(format!("{} requests arrived instead of one", passed.len())));
    };
    if let Some(violations) = prism::violations(passed) {
        return Err(Stop::Failed(format!("Prism finds {violations}")));
    }
    let request = &passed.request;
    let (version, account) = (request.header("stripe-version"), request.header("stripe-account"));
    let expected = json!([case.method, case.target, case.form, "2020-08-27", ACCOUNT, format!("Bearer {KEY}")]);
    let form = legible(&String::from_utf8_lossy(&request.body));
    let found =
        json!([request.method, legible(&request.target), form, version, account, request.header("authorization")]);
    same(&expected, &found)?;
    let is_post = case.method == "POST";
    let key = request.header("idempotency-key").map(str::len);
    holds(key.is_some_and(|length| length > 20) == is_post, || format!("an idempotency key of {key:?} bytes"))?;
    let media_type = request.header("content-type");
    let form = (!case.form.is_empty()).then_some("application/x-www-form-urlencoded");
    holds(media_type == form, || format!("the content type is {media_type:?}"))
}

/// A failure that the adapter made of this status, with a code that fits.
fn failed(outcome: &Outcome, status: u16, fits: impl Fn(&str) -> bool) -> Checked {
    statuses(outcome, &[status])?;
    match &outcome.result {
        Ok(_) => Err(Stop::Failed("there is an output".to_owned())),
        Err(CallError::Adapter { code, retryable: false, .. }) if fits(code) => Ok(()),
        Err(error) => Err(Stop::Failed(format!("not a failure of this kind: {error:?}"))),
    }
}

/// What sandbox mode would have sent is what the case says.
fn pretended(outcome: &Outcome, case: &Case, tap: &Tap) -> Checked {
    done(outcome)?;
    let [would] = outcome.would_send.as_slice() else {
        return Err(Stop::Failed(format!("it would send {} requests instead of one", outcome.would_send.len())));
    };
    let form = match &would.body {
        Some(Body::Text(text)) => legible(text),
        None => String::new(),
        Some(other) => return Err(Stop::Failed(format!("a body that is no text: {other:?}"))),
    };
    let expected = json!([case.method, format!("{}{}", tap.origin(), case.target), case.form]);
    same(&expected, &json!([would.method.to_string(), legible(&would.url), form]))
}

/// No operation was forgotten.
fn all_called(bench: &Bench) -> Checked {
    let called: BTreeSet<String> = cases().iter().map(|case| case.operation.to_owned()).collect();
    let declared: BTreeSet<String> = bench.descriptor.operations.iter().map(|one| one.name.clone()).collect();
    holds(called == declared, || format!("declared are {declared:?}"))
}
