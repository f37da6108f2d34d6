//! The nodes of IPFS that other tests rely on: they keep and give blocks, refuse, recover, collect garbage, pin
//! for each other, and leave nothing behind. And greffe's files have the CIDs that they give them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use data_encoding::BASE64;
use greffe::codec::unixfs::build_file;
use greffe::model::{Cid, Codec};
use serde_json::json;

use crate::servers::{Cluster, Kubo, KuboOptions, LIMIT, Login, Secret, helia, poll};

const PUT: [&str; 4] = ["block", "put", "--mhtype=sha2-256", "--cid-codec=raw"];

/// Puts a raw block; its CID.
fn put(kubo: &Kubo, bytes: &[u8], pinned: bool) -> String {
    let pin = if pinned { "--pin" } else { "--pin=false" };
    let printed = kubo.run_with(&[&PUT[..], &[pin]].concat(), bytes).unwrap();
    String::from_utf8(printed).unwrap().trim().to_owned()
}

fn get(kubo: &Kubo, cid: &str) -> Result<Vec<u8>, String> {
    kubo.run_with(&["--offline", "block", "get", cid], b"")
}

/// What a server answers to a request with a header of its own.
fn status(method: &str, url: &str, path: &str, header: &str) -> u16 {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n{header}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).read_link().is_ok()
}

#[test]
fn a_node_keeps_blocks_through_kills_and_stops() {
    let mut kubo = Kubo::start();
    let cid = put(&kubo, b"one", true);
    assert_eq!(cid, Cid::of(Codec::Raw, b"one").to_string());
    assert_eq!(get(&kubo, &cid).unwrap(), b"one");
    let (pid, url) = (kubo.pid(), kubo.rpc_url());
    kubo.kill();
    assert!(!runs(pid));
    kubo.restart();
    assert_ne!(kubo.pid(), pid);
    assert_eq!(kubo.rpc_url(), url);
    assert_eq!(get(&kubo, &cid).unwrap(), b"one");
    kubo.stop();
    kubo.restart();
    assert_eq!(get(&kubo, &cid).unwrap(), b"one");

    let (pid, folder) = (kubo.pid(), kubo.repo());
    drop(kubo);
    assert!(!runs(pid));
    assert!(!folder.exists());
}

#[test]
fn a_node_listens_on_loopback_and_knows_nobody() {
    let kubo = Kubo::start();
    let port = |url: &str| url.rsplit(':').next().unwrap().to_owned();
    let said = |name: &str| std::fs::read_to_string(kubo.repo().join(name)).unwrap();
    assert!(said("api").trim().ends_with(&port(&kubo.rpc_url())), "{}", said("api"));
    assert!(said("gateway").trim().ends_with(&port(&kubo.gateway_url())), "{}", said("gateway"));
    assert!(kubo.socket().exists());
    assert_eq!(kubo.run(&["swarm", "peers"]), "");
    let addresses = kubo.run(&["id", "--format=<addrs>"]);
    assert_eq!(addresses, kubo.swarm_address());
    assert!(kubo.run(&["bootstrap", "list"]).is_empty());
}

#[test]
fn garbage_is_what_no_pin_holds() {
    let kubo = Kubo::start();
    let [kept, lost] = [put(&kubo, b"kept", true), put(&kubo, b"lost", false)];
    assert_eq!(kubo.garbage_collect(), [&lost[..]]);
    assert!(get(&kubo, &lost).is_err());
    assert_eq!(get(&kubo, &kept).unwrap(), b"kept");
}

#[test]
fn a_full_node_collects_by_itself() {
    let mut kubo = Kubo::start_with(KuboOptions { storage_max: Some("1MB"), secret: None });
    kubo.set_config("Datastore.GCPeriod", json!("100ms"));
    kubo.restart();
    let kept = put(&kubo, &[1; 100_000], true);
    let lost: Vec<String> = (2..14).map(|byte| put(&kubo, &[byte; 100_000], false)).collect();
    assert!(poll(LIMIT, || lost.iter().any(|cid| get(&kubo, cid).is_err())), "{}", kubo.log());
    assert_eq!(get(&kubo, &kept).unwrap(), [1; 100_000]);
}

#[test]
fn a_node_with_a_secret_refuses_everyone_else() {
    let basic = format!("Authorization: Basic {}", BASE64.encode(b"greffe:geheim"));
    let bearer = "Authorization: Bearer geheim".to_owned();
    for (secret, right) in [(Secret::Basic("greffe", "geheim"), basic), (Secret::Bearer("geheim"), bearer)] {
        let kubo = Kubo::start_with(KuboOptions { secret: Some(secret), storage_max: None });
        let cid = put(&kubo, b"secret", true);
        assert_eq!(get(&kubo, &cid).unwrap(), b"secret");
        let ask = |header: &str| status("POST", &kubo.rpc_url(), "/api/v0/id", header);
        assert_eq!(ask(&right), 200);
        for wrong in ["X-Nothing: 1", "Authorization: Bearer wrong", "Authorization: Basic d3Jvbmc6d3Jvbmc="]
        {
            assert_eq!(ask(wrong), 403, "{wrong}");
        }
    }
}

