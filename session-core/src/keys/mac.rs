//! The MAC primitive, for both algorithms.

use hmac::{Hmac, KeyInit, Mac as _};
use sha1::Sha1;
use sha2::Sha256;

/// Which HMAC a key signs with. Chosen with the key, by the server, never by a cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Algorithm {
    HmacSha1,
    HmacSha256,
}

impl Algorithm {
    pub(crate) const fn digest_bytes(self) -> usize {
        match self {
            Self::HmacSha1 => 20,
            Self::HmacSha256 => 32,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
        }
    }
}

/// A MAC in progress. Cloning one that has taken in its key and a prefix saves doing so again for
/// every cookie.
#[derive(Clone)]
pub(crate) enum Mac {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

impl Mac {
    pub(crate) fn new(algorithm: Algorithm, key: &[u8]) -> Self {
        // HMAC takes keys of every length, so neither constructor can fail.
        match algorithm {
            Algorithm::HmacSha1 => Self::Sha1(infallible(Hmac::new_from_slice(key))),
            Algorithm::HmacSha256 => Self::Sha256(infallible(Hmac::new_from_slice(key))),
        }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha1(mac) => mac.update(data),
            Self::Sha256(mac) => mac.update(data),
        }
    }

    /// Takes in a part of a message that has several, so that no two messages of different parts
    /// are the same.
    pub(crate) fn update_part(&mut self, part: &[u8]) {
        self.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.update(part);
    }

    /// Appends the digest to `out`.
    pub(crate) fn finish_into(self, out: &mut Vec<u8>) {
        match self {
            Self::Sha1(mac) => out.extend_from_slice(&mac.finalize().into_bytes()),
            Self::Sha256(mac) => out.extend_from_slice(&mac.finalize().into_bytes()),
        }
    }

    /// Whether `digest` is the whole digest, in constant time.
    pub(crate) fn verify(self, digest: &[u8]) -> bool {
        match self {
            Self::Sha1(mac) => mac.verify_slice(digest).is_ok(),
            Self::Sha256(mac) => mac.verify_slice(digest).is_ok(),
        }
    }
}

#[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
fn infallible<T, E: std::fmt::Debug>(mac: Result<T, E>) -> T {
    mac.expect("HMAC takes keys of every length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(algorithm: Algorithm, key: &[u8], data: &[u8], digest: &str) {
        let mut mac = Mac::new(algorithm, key);
        mac.update(data);
        let mut out = Vec::new();
        mac.clone().finish_into(&mut out);
        let expected: Vec<u8> = (0..digest.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digest[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(out, expected);
        assert!(mac.clone().verify(&out));
        out[0] ^= 1;
        assert!(!mac.clone().verify(&out));
        assert!(!mac.verify(&out[1..]));
    }

    #[test]
    fn hmac_sha1_gives_the_answers_of_rfc_2202() {
        let check = |key: &[u8], data: &[u8], digest| check(Algorithm::HmacSha1, key, data, digest);
        let counting: Vec<u8> = (1..=25).collect();
        check(&[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00");
        check(b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        check(&[0xaa; 20], &[0xdd; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3");
        check(&counting, &[0xcd; 50], "4c9007f4026250c6bc8414f9bf50c86c2d7235da");
        check(&[0x0c; 20], b"Test With Truncation", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04");
        check(
            &[0xaa; 80],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "aa4ae5e15272d00e95705637ce8a3b55ed402112",
        );
        check(
            &[0xaa; 80],
            b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
            "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
        );
    }

    #[test]
    fn hmac_sha256_gives_the_answers_of_rfc_4231() {
        let check =
            |key: &[u8], data: &[u8], digest| check(Algorithm::HmacSha256, key, data, digest);
        let counting: Vec<u8> = (1..=25).collect();
        check(
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        );
        check(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            &[0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        );
        check(
            &counting,
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        );
        check(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
        check(
            &[0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        );
    }
}
