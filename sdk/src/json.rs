//! Types of values that are passed on: JSON that is not decoded, and files.

use std::{borrow::Cow, cell::OnceCell, marker::PhantomData};

use crate::Value;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use crate::{
    Failure,
    document::{Document, Kind},
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
    held: Held,
    shape: PhantomData<fn() -> T>,
}

#[derive(Clone)]
enum Held {
    /// As it was read, and taken apart where somebody asked for that.
    Read(Document, OnceCell<Value>),
    Made(Value),
}

impl<T> Json<T> {
    /// A value that has the shape of a `T`. It is not checked; the host does so with what an operation returns.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self { held: Held::Made(value), shape: PhantomData }
    }

    pub(crate) fn of(document: Document) -> Self {
        Self { held: Held::Read(document, OnceCell::new()), shape: PhantomData }
    }

    /// The value. To take apart what was read costs several times as much as handing it on; where a few members are all that is
    /// looked at, [`Json::pointer`] costs less.
    #[must_use]
    pub fn value(&self) -> &Value {
        match &self.held {
            Held::Read(document, value) => value.get_or_init(|| document.root().to_value()),
            Held::Made(value) => value,
        }
    }

    /// The value, to be changed.
    pub fn value_mut(&mut self) -> &mut Value {
        if let Held::Read(..) = self.held {
            self.held = Held::Made(std::mem::replace(&mut self.held, Held::Made(Value::Null)).into_value());
        }
        match &mut self.held {
            Held::Made(value) => value,
            // Made a moment ago.
            Held::Read(..) => unreachable!(),
        }
    }

    /// The value by itself.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.held.into_value()
    }

    /// The same JSON, said to have another shape. It is not checked.
    #[must_use]
    pub fn cast<U>(self) -> Json<U> {
        Json { held: self.held, shape: PhantomData }
    }

    /// What a JSON Pointer (RFC 6901) names, without taking the rest apart.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<Value> {
        match self.document() {
            Some(document) => Some(document.root().pointer(pointer)?.to_value()),
            None => self.value().pointer(pointer).cloned(),
        }
    }

    /// What a JSON Pointer names, as JSON that can be handed on in its turn.
    #[must_use]
    pub fn part(&self, pointer: &str) -> Option<Json<Value>> {
        match self.document() {
            Some(document) => Some(Json::of(document.root().pointer(pointer)?.to_document())),
            None => self.value().pointer(pointer).cloned().map(Json::new),
        }
    }

    /// The items of the list that a JSON Pointer names; none where there is no list.
    ///
    /// ```
    /// use portcullis_sdk::prelude::*;
    ///
    /// let page: Json<Value> = portcullis_sdk::serde_json::from_str(r#"{"found": [{"id": 1}, {"id": 2}]}"#)?;
    /// let items = page.items("/found").unwrap_or_default();
    /// assert_eq!(items.len(), 2);
    /// assert_eq!(items[1].pointer("/id"), Some(json!(2)));
    /// # Ok::<(), portcullis_sdk::serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn items(&self, pointer: &str) -> Option<Vec<Json<Value>>> {
        match self.document() {
            Some(document) => {
                let list = document.root().pointer(pointer)?;
                (list.kind() == Kind::Array).then(|| list.items().map(|item| Json::of(item.to_document())).collect())
            }
            None => Some(self.value().pointer(pointer)?.as_array()?.iter().cloned().map(Json::new).collect()),
        }
    }

    /// None where it was not read, or was changed since.
    pub(crate) fn document(&self) -> Option<&Document> {
        match &self.held {
            Held::Read(document, _) => Some(document),
            Held::Made(_) => None,
        }
    }
}

impl Held {
    fn into_value(self) -> Value {
        match self {
            Held::Read(document, value) => value.into_inner().unwrap_or_else(|| document.root().to_value()),
            Held::Made(value) => value,
        }
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// Decodes it. Fails with `http.unexpected-body`.
    pub fn read(&self) -> Result<T, Failure> {
        let text = match &self.held {
            Held::Read(document, _) => Cow::Borrowed(document.text()),
            Held::Made(value) => Cow::Owned(value.to_string()),
        };
        response::parse(text.as_bytes()).map_err(|error| {
            Failure::new("http.unexpected-body", format!("the answer is not as described: {}", mismatch(&error)))
        })
    }
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        Self { held: self.held.clone(), shape: PhantomData }
    }
}

/// Two that say the same: `1.0` is `1`, and members may stand in any order.
impl<T> PartialEq for Json<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl<T> std::fmt::Debug for Json<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value().fmt(formatter)
    }
}

impl<T> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.held {
            Held::Read(document, _) => document.serialize(serializer),
            Held::Made(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Model> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(deserializer)?;
        check(T::SCHEMA, document.root()).map_err(serde::de::Error::custom)?;
        Ok(Self::of(document))
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
