//! Amounts: whole numbers of a currency's minor unit, as <https://docs.stripe.com/currencies> has them.
//!
//! A wrong unit is the costliest mistake there is here: 100 is one dollar, a hundred yen, and nothing that can be charged in
//! Tunisian dinars. So what Stripe would refuse is refused before it is sent, with what would be right. How little can be
//! charged depends on the account, and is Stripe's to say.

use portcullis_sdk::{Error, Json, prelude::Value};

/// Most that can be charged in most currencies: eight digits.
pub(crate) const MAX: u64 = 99_999_999;
/// Most that can be charged in Indonesian rupiahs: twelve digits.
pub(crate) const MAX_IDR: u64 = 999_999_999_999;

/// Currencies that Stripe charges in.
const CURRENCIES: &str = "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd \
     cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr \
     ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn \
     myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd \
     std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw";

/// Those without a minor unit.
const ZERO_DECIMAL: &str = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf";
/// Those with thousandths, of which card networks take hundredths only: the last digit has to be 0.
const THREE_DECIMAL: &str = "bhd jod kwd omr tnd";
/// Those that lost their minor unit and are still written with it: the last two digits have to be 0.
const WHOLE_WITH_TWO_DECIMALS: &str = "isk ugx";

/// Checks a currency and an amount of it.
pub(crate) fn check(currency: &str, amount: u64) -> Result<(), Error> {
    if !has(CURRENCIES, currency) {
        let lower = currency.to_ascii_lowercase();
        let hint = if has(CURRENCIES, &lower) {
            format!("write it in lower case: `{lower}`")
        } else {
            "give the three letters (ISO 4217) of a currency that Stripe charges in, such as `eur`".to_owned()
        };
        return Err(Error::invalid_input("/currency", format!("Stripe knows no currency `{currency}`; {hint}")));
    }
    let most = if currency == "idr" { MAX_IDR } else { MAX };
    if amount == 0 || amount > most {
        return Err(Error::invalid_input(
            "/amount",
            format!("an amount in {currency} is 1 to {most}, in {}; {amount} is not", unit(currency)),
        ));
    }
    let step = if has(THREE_DECIMAL, currency) {
        10
    } else if has(WHOLE_WITH_TWO_DECIMALS, currency) {
        100
    } else {
        1
    };
    if amount.is_multiple_of(step) {
        return Ok(());
    }
    let below = amount - amount % step;
    let nearest = if below == 0 { step.to_string() } else { format!("{below} or {}", below + step) };
    let zeros = if step == 10 { "0" } else { "00" };
    Err(Error::invalid_input(
        "/amount",
        format!("an amount in {currency} is in {} and ends with {zeros}: {nearest}, not {amount}", unit(currency)),
    ))
}

/// The amount at this place. `2000.0` and `2e3` are integers to JSON Schema, and none to Stripe.
pub(crate) fn amount<T>(input: &Json<T>, pointer: &str) -> Result<Option<u64>, Error> {
    match input.value().pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        // By its text: who writes 20.00 may mean another unit.
        Some(value) => match value.as_number().and_then(|number| number.to_string().parse().ok()) {
            Some(amount) => Ok(Some(amount)),
            None => Err(Error::invalid_input(
                pointer,
                "write it as a whole number, without a point and without an exponent",
            )),
        },
    }
}

/// Checks an amount of a payment whose currency Stripe knows and the caller need not say.
pub(crate) fn check_amount(pointer: &str, amount: Option<u64>) -> Result<(), Error> {
    match amount {
        Some(amount) if amount == 0 || amount > MAX_IDR => {
            let message =
                "an amount is 1 or more, in the smallest unit of the payment's currency; leave it out for the whole";
            Err(Error::invalid_input(pointer, message))
        }
        _ => Ok(()),
    }
}

/// What an amount counts.
fn unit(currency: &str) -> &'static str {
    if has(ZERO_DECIMAL, currency) {
        "whole units: the currency has no smaller one"
    } else if has(THREE_DECIMAL, currency) {
        "thousandths"
    } else {
        "hundredths"
    }
}

fn has(list: &str, currency: &str) -> bool {
    list.split_ascii_whitespace().any(|one| one == currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(currency: &str, amount: u64) -> (String, String) {
        match check(currency, amount) {
            Err(Error::InvalidInput { pointer, message }) => (pointer, message),
            other => panic!("{currency} {amount}: {other:?}"),
        }
    }

    #[test]
    fn every_currency_is_listed_once_and_the_special_ones_are_among_them() {
        let all: Vec<&str> = CURRENCIES.split_ascii_whitespace().collect();
        assert!(all.iter().all(|code| code.len() == 3) && all.is_sorted_by(|a, b| a < b), "{all:?}");
        for list in [ZERO_DECIMAL, THREE_DECIMAL, WHOLE_WITH_TWO_DECIMALS] {
            assert!(list.split_ascii_whitespace().all(|code| has(CURRENCIES, code)), "{list}");
        }
    }

    #[test]
    fn amounts_that_stripe_takes_pass() {
        for (currency, amount) in [
            ("usd", 1),
            ("usd", MAX),
            ("jpy", 501),
            ("kwd", 5_120),
            ("isk", 500),
            ("ugx", 99_999_900),
            ("idr", MAX_IDR),
            ("huf", 1_045),
        ] {
            assert_eq!(check(currency, amount), Ok(()), "{currency} {amount}");
        }
    }

    #[test]
    fn an_amount_is_refused_with_what_would_be_right() {
        for (currency, amount, right) in [
            ("usd", 0, "1 to 99999999, in hundredths"),
            ("eur", MAX + 1, "1 to 99999999"),
            ("jpy", MAX + 1, "whole units"),
            ("idr", MAX_IDR + 1, "1 to 999999999999"),
            ("kwd", 5_124, "thousandths and ends with 0: 5120 or 5130"),
            ("bhd", 7, "ends with 0: 10, not 7"),
            ("isk", 250, "ends with 00: 200 or 300"),
            ("ugx", 1, "ends with 00: 100, not 1"),
        ] {
            let (pointer, message) = refused(currency, amount);
            assert_eq!(pointer, "/amount");
            assert!(message.contains(right), "{message}");
        }
    }

    #[test]
    fn a_currency_that_stripe_does_not_know_is_refused() {
        assert!(refused("USD", 100).1.contains("lower case: `usd`"));
        assert!(refused("xyz", 100).1.contains("such as `eur`"));
        assert_eq!(refused("usd eur", 100).0, "/currency");
    }

    #[test]
    fn an_amount_of_a_known_payment_is_one_or_more() {
        assert_eq!(check_amount("/amount", None), Ok(()));
        assert_eq!(check_amount("/amount", Some(1)), Ok(()));
        for wrong in [0, MAX_IDR + 1] {
            assert!(check_amount("/amount", Some(wrong)).is_err(), "{wrong}");
        }
    }
}
