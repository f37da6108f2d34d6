//! Timestamp tokens, made by `openssl`: what is taken, and every attack that has a name.

#[allow(dead_code, reason = "tests of the program use the rest")]
#[path = "../timestamps/authority.rs"]
mod authority;

use std::fs;

use authority::{Identity, Made, PAST, Workshop, openssl};
use greffe::chain::{self, Stamped, TokenFault, verify_response, verify_token};
use greffe::codec::asn1::encode_field;
use greffe::codec::certificate::decode_certificate_pem;
use greffe::codec::timestamp::{decode_token, encode_request};
use greffe::crypto::Digest;

/// Stands for the 64 bytes of a checkpoint's signature.
const SIGNATURE: [u8; 64] = [7; 64];
const NONCE: [u8; 8] = [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0];

fn imprint() -> Digest {
    Digest::of(&SIGNATURE)
}

fn request() -> Vec<u8> {
    encode_request(&imprint(), &NONCE)
}

fn trusted(roots: &[&Identity]) -> Vec<chain::Authority> {
    roots.iter().map(|root| chain::Authority::parse(&root.pem()).unwrap()).collect()
}

fn verify(token: &[u8], roots: &[&Identity]) -> Result<Stamped, TokenFault> {
    verify_token(token, &[imprint()], &trusted(roots))
}

/// The name of a fault, as `--json` has it.
fn reason(found: Result<Stamped, TokenFault>) -> String {
    let fault = found.expect_err("it was taken");
    serde_json::to_value(fault).unwrap()["reason"].as_str().unwrap().to_owned()
}

#[test]
fn tokens_of_every_kind_of_key_are_taken() {
    let shop = Workshop::new();
    for (key, digest, more) in [
        ("rsa:2048", "sha256", ""),
        ("rsa:3072", "sha512", "signer_digest = sha512"),
        ("P-256", "sha256", ""),
        ("P-384", "sha384", "signer_digest = sha384\n"),
        ("P-384", "sha256", "ess_cert_id_alg = sha1"),
        ("P-256", "sha256", "ess_cert_id_alg = sha512"),
    ] {
        let root = shop.root("/O=Org/CN=root of time", key);
        let made = Made { key, digest, ..Made::default() };
        let authority = shop.authority_of(shop.issue(Some(&root), made), more);
        let answer = authority.answer(&request());
        let (token, stamped) = verify_response(&answer, &NONCE, imprint(), &trusted(&[&root]))
            .unwrap_or_else(|fault| panic!("{key} {more}: {fault}"));
        assert_eq!(stamped.authority, "root of time");
        assert_eq!(stamped.latest.as_microseconds() - stamped.time.as_microseconds(), 1_500_000);
        assert_eq!(verify(token, &[&root]), Ok(stamped));
    }
}

#[test]
fn tokens_with_a_key_identifier_and_by_pss_are_taken() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let made = |key| shop.issue(Some(&root), Made { key, ..Made::default() });
    let authority = shop.authority(&root);
    let token = authority.token(&request());
    let info = decode_token(&token).unwrap().signed.content.to_vec();
    let ec = made("P-256");
    let by_key = shop.token_by(&info, &[&ec], &["-cades", "-md", "sha256", "-keyid"]);
    verify(&by_key, &[&root]).unwrap();
    let by_pss = made("rsa:2048");
    let pss = ["-cades", "-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:32"];
    verify(&shop.token_by(&info, &[&by_pss], &pss), &[&root]).unwrap();
    // Without the signing certificate's digest it could be another one of the same name and number.
    let bare = shop.token_by(&info, &[&ec], &["-md", "sha256"]);
    assert_eq!(reason(verify(&bare, &[&root])), "malformed");
}

#[test]
fn a_chain_over_an_intermediate_is_taken_whatever_the_order_of_certificates() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-384");
    let between =
        shop.issue(Some(&root), Made { subject: "/CN=between", extensions: "root", ..Made::default() });
    let identity = shop.issue(Some(&between), Made::default());
    for chain in [[&between, &root], [&root, &between]] {
        let file = shop.path("chain.pem");
        fs::write(&file, chain.map(Identity::pem).concat()).unwrap();
        let authority = shop.authority_of(identity.clone(), &format!("certs = {}", file.display()));
        verify(&authority.token(&request()), &[&root]).unwrap();
    }
    // Without the one between, nothing leads to the root.
    let authority = shop.authority_of(identity, "");
    assert_eq!(reason(verify(&authority.token(&request()), &[&root])), "other-authority");
}

#[test]
fn openssl_takes_what_is_taken_here() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "rsa:2048");
    let token = shop.authority(&root).token(&request());
    verify(&token, &[&root]).unwrap();
    fs::write(shop.path("token"), &token).unwrap();
    fs::write(shop.path("data"), SIGNATURE).unwrap();
    let root = root.certificate.to_str().unwrap();
    shop.openssl(["ts", "-verify", "-data", "data", "-token_in", "-in", "token", "-CAfile", root]);
}

