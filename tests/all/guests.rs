//! The guests by name, for these tests. One that no test names does not compile: it is dead code here.
//! One that is not there does not compile either.

#![deny(dead_code)]

use portcullis_tests::guests::Guest;

include!(concat!(env!("OUT_DIR"), "/named.rs"));
