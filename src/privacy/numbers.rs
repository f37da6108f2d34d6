//! Check digits of numbers that name people and accounts.

/// Only the digits and letters, in capitals.
pub(super) fn compact(text: &[u8]) -> Vec<u8> {
    text.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect()
}

/// A French social security number of 15 signs whose key holds, or of 13 without key. The departments of Corsica,
/// `2A` and `2B`, count as 19 and 18.
pub(super) fn is_nir(number: &[u8], without_key: bool) -> bool {
    if number.len() != 15 && !(without_key && number.len() == 13) {
        return false;
    }
    let department = match &number[5..7] {
        b"2A" => *b"19",
        b"2B" => *b"18",
        other => [other[0], other[1]],
    };
    let mut digits = number.to_vec();
    digits[5..7].copy_from_slice(&department);
    let (Some(body), Some(month)) = (value(&digits[..13]), value(&digits[3..5])) else { return false };
    let is_month = matches!(month, 1..=12 | 20 | 30..=42 | 50..=99);
    let is_sex = matches!(digits[0], b'1'..=b'4' | b'7' | b'8');
    if !is_month || !is_sex || &digits[5..7] == b"00" {
        return false;
    }
    digits.len() == 13 || value(&digits[13..]) == Some(97 - body % 97)
}

/// The letters of keys modulo 23: without I, O and Q, which look like digits.
const KEYS: &[u8; 23] = b"ABCDEFGHJKLMNPRSTUVWXYZ";

/// A French student number: ten digits and their key, or by its form alone, also nine digits and two letters.
pub(super) fn is_ine(number: &[u8], by_form: bool) -> bool {
    if number.len() != 11 || !number[..9].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let last = number[10];
    let keyed = || value(&number[..10]).is_some_and(|value| KEYS[(value % 23) as usize] == last);
    let letters = last.is_ascii_uppercase() && number[9].is_ascii_alphanumeric();
    if by_form {
        letters || last.is_ascii_digit() && number[9].is_ascii_alphabetic()
    } else {
        letters && keyed()
    }
}

/// The Luhn check.
pub(super) fn is_luhn(number: &[u8]) -> bool {
    let mut sum = 0;
    for (at, byte) in number.iter().rev().enumerate() {
        if !byte.is_ascii_digit() {
            return false;
        }
        let digit = u32::from(byte - b'0');
        sum += match at % 2 {
            1 if digit > 4 => digit * 2 - 9,
            1 => digit * 2,
            _ => digit,
        };
    }
    sum % 10 == 0 && number.iter().any(|byte| *byte != b'0')
}

/// A payment card: the range of an issuer, its length, and the check digit. Lengths that other numbers also have,
/// such as 14 digits of a French company, only count with `context`.
pub(super) fn is_card(number: &[u8], context: bool) -> bool {
    if !(12..=19).contains(&number.len()) || !is_luhn(number) {
        return false;
    }
    let Some(prefix) = value(&number[..6]) else { return false };
    let (two, three, four) = (prefix / 10_000, prefix / 1_000, prefix / 100);
    let usual = match number.len() {
        15 => matches!(two, 34 | 37),
        16 => {
            (40..50).contains(&two)
                || matches!(two, 51..=55 | 35 | 62 | 65)
                || (2221..=2720).contains(&four)
                || four == 6011
                || (644..=649).contains(&three)
                || matches!(two, 50 | 56..=58 | 63 | 67)
        }
        _ => false,
    };
    let rare = match number.len() {
        14 => matches!(two, 30 | 36 | 38 | 39),
        12 | 13 | 16..=19 => (40..=69).contains(&two),
        _ => false,
    };
    usual || context && rare
}

/// Lengths of account numbers by country, all of the registry's members.
const IBANS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NL", 18),
    (b"NO", 15),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

/// How many signs an account number of that country has.
pub(super) fn iban_length(country: &[u8]) -> Option<usize> {
    IBANS.iter().find(|(known, _)| known.eq_ignore_ascii_case(country)).map(|(_, length)| *length)
}

/// Countries whose account numbers have digits alone behind the country.
const DIGITS: [&[u8; 2]; 24] = [
    b"AE", b"AT", b"BA", b"BE", b"CZ", b"DE", b"DK", b"EE", b"ES", b"FI", b"FO", b"GL", b"HR", b"HU", b"IL",
    b"IS", b"LT", b"ME", b"NO", b"PL", b"PT", b"RS", b"SE", b"SI",
];

