//! The bounds: one table with their names, units and defaults.
//!
//! A limit's name here is its name in a grant's `[limits]`, in errors, and in receipts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:literal, $min:literal..=$max:literal;)+) => {
        /// Every bound a call runs under. Each is enforced, and named in the error when it is hit.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct Limits {
            $($(#[doc = $doc])+ #[schemars(extend("minimum" = $min as u64, "maximum" = $max as u64))] pub $name: $type,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Limits {
            /// The range of the limit of this name; none if there is no such limit.
            pub fn range(name: &str) -> Option<(u64, u64)> {
                match name {
                    $(stringify!($name) => Some(($min, $max)),)+
                    _ => None,
                }
            }

            /// The limit of this name.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => Some(u64::from(self.$name)),)+
                    _ => None,
                }
            }

            /// All names, in the order in which they are documented.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// Lowers the limit of this name to `most`, where it is higher. Where 0 means that there is no limit, 0 is the
            /// highest.
            pub(crate) fn lower(&mut self, name: &str, most: u64) {
                let unlimited = |value: u64| value == 0 && name.ends_with("_per_second");
                if unlimited(most) {
                    return;
                }
                match name {
                    $(stringify!($name) => {
                        let most = <$type>::try_from(most).unwrap_or(<$type>::MAX);
                        if self.$name > most || unlimited(u64::from(self.$name)) {
                            self.$name = most;
                        }
                    })+
                    _ => {}
                }
            }

            /// Refuses a value that the limit of this name cannot have.
            pub(crate) fn check_one(name: &str, value: u64) -> Result<(), LimitsError> {
                match name {
                    $(stringify!($name) if !($min..=$max).contains(&value) => {
                        Err(LimitsError { name: stringify!($name), value, min: $min, max: $max })
                    })+
                    _ => Ok(()),
                }
            }

            /// Refuses a limit outside of the range in which it can be enforced.
            pub fn check(&self) -> Result<(), LimitsError> {
                $(Self::check_one(stringify!($name), u64::from(self.$name))?;)+
                Ok(())
            }
        }
    };
}

/// A limit outside of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limits.{name} is {value}; write a number from {min} to {max}")]
pub struct LimitsError {
    /// Its name.
    pub name: &'static str,
    /// What was asked.
    pub value: u64,
    /// The least it can be.
    pub min: u64,
    /// The most it can be.
    pub max: u64,
}

limits! {
    /// Fuel of one call: about one unit per WebAssembly instruction.
    fuel: u64 = 100_000_000, 10_000..=1_000_000_000_000;
    /// CPU time in the guest, between host calls, in sum.
    guest_ms: u32 = 1_000, 1..=600_000;
    /// Work of the host on the call's data, in units of at most 50 ns: schemas, patterns, searches for secrets, made-up
    /// answers.
    work: u64 = 20_000_000, 100_000..=12_000_000_000;
    /// Wall-clock time of the whole call, waiting included.
    wall_ms: u32 = 30_000, 1..=3_600_000;
    /// All memories and tables of a call, counted together.
    memory_bytes: u64 = 67_108_864, 131_072..=67_108_864;
    /// The adapter's output, as text.
    output_bytes: u32 = 1_048_576, 1..=8_388_608;
    /// Calls of this integration that run at once; more wait, within their own `wall_ms`.
    calls_at_once: u32 = 64, 1..=1_024;
    /// Requests a call may ask for: hops of redirects and what is refused included, retries not.
    requests: u32 = 16, 0..=10_000;
    /// Requests of one `send-all` under way at once.
    requests_at_once: u32 = 6, 1..=64;
    /// Hops of redirects that one request is followed through; with 0 the redirect itself is the response.
    redirects: u32 = 5, 0..=20;
    /// Times one request is tried again, where its route allows that.
    retries: u32 = 2, 0..=10;
    /// Requests of this integration in a second, over all of its calls, each try counted; 0 for no limit. Who has to wait for
    /// longer than `request_ms` is refused at once.
    requests_per_second: u32 = 0, 0..=100_000;
    /// How many of them may leave at once after a silence.
    burst: u32 = 1, 1..=100_000;
    /// Requests of this integration to one origin in a second; 0 for no limit.
    origin_requests_per_second: u32 = 0, 0..=100_000;
    /// How many of them may leave at once after a silence.
    origin_burst: u32 = 1, 1..=100_000;
    /// Length of a request's URL.
    url_bytes: u32 = 8_192, 64..=65_536;
    /// Body of one request.
    request_bytes: u32 = 1_048_576, 0..=67_108_864;
    /// Body of one response, on the wire and again when unpacked.
    response_bytes: u32 = 5_242_880, 0..=67_108_864;
    /// Bodies of all responses of a call in sum, those of redirects and of tries that are repeated included; on the wire
    /// and again when unpacked.
    bytes_in: u32 = 33_554_432, 0..=268_435_456;
    /// Header fields of one request, and of one response.
    header_count: u32 = 64, 0..=100;
    /// Header fields of one request, and of one response: names and values in sum.
    header_bytes: u32 = 32_768, 0..=262_144;
    /// Resolving a name.
    dns_ms: u32 = 5_000, 1..=600_000;
    /// Connecting, TLS included.
    connect_ms: u32 = 5_000, 1..=600_000;
    /// From the request's last byte to the response's header.
    first_byte_ms: u32 = 10_000, 1..=600_000;
    /// Between two pieces of a response's body.
    idle_ms: u32 = 5_000, 1..=600_000;
    /// One request from its start to the response's last byte, redirects and retries included.
    request_ms: u32 = 20_000, 1..=3_600_000;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_their_ranges() {
        Limits::default().check().unwrap();
    }

    #[test]
    fn zero_and_the_largest_integer_are_refused_by_name() {
        let zero = Limits { wall_ms: 0, ..Limits::default() };
        assert_eq!(zero.check().unwrap_err().name, "wall_ms");
        let huge = Limits { request_ms: u32::MAX, ..Limits::default() };
        assert_eq!(huge.check().unwrap_err().name, "request_ms");
        let wide = Limits { memory_bytes: 1 << 40, ..Limits::default() };
        assert_eq!(wide.check().unwrap_err().name, "memory_bytes");
    }

    #[test]
    fn the_sdks_page_says_the_defaults() {
        let page = include_str!("../../../sdk/docs/limits.md");
        let cells = |line: &'static str| line.split('|').map(str::trim).collect::<Vec<_>>();
        let rows: Vec<_> =
            page.lines().map(cells).filter(|cells| cells.len() == 6 && cells[1].starts_with('`')).collect();
        let told: Vec<&str> = rows.iter().map(|cells| cells[1].trim_matches('`')).collect();
        assert_eq!(told, Limits::NAMES);
        for cells in rows {
            let name = cells[1].trim_matches('`');
            let (default, most) = (Limits::default().get(name).unwrap(), Limits::range(name).unwrap().1);
            assert_eq!((cells[2], cells[3]), (default.to_string().as_str(), most.to_string().as_str()), "{name}");
        }
    }
}
