//! The cipher that seals records: XChaCha20-Poly1305.

use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey};
use zeroize::Zeroizing;

/// Seals and opens with one key, which is wiped when this is dropped.
///
/// XChaCha20-Poly1305 is ChaCha20-Poly1305 under a key derived from the longer nonce's beginning.
/// The derivation is chacha20's and the cipher is ring's: its assembler takes a fifth of the time
/// of a cipher in Rust that picks its instructions as it runs (the bench `record` has both).
///
/// # Source
///
/// draft-irtf-cfrg-xchacha-03 sections 2.2 and 2.3, RFC 8439.
pub(super) struct Seal {
    key: Zeroizing<[u8; 32]>,
}

/// What the key of one record is derived from; the rest of the nonce goes to the cipher.
const DERIVING_BYTES: usize = 16;

impl Seal {
    pub(super) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self { key }
    }

    /// Encrypts `body` in its place, and gives the tag over it and `header`.
    pub(super) fn seal(
        &self,
        nonce: &[u8; 24],
        header: &[u8],
        body: &mut [u8],
    ) -> Option<[u8; 16]> {
        let (key, nonce) = self.of(nonce)?;
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(header), body).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Decrypts `body` in its place if the tag is that of it and `header`; else what is left there
    /// says nothing.
    pub(super) fn open(
        &self,
        nonce: &[u8; 24],
        header: &[u8],
        body: &mut [u8],
        tag: &[u8; 16],
    ) -> Option<()> {
        let (key, nonce) = self.of(nonce)?;
        key.open_in_place_separate_tag(nonce, Aad::from(header), Tag::from(*tag), body, 0..)
            .ok()?;
        Some(())
    }

    /// The cipher's key and nonce for one record.
    fn of(&self, nonce: &[u8; 24]) -> Option<(LessSafeKey, Nonce)> {
        let (deriving, rest) = nonce.split_first_chunk::<DERIVING_BYTES>()?;
        let derived =
            Zeroizing::new(<[u8; 32]>::from(hchacha::<R20>((&*self.key).into(), deriving.into())));
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*derived).ok()?;
        let mut short = [0; NONCE_LEN];
        short[NONCE_LEN - rest.len()..].copy_from_slice(rest);
        Some((LessSafeKey::new(key), Nonce::assume_unique_for_key(short)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the draft, appendix A.3.1: what is in text there is in bytes here.
    #[test]
    fn it_seals_as_the_draft_of_xchacha_says() {
        let mut key = [0; 32];
        for (byte, value) in key.iter_mut().zip(0x80..) {
            *byte = value;
        }
        let mut nonce = [0; 24];
        for (byte, value) in nonce.iter_mut().zip(0x40..) {
            *byte = value;
        }
        let header = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let mut body = *plain;
        let seal = Seal::new(Zeroizing::new(key));
        let tag = seal.seal(&nonce, &header, &mut body).unwrap();
        assert_eq!(body[..8], [0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b]);
        assert_eq!(
            tag,
            [
                0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a,
                0xcf, 0x49
            ]
        );
        seal.open(&nonce, &header, &mut body, &tag).unwrap();
        assert_eq!(body, *plain);
        assert!(seal.open(&nonce, &header, &mut body, &tag).is_none(), "it was not sealed twice");
    }
}
