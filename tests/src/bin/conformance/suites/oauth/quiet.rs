//! What is recorded of token requests, and what is not to be found anywhere: no secret in outcomes, in exports of the ledger
//! and in the store's files.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::{
    bed::Bed,
    server::{BASIC, POST, WEB},
};
use crate::{
    expect::{done, holds},
    report::{Checked, Checks, Stop},
};

/// By so many bytes at its beginning a secret is found. None is shorter.
const START: usize = 8;

pub(super) async fn run(bed: &Bed, checks: &mut Checks) -> Checked {
    checks.check("each token request is recorded, before it is sent and after", recorded(bed).await);
    checks.check("an API that echoes the token is not believed", echoed(bed).await);
    checks.check("no secret and no token is in outcomes, exports and the store's files", nowhere(bed).await);
    Ok(())
}

async fn recorded(bed: &Bed) -> Checked {
    bed.reset().await?;
    bed.lives(2).await?;
    let name = "recorded";
    let door = bed.door(name, bed.machine(BASIC, "client_secret_basic")?).await?;
    done(&door.whoami().await)?;
    super::bed::expire().await;
    done(&door.whoami().await)?;
    let records = bed.host.records(name).await?;
    let tokens: Vec<&Value> = records.iter().filter(|record| record["kind"] == "token").collect();
    let actions: Vec<_> = tokens.iter().filter_map(|record| record.pointer("/change/action")?.as_str()).collect();
    holds(actions == ["asking", "asked", "asking", "asked"], || format!("the records are {tokens:?}"))?;
    let exchanges = tokens.iter().filter_map(|record| record["exchanges"].as_array()).flatten();
    let statuses: Vec<_> = exchanges.map(|exchange| exchange["status"].clone()).collect();
    holds(statuses == [json!(200), json!(200)], || format!("their statuses are {statuses:?}"))?;
    bed.asked(2).await
}

async fn echoed(bed: &Bed) -> Checked {
    bed.reset().await?;
    let door = bed.door("echoed", bed.machine(BASIC, "client_secret_basic")?).await?;
    let outcome = door.call("echo", json!({ "text": "hello" })).await;
    let output = done(&outcome)?;
    let token = bed.tokens(BASIC.0, "ClientCredentials").await?.pop().unwrap_or_default();
    let token = token.get("value").and_then(Value::as_str).unwrap_or_default();
    holds(!token.is_empty() && output["authorization"].is_string(), || format!("there is no echo: {output}"))?;
    holds(!output.to_string().contains(token), || "the token is in the output".to_owned())?;
    holds(outcome.receipt.redactions > 0, || "nothing was taken out".to_owned())
}

async fn nowhere(bed: &Bed) -> Checked {
    let Value::Array(tokens) = bed.oidc.control("tokens?values=1", None).await? else {
        return Err(Stop::Failed("there are no tokens".to_owned()));
    };
    let mut secrets: Vec<(String, Vec<u8>)> = Vec::new();
    for token in &tokens {
        let value = token["value"].as_str().unwrap_or_default();
        secrets.extend(forms(&format!("a token of {}", token["client"]), value));
    }
    holds(secrets.len() > 60, || format!("there are only {} forms of tokens", secrets.len()))?;
    let form = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    for (id, secret) in [BASIC, POST, WEB] {
        secrets.extend(forms(&format!("the secret of {id}"), secret));
        let basic = BASE64_STANDARD.encode(format!("{}:{}", form(id), form(secret)));
        secrets.push((format!("the Basic form of {id}"), basic.into_bytes()));
    }
    for name in ["rsa", "ec", "rsa-pkcs1"] {
        let pem = bed.key(name, "pem")?;
        let line = pem.lines().nth(2).unwrap_or_default();
        secrets.push((format!("a line of the key {name}"), line.as_bytes().to_vec()));
    }
    let mut found = Vec::new();
    for (place, bytes) in bed.host.shown().await? {
        holds(!bytes.is_empty() || place.contains("file"), || format!("{place} is empty"))?;
        found.extend(contained(&bytes, &secrets).into_iter().map(|name| format!("{name} is in {place}")));
    }
    holds(found.is_empty(), || found.join("\n"))
}

/// A secret as it is, as a form writes it, and in base64.
fn forms(name: &str, secret: &str) -> Vec<(String, Vec<u8>)> {
    let form: String = byte_serialize(secret.as_bytes()).collect();
    let base64 = BASE64_STANDARD.encode(secret);
    let mut all = vec![(name.to_owned(), secret.as_bytes().to_vec())];
    if form != secret {
        all.push((format!("{name}, as in a form"), form.into_bytes()));
    }
    all.push((format!("{name}, in base64"), base64.trim_end_matches('=').as_bytes().to_vec()));
    all
}

/// The names of those that are in these bytes. Looked at once for all of them: a store is megabytes, and there are hundreds.
fn contained<'s>(bytes: &[u8], secrets: &'s [(String, Vec<u8>)]) -> Vec<&'s str> {
    let mut by_start: HashMap<&[u8], Vec<&'s (String, Vec<u8>)>> = HashMap::new();
    for secret in secrets {
        by_start.entry(secret.1.get(..START).unwrap_or_default()).or_default().push(secret);
    }
    let starts = bytes.windows(START).enumerate().filter_map(|(at, start)| Some((at, by_start.get(start)?)));
    let here = |(at, secrets): (usize, &Vec<&'s (String, Vec<u8>)>)| {
        let rest = bytes.get(at..).unwrap_or_default();
        secrets.iter().filter(|(_, secret)| rest.starts_with(secret)).map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    starts.flat_map(here).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_bytes_is_found_wherever_it_stands() {
        let secrets = forms("it", "a-secret&of-mine");
        for (text, expected) in [
            ("a-secret&of-mine", vec!["it"]),
            ("xa-secret%26of-mine\n", vec!["it, as in a form"]),
            ("...YS1zZWNyZXQmb2YtbWluZQ==", vec!["it, in base64"]),
            ("a-secret&of-min", vec![]),
            ("a-sec", vec![]),
        ] {
            assert_eq!(contained(text.as_bytes(), &secrets), expected, "{text}");
        }
    }
}
