//! Types of values that are passed on: JSON that is not decoded, and files.

use std::marker::PhantomData;

use crate::Value;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use crate::{
    Failure,
    failure::mismatch,
    model, response,
    schema::{Model, Schema, check},
};

/// JSON that has the shape of a `T` and is passed on as it is: it has `T`'s schema, and members that `T` does not know stay.
/// Where it is read, its shape is checked against that schema, and nothing is decoded.
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
    /// A value that has the shape of a `T`. It is not checked; the host does so with what an operation returns.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self { value, shape: PhantomData }
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// Decodes it. Fails with `http.unexpected-body`.
    pub fn read(&self) -> Result<T, Failure> {
        response::parse(self.value.to_string().as_bytes()).map_err(|error| {
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

impl<'de, T: Model> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        check(T::SCHEMA, &value).map_err(serde::de::Error::custom)?;
        Ok(Self::new(value))
    }
}

impl<T: Model> Model for Json<T> {
    const SCHEMA: &'static Schema = &Schema::passed_on(Schema::of::<T>);
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
    use crate::json;

    use super::*;

    #[model]
    #[derive(Debug)]
    struct Task {
        id: u8,
        #[serde(default)]
        tags: Vec<String>,
    }

    #[test]
    fn json_is_passed_on_with_what_its_type_does_not_know_and_without_what_has_a_default() {
        let text = r#"{"id":1,"more":[1]}"#;
        let json: Json<Task> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
        assert_eq!((json.read().unwrap().id, json.read().unwrap().tags.len()), (1, 0));
        let schema = |direction| crate::schema::render(<Json<Task>>::SCHEMA, direction);
        assert_eq!(schema(crate::schema::Direction::Sent)["required"], json!(["id"]));
    }

    #[test]
    fn another_shape_is_refused_where_it_is_read() {
        let error = serde_json::from_str::<Json<Task>>(r#"{"id":"secret"}"#).unwrap_err();
        assert_eq!(error.to_string(), "at `/id` it is no integer");
        assert_eq!(Json::<Task>::new(json!({})).read().unwrap_err().code, "http.unexpected-body");
    }
}
