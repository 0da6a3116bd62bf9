//! What was pasted with a secret: the words that the host writes before it, and characters that its place on the wire has not.
//! Judged when a secret is handed over, and not when it is used: what is stored stays as good as it was.

use portcullis_gate::Scheme;

use super::{Given, Kind, MaterialError};
use crate::pasted::not_ascii;

/// Refuses `Bearer abc` where the host writes `Bearer `, and a typographic dash in a token.
pub(crate) fn judge_pasted(given: &Given, scheme: &Scheme) -> Result<(), MaterialError> {
    let Some(secret) = given.secrets.get("secret").filter(|_| given.kind == Kind::Secret) else { return Ok(()) };
    let (secret, wrong) = (secret.expose(), |problem| Err(MaterialError::Field { field: "secret", problem }));
    let begins = |prefix: &str| {
        let start = secret.get(..prefix.len());
        secret.len() > prefix.len() && start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let written: Vec<String> = match scheme {
        Scheme::Bearer => vec!["Authorization:".into(), "Bearer ".into()],
        Scheme::Basic => vec!["Authorization:".into(), "Basic ".into()],
        Scheme::Header { name, prefix } => vec![format!("{name}:"), prefix.clone()],
        Scheme::Cookie { name } => vec!["Cookie:".into(), format!("{name}=")],
        Scheme::Query { name } | Scheme::Body { name } => vec![format!("{name}=")],
        _ => Vec::new(),
    };
    // A prefix that is a letter or two may well begin a secret, too.
    if let Some(prefix) = written.iter().find(|prefix| prefix.len() > 2 && begins(prefix)) {
        return wrong(format!("it begins with `{prefix}`, which the host writes; leave that out"));
    }
    let ascii = match scheme {
        Scheme::Bearer => "a bearer token is ASCII (RFC 6750, section 2.1)",
        Scheme::Header { .. } => "a token in a header field is ASCII",
        Scheme::Cookie { .. } => "a cookie is ASCII (RFC 6265, section 4.1.1)",
        _ => return Ok(()),
    };
    match not_ascii(secret) {
        Some((what, at)) => wrong(format!("its character {at} is {what}, and {ascii}; copy it anew")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn judge(secret: &str, scheme: &Scheme) -> Result<(), String> {
        let given = Given::secret(Secret::try_from(secret).unwrap());
        judge_pasted(&given, scheme).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_host_writes_before_a_secret_is_refused_at_its_beginning() {
        let key = Scheme::Header { name: "X-Api-Key".into(), prefix: "Token ".into() };
        for (secret, scheme, named) in [
            ("Bearer abcdefgh", &Scheme::Bearer, "`Bearer `"),
            ("bearer abcdefgh", &Scheme::Bearer, "`Bearer `"),
            ("Authorization: Bearer abc", &Scheme::Bearer, "`Authorization:`"),
            ("Basic dXNlcjpwYXNz", &Scheme::Basic, "`Basic `"),
            ("x-api-key: abcdefgh", &key, "`X-Api-Key:`"),
            ("token abcdefgh", &key, "`Token `"),
            ("api_key=abcdefgh", &Scheme::Query { name: "api_key".into() }, "`api_key=`"),
        ] {
            let error = judge(secret, scheme).unwrap_err();
            assert!(error.contains(named) && !error.contains("abc") && !error.contains("dXN"), "{error}");
        }
        for (secret, scheme) in
            [("bearerabc", &Scheme::Bearer), ("Bearer abcdefgh", &Scheme::Basic), ("tokenabc", &key)]
        {
            assert_eq!(judge(secret, scheme), Ok(()), "{secret}");
        }
    }

    #[test]
    fn a_dash_that_was_typeset_is_no_part_of_a_token_and_may_be_one_of_a_password() {
        let error = judge("tok\u{2013}abcdef", &Scheme::Bearer).unwrap_err();
        assert!(error.contains("its character 4 is a typographic dash (U+2013)"), "{error}");
        assert_eq!(judge("user:pass\u{2013}word", &Scheme::Basic), Ok(()));
    }
}
