//! Two keys for one ciphertext. ChaCha20/Poly1305 does not bind a ciphertext to its key: whoever makes both keys can make
//! a ciphertext that opens under each, to two texts. That is done here, and what the log commits to is seen to leave
//! one of them.
//!
//! The arithmetic is that of RFC 8439, written anew: a tag is a polynomial in the blocks of the ciphertext, so that equal
//! tags under two keys are one linear equation in one block.

use greffe::codec::sealed::{OpenError, SealedFile, encode_commitment, open, seal, sealed_name};
use greffe::crypto::{ContentKey, commit};
use greffe::model::{EventId, Timestamp};
use serde::Deserialize;

/// The bytes of a sealed file before its ciphertext: header, `kid`, nonce, and a byte string of 256 to 65,535 bytes.
const HEADER: usize = 39 + 3;
const NONCE: std::ops::Range<usize> = 27..39;

/// A number below 2^256, of which only those below 2^131 are met.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    high: u128,
    low: u128,
}

const ZERO: Number = Number { high: 0, low: 0 };
/// 2^130 - 5.
const PRIME: Number = Number { high: 3, low: u128::MAX - 4 };

impl Number {
    const fn of(low: u128) -> Self {
        Self { high: 0, low }
    }

    fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        Self { high: self.high + other.high + u128::from(carry), low }.reduced()
    }

    fn minus(self, other: Self) -> Self {
        let (low, borrow) = PRIME.low.overflowing_sub(other.low);
        self.plus(Self { high: PRIME.high - other.high - u128::from(borrow), low })
    }

    /// Modulo the prime, for what is below twice it.
    fn reduced(self) -> Self {
        if self < PRIME {
            return self;
        }
        let (low, borrow) = self.low.overflowing_sub(PRIME.low);
        Self { high: self.high - PRIME.high - u128::from(borrow), low }
    }

    fn times(self, other: Self) -> Self {
        (0..130).rev().fold(ZERO, |sum, bit| {
            let double = sum.plus(sum);
            if other.bit(bit) { double.plus(self) } else { double }
        })
    }

    fn bit(self, bit: u32) -> bool {
        (if bit < 128 { self.low >> bit } else { self.high >> (bit - 128) }) & 1 == 1
    }

    fn power(self, exponent: Self) -> Self {
        (0..130).rev().fold(Self::of(1), |product, bit| {
            let square = product.times(product);
            if exponent.bit(bit) { square.times(self) } else { square }
        })
    }

    /// By Fermat: to the power of the prime less two.
    fn inverse(self) -> Self {
        self.power(Self { low: PRIME.low - 2, ..PRIME })
    }
}

/// One block of ChaCha20 (RFC 8439 §2.3).
fn chacha(key: &[u8; 32], counter: u32, nonce: &[u8]) -> [u8; 64] {
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let mut state = [0_u32; 16];
    for (place, bytes) in b"expand 32-byte k".chunks(4).chain(key.chunks(4)).enumerate() {
        state[place] = word(bytes);
    }
    state[12] = counter;
    for (place, bytes) in nonce.chunks(4).enumerate() {
        state[13 + place] = word(bytes);
    }
    let first = state;
    for _ in 0..10 {
        for [a, b, c, d] in [
            [0, 4, 8, 12],
            [1, 5, 9, 13],
            [2, 6, 10, 14],
            [3, 7, 11, 15],
            [0, 5, 10, 15],
            [1, 6, 11, 12],
            [2, 7, 8, 13],
            [3, 4, 9, 14],
        ] {
            for (to, with, turned, by) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
                state[to] = state[to].wrapping_add(state[with]);
                state[turned] = (state[turned] ^ state[to]).rotate_left(by);
            }
        }
    }
    let mut block = [0; 64];
    for (bytes, (now, first)) in block.chunks_mut(4).zip(state.iter().zip(first)) {
        bytes.copy_from_slice(&now.wrapping_add(first).to_le_bytes());
    }
    block
}

/// The key of Poly1305 for one key and nonce: `r`, and what is added at the end.
struct OneTime {
    r: Number,
    s: u128,
}

impl OneTime {
    fn of(key: &[u8; 32], nonce: &[u8]) -> Self {
        let block = chacha(key, 0, nonce);
        let half = |at: usize| u128::from_le_bytes(block[at..at + 16].try_into().unwrap());
        Self { r: Number::of(half(0) & 0x0fff_fffc_0fff_fffc_0fff_fffc_0fff_ffff), s: half(16) }
    }

    /// The polynomial before `s` is added.
    fn sum(&self, blocks: &[u128]) -> Number {
        blocks.iter().fold(ZERO, |sum, block| sum.plus(Number { high: 1, low: *block }).times(self.r))
    }

    fn tag(&self, blocks: &[u128]) -> u128 {
        self.sum(blocks).low.wrapping_add(self.s)
    }
}

/// What is authenticated, as blocks (RFC 8439 §2.8).
fn blocks(associated: &[u8], ciphertext: &[u8]) -> Vec<u128> {
    let mut blocks = Vec::new();
    for part in [associated, ciphertext] {
        blocks.extend(part.chunks(16).map(|chunk| {
            let mut block = [0; 16];
            block[..chunk.len()].copy_from_slice(chunk);
            u128::from_le_bytes(block)
        }));
    }
    blocks.push(associated.len() as u128 | (ciphertext.len() as u128) << 64);
    blocks
}

