//! Timestamp authorities made by `openssl`: keys, certificates and tokens, in a temporary folder.
//!
//! `openssl ts` answers requests; `openssl cms` makes the tokens that it would not make.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

const SETTINGS: &str = "
[ca]
default_ca = here
[here]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
organizationName = optional
commonName = optional
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
[uncritical]
basicConstraints = CA:FALSE
extendedKeyUsage = timeStamping
[several]
basicConstraints = CA:FALSE
extendedKeyUsage = critical,timeStamping,emailProtection
[mail]
basicConstraints = CA:FALSE
extendedKeyUsage = critical,emailProtection
[none]
basicConstraints = CA:FALSE
[encipherment]
basicConstraints = CA:FALSE
keyUsage = critical,keyEncipherment
extendedKeyUsage = critical,timeStamping
";

/// A certificate with its key: files of a folder.
#[derive(Clone, Debug)]
pub struct Identity {
    pub key: PathBuf,
    pub certificate: PathBuf,
}

impl Identity {
    pub fn pem(&self) -> String {
        fs::read_to_string(&self.certificate).unwrap()
    }
}

/// How a certificate differs from one that a timestamp authority has now.
#[derive(Clone, Copy)]
pub struct Made<'a> {
    pub subject: &'a str,
    /// `rsa:2048`, `P-256`, `P-384`.
    pub key: &'a str,
    /// A section of the settings above.
    pub extensions: &'a str,
    /// When it counts, `YYYYMMDDHHMMSSZ`.
    pub window: Option<(&'a str, &'a str)>,
    pub digest: &'a str,
}

impl Default for Made<'_> {
    fn default() -> Self {
        Self { subject: "/CN=clock", key: "P-256", extensions: "tsa", window: None, digest: "sha256" }
    }
}

/// A window that is over.
pub const PAST: Option<(&str, &str)> = Some(("20200101000000Z", "20210101000000Z"));

/// Where keys and certificates are.
pub struct Workshop {
    folder: TempDir,
    made: std::cell::Cell<u32>,
}

impl Workshop {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("greffe-test-tsa-").tempdir().unwrap();
        fs::write(folder.path().join("ca.cnf"), SETTINGS).unwrap();
        fs::write(folder.path().join("index.txt"), "").unwrap();
        Self { folder, made: std::cell::Cell::new(0) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn next(&self, name: &str) -> PathBuf {
        self.made.set(self.made.get() + 1);
        self.path(&format!("{}-{name}", self.made.get()))
    }

    pub fn openssl<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) {
        openssl(self.folder.path(), arguments, &[]);
    }

    /// A root that signs itself.
    pub fn root(&self, subject: &str, key: &str) -> Identity {
        self.root_made(Made { subject, key, extensions: "root", ..Made::default() })
    }

    pub fn root_made(&self, made: Made<'_>) -> Identity {
        self.issue(None, made)
    }

    /// A certificate by `issuer`; by itself without one.
    pub fn issue(&self, issuer: Option<&Identity>, made: Made<'_>) -> Identity {
        let (key, request, certificate) = (self.next("key.pem"), self.next("request"), self.next("crt.pem"));
        let generate: &[&str] = match made.key.split_once(':') {
            Some((_, bits)) => &["-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")],
            None => &["-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{}", made.key)],
        };
        let (key_text, request_text) = (text(&key), text(&request));
        self.openssl(["genpkey", "-out", key_text].into_iter().chain(generate.iter().copied()));
        self.openssl([
            "req",
            "-new",
            "-config",
            "ca.cnf",
            "-key",
            key_text,
            "-subj",
            made.subject,
            "-out",
            request_text,
        ]);
        let (from, to) = made.window.unwrap_or(("20200101000000Z", "20401231235959Z"));
        let mut arguments = vec!["ca", "-batch", "-config", "ca.cnf", "-notext", "-in", request_text];
        arguments.extend(["-out", text(&certificate), "-extensions", made.extensions, "-md", made.digest]);
        arguments.extend(["-startdate", from, "-enddate", to]);
        match issuer {
            Some(issuer) => {
                arguments.extend(["-cert", text(&issuer.certificate), "-keyfile", text(&issuer.key)])
            }
            None => arguments.extend(["-selfsign", "-keyfile", key_text]),
        }
        self.openssl(arguments);
        Identity { key, certificate }
    }

    /// An authority of this root whose own certificate it has just issued.
    pub fn authority(&self, root: &Identity) -> Authority {
        self.authority_of(self.issue(Some(root), Made::default()), "")
    }

    /// One that answers with this certificate; `more`: lines of the settings of `openssl ts`, over those that all have.
    pub fn authority_of(&self, identity: Identity, more: &str) -> Authority {
        let settings = self.next("tsa.cnf");
        let serial = self.next("serial");
        fs::write(&serial, "01").unwrap();
        let lines = format!(
            "[tsa]\ndefault_tsa = one\n[one]\nserial = {}\nsigner_cert = {}\nsigner_key = {}\n\
             default_policy = 1.2.3.4.1\ndigests = sha1, sha256, sha512\naccuracy = secs:1, millisecs:500\n\
             clock_precision_digits = 6\nordering = no\ntsa_name = yes\n\
             signer_digest = sha256\ness_cert_id_alg = sha256\n{more}\n",
            text(&serial),
            text(&identity.certificate),
            text(&identity.key)
        );
        fs::write(&settings, lines).unwrap();
        Authority { folder: self.folder.path().to_owned(), settings, identity }
    }

    /// A token with these signers, over what an authority would say: `info` is its content.
    pub fn token_by(&self, info: &[u8], signers: &[&Identity], more: &[&str]) -> Vec<u8> {
        let (content, token) = (self.next("info"), self.next("token"));
        fs::write(&content, info).unwrap();
        let mut arguments = vec!["cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-outform", "DER"];
        arguments.extend(["-econtent_type", "1.2.840.113549.1.9.16.1.4", "-in", text(&content)]);
        arguments.extend(["-out", text(&token)]);
        for signer in signers {
            arguments.extend(["-signer", text(&signer.certificate), "-inkey", text(&signer.key)]);
        }
        arguments.extend(more);
        self.openssl(arguments);
        fs::read(token).unwrap()
    }
}

/// One authority.
#[derive(Clone)]
pub struct Authority {
    folder: PathBuf,
    settings: PathBuf,
    pub identity: Identity,
}

impl Authority {
    /// Answers a request.
    pub fn answer(&self, request: &[u8]) -> Vec<u8> {
        let arguments = ["ts", "-reply", "-config", text(&self.settings), "-queryfile", "/dev/stdin"];
        openssl(&self.folder, arguments, request)
    }

    /// The token in the answer.
    pub fn token(&self, request: &[u8]) -> Vec<u8> {
        let arguments =
            ["ts", "-reply", "-config", text(&self.settings), "-queryfile", "/dev/stdin", "-token_out"];
        openssl(&self.folder, arguments, request)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs `openssl` in a folder with something to read; gives what it writes.
pub fn openssl<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder).env("RANDFILE", folder.join("random"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("`openssl` is needed: install it, or run tests/run");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
