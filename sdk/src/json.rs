//! Types of values that are passed on: JSON that is not decoded, and files.

use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Failure,
    failure::mismatch,
    model,
    schema::{Model, Schema},
};

/// JSON that has the shape of a `T` and is passed on as it is: it has `T`'s schema, and members that `T` does not know stay.
///
/// For most of what a provider answers: an adapter that hands it on has no use for a decoder, which costs size, fuel and
/// what the type does not know. [`Json::read`] decodes where something has to be looked at.
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// #[model]
/// struct Task {
///     id: u64,
/// }
///
/// const GET_TASK: Route<(), Json<Task>> = Route::get("get-task", "/task").describe("Reads the task.");
/// ```
pub struct Json<T> {
    /// The value.
    pub value: Value,
    shape: PhantomData<fn() -> T>,
}

impl<T> Json<T> {
    /// A value that has, or shall have, the shape of a `T`. The host checks it where it checks a `T`.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self { value, shape: PhantomData }
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// Decodes it. Fails with `http.unexpected-body`.
    pub fn read(&self) -> Result<T, Failure> {
        T::deserialize(&self.value).map_err(|error| {
            Failure::new("http.unexpected-body", format!("the answer is not as described: {}", mismatch(&error)))
        })
    }
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        Self::new(self.value.clone())
    }
}

impl<T> PartialEq for Json<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> std::fmt::Debug for Json<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value.fmt(formatter)
    }
}

impl<T> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::new)
    }
}

impl<T: Model> Model for Json<T> {
    const SCHEMA: &'static Schema = T::SCHEMA;
}

pub(crate) const FILE_NAME: &str = "filename";
pub(crate) const FILE_TYPE: &str = "contentType";
pub(crate) const FILE_BYTES: &str = "base64";

/// A file in an input, for [`Route::multipart`](crate::Route::multipart) and [`Route::raw`](crate::Route::raw).
#[model]
#[derive(Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// The file's name.
    pub filename: String,
    /// Its media type, as in `text/plain`.
    pub content_type: String,
    /// Its bytes in base64 (RFC 4648, section 4).
    pub base64: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_passed_on_with_what_its_type_does_not_know() {
        let text = r#"{"filename":"a","contentType":"b","base64":"","more":[1]}"#;
        let json: Json<File> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&json).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(json.read().unwrap_err().code, "http.unexpected-body");
        let value = json!({"filename": "a", "contentType": "b", "base64": ""});
        assert_eq!(Json::<File>::new(value).read().unwrap().filename, "a");
    }
}
