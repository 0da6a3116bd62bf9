//! What each kind of type becomes, in both directions.
#![allow(dead_code, reason = "the types are there for their schemas")]

mod enums;
mod fields;
mod types;

use crate::Value;

use super::{Direction, Model, render};

fn received<T: Model + ?Sized>() -> Value {
    render(T::SCHEMA, Direction::Received)
}

fn sent<T: Model + ?Sized>() -> Value {
    render(T::SCHEMA, Direction::Sent)
}

fn both<T: Model + ?Sized>() -> Value {
    assert_eq!(received::<T>(), sent::<T>());
    sent::<T>()
}
