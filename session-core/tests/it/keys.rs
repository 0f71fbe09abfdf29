//! What is refused at construction, and how it is said.

use std::time::Duration;

use session_core::{
    Error, ErrorKind, KeyRing, MemorySessionManager, Result, SessionInterface,
    SessionInterfaceBuilder, SigningKey,
};

use crate::lab::{secret, sha1, sha256};

type Maker = fn(&[u8]) -> Result<SigningKey>;

const SECOND: Duration = Duration::from_secs(1);

fn assert_says(error: &Error, what_to_change: &str) {
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(what_to_change), "{error}");
    assert!(!error.is_retryable());
}

#[test]
fn secrets_that_anyone_could_guess_are_refused() {
    let makers: [Maker; 2] =
        [|secret| SigningKey::hmac_sha1(secret), |secret| SigningKey::hmac_sha256(secret)];
    for make in makers {
        for length in 0..32 {
            assert_says(&make(&secret(1)[..length]).unwrap_err(), "at least 32");
        }
        for byte in 0..=255 {
            for length in [32, 33, 64, 200] {
                let error = make(&vec![byte; length]).unwrap_err();
                assert_says(&error, "from a random generator");
            }
        }
        assert!(make(&secret(1)).is_ok());
        for phrase in [
            "correct horse battery staple, as the comic has it",
            "a secret of two lines, each of\nthem long enough",
            "passwordpasswordpasswordpassword",
            "121212121212121212121212121212121212",
        ] {
            assert_says(&make(phrase.as_bytes()).unwrap_err(), "from a random generator");
        }
        for text in
            ["5f1d0c9b3a7e4862b0d9f3c1a8e57264", "mPz0cG3kQy1Nf8Vw6Lr5Xh2Td9Sb4JaE7uIoKq+/ZxY=\n"]
        {
            assert!(make(text.as_bytes()).is_ok(), "random bytes as text");
        }
    }
}

#[test]
fn a_key_file_that_gives_no_key_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.key");
    let error = SigningKey::from_file(&file).unwrap_err();
    assert_says(&error, "there is no key file");
    assert!(error.to_string().ends_with(&format!("/dev/urandom > {})", file.display())));
    assert_says(&SigningKey::from_file(folder.path()).unwrap_err(), "cannot be read: ");
    std::fs::write(&file, "short").unwrap();
    assert_says(&SigningKey::from_file(&file).unwrap_err(), "session.key holds no key: ");
    std::fs::write(&file, vec![1; 5000]).unwrap();
    assert_says(&SigningKey::from_file(&file).unwrap_err(), "more than 4096 bytes");
    std::fs::write(&file, secret(1)).unwrap();
    let from_file = SigningKey::from_file(&file).unwrap();
    let same = KeyRing::new(from_file).retired(SigningKey::hmac_sha256(secret(1)).unwrap());
    let twice = SessionInterface::builder(MemorySessionManager::new(), same).build();
    assert_says(&twice.unwrap_err(), "take one out");
}

#[test]
fn generated_keys_are_different_ones() {
    let key = || SigningKey::generate().unwrap();
    let ring = KeyRing::new(key()).retired(key());
    assert!(SessionInterface::builder(MemorySessionManager::new(), ring).build().is_ok());
}

#[test]
fn an_error_about_a_secret_does_not_quote_it() {
    let error = SigningKey::hmac_sha256("FINDME").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("FINDME"));
}

#[test]
fn a_ring_with_a_key_twice_is_refused_whatever_its_states() {
    let build =
        |ring: KeyRing| SessionInterface::builder(MemorySessionManager::new(), ring).build();
    let twice = [
        KeyRing::new(sha256(1)).upcoming(sha256(1)),
        KeyRing::new(sha256(1)).retired(sha256(1)),
        KeyRing::new(sha256(1)).upcoming(sha256(2)).retired(sha256(2)),
    ];
    for ring in twice {
        assert_says(&build(ring).unwrap_err(), "take one out");
    }
    assert!(build(KeyRing::new(sha256(1)).retired(sha1(1))).is_ok(), "another algorithm");
    let full = |keys: u8| {
        (2..=keys).fold(KeyRing::new(sha256(1)), |ring, number| ring.retired(sha256(number)))
    };
    assert!(build(full(8)).is_ok());
    assert_says(&build(full(9)).unwrap_err(), "at most 8");
}

fn build(
    settings: impl FnOnce(SessionInterfaceBuilder) -> SessionInterfaceBuilder,
) -> Result<SessionInterface> {
    settings(SessionInterface::builder(MemorySessionManager::new(), sha256(1))).build()
}

#[test]
fn lifetimes_that_make_no_sense_are_refused() {
    let short = [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(999)];
    for short in short {
        for error in [
            build(|builder| builder.idle_timeout(short)),
            build(|builder| builder.lifetime(short)),
            build(|builder| builder.permanent_idle_timeout(short)),
            build(|builder| builder.permanent_lifetime(short)),
            build(|builder| builder.rotate_every(short)),
        ] {
            assert_says(&error.unwrap_err(), "at least one");
        }
    }
    let crossed = [
        build(|builder| builder.idle_timeout(3 * SECOND).lifetime(2 * SECOND)),
        build(|builder| builder.lifetime(Duration::MAX)),
        build(|builder| builder.permanent_idle_timeout(Duration::MAX)),
    ];
    for error in crossed {
        assert_says(&error.unwrap_err(), "shorten");
    }
    let equal =
        build(|builder| builder.idle_timeout(SECOND).lifetime(SECOND).permanent_lifetime(SECOND));
    assert!(equal.is_ok());
}

#[test]
fn sizes_that_no_store_takes_are_refused() {
    for bytes in [0, 1 << 20, usize::MAX] {
        assert_says(&build(|builder| builder.max_bytes(bytes)).unwrap_err(), "size limit");
    }
    assert!(build(|builder| builder.max_bytes(1)).is_ok());
}

#[test]
fn cookie_names_that_no_browser_keeps_are_refused() {
    for name in [
        "",
        " ",
        "a b",
        "a;b",
        "a=b",
        "a,b",
        "a\"b",
        "a\\b",
        "a\0b",
        "a\r\nb",
        "naïve",
        "a\u{2000}",
    ] {
        assert_says(&build(|builder| builder.cookie_name(name)).unwrap_err(), "cookie name");
    }
    for name in ["sid", "__Host-sid", "__Secure-sid", "a.b", "!#$%&'*+-.^_`|~"] {
        assert!(build(|builder| builder.cookie_name(name)).is_ok(), "{name}");
    }
}
