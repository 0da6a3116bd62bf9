//! Enums: one of several shapes, told apart in one of serde's four ways.

use crate::Value;

use super::object::{CHOICES, Object, loosen_value, one_of, push, put, put_text, require, say, typed, whole};
use super::{Kind, Rendering, Schema, Shape, Tag, Variant};

impl Rendering {
    pub(super) fn variants(&mut self, tag: Tag, variants: &'static [Variant], strict: bool, flat: bool) -> Object {
        let here: Vec<&Variant> =
            variants.iter().filter(|variant| if self.received() { variant.received } else { variant.sent }).collect();
        // Plain names go together in one list.
        let plain = |variant: &Variant| {
            matches!(tag, Tag::External) && !flat && variant.content.is_none() && variant.keywords.is_empty()
        };
        let open = self.received() && here.iter().any(|variant| variant.kind == Kind::Other);
        let (names, others): (Vec<&Variant>, Vec<&Variant>) = here.into_iter().partition(|variant| plain(variant));
        let mut choices = Vec::with_capacity(others.len() + 1);
        if !names.is_empty() {
            let known = names.iter().filter(|variant| !open || variant.kind != Kind::Other);
            let mut object = one_of(known.map(|variant| variant.name));
            if open && let Some(values) = object.remove("enum") {
                put(&mut object, "examples", values);
            }
            if others.is_empty() {
                return object;
            }
            choices.push(Value::Object(object));
        }
        // Untagged contents and unknown names can be what another variant is as well.
        let overlap =
            open || matches!(tag, Tag::Untagged) || others.iter().any(|variant| variant.kind == Kind::Untagged);
        for variant in others {
            let mut object = self.variant(tag, variant, strict, flat);
            say(&mut object, variant.keywords);
            choices.push(whole(object));
        }
        let mut object = Object::new();
        put(&mut object, if overlap { "anyOf" } else { "oneOf" }, Value::Array(choices));
        object
    }

    fn variant(&mut self, tag: Tag, variant: &Variant, strict: bool, flat: bool) -> Object {
        let tag = if variant.kind == Kind::Untagged { Tag::Untagged } else { tag };
        let mut object = Object::new();
        match (tag, variant.content) {
            (Tag::External, None) if !flat => self.name(variant),
            (Tag::External, content) => {
                let content = content.map_or_else(|| Value::Object(typed("null")), |content| whole(self.body(content)));
                require(&mut object, variant.name, content);
                put(&mut object, "additionalProperties", Value::Bool(false));
                object
            }
            (Tag::Internal(name), content) => {
                if let Some(content) = content {
                    object = self.inner(content);
                } else if strict {
                    put(&mut object, "additionalProperties", Value::Bool(false));
                }
                // The tag comes first, as serde writes it.
                let required = object.remove("required");
                require(&mut object, name, Value::Object(self.name(variant)));
                if let Some(Value::Array(required)) = required {
                    required.into_iter().for_each(|name| push(&mut object, "required", name));
                }
                object
            }
            (Tag::Adjacent(name, holder), content) => {
                require(&mut object, name, Value::Object(self.name(variant)));
                if let Some(content) = content {
                    let content = whole(self.body(content));
                    require(&mut object, holder, content);
                }
                if strict {
                    put(&mut object, "additionalProperties", Value::Bool(false));
                }
                object
            }
            (Tag::Untagged, Some(content)) => self.body(content),
            (Tag::Untagged, None) => typed("null"),
        }
    }

    /// The content of an internally tagged variant: where it is another type, that type's own fields, which the tag joins.
    fn inner(&mut self, content: &'static Schema) -> Object {
        let mut object = match content.shape {
            Shape::Same(inner) => self.body(inner()),
            _ => self.body(content),
        };
        say(&mut object, content.keywords);
        for name in CHOICES {
            object.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().for_each(loosen_value);
        }
        object
    }

    /// A variant's name as a value: itself, or anything where it stands for all unknown ones.
    fn name(&self, variant: &Variant) -> Object {
        let mut object = typed("string");
        if !(self.received() && variant.kind == Kind::Other) {
            put_text(&mut object, "const", variant.name);
        }
        object
    }
}
