//! Customers, payments and refunds at localstripe. What the adapter made, Stripe's own client reads, and the other way.
//!
//! localstripe knows fewer fields and fewer codes than Stripe (a customer that is not there has none), ignores idempotency
//! keys, and has no search.

use portcullis_runtime::{CallError, Outcome};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, Setup},
    cache::Cache,
    counterparts::{
        Running, localstripe,
        stripe_client::{StripeClient, call},
    },
    expect::{done, failed, holds, same, statuses, within},
    report::{Checked, Checks, Stop},
};

const KEY: &str = "sk_test_0a1b2c3d4e";
/// More than a page.
const CUSTOMERS: usize = 120;

/// The adapter, the client and the server they both ask.
struct Both<'a> {
    bench: Bench,
    client: StripeClient<'a>,
    server: &'a Running,
}

pub(super) async fn run(cache: &Cache, checks: &mut Checks) -> Checked {
    let server = localstripe::start(cache).await?;
    let client = StripeClient::ready(cache).await?;
    let both = Both { bench: with_key(&server, KEY).await?, client, server: &server };
    both.customers(checks).await?;
    both.lists(checks).await?;
    both.payments(checks).await?;
    both.holds_and_refusals(checks).await?;
    both.refunds(checks).await?;
    both.errors(checks).await?;
    both.bench.end(checks);
    Ok(())
}

async fn with_key(server: &Running, key: &str) -> Checked<Bench> {
    let setup = Setup::config(json!({ "baseUrl": server.origin() })).carve_out(server.address);
    Bench::new("stripe", setup.secret("secret-key", key)).await
}

