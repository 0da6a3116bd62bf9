//! When a fixed token stops working, where it says so itself: a JWT does (RFC 7519, section 4.1.4).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::secret::Secret;

#[derive(Deserialize)]
struct Claims {
    exp: f64,
}

/// When it stops working; none where it is no JWT or does not say. Nothing of it is checked: only its issuer could say whether
/// it works at all.
pub(super) fn of(token: &Secret) -> Option<Timestamp> {
    let text = std::str::from_utf8(token.expose()).ok()?;
    let mut parts = text.split('.');
    let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !header.starts_with("eyJ") {
        return None;
    }
    let mut json = Zeroizing::new(Vec::with_capacity(claims.len()));
    BASE64_URL_SAFE_NO_PAD.decode_vec(claims, &mut json).ok()?;
    let Claims { exp } = serde_json::from_slice(&json).ok()?;
    Timestamp::from_second(exp as i64).ok().filter(|_| exp.is_finite() && exp > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_says_when_it_expires_and_other_tokens_do_not() {
        // RFC 7519, section 3.1.
        let example = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let of = |text: &str| of(&Secret::try_from(text).unwrap());
        assert_eq!(of(example), Some("2011-03-22T18:43:00Z".parse().unwrap()));
        for other in
            ["sk_live_123", "eyJ.x.y", "eyJh.eyJhIjoxfQ.c", "eyJh.eyJleHAiOi0xfQ.c", "a.b.c", "eyJh.eyJleHAiOjF9.c.d"]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