/// The block at `place` that makes the tags under both keys equal; `None` where it would not be one of 16 bytes.
fn solve(one: &OneTime, other: &OneTime, blocks: &[u128], place: usize) -> Option<u128> {
    let mut without = blocks.to_vec();
    without[place] = 0;
    let power = |key: &OneTime| key.r.power(Number::of((blocks.len() - place) as u128));
    let divisor = power(one).minus(power(other)).inverse();
    let constant = |key: &OneTime| key.sum(&without).plus(Number::of(key.s));
    // Sums are equal modulo 2^128, so that they may differ by few times that.
    (0..8_u128).find_map(|carry| {
        let beyond = if carry < 4 {
            Number { high: carry, low: 0 }
        } else {
            ZERO.minus(Number { high: carry - 4, low: 0 })
        };
        let block = constant(other).minus(constant(one)).plus(beyond).times(divisor);
        let mut solved = without.clone();
        solved[place] = block.low;
        (block.high == 0 && one.tag(&solved) == other.tag(&solved)).then_some(block.low)
    })
}

#[derive(Deserialize)]
struct Content {
    #[serde(with = "serde_bytes")]
    data: Vec<u8>,
    salt: serde_bytes::ByteArray<32>,
}

/// A sealed file that opens under its own key and under `second`, and the commitment to what it opens to under its own.
fn forged(event: EventId, associated: &[u8], second: &ContentKey) -> (SealedFile, String) {
    loop {
        let data = b"INSERT INTO paie VALUES (1, 2500); -- ".repeat(12);
        let mut file = seal(event, 0, "1_paie.up.sql".parse().unwrap(), data);
        let length = u16::from_be_bytes([file.bytes[40], file.bytes[41]]) as usize;
        assert_eq!((file.bytes[39], file.bytes.len()), (0x59, HEADER + length));
        let nonce = file.bytes[NONCE].to_vec();
        let (one, other) = (OneTime::of(file.key.expose(), &nonce), OneTime::of(second.expose(), &nonce));
        let end = file.bytes.len() - 16;
        let all = blocks(associated, &file.bytes[HEADER..end]);
        let tag = one.tag(&all).to_le_bytes();
        assert_eq!(file.bytes[end..], tag, "the arithmetic is that of the RFC");
        // A block in the middle of the data, whatever it opens to.
        let place = 8;
        let Some(block) = solve(&one, &other, &all, associated.len().div_ceil(16) + place) else { continue };
        let at = HEADER + 16 * place;
        file.bytes[at..at + 16].copy_from_slice(&block.to_le_bytes());
        let tag = one.tag(&blocks(associated, &file.bytes[HEADER..end])).to_le_bytes();
        file.bytes[end..].copy_from_slice(&tag);
        let content = raw(&file, &file.key, associated).expect("it opens under its own key");
        let content: Content = serde_ipld_dagcbor::from_slice(&content).expect("only its data were changed");
        let commitment = encode_commitment(&commit(&content.salt, &content.data));
        return (file, commitment);
    }
}

/// What the cipher alone says of a file.
fn raw(file: &SealedFile, key: &ContentKey, associated: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = file.bytes[HEADER..].to_vec();
    key.open(&file.bytes[NONCE].try_into().unwrap(), associated, &mut buffer)?;
    Some(buffer)
}

/// `Enc_structure` of RFC 9052 §5.3 with what FORMAT §8 asks for.
fn associated(event: EventId) -> Vec<u8> {
    let external = format!("greffe/seal/1\0{event}\0{}", sealed_name(0));
    let mut bytes = b"\x83\x68Encrypt0\x44\xa1\x01\x18\x18\x58".to_vec();
    bytes.push(u8::try_from(external.len()).unwrap());
    bytes.extend(external.bytes());
    bytes
}

fn event() -> EventId {
    EventId::generate(Timestamp::from_microseconds(1_700_000_000_000_000).unwrap())
}

#[test]
fn one_ciphertext_opens_under_two_keys_and_only_one_of_them_is_believed() {
    let event = event();
    let associated = associated(event);
    for _ in 0..3 {
        let second = ContentKey::generate();
        let (file, commitment) = forged(event, &associated, &second);
        // The cipher is content with both: two auditors, two texts, one ciphertext and one tag.
        let first_text = raw(&file, &file.key, &associated).unwrap();
        let second_text = raw(&file, &second, &associated).unwrap();
        assert_ne!(first_text, second_text);
        // The log is not: it commits to one of them.
        let opened = open(&file.bytes, &file.key, event, &file.name, &commitment).unwrap();
        assert_eq!(opened.name.as_str(), "1_paie.up.sql");
        let refused = open(&file.bytes, &second, event, &file.name, &commitment);
        assert!(matches!(refused, Err(OpenError::Content | OpenError::Commitment)), "{refused:?}");
    }
}

/// If the second text were one that holds together as well, the commitment alone would decide.
#[test]
fn a_second_text_that_holds_together_is_not_what_was_committed_to() {
    let event = event();
    let seal = |salary: &str| seal(event, 0, "1_paie.up.sql".parse().unwrap(), salary.as_bytes().to_vec());
    let (first, second) = (seal("2500"), seal("9500"));
    // One `kid`, one name, one event: what the second auditor is given opens, and is not what the log says.
    let opens =
        |file: &SealedFile, commitment: &str| open(&file.bytes, &file.key, event, &file.name, commitment);
    assert!(opens(&first, &first.commitment).is_ok() && opens(&second, &second.commitment).is_ok());
    assert_eq!(opens(&second, &first.commitment), Err(OpenError::Commitment));
    assert_eq!(opens(&first, &second.commitment), Err(OpenError::Commitment));
}

#[test]
fn the_block_function_is_that_of_the_rfc() {
    // RFC 8439 §2.3.2.
    let key: Vec<u8> = (0..32).collect();
    let nonce = [0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0];
    let block = chacha(&key.try_into().unwrap(), 1, &nonce);
    assert_eq!(block[..8], [0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15]);
    assert_eq!(Number::of(7).times(Number::of(7).inverse()).low, 1);
}