impl Both<'_> {
    /// The adapter's output.
    async fn adapter(&self, operation: &str, input: Value) -> Checked<Value> {
        done(&self.bench.call(operation, input).await).cloned()
    }

    /// What the client reads, of each call.
    async fn client(&self, calls: &[Value]) -> Checked<Vec<Value>> {
        match self.client.make(&self.server.origin(), KEY, calls).await? {
            Value::Array(answers) => Ok(answers),
            other => Err(Stop::Failed(format!("the client says {other}"))),
        }
    }

    /// What the client reads, of one call that must succeed.
    async fn client_reads(&self, service: &str, method: &str, args: &[&str], params: Value) -> Checked<Value> {
        let answer = self.client(&[call(service, method, args, params)]).await?.pop().unwrap_or_default();
        answer.get("ok").cloned().ok_or_else(|| Stop::Failed(format!("the client's {service} {method}: {answer}")))
    }

    async fn customers(&self, checks: &mut Checks) -> Checked {
        let input = json!({
            "name": "Ada", "email": "ada@example.com", "phone": "+1-202-555-0143", "metadata": {"a b": "c&d=é", "x": "1"},
            "address": {"line1": "Unter den Linden 1", "city": "Berlin", "country": "DE"},
            "preferred_locales": ["de", "en"],
        });
        let made = self.adapter("createCustomer", input.clone()).await?;
        checks.check("a customer that was made has what was given", within(&input, &made));
        let id = id(&made)?;
        let read = self.client_reads("customers", "retrieve", &[&id], json!({})).await?;
        checks.check("the client reads the customer that the adapter made", same(&read, &made));
        let update = json!({"customer": id, "name": "Ada L.", "metadata": {"x": "2"}});
        let updated = self.adapter("updateCustomer", update).await?;
        let read = self.client_reads("customers", "retrieve", &[&id], json!({})).await?;
        checks.check("the client reads what the adapter changed", same(&read, &updated));
        let expected = json!({"name": "Ada L.", "email": "ada@example.com", "metadata": {"a b": "c&d=é", "x": "2"}});
        checks.check("what was not given stays", within(&expected, &read));
        let params = json!({"name": "Bob", "metadata": {"from": "client"}, "address": {"city": "Bonn"}});
        let made = self.client_reads("customers", "create", &[], params).await?;
        let read = self.adapter("getCustomer", json!({ "customer": made.get("id") })).await?;
        checks.check("the adapter reads the customer that the client made", same(&made, &read));
        Ok(())
    }

    async fn lists(&self, checks: &mut Checks) -> Checked {
        let new = |number: usize| call("customers", "create", &[], json!({"email": format!("n{number}@example.com")}));
        self.client(&(0..CUSTOMERS).map(new).collect::<Vec<_>>()).await?;
        let first = self.client_reads("customers", "list", &[], json!({"limit": 100})).await?;
        let last = ids(&first)?.pop().unwrap_or_default();
        let second = self.client_reads("customers", "list", &[], json!({"limit": 100, "starting_after": last})).await?;
        let all: Vec<Value> = ids(&first)?.into_iter().chain(ids(&second)?).collect();
        let outcome = self.bench.call("listCustomers", json!({"limit": 1000})).await;
        let listed = done(&outcome)?;
        checks.check("all pages are listed, as the client lists them", same(&json!(all), &json!(ids(listed)?)));
        let complete = statuses(&outcome, &[200, 200])
            .and_then(|()| holds(all.len() > CUSTOMERS, || format!("{} customers", all.len())))
            .and_then(|()| within(&json!({"has_more": false}), listed));
        checks.check("a list of two pages is two requests, and says that there is no more", complete);
        let some = self.adapter("listCustomers", json!({"limit": 110})).await?;
        let bounded =
            same(&json!(all.get(..110)), &json!(ids(&some)?)).and_then(|()| within(&json!({"has_more": true}), &some));
        checks.check("a list ends with as many as were asked for, and says that there are more", bounded);
        let one = self.adapter("listCustomers", json!({"email": "n7@example.com"})).await?;
        checks.check(
            "a list is filtered",
            within(&json!({"data": [{"email": "n7@example.com"}], "has_more": false}), &one),
        );
        Ok(())
    }

    /// A card's payment method.
    async fn card(&self, number: &str) -> Checked<String> {
        let card = json!({"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123"});
        let made = self.client_reads("payment_methods", "create", &[], json!({"type": "card", "card": card})).await?;
        id(&made)
    }

    /// A payment of 2000 by this card, made by the adapter.
    async fn payment(&self, number: &str, capture_method: &str) -> Checked<String> {
        let card = self.card(number).await?;
        let input = json!({
            "amount": 2000, "currency": "eur", "payment_method": card, "payment_method_types": ["card"],
            "capture_method": capture_method, "metadata": {"order_id": "6735"},
        });
        id(&self.adapter("createPaymentIntent", input).await?)
    }

    /// What the adapter said of a payment is what the client reads, and has this in it.
    async fn agree(&self, said: &Value, expected: &Value) -> Checked {
        let read = self.client_reads("payment_intents", "retrieve", &[&id(said)?], json!({})).await?;
        same(&read, said)?;
        within(expected, said)
    }

    async fn payments(&self, checks: &mut Checks) -> Checked {
        let intent = self.payment("4242424242424242", "automatic").await?;
        let waiting = self.adapter("getPaymentIntent", json!({ "intent": intent })).await?;
        let expected = json!({
            "status": "requires_confirmation", "amount": 2000, "currency": "eur", "metadata": {"order_id": "6735"},
        });
        checks.check("a payment that was created waits", self.agree(&waiting, &expected).await);
        let paid = self.adapter("confirmPaymentIntent", json!({ "intent": intent })).await?;
        checks.check("a payment is confirmed", self.agree(&paid, &json!({"status": "succeeded"})).await);
        let intent = self.payment("4242424242424242", "manual").await?;
        let blocked = self.adapter("confirmPaymentIntent", json!({ "intent": intent })).await?;
        checks.check("money is blocked", self.agree(&blocked, &json!({"status": "requires_capture"})).await);
        let input = json!({"intent": intent, "amount_to_capture": 1500});
        let captured = self.adapter("capturePaymentIntent", input).await?;
        checks.check("a part of it is captured", self.agree(&captured, &json!({"status": "succeeded"})).await);
        let card = self.card("4242424242424242").await?;
        let params = json!({"amount": 300, "currency": "usd", "payment_method": card, "metadata": {"from": "client"}});
        let made = self.client_reads("payment_intents", "create", &[], params).await?;
        let read = self.adapter("getPaymentIntent", json!({ "intent": made.get("id") })).await?;
        checks.check("the adapter reads the payment that the client made", same(&made, &read));
        Ok(())
    }

    async fn holds_and_refusals(&self, checks: &mut Checks) -> Checked {
        let intent = self.payment("4000000000003220", "automatic").await?;
        let waiting = self.adapter("confirmPaymentIntent", json!({ "intent": intent })).await?;
        let expected = json!({"status": "requires_action", "next_action": {"type": "use_stripe_sdk"}});
        checks.check("a payment that waits for its customer is an output", self.agree(&waiting, &expected).await);
        let canceled = self.adapter("cancelPaymentIntent", json!({ "intent": intent })).await?;
        checks.check("a payment is canceled", self.agree(&canceled, &json!({"status": "canceled"})).await);
        let intent = self.payment("4000000000000341", "automatic").await?;
        let declined = self.bench.call("confirmPaymentIntent", json!({ "intent": intent })).await;
        checks.check("a declined card is a failure with Stripe's code", told(&declined, "stripe.card-declined", 402));
        let left = self.adapter("getPaymentIntent", json!({ "intent": intent })).await?;
        let expected = json!({"status": "requires_payment_method", "last_payment_error": {"code": "card_declined"}});
        checks.check("and the payment says why", self.agree(&left, &expected).await);
        let intent = self.payment("4000000000000341", "automatic").await?;
        let said = self.client(&[call("payment_intents", "confirm", &[&intent], json!({}))]).await?;
        let expected = json!([{"error": {"status": 402, "code": "card_declined"}}]);
        checks.check("the client reads the same code", within(&expected, &Value::Array(said)));
        Ok(())
    }

    async fn refunds(&self, checks: &mut Checks) -> Checked {
        let intent = self.payment("4242424242424242", "automatic").await?;
        self.adapter("confirmPaymentIntent", json!({ "intent": intent })).await?;
        let input = json!({"payment_intent": intent, "amount": 700, "metadata": {"why": "a"}});
        let made = self.adapter("createRefund", input).await?;
        let read = self.client_reads("refunds", "retrieve", &[&id(&made)?], json!({})).await?;
        checks.check("the client reads the refund that the adapter made", same(&read, &made));
        let expected = json!({"amount": 700, "currency": "eur", "payment_intent": intent, "status": "succeeded"});
        checks.check("it is of this payment and amount", within(&expected, &made));
        let params = json!({"payment_intent": intent, "amount": 300});
        let made = self.client_reads("refunds", "create", &[], params).await?;
        let read = self.adapter("getRefund", json!({ "refund": made.get("id") })).await?;
        checks.check("the adapter reads the refund that the client made", same(&made, &read));
        Ok(())
    }

    async fn errors(&self, checks: &mut Checks) -> Checked {
        let missing = self.bench.call("getCustomer", json!({"customer": "cus_nobody"})).await;
        checks.check("a customer that is not there", told(&missing, "stripe.invalid-request-error", 404));
        let wrong = with_key(self.server, "nonsense-7f3a91c2").await?;
        let refused = wrong.call("getCustomer", json!({"customer": "cus_nobody"})).await;
        checks.check("a key that is none", told(&refused, "stripe.authentication", 401));
        wrong.end(checks);
        let calls = [call("customers", "retrieve", &["cus_nobody"], json!({}))];
        let said = self.client.make(&self.server.origin(), "nonsense-7f3a91c2", &calls).await?;
        let expected = json!([{"error": {"kind": "AuthenticationError", "status": 401}}]);
        checks.check("the client reads the same", within(&expected, &said));
        Ok(())
    }
}

/// A failure with this code that was answered with this status.
fn told(outcome: &Outcome, code: &str, status: u16) -> Checked {
    statuses(outcome, &[status])?;
    match failed(outcome, code)? {
        CallError::Adapter { retryable: false, details: Some(details), .. } => {
            within(&json!({ "status": status }), details)
        }
        other => Err(Stop::Failed(format!("{other:?}"))),
    }
}

fn id(value: &Value) -> Checked<String> {
    let id = value.get("id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| Stop::Failed(format!("there is no id in {value}")))
}

/// The ids of a list, in its order.
fn ids(list: &Value) -> Checked<Vec<Value>> {
    let data = list.get("data").and_then(Value::as_array);
    let data = data.ok_or_else(|| Stop::Failed(format!("there is no list in {list}")))?;
    Ok(data.iter().map(|item| item.get("id").cloned().unwrap_or_default()).collect())
}