/// A bank account whose check digits hold (ISO 7064, modulo 97).
pub(super) fn is_iban(number: &[u8]) -> bool {
    if number.len() < 15 || iban_length(&number[..2]) != Some(number.len()) {
        return false;
    }
    let only_digits = DIGITS.iter().any(|country| number.starts_with(*country));
    if only_digits && !number[2..].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let moved = number[4..].iter().chain(&number[..4]);
    let rest = moved.fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
        _ => rest,
    });
    rest == 1
}

/// Digits that somebody counted or repeated: pairs that grow by one, one digit many times.
pub(super) fn is_counted(number: &[u8]) -> bool {
    let pairs: Vec<u8> =
        number.chunks_exact(2).map(|pair| pair[0].wrapping_mul(10).wrapping_add(pair[1])).collect();
    let steps = pairs.len() > 3 && pairs.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == 1);
    let same = number.windows(6).any(|window| window.iter().all(|digit| *digit == window[0]));
    let few = pairs.len() > 3 && pairs.iter().collect::<std::collections::BTreeSet<_>>().len() <= 2;
    steps
        || same
        || few
        || number.windows(10).any(|window| window == b"0123456789" || window == b"1234567890")
}

fn value(digits: &[u8]) -> Option<u64> {
    digits
        .iter()
        .try_fold(0_u64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_social_security_number_has_to_hold() {
        // Made from its definition: 97 less the remainder of the number by 97.
        let with_key = |body: &str, counted: u64| format!("{body}{:02}", 97 - counted % 97);
        let plain = with_key("1850578006084", 1_850_578_006_084);
        let corsican = with_key("28507 2A 004 123".replace(' ', "").as_str(), 2_850_719_004_123);
        let southern = with_key("285072B004123", 2_850_718_004_123);
        for number in [&plain, &corsican, &southern] {
            assert!(is_nir(number.as_bytes(), false), "{number}");
        }
        for at in 0..15 {
            let mut wrong = plain.clone().into_bytes();
            wrong[at] = if wrong[at] == b'9' { b'0' } else { wrong[at] + 1 };
            assert!(!is_nir(&wrong, false), "{at}");
        }
        assert!(is_nir(b"1850578006084", true) && !is_nir(b"1850578006084", false));
        assert!(!is_nir(b"1851578006084", true) && !is_nir(b"9850578006084", true) && !is_nir(b"", true));
    }

    #[test]
    fn a_student_number_has_a_letter_for_a_key() {
        let key = char::from(KEYS[(1_234_567_890_u64 % 23) as usize]);
        assert!(is_ine(format!("1234567890{key}").as_bytes(), false));
        let wrong = if key == 'A' { 'B' } else { 'A' };
        assert!(!is_ine(format!("1234567890{wrong}").as_bytes(), false));
        assert!(
            is_ine(b"123456789AB", true) && !is_ine(b"123456789AB", false) && !is_ine(b"12345678ABC", true)
        );
    }

    #[test]
    fn cards_pass_luhn_in_the_range_of_an_issuer() {
        for number in ["4242424242424242", "5555555555554444", "378282246310005", "6011111111111117"] {
            assert!(is_card(number.as_bytes(), false), "{number}");
        }
        for number in ["4242424242424241", "4242424242424224", "1234567812345670", "0000000000000000"] {
            assert!(!is_card(number.as_bytes(), false), "{number}");
        }
        assert!(is_card(b"30569309025904", true) && !is_card(b"30569309025904", false));
    }

    #[test]
    fn accounts_pass_modulo_97_at_the_length_of_their_country() {
        for number in ["FR1420041010050500013M02606", "DE89370400440532013000", "GB82WEST12345698765432"] {
            assert!(is_iban(number.as_bytes()), "{number}");
        }
        // The length and check digits of a Belgian account, with letters, which those have not.
        assert!(!is_iban(b"BE8883E177D20185"));
        for number in
            ["FR1420041010050500013M02607", "DE8937040044053201300", "ZZ82WEST12345698765432", "FR14"]
        {
            assert!(!is_iban(number.as_bytes()), "{number}");
        }
    }
}
