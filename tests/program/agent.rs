//! Signing with a key that an SSH agent has: a real `ssh-agent`, with keys that `ssh-add` gave it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::BASE64;

use crate::project::{Project, THREE};
use crate::tools::{output_of, tool};

/// An agent that runs until it is dropped.
struct Agent {
    process: Child,
    socket: String,
}

impl Agent {
    fn start(project: &Project) -> Self {
        let socket = project.path("agent.sock").to_string_lossy().into_owned();
        let mut command = tool("ssh-agent");
        command.args(["-D", "-a", &socket]).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while !Path::new(&socket).exists() {
            assert!(Instant::now() < until, "ssh-agent does not listen");
            std::thread::yield_now();
        }
        Self { process, socket }
    }

    fn add(&self, arguments: &[&str]) -> Command {
        let mut command = tool("ssh-add");
        command.args(arguments).env("SSH_AUTH_SOCK", &self.socket).env_remove("DISPLAY");
        command.env_remove("SSH_ASKPASS").stderr(Stdio::piped());
        command
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A folder without a key of its own, and an agent that has the key `id`; gives its fingerprint.
fn with_agent() -> (Project, Agent, String) {
    let mut project = Project::empty();
    project.variables.retain(|(name, _)| name != "GREFFE_KEY");
    let agent = Agent::start(&project);
    project.variables.push(("SSH_AUTH_SOCK".to_owned(), agent.socket.clone()));
    let fingerprint = add_new(&project, &agent, "id", "ed25519");
    (project, agent, fingerprint)
}

/// Makes a key, gives it to the agent, and removes its private half.
fn add_new(project: &Project, agent: &Agent, name: &str, algorithm: &str) -> String {
    let path = project.path(name);
    output_of(tool("ssh-keygen").args(["-q", "-t", algorithm, "-C", "", "-N", "", "-f"]).arg(&path));
    output_of(&mut agent.add(&["-q", path.to_str().unwrap()]));
    project.remove(name);
    let listed = output_of(tool("ssh-keygen").arg("-lf").arg(project.path(format!("{name}.pub"))));
    listed.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_key_of_an_agent_signs_and_is_named_in_three_ways() {
    let (project, _agent, fingerprint) = with_agent();
    project.scripts(&THREE);
    let source = format!("agent:{fingerprint}");
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db", "--key", &source]);
    assert!(String::from_utf8(project.read("greffe.toml")).unwrap().contains(&source));
    project.ok(["apply"]);
    project.verify();
    let shown = project.json(&["key", "show"]);
    let public = String::from_utf8(project.read("id.pub")).unwrap();
    let blob = BASE64.decode(public.split(' ').nth(1).unwrap().trim().as_bytes()).unwrap();
    assert_eq!(shown["public"], BASE64.encode(&blob[blob.len() - 32..]));
    let by_id = format!("agent:{}", shown["keyid"].as_str().unwrap());
    for source in [by_id.as_str(), "file:id.pub"] {
        assert_eq!(project.json(&["key", "show", "--key", source])["keyid"], shown["keyid"]);
        project.ok(["rollback", "--steps", "1", "--key", source]);
        project
            .ok(["apply", "--key", source])
            .stderr
            .is_empty()
            .then_some(())
            .expect("no warning of the public file");
    }
    project.verify();
    // A key that stays where it is cannot be written to a file.
    project.ends(2, ["key", "import", "--out", "k.pem"]).says(&["SSH agent keeps it", "hint:"]);
}

#[test]
fn a_proposal_is_signed_through_an_agent() {
    let (project, agent, fingerprint) = with_agent();
    let source = format!("agent:{fingerprint}");
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db", "--key", &source]);
    let second = add_new(&project, &agent, "second", "ed25519");
    project.ok([
        "trust",
        "propose",
        "--out",
        "p.json",
        "--add-key",
        "second.pub",
        "--role",
        "root",
        "--threshold",
        "root=2",
    ]);
    project.ok(["trust", "sign", "p.json", "--yes"]);
    project.ok(["trust", "sign", "p.json", "--yes", "--key", &format!("agent:{second}")]);
    project.ok(["trust", "apply", "p.json"]);
    project.verify();
}

#[test]
fn an_agent_that_is_gone_or_has_another_key_changes_nothing() {
    let (mut project, mut agent, fingerprint) = with_agent();
    project.scripts(&THREE);
    let source = format!("agent:{fingerprint}");
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db", "--key", &source]);
    let other = format!("agent:SHA256:{}", "A".repeat(43));
    let refused = |key: &str, says: &[&str]| {
        let archive = project.read("archive/demo.car");
        project.ends(2, ["apply", "--key", key]).says(says);
        assert_eq!(project.read("archive/demo.car"), archive);
        assert_eq!(project.tables(), "");
    };
    refused(&other, &["does not have the signing key", &fingerprint, "ssh-add"]);
    let ecdsa = add_new(&project, &agent, "ecdsa", "ecdsa");
    refused(&format!("agent:{ecdsa}"), &["not an Ed25519 key", "ssh-keygen"]);
    refused("file:ecdsa.pub", &["not an Ed25519 key", "hint:"]);
    project.write("id_sk", security_key());
    std::fs::set_permissions(project.path("id_sk"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    output_of(&mut agent.add(&["-q", project.path("id_sk").to_str().unwrap()]));
    let listed = output_of(&mut agent.add(&["-l"]));
    let line = listed.lines().find(|line| line.contains("ED25519-SK")).unwrap();
    refused(&format!("agent:{}", line.split(' ').nth(1).unwrap()), &["security key", "flags and a counter"]);
    let public = output_of(&mut agent.add(&["-L"]));
    let line = public.lines().find(|line| line.starts_with("sk-ssh-ed25519")).unwrap();
    project.write("sk.pub", line);
    refused("file:sk.pub", &["security key", "hint:"]);
    agent.stop();
    refused(&source, &["agent does not answer", "ssh-add -l"]);
    project.variables.retain(|(name, _)| name != "SSH_AUTH_SOCK");
    project.ends(2, ["apply"]).says(&["SSH_AUTH_SOCK", "ssh-agent"]);
}

#[test]
fn a_signature_that_nobody_confirmed_is_made_up_for_by_the_next_run() {
    let (project, agent, fingerprint) = with_agent();
    project.scripts(&THREE[..2]);
    let source = format!("agent:{fingerprint}");
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db", "--key", &source]);
    // The agent asks before each use, and there is nobody to ask.
    output_of(
        tool("ssh-keygen").args(["-q", "-t", "ed25519", "-C", "", "-N", "", "-f"]).arg(project.path("c")),
    );
    let added = agent.add(&["-q", "-c", project.path("c").to_str().unwrap()]).output().unwrap();
    assert!(added.status.success(), "{added:?}");
    project.ok(["trust", "propose", "--out", "p.json", "--add-key", "c.pub", "--role", "signer"]);
    project.ok(["trust", "sign", "p.json", "--yes"]);
    project.ok(["trust", "apply", "p.json"]);
    let run = project.ends(3, ["apply", "--key", "file:c.pub"]);
    run.says(&["did not sign", "refused to sign, or nobody confirmed it"]);
    assert_eq!(project.tables(), "authors");
    project.ok(["apply"]);
    project.verify();
    assert_eq!(project.story(), ["genesis", "trust", "apply 1"]);
}

#[test]
fn an_agent_that_lies_or_sends_too_much_is_not_believed() {
    use std::io::{Read as _, Write as _};
    let mut project = Project::empty();
    let socket = project.path("liar.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let key = project.json(&["key", "show"])["public"].as_str().unwrap().to_owned();
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend(BASE64.decode(key.as_bytes()).unwrap());
    project.write("id.pub", format!("ssh-ed25519 {}", BASE64.encode(&blob)));
    project.scripts(&THREE[..2]);
    project.ok(["init", "--name", "demo", "--database", "sqlite:app.db"]);
    project.variables.push(("SSH_AUTH_SOCK".to_owned(), socket.to_string_lossy().into_owned()));
    let framed = |body: &[u8]| [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat();
    let identities = framed(&[b"\x0c\0\0\0\x01\0\0\0\x33".as_slice(), &blob, b"\0\0\0\0"].concat());
    let mut lie = b"\x0e\0\0\0\x53\0\0\0\x0bssh-ed25519\0\0\0\x40".to_vec();
    lie.extend([7; 64]);
    let answers = [
        (vec![identities, framed(&lie)], 3, "no signature by this key"),
        (vec![b"\xff\xff\xff\xff".to_vec()], 2, "would have 4294967295 bytes"),
        (vec![b"\0\0\0\0".to_vec()], 2, "would have 0 bytes"),
        (vec![framed(b"\x0c\xff\xff\xff\xff")], 2, "cut off"),
        (vec![framed(b"\x05")], 2, "refused"),
        (vec![b"\0\0".to_vec()], 2, "agent does not answer"),
    ];
    std::thread::scope(|scope| {
        let replies = answers.iter().flat_map(|(replies, _, _)| replies.clone());
        let replies: Vec<Vec<u8>> = replies.collect();
        scope.spawn(move || {
            for reply in replies {
                let (mut stream, _) = listener.accept().unwrap();
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut request).unwrap();
                stream.write_all(&reply).unwrap();
            }
        });
        for (_, code, says) in &answers {
            project.ends(*code, ["apply", "--key", "file:id.pub"]).says(&[says]);
        }
    });
    project.ok(["apply"]);
    project.verify();
}

/// The file of a key of a security key, as OpenSSH writes it (PROTOCOL.key, PROTOCOL.u2f); the device is made up.
fn security_key() -> String {
    let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let mut public = string(b"sk-ssh-ed25519@openssh.com");
    let seed = greffe::crypto::PrivateKey::from_seed(&[1; 32]);
    public.extend(string(seed.public().as_bytes()));
    public.extend(string(b"ssh:"));
    let mut private = [b"\x01\x02\x03\x04\x01\x02\x03\x04", public.as_slice(), b"\x01"].concat();
    private.extend(string(&[9; 48]));
    private.extend([string(b""), string(b"")].concat());
    let padding = (8 - private.len() % 8) % 8;
    private.extend((1..=padding).map(|byte| u8::try_from(byte).unwrap()));
    let mut blob = b"openssh-key-v1\0".to_vec();
    blob.extend([string(b"none"), string(b"none"), string(b""), 1_u32.to_be_bytes().to_vec()].concat());
    blob.extend([string(&public), string(&private)].concat());
    let base64 = BASE64.encode(&blob);
    let lines: Vec<&str> =
        base64.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n", lines.join("\n"))
}
