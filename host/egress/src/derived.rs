//! Fields of an answer that tell of its body: how long it is, and what it hashes to. Where a secret was taken out of an
//! answer, they still tell of it: from a checksum, a guest could try out a short secret without anybody noticing.
//!
//! There is no list of all such fields, so they are known by the words in their names. What is about the whole message and
//! not about its content (`Date`, `Location`, rate limits, links to other pages) stays.

use portcullis_gate::Header;

/// Words in the names of fields that are made from a body: `ETag`, `Content-MD5`, `Digest` and `Repr-Digest` (RFC 9530),
/// `x-amz-checksum-sha256`, `x-goog-hash`, `x-ms-content-crc64`, `Signature` (RFC 9421), `x-uncompressed-size`, ...
const WORDS: [&str; 21] = [
    "adler",
    "blake",
    "checksum",
    "cksum",
    "crc",
    "digest",
    "etag",
    "fingerprint",
    "hash",
    "hmac",
    "integrity",
    "length",
    "md5",
    "murmur",
    "sha1",
    "sha2",
    "sha3",
    "sha5",
    "signature",
    "size",
    "xxh",
];
/// Names that are such a word, or say how much there is of a body.
const NAMES: [&str; 4] = ["content-range", "sha", "sum", "x-content-sha"];

/// Takes them out. `Content-Length` is written anew, where there was one, for the body that is handed on.
pub(crate) fn remove(headers: &mut Vec<Header>, length: usize) {
    headers.retain_mut(|header| {
        if header.name.eq_ignore_ascii_case("content-length") {
            header.value = length.to_string().into_bytes();
            return true;
        }
        !tells_of_body(&header.name)
    });
}

fn tells_of_body(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // `sha-256`, `content_md5`: however the parts are joined.
    let joined: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    NAMES.contains(&name.as_str()) || WORDS.iter().any(|word| joined.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_from_a_body_goes_and_what_is_not_stays() {
        for name in [
            "ETag",
            "Content-MD5",
            "Digest",
            "Content-Digest",
            "Repr-Digest",
            "Content-Range",
            "x-amz-checksum-sha256",
            "X-Goog-Hash",
            "x-ms-content-crc64",
            "x-ms-blob-content-md5",
            "X-Checksum-Sha1",
            "X-Content-SHA-256",
            "Signature",
            "Signature-Input",
            "X-Hub-Signature-256",
            "X-Uncompressed-Content-Length",
            "x-file-size",
            "Docker-Content-Digest",
            "X-Bz-Content-Sha1",
            "X_Body_Checksum",
            "X-Body-Fingerprint",
            "SHA",
        ] {
            assert!(tells_of_body(name), "{name}");
        }
        for name in [
            "Date",
            "Content-Type",
            "Location",
            "Link",
            "Retry-After",
            "X-RateLimit-Remaining",
            "X-Request-Id",
            "X-Next-Page",
            "X-Total-Count",
            "Set-Cookie",
            "Last-Modified",
            "Server",
            "x-shard",
            "x-share-id",
        ] {
            assert!(!tells_of_body(name), "{name}");
        }
    }

    #[test]
    fn the_length_is_that_of_what_is_handed_on() {
        let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.into() };
        let mut headers = vec![header("content-length", "40"), header("etag", "\"x\""), header("date", "now")];
        remove(&mut headers, 23);
        assert_eq!(headers, [header("content-length", "23"), header("date", "now")]);
    }
}