#[test]
fn token_of_another_authority() {
    let shop = Workshop::new();
    let (root, other) = (shop.root("/CN=root", "P-256"), shop.root("/CN=other", "P-256"));
    let token = shop.authority(&other).token(&request());
    assert_eq!(reason(verify(&token, &[&root])), "other-authority");
    assert_eq!(reason(verify(&token, &[])), "other-authority");
    verify(&token, &[&root, &other]).unwrap();
    // Another one of the same name, with a key and a certificate of its own.
    let namesake = shop.root("/CN=root", "P-256");
    let token = shop.authority(&namesake).token(&request());
    assert_eq!(reason(verify(&token, &[&root])), "other-authority");
    // One that is nobody's.
    let own = shop.issue(None, Made::default());
    let token = shop.authority_of(own, "").token(&request());
    assert_eq!(reason(verify(&token, &[&root])), "other-authority");
}

#[test]
fn token_for_other_bytes() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let authority = shop.authority(&root);
    let token = authority.token(&encode_request(&Digest::of(b"other"), &NONCE));
    assert_eq!(reason(verify(&token, &[&root])), "other-bytes");
    // Of a longer digest, of which there is none of a checkpoint.
    let query = openssl(&shop.path(""), ["ts", "-query", "-data", "ca.cnf", "-sha512", "-cert"], &[]);
    assert_eq!(reason(verify(&authority.token(&query), &[&root])), "malformed");
}

#[test]
fn token_outside_the_validity_window() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let expired = shop.issue(Some(&root), Made { window: PAST, ..Made::default() });
    let token = shop.authority_of(expired, "").token(&request());
    assert_eq!(reason(verify(&token, &[&root])), "window");
    let future = Some(("20380101000000Z", "20390101000000Z"));
    let early = shop.issue(Some(&root), Made { window: future, ..Made::default() });
    let token = shop.authority_of(early, "").token(&request());
    assert_eq!(reason(verify(&token, &[&root])), "window");
    // The root itself.
    let gone =
        shop.root_made(Made { subject: "/CN=gone", extensions: "root", window: PAST, ..Made::default() });
    let token = shop.authority(&gone).token(&request());
    assert_eq!(reason(verify(&token, &[&gone])), "window");
    // One between.
    let made = Made { subject: "/CN=between", extensions: "root", window: PAST, ..Made::default() };
    let between = shop.issue(Some(&root), made);
    let identity = shop.issue(Some(&between), Made::default());
    let certs = format!("certs = {}", between.certificate.display());
    let token = shop.authority_of(identity, &certs).token(&request());
    assert_eq!(reason(verify(&token, &[&root])), "window");
}

/// What is said was said by somebody whom the authority vouches for; only that it was not this.
#[test]
fn token_with_only_the_chain_checked() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let authority = shop.authority(&root);
    let token = authority.token(&request());
    verify(&token, &[&root]).unwrap();
    // Another time, in as many bytes.
    let read = decode_token(&token).unwrap();
    let place =
        token.windows(read.signed.content.len()).position(|window| window == read.signed.content).unwrap();
    let mut later = token.clone();
    let year = verify(&token, &[&root]).unwrap().time.to_string()[..4].to_owned();
    let year = read.signed.content.windows(4).position(|text| text == year.as_bytes()).unwrap();
    later[place + year + 3] ^= 1;
    assert_eq!(reason(verify(&later, &[&root])), "other-content");
    // Another imprint, with the right chain.
    let other = authority.token(&encode_request(&Digest::of(b"other"), &NONCE));
    let other = decode_token(&other).unwrap().signed.content.to_vec();
    let stranger = shop.issue(None, Made::default());
    let grafted = shop.token_by(&other, &[&stranger], &["-cades", "-md", "sha256"]);
    assert_eq!(reason(verify(&grafted, &[&root])), "other-bytes");
    // The certificate of the authority, the signature of a stranger.
    let mut signed = token.clone();
    let place = token
        .windows(read.signed.signer.signature.len())
        .position(|window| window == read.signed.signer.signature)
        .unwrap();
    signed[place + read.signed.signer.signature.len() - 1] ^= 1;
    assert_eq!(reason(verify(&signed, &[&root])), "signature");
}

#[test]
fn a_certificate_for_anything_else_signs_no_time() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let good = shop.authority(&root).token(&request());
    let info = decode_token(&good).unwrap().signed.content.to_vec();
    for extensions in ["uncritical", "several", "mail", "none", "encipherment"] {
        let identity = shop.issue(Some(&root), Made { extensions, ..Made::default() });
        let token = shop.token_by(&info, &[&identity], &["-cades", "-md", "sha256"]);
        assert_eq!(reason(verify(&token, &[&root])), "purpose", "{extensions}");
    }
    // An authority of certificates is none of time.
    let token = shop.token_by(&info, &[&root], &["-cades", "-md", "sha256"]);
    assert_eq!(reason(verify(&token, &[&root])), "purpose");
}

