//! `json!`, as serde_json writes it.

/// Makes a [`Value`](crate::Value) of JSON with expressions in it: `json!({"id": id, "tags": ["a", tag]})`.
#[macro_export]
macro_rules! json {
    ($($json:tt)+) => {
        $crate::json_internal!($($json)+)
    };
}

#[macro_export]
#[doc(hidden)]
macro_rules! json_internal {
    // The items of a list, one after the other.
    (@array [$($done:expr,)*]) => { ::std::vec![$($done,)*] };
    (@array [$($done:expr,)*] null $(, $($rest:tt)*)?) => {
        $crate::json_internal!(@array [$($done,)* $crate::json_internal!(null),] $($($rest)*)?)
    };
    (@array [$($done:expr,)*] [$($items:tt)*] $(, $($rest:tt)*)?) => {
        $crate::json_internal!(@array [$($done,)* $crate::json_internal!([$($items)*]),] $($($rest)*)?)
    };
    (@array [$($done:expr,)*] {$($members:tt)*} $(, $($rest:tt)*)?) => {
        $crate::json_internal!(@array [$($done,)* $crate::json_internal!({$($members)*}),] $($($rest)*)?)
    };
    (@array [$($done:expr,)*] $next:expr $(, $($rest:tt)*)?) => {
        $crate::json_internal!(@array [$($done,)* $crate::json_internal!($next),] $($($rest)*)?)
    };

    // The members of an object; a name is taken up one token at a time, up to its colon.
    (@object $object:ident () ()) => {};
    (@object $object:ident ($($name:tt)+) (: null $(, $($rest:tt)*)?)) => {
        $object.insert(($($name)+).into(), $crate::json_internal!(null));
        $crate::json_internal!(@object $object () ($($($rest)*)?));
    };
    (@object $object:ident ($($name:tt)+) (: [$($items:tt)*] $(, $($rest:tt)*)?)) => {
        $object.insert(($($name)+).into(), $crate::json_internal!([$($items)*]));
        $crate::json_internal!(@object $object () ($($($rest)*)?));
    };
    (@object $object:ident ($($name:tt)+) (: {$($members:tt)*} $(, $($rest:tt)*)?)) => {
        $object.insert(($($name)+).into(), $crate::json_internal!({$($members)*}));
        $crate::json_internal!(@object $object () ($($($rest)*)?));
    };
    (@object $object:ident ($($name:tt)+) (: $value:expr $(, $($rest:tt)*)?)) => {
        $object.insert(($($name)+).into(), $crate::json_internal!($value));
        $crate::json_internal!(@object $object () ($($($rest)*)?));
    };
    (@object $object:ident ($($name:tt)*) ($next:tt $($rest:tt)*)) => {
        $crate::json_internal!(@object $object ($($name)* $next) ($($rest)*));
    };

    (null) => { $crate::Value::Null };
    ([]) => { $crate::Value::Array(::std::vec![]) };
    ([$($items:tt)+]) => { $crate::Value::Array($crate::json_internal!(@array [] $($items)+)) };
    ({}) => { $crate::Value::Object($crate::Map::new()) };
    ({$($members:tt)+}) => {{
        let mut object = $crate::Map::new();
        $crate::json_internal!(@object object () ($($members)+));
        $crate::Value::Object(object)
    }};
    ($other:expr) => { $crate::Value::of(&$other) };
}
