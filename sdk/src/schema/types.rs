//! The schemas of Rust's own types, as serde writes and reads them.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::{Number, Value};

use super::{Field, Keyword, Model, Schema};

macro_rules! plain {
    ($($type:ty => $schema:expr;)+) => {
        $(impl Model for $type {
            const SCHEMA: &'static Schema = &$schema;
        })+
    };
}

plain! {
    Value => Schema::any();
    () => Schema::null();
    bool => Schema::boolean();
    str => Schema::string();
    String => Schema::string();
    char => Schema::string().with(&[Keyword::at_least(1), Keyword::at_most(1)]);
    Number => Schema::number();
    f32 => Schema::number().with(&[Keyword::format("float")]);
    f64 => Schema::number().with(&[Keyword::format("double")]);
    i32 => Schema::integer().with(&[Keyword::format("int32")]);
    i64 => Schema::integer().with(&[Keyword::format("int64")]);
    isize => Schema::integer().with(&[Keyword::format("int")]);
    u32 => Schema::integer().with(&[Keyword::format("uint32"), Keyword::json("minimum", "0")]);
    u64 => Schema::integer().with(&[Keyword::format("uint64"), Keyword::json("minimum", "0")]);
    usize => Schema::integer().with(&[Keyword::format("uint"), Keyword::json("minimum", "0")]);
    i8 => Schema::integer()
        .with(&[Keyword::format("int8"), Keyword::json("minimum", "-128"), Keyword::json("maximum", "127")]);
    i16 => Schema::integer()
        .with(&[Keyword::format("int16"), Keyword::json("minimum", "-32768"), Keyword::json("maximum", "32767")]);
    u8 => Schema::integer()
        .with(&[Keyword::format("uint8"), Keyword::json("minimum", "0"), Keyword::json("maximum", "255")]);
    u16 => Schema::integer()
        .with(&[Keyword::format("uint16"), Keyword::json("minimum", "0"), Keyword::json("maximum", "65535")]);
}

macro_rules! transparent {
    ($([$($generics:tt)*] $type:ty => $inner:ty;)+) => {
        $(impl<$($generics)*> Model for $type {
            const SCHEMA: &'static Schema = <$inner>::SCHEMA;
        })+
    };
}

transparent! {
    [T: Model + ?Sized] &T => T;
    [T: Model + ?Sized] Box<T> => T;
    [T: Model + ?Sized] Rc<T> => T;
    [T: Model + ToOwned + ?Sized] Cow<'_, T> => T;
}

impl<T: Model> Model for Option<T> {
    const SCHEMA: &'static Schema = &Schema::nullable(Schema::of::<T>);
}

impl<T: Model> Model for [T] {
    const SCHEMA: &'static Schema = &Schema::array(Schema::of::<T>);
}

impl<T: Model> Model for Vec<T> {
    const SCHEMA: &'static Schema = <[T]>::SCHEMA;
}

impl<T: Model> Model for BTreeSet<T> {
    const SCHEMA: &'static Schema = &Schema::array(Schema::of::<T>).with(&[Keyword::json("uniqueItems", "true")]);
}

impl<T: Model, const N: usize> Model for [T; N] {
    #[expect(clippy::cast_possible_truncation, reason = "serde knows arrays of at most 32 items")]
    const SCHEMA: &'static Schema =
        &Schema::array(Schema::of::<T>).with(&[Keyword::at_least(N as u32), Keyword::at_most(N as u32)]);
}

impl<T: Model> Model for BTreeMap<String, T> {
    const SCHEMA: &'static Schema = &Schema::map(Schema::of::<T>);
}

macro_rules! tuples {
    ($(($($type:ident)+))+) => {
        $(impl<$($type: Model),+> Model for ($($type,)+) {
            const SCHEMA: &'static Schema = &Schema::tuple(&[$(Field::required("", Schema::of::<$type>)),+]);
        })+
    };
}

tuples! {
    (A)
    (A B)
    (A B C)
    (A B C D)
}
