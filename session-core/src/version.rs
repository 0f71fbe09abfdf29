//! `Version`, and how its number and others are kept where numbers are signed.

/// How often a record was put: 1 at creation, one more at every later put.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version(u64);

impl Version {
    /// The version of a record that is created.
    pub const FIRST: Self = Self(1);

    /// The version with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number for a store whose numbers are signed; order is kept. Numbers beyond [`i64::MAX`],
    /// which no session reaches, become `i64::MAX`.
    pub const fn to_i64(self) -> i64 {
        signed(self.0)
    }

    /// The version that [`to_i64`](Self::to_i64) made `number` of.
    pub const fn from_i64(number: i64) -> Self {
        Self(unsigned(number))
    }
}

/// The same number where there is one, else the nearest.
pub(crate) const fn signed(number: u64) -> i64 {
    if number > i64::MAX.unsigned_abs() { i64::MAX } else { number.cast_signed() }
}

/// What [`signed`] made `number` of; the last one stands for all it stands for.
pub(crate) const fn unsigned(number: i64) -> u64 {
    match number {
        i64::MAX => u64::MAX,
        ..0 => 0,
        _ => number.unsigned_abs(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Timestamp;

    const LAST: u64 = i64::MAX.unsigned_abs();

    fn any_number() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), 0..10_u64, LAST - 5..LAST + 5, u64::MAX - 5..=u64::MAX]
    }

    proptest! {
        #[test]
        fn signed_numbers_keep_the_order_and_come_back(a in any_number(), b in any_number()) {
            let (version, time) = (Version::new(a), Timestamp::from_millis(a));
            let (other, later) = (Version::new(b), Timestamp::from_millis(b));
            if a <= b {
                prop_assert!(version.to_i64() <= other.to_i64() && time.to_i64() <= later.to_i64());
            }
            prop_assert!(version.to_i64() >= 0 && time.to_i64() >= 0);
            let expected = if a < LAST { a } else { u64::MAX };
            prop_assert_eq!(Version::from_i64(version.to_i64()).get(), expected);
            prop_assert_eq!(Timestamp::from_i64(time.to_i64()).as_millis(), expected);
        }
    }

    #[test]
    fn a_negative_number_is_no_time_and_no_version() {
        assert_eq!(Timestamp::from_i64(-1), Timestamp::EPOCH);
        assert_eq!(Version::from_i64(i64::MIN).get(), 0);
    }
}