#[test]
fn two_signers_are_one_too_many_and_sha1_signs_nothing() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let (one, two) = (shop.authority(&root), shop.authority(&root));
    let info = decode_token(&one.token(&request())).unwrap().signed.content.to_vec();
    let both = shop.token_by(&info, &[&one.identity, &two.identity], &["-cades", "-md", "sha256"]);
    assert_eq!(
        verify(&both, &[&root]).unwrap_err().to_string(),
        "it is not one that RFC 3161 describes: it has 2 signers, and one is needed"
    );
    let old = shop.token_by(&info, &[&one.identity], &["-cades", "-md", "sha1"]);
    let found = verify(&old, &[&root]).unwrap_err().to_string();
    assert!(found.contains("it uses the digest 1.3.14.3.2.26"), "{found}");
    // A certificate that was signed over SHA-1.
    let weak = shop.issue(Some(&root), Made { digest: "sha1", ..Made::default() });
    assert_eq!(reason(verify(&shop.authority_of(weak, "").token(&request()), &[&root])), "other-authority");
    let query = openssl(&shop.path(""), ["ts", "-query", "-data", "ca.cnf", "-sha1", "-cert"], &[]);
    assert_eq!(reason(verify(&one.token(&query), &[&root])), "malformed");
}

#[test]
fn an_answer_to_another_request_is_not_taken() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let (authority, roots) = (shop.authority(&root), trusted(&[&root]));
    let answer = |request: &[u8]| authority.answer(request);
    let other = answer(&encode_request(&imprint(), &[1, 2, 3, 4, 5, 6, 7, 8]));
    assert_eq!(verify_response(&other, &NONCE, imprint(), &roots), Err(TokenFault::OtherRequest));
    // Without a nonce.
    let digest = imprint().to_string();
    let query = ["ts", "-query", "-digest", &digest, "-sha256", "-cert", "-no_nonce"];
    let bare = answer(&openssl(&shop.path(""), query, &[]));
    assert_eq!(verify_response(&bare, &NONCE, imprint(), &roots), Err(TokenFault::OtherRequest));
    // Without the certificate, which nobody would have who verifies it later.
    let query = ["ts", "-query", "-digest", &digest, "-sha256"];
    let token = authority.token(&openssl(&shop.path(""), query, &[]));
    assert_eq!(reason(verify(&token, &[&root])), "no-certificate");
    // A refusal, by an authority that knows no such policy.
    let query = ["ts", "-query", "-digest", &digest, "-sha256", "-cert", "-tspolicy", "1.2.3.9"];
    let refused = answer(&openssl(&shop.path(""), query, &[]));
    let said = verify_response(&refused, &NONCE, imprint(), &roots).unwrap_err().to_string();
    assert!(said.contains("the authority refused: status 2, rejected"), "{said}");
}

#[test]
fn every_truncation_is_refused() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let (authority, roots) = (shop.authority(&root), trusted(&[&root]));
    let answer = authority.answer(&request());
    for length in 0..answer.len() {
        assert!(verify_response(&answer[..length], &NONCE, imprint(), &roots).is_err(), "{length}");
    }
    let token = authority.token(&request());
    for length in 0..token.len() {
        assert!(verify_token(&token[..length], &[imprint()], &roots).is_err(), "{length}");
    }
    assert!(verify_token(&[&token[..], &[0]].concat(), &[imprint()], &roots).is_err());
    assert!(verify_token(&vec![0x30; 1 << 17], &[imprint()], &roots).is_err());
}

/// All bits count but those of certificates that the chain does not need: here the root's own copy.
#[test]
fn every_flipped_bit_is_found_or_lies_in_a_certificate_that_proves_nothing() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let identity = shop.issue(Some(&root), Made::default());
    let roots = trusted(&[&root]);
    let spare = decode_certificate_pem(&root.pem()).unwrap();
    for more in [String::new(), format!("certs = {}", root.certificate.display())] {
        let token = shop.authority_of(identity.clone(), &more).token(&request());
        let before = verify_token(&token, &[imprint()], &roots).unwrap();
        let place = token.windows(spare.len()).position(|window| window == spare);
        assert_eq!(place.is_some(), !more.is_empty());
        let mut harmless = 0;
        for bit in 0..token.len() * 8 {
            let mut flipped = token.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(stamped) = verify_token(&flipped, &[imprint()], &roots) {
                assert_eq!(stamped, before);
                let is_spare = place.is_some_and(|place| (place..place + spare.len()).contains(&(bit / 8)));
                assert!(is_spare, "bit {bit} of {} bytes", token.len());
                harmless += 1;
            }
        }
        assert_eq!(harmless > 0, place.is_some());
    }
}

#[test]
fn more_certificates_than_a_chain_has_are_refused() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let token = shop.authority(&root).token(&request());
    let many = shop.path("many.pem");
    let others: String = (0..8).map(|_| shop.issue(Some(&root), Made::default()).pem()).collect();
    fs::write(&many, others).unwrap();
    let identity = shop.issue(Some(&root), Made::default());
    let crowded = shop.authority_of(identity, &format!("certs = {}", many.display())).token(&request());
    assert_eq!(reason(verify(&crowded, &[&root])), "malformed");
    // A length that promises more than there is.
    let mut long = encode_field(0x30, &token);
    long[1] = 0x84;
    assert_eq!(reason(verify(&long, &[&root])), "malformed");
}
