//! The key file of a Google service account: JSON as Google gives it.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use zeroize::Zeroizing;

use super::{MaterialError, key::JwtKey, reader};
use crate::secret::Secret;

/// What is needed of it.
pub(super) struct KeyFile {
    pub(super) email: String,
    pub(super) token_url: String,
    pub(super) key: JwtKey,
}

#[derive(Deserialize)]
struct Json {
    #[serde(rename = "type")]
    sort: String,
    client_email: String,
    token_uri: String,
    private_key_id: Option<String>,
    private_key: Wiped,
}

/// Text that is wiped. The JSON parser undoes its `\n` in a buffer of its own, which is not.
struct Wiped(Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Wiped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Wiped;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Wiped, E> {
                Ok(Wiped(Zeroizing::new(text.as_bytes().to_vec())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl KeyFile {
    pub(super) fn read(file: &Secret) -> Result<Self, MaterialError> {
        let wrong = |problem: &str| MaterialError::Field { field: "key-file", problem: problem.to_owned() };
        // The parser's own words may show what it read.
        let json: Json = serde_json::from_slice(file.expose()).map_err(|_| {
            wrong("it is not the JSON that Google gives, with client_email, token_uri, private_key and private_key_id")
        })?;
        if json.sort != "service_account" {
            return Err(wrong("its `type` is not `service_account`: it is a key of something else"));
        }
        if reader::plain(&json.client_email, 512).is_none() {
            return Err(wrong("its client_email is no plain text"));
        }
        let token_url = reader::url(&json.token_uri).ok_or_else(|| wrong("its token_uri is no https URL"))?;
        let key = JwtKey::new("key-file", &json.private_key.0, None, json.private_key_id.as_deref(), Some(&["RS256"]))?;
        Ok(Self { email: json.client_email, token_url, key })
    }
}