#[test]
fn nodes_that_are_connected_fetch_from_each_other() {
    let [first, second] = [Kubo::start(), Kubo::start()];
    let cid = put(&first, b"travels", true);
    assert!(get(&second, &cid).is_err());
    second.connect_to(&first);
    assert!(second.run(&["swarm", "peers"]).ends_with(first.peer_id()));
    assert_eq!(second.run_with(&["block", "get", &cid], b"").unwrap(), b"travels");
    second.run(&["pin", "add", &cid]);
}

#[test]
fn a_cluster_pins_on_its_node() {
    let kubo = Kubo::start();
    let mut cluster = Cluster::start(&kubo);
    let cid = put(&kubo, b"clustered", false);
    assert_eq!(cluster.status(&cid), "unpinned");
    cluster.run(&["pin", "add", "--no-status", &cid]).unwrap();
    assert!(poll(LIMIT, || cluster.status(&cid) == "pinned"), "{}", cluster.log());
    assert!(kubo.garbage_collect().is_empty());
    assert_eq!(get(&kubo, &cid).unwrap(), b"clustered");
    cluster.stop();
    cluster.restart();
    assert!(poll(LIMIT, || cluster.status(&cid) == "pinned"), "{}", cluster.log());
    cluster.kill();
    cluster.restart();
    assert!(poll(LIMIT, || cluster.status(&cid) == "pinned"), "{}", cluster.log());
    assert!(cluster.login().is_none());
}

#[test]
fn a_cluster_with_a_login_refuses_everyone_else() {
    let kubo = Kubo::start();
    let cluster = Cluster::start_with_login(&kubo);
    assert!(cluster.run(&["id"]).is_ok());
    let login = cluster.login().unwrap();
    assert!(!cluster.log().contains(&login.password));
    let Login { user, password } = login;
    let right = BASE64.encode(format!("{user}:{password}").as_bytes());
    for (url, path) in [(cluster.rest_url(), "/id"), (cluster.pinning_url(), "/pins")] {
        assert_eq!(status("GET", &url, path, &format!("Authorization: Basic {right}")), 200, "{path}");
        assert_eq!(status("GET", &url, path, "Authorization: Basic d3Jvbmc6d3Jvbmc="), 401, "{path}");
        assert_eq!(status("GET", &url, path, "X-Nothing: 1"), 401, "{path}");
    }
}

/// Prints the text of a raw block that it fetches from the node at an address.
const FETCH: &str = r#"
import { createHeliaLight } from 'helia'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats'

const [address, cid] = process.argv.slice(2)
const libp2p = {
  transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()], services: { identify: identify() }
}
const helia = await withBitswap(withLibp2pLight(createHeliaLight(), libp2p)).start()
await helia.libp2p.dial(multiaddr(address))
const chunks = []
for await (const chunk of helia.blockstore.get(CID.parse(cid))) chunks.push(chunk)
console.log(Buffer.concat(chunks).toString())
await helia.stop()
process.exit(0)
"#;

#[test]
fn helia_fetches_from_a_node() {
    let kubo = Kubo::start();
    let cid = put(&kubo, b"for JavaScript", true);
    assert_eq!(helia(FETCH, &[&kubo.swarm_address(), &cid]).unwrap(), "for JavaScript");
}

/// `ipfs config profile apply unixfs-v1-2025` is what FORMAT §1 names.
#[test]
fn files_have_the_cids_that_kubo_gives_them() {
    let mut kubo = Kubo::start();
    kubo.stop();
    kubo.run(&["config", "profile", "apply", "unixfs-v1-2025"]);
    kubo.restart();
    const MIB: usize = 1 << 20;
    let sizes = [0, 1, MIB - 1, MIB, MIB + 1, 50 * MIB];
    for size in sizes {
        let bytes: Vec<u8> = (0..size).map(|at| ((at * 31) ^ (at >> 11)) as u8).collect();
        let ours = build_file(&bytes, &mut |_| {}).to_string();
        let theirs = kubo.run_with(&["add", "--only-hash", "--quieter"], &bytes).unwrap();
        assert_eq!(ours, String::from_utf8(theirs).unwrap().trim(), "{size} bytes");
    }
}
