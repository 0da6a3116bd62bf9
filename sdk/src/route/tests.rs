//! Where fields go, and which slots a route carries.

use super::*;

const RELATIVE: Route<(), ()> = Route::get("one", "/items/{id}/parts/{part}");
const ABSOLUTE: Route<(), ()> = Route::post("two", "https://other.example/x");
const BASE: Route<(), ()> = Route::post("three", "");

#[test]
fn a_path_is_relative_to_the_base_and_an_absolute_url_stays() {
    assert_eq!(RELATIVE.untyped.template("https://a.example/v1"), "https://a.example/v1/items/{id}/parts/{part}");
    assert_eq!(RELATIVE.untyped.template("https://a.example/v1/"), "https://a.example/v1/items/{id}/parts/{part}");
    assert_eq!(ABSOLUTE.untyped.template("https://a.example"), "https://other.example/x");
    assert_eq!(BASE.untyped.template("https://a.example/v1"), "https://a.example/v1");
}

#[test]
fn parameters_are_whole_segments() {
    assert_eq!(RELATIVE.untyped.parameters().collect::<Vec<_>>(), ["id", "part"]);
    assert_eq!(ABSOLUTE.untyped.parameters().count(), 0);
    assert_eq!(
        [parameter("{id:digits(1..9)}"), parameter("{path..}"), parameter("id")],
        [Some("id"), Some("path"), None]
    );
    assert!(is_rest("{path..}") && !is_rest("{id:digits(1..9)}"));
}

#[test]
fn a_route_carries_up_to_four_slots_in_their_order() {
    const A: Slot = Slot::bearer("a");
    const B: Slot = Slot::query("b", "b");
    const C: Slot = Slot::cookie("c", "c");
    const D: Slot = Slot::path("d", "d");
    const ALL: Route<(), ()> = Route::get("all", "/{d}/{e}").slot(&A).slot(&B).slot(&C).slot(&D);
    let names: Vec<&str> = ALL.untyped.slots.iter().flatten().map(|slot| slot.name()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert_eq!(ALL.untyped.parameters().collect::<Vec<_>>(), ["e"]);
}

#[test]
fn each_field_goes_to_one_place() {
    const MIXED: Route<(), ()> =
        Route::put("mixed", "/items/{id}").header_fields(&[("If-Match", "version")]).query(&["mode"]);
    const WHOLE: Route<(), ()> = Route::put("whole", "/items/{id}").body_field("item");
    let places = |route: &UntypedRoute, names: [&str; 4]| names.map(|name| route.place(name));
    assert_eq!(
        places(MIXED.untyped(), ["id", "version", "mode", "x"]),
        [Place::Path, Place::Header, Place::Query, Place::Body]
    );
    assert_eq!(
        places(WHOLE.untyped(), ["id", "item", "mode", "x"]),
        [Place::Path, Place::Body, Place::Query, Place::Query]
    );
    assert_eq!(RELATIVE.untyped.place("x"), Place::Query);
    assert!(ABSOLUTE.untyped.is_all_body() && !MIXED.untyped.is_all_body() && !WHOLE.untyped.is_all_body());
}
