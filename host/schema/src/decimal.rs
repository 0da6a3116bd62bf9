//! Numbers as decimals, as they are written in JSON: to be compared without a float in between.

use std::cmp::Ordering;

/// A decimal number: 0.DIGITS times ten to the power of `point`. Without zeros at either end, so that equal numbers are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    /// The number that a JSON text writes; none where it is no number, or its exponent is beyond all use.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if all.is_empty() || !all.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let leading = all.iter().take_while(|digit| **digit == b'0').count();
        let trailing = all.iter().rev().take_while(|digit| **digit == b'0').count();
        let digits: Vec<u8> = all.get(leading..all.len().saturating_sub(trailing)).unwrap_or_default().to_vec();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, point: 0 });
        }
        let before = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Self { negative, digits, point: before + i64::from(exponent) })
    }

    /// Whether it has no fraction.
    pub(crate) fn is_integer(&self) -> bool {
        i64::try_from(self.digits.len()).is_ok_and(|digits| digits <= self.point.max(0))
    }

    /// Whether it is so many times `step`; none where that cannot be said with 38 digits.
    pub(crate) fn is_multiple_of(&self, step: &Self) -> Option<bool> {
        let lowest = |number: &Self| number.point - i64::try_from(number.digits.len()).unwrap_or(i64::MAX);
        let scale = lowest(self).min(lowest(step));
        let (number, step) = (self.scaled(scale)?, step.scaled(scale)?);
        number.checked_rem(step).map(|rest| rest == 0)
    }

    /// The number of units of ten to the power of `scale`.
    fn scaled(&self, scale: i64) -> Option<i128> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let places = usize::try_from(self.point - scale).ok().filter(|places| *places <= 38)?;
        let digits = self.digits.iter().copied().chain(std::iter::repeat(b'0')).take(places.max(self.digits.len()));
        digits
            .map(|digit| i128::from(digit - b'0'))
            .try_fold(0_i128, |sum, digit| sum.checked_mul(10)?.checked_add(digit))
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => -1,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = || self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        self.sign().cmp(&other.sign()).then_with(|| match self.sign() {
            0 => Ordering::Equal,
            1 => size(),
            _ => size().reverse(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn what_is_written_in_several_ways_is_one_number() {
        for same in [["1", "1.0"], ["100", "1e2"], ["-0", "0.00"], ["0.010", "1E-2"], ["120e-1", "12.0"], ["0e9", "0"]]
        {
            assert_eq!(of(same[0]), of(same[1]), "{same:?}");
        }
        assert!(Decimal::parse("1e99999999999").is_none() && Decimal::parse("-").is_none());
    }

    #[test]
    fn numbers_are_ordered_by_what_they_are_worth() {
        let rising = [
            "-1e400",
            "-20",
            "-3",
            "-0.5",
            "0",
            "1e-400",
            "0.5",
            "3",
            "20",
            "18446744073709551616",
            "18446744073709551617",
            "1e400",
        ];
        for (index, text) in rising.iter().enumerate() {
            for (other, text_of_other) in rising.iter().enumerate() {
                assert_eq!(of(text).cmp(&of(text_of_other)), index.cmp(&other), "{text} {text_of_other}");
            }
        }
    }

    #[test]
    fn integers_and_multiples_are_known_by_their_digits() {
        for (text, expected) in [
            ("0", true),
            ("3.0", true),
            ("30e-1", true),
            ("3.5", false),
            ("1e-400", false),
            ("1e400", true),
            ("18446744073709551617.5", false),
        ] {
            assert_eq!(of(text).is_integer(), expected, "{text}");
        }
        assert_eq!(of("18446744073709551618").is_multiple_of(&of("3")), Some(true));
        assert_eq!(of("18446744073709551617").is_multiple_of(&of("3")), Some(false));
        assert_eq!(of("0.30").is_multiple_of(&of("0.1")), Some(true));
        assert_eq!((of("1e400").is_multiple_of(&of("3")), of("1").is_multiple_of(&of("0"))), (None, None));
    }
}
