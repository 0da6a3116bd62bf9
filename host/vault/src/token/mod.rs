//! Tokens: what is sent to an authorization server for one, and what its answer says. All of it is pure but `obtain`,
//! which sends through a [`TokenClient`], and so through the gate.
//!
//! | file | what it does | by |
//! | --- | --- | --- |
//! | `request.rs` | a form with its secrets, as a request | RFC 6749, appendix B |
//! | `assertion.rs` | signed JWTs | RFC 7515, RFC 7523 |
//! | `authentication.rs` | how a client proves who it is | RFC 6749, section 2.3; RFC 7523, section 2.2 |
//! | `grant.rs` | what a token is asked for with | RFC 6749, RFC 7636, RFC 7523, GitHub |
//! | `answer.rs`, `member.rs` | what the answer says, and the sorts of its members | RFC 6749, section 5 |
//! | `discovery.rs` | what a server says about itself | RFC 8414, OpenID Connect Discovery, SMART |
//! | `authorize.rs` | a person's agreement, in a browser | RFC 6749, section 4.1; RFC 9207 |
//! | `revocation.rs` | that a token is not to work any more | RFC 7009 |
//! | `obtain.rs` | puts these together: a token, or why there is none | |
//! | `error.rs` | why there is none | |
//! | `life.rs` | when a token is asked for anew; a token as bytes | |
//! | `flight.rs` | one exchange for all who wait | |

mod answer;
mod assertion;
mod authentication;
mod authorize;
mod discovery;
mod error;
mod flight;
mod grant;
mod life;
mod member;
mod obtain;
mod request;
mod revocation;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    authorize::{finish, start},
    discovery::Known,
    error::TokenError,
    flight::{Flight, Flights},
    life::Freshness,
    obtain::obtain,
    revocation::revoke,
};
