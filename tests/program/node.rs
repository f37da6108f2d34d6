//! `greffe node`, and blocks from peers: a real Kubo pins from it and is fetched from, others are refused, and what
//! stalls or goes away is given up in time.

use std::future::poll_fn;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use greffe::codec::car::{decode_frame, decode_header};
use greffe::model::Cid;
use greffe::store::remote::bitswap::{
    Accepted, Admission, Behaviour, BehaviourEvent, Identity, PeerAddress, Reply, encode_wants, make_swarm,
    read_message, write_message,
};
use libp2p::core::Endpoint;
use libp2p::core::muxing::StreamMuxer as _;
use libp2p::core::transport::{DialOpts as DialOptions, PortUse, Transport as _};
use libp2p::core::upgrade::Version;
use libp2p::futures::{AsyncWrite as _, StreamExt as _};
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{Stream, SwarmEvent};
use libp2p::{Swarm, noise, tcp, yamux};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::project::{Project, THREE};
use crate::serve::connect_from;
use crate::servers::{Kubo, LIMIT, poll};
use crate::tools::{output_of, tool};

/// A node that runs; it ends with this value.
struct Node {
    child: Child,
    said: Value,
}

impl Node {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let listen = ["node", "--json", "--listen", "/ip4/127.0.0.1/tcp/0"];
        let mut child = project.command([&listen[..], arguments].concat()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            let line = lines.next().unwrap_or_else(|| {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("it does not listen: {text}{said}")
            });
            text.push_str(&(line.unwrap() + "\n"));
        }
        Self { child, said: serde_json::from_str(&text).unwrap() }
    }

    fn address(&self) -> &str {
        self.said["addresses"][0].as_str().unwrap()
    }

    fn port(&self) -> u16 {
        self.address().split('/').nth(4).unwrap().parse().unwrap()
    }

    fn id(&self) -> &str {
        self.said["peer_id"].as_str().unwrap()
    }

    fn signal(&self, name: &str) {
        output_of(tool("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &self.child.id().to_string()]));
    }

    /// Its exit code and what it said, once it has ended.
    fn end(&mut self) -> (i32, String) {
        assert!(poll(LIMIT, || self.child.try_wait().unwrap().is_some()), "it does not end");
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code().unwrap(), said)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn applied_with(count: usize) -> Project {
    let project = Project::new();
    for number in 1..=count {
        project.script(&format!("{number}_t.sql"), format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    project.ok(["apply"]);
    project
}

/// A machine on which nothing was ever done.
fn machine() -> Project {
    let mut machine = Project::empty();
    machine.variables = vec![("XDG_STATE_HOME".to_owned(), machine.path("state").display().to_string())];
    machine
}

fn publish(project: &Project, kubo: &Kubo) -> String {
    project.ok(["export", "--out", "out.car", "--force"]);
    kubo.run(&["dag", "import", "--pin-roots=true", &project.path("out.car").display().to_string()]);
    project.remove("out.car");
    project.head()
}

fn connect(kubo: &Kubo, node: &Node) -> Result<(), String> {
    kubo.run_with(&["swarm", "connect", node.address()], b"").map(|_| ())
}

#[test]
fn kubo_pins_a_chain_from_it_and_stands_alone() {
    let (project, kubo) = (applied_with(299), Kubo::start());
    let mut node = Node::start(&project, &["--peer", kubo.peer_id()]);
    assert_eq!(node.said["peers"][0], kubo.peer_id());
    connect(&kubo, &node).unwrap();
    let head = project.head();
    let begin = Instant::now();
    kubo.run(&["pin", "add", "--recursive", &head]);
    let elapsed = begin.elapsed();
    println!("Kubo pinned 300 entries in {elapsed:?}");
    assert!(elapsed < LIMIT, "{elapsed:?}");
    // What is applied meanwhile is served too.
    project.script("900_late.sql", "CREATE TABLE late (id INTEGER);\n");
    project.ok(["apply"]);
    let newer = project.head();
    assert_ne!(newer, head);
    kubo.run(&["pin", "add", "--recursive", &newer]);
    node.signal("TERM");
    let (code, said) = node.end();
    assert_eq!(code, 0, "{said}");
    assert!(kubo.run(&["pin", "ls", "--type=recursive", "--quiet"]).contains(&newer));
    let run = machine().ok(["verify", &newer, "--from", &format!("kubo:{}", kubo.rpc_url())]);
    run.prints(&["verified: demo, 301 entries"]);
}

#[test]
fn blocks_come_from_a_kubo() {
    let (project, kubo, machine) = (applied_with(299), Kubo::start(), machine());
    let head = publish(&project, &kubo);
    let from = kubo.swarm_address();
    let begin = Instant::now();
    let object = machine.json(&["verify", &head, "--from", &from]);
    let (elapsed, source) = (begin.elapsed(), &object["sources"][0]);
    println!("{} blocks from Kubo in {elapsed:?}", source["blocks"]);
    assert_eq!((&object["verified"], &source["fault"]), (&true.into(), &Value::Null), "{object:#}");
    assert!(source["blocks"].as_u64().unwrap() > 900 && elapsed < LIMIT, "{elapsed:?}: {object:#}");
    let mirrored = machine.json(&["mirror", &head, "--from", &from, "--archive", "copy"]);
    assert_eq!(mirrored["entries"], 300, "{mirrored:#}");
    let run = machine.ok(["verify", &head, "--archive", "copy"]);
    run.prints(&["verified: demo, 300 entries"]);
}

#[test]
fn a_file_of_many_megabytes_goes_through_in_both_directions() {
    let (project, kubo) = (Project::new(), Kubo::start());
    // Hexadecimal digits that no two blocks have in common.
    let lines: String =
        (0..200_000u64).map(|at| format!("-- {:032x}\n", at.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    project.script("1_large.sql", format!("{lines}CREATE TABLE t (id INTEGER);\n"));
    project.ok(["apply"]);
    let (head, node) = (project.head(), Node::start(&project, &["--peer", kubo.peer_id()]));
    connect(&kubo, &node).unwrap();
    kubo.run(&["pin", "add", "--recursive", &head]);
    drop(node);
    machine().ok(["verify", &head, "--from", &kubo.swarm_address()]).prints(&["verified: demo, 2 entries"]);
}

#[test]
fn who_is_not_named_is_refused_and_gets_nothing() {
    let (project, kubo, stranger) = (Project::applied(), Kubo::start(), Kubo::start());
    let mut node = Node::start(&project, &["--peer", kubo.peer_id()]);
    let head = project.head();
    let _ = connect(&stranger, &node);
    assert!(poll(LIMIT, || !stranger.run(&["swarm", "peers"]).contains(node.id())));
    let error = stranger.run_with(&["block", "get", "--timeout=2s", &head], b"").unwrap_err();
    assert!(error.contains("deadline") || error.contains("timeout"), "{error}");
    let run = machine().ends(3, ["verify", &head, "--from", node.address(), "--source-timeout", "2s"]);
    run.says(&["cannot be reached", "where peers have to be named, this is 12D3KooW", node.address()]);
    connect(&kubo, &node).unwrap();
    kubo.run_with(&["block", "get", "--timeout=20s", &head], b"").unwrap();
    node.signal("INT");
    let (code, said) = node.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&format!("{} was refused: it is not named", stranger.peer_id())), "{said}");
    assert!(!said.contains(&format!("{} was refused", kubo.peer_id())), "{said}");
}

#[test]
fn a_node_verifies_from_another_that_names_it() {
    let (project, mut machine) = (Project::applied(), machine());
    machine.ok(["key", "generate", "--out", "node.pem", "--plain"]);
    machine.variables.push(("GREFFE_NODE_KEY".into(), "file:node.pem".into()));
    // Which peer it is shows where it is refused, or when it is a node itself.
    let head = project.head();
    let closed = Node::start(&project, &["--peer", "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"]);
    let run = machine.ends(3, ["verify", &head, "--from", closed.address(), "--source-timeout", "2s"]);
    let id =
        run.stderr.split("this is ").nth(1).unwrap().split(|c: char| !c.is_alphanumeric()).next().unwrap();
    let node = Node::start(&project, &["--peer", id]);
    let object = machine.json(&["verify", &head, "--from", node.address()]);
    assert_eq!(object["verified"], true, "{object:#}");
    let open = Node::start(&project, &["--public"]);
    let fresh = self::machine();
    fresh.ok(["mirror", &head, "--from", open.address(), "--archive", "copy"]);
    fresh.ok(["verify", &head, "--archive", "copy"]);
    // A block that it has not is a finding, at once.
    let other = Project::applied();
    let begin = Instant::now();
    let run = machine.ends(1, ["verify", &other.head(), "--from", node.address()]);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    run.prints(&["the block is missing"]);
}

#[test]
fn it_dials_those_whose_addresses_it_knows() {
    let (project, mut kubo) = (Project::applied(), Kubo::start());
    let node = Node::start(&project, &["--peer", &kubo.swarm_address()]);
    assert!(poll(LIMIT, || kubo.run(&["swarm", "peers"]).contains(node.id())));
    kubo.restart();
    assert!(poll(LIMIT, || kubo.run(&["swarm", "peers"]).contains(node.id())));
    kubo.run(&["pin", "add", "--recursive", &project.head()]);
}

#[test]
fn a_kubo_without_the_block_says_so_and_one_that_is_silent_is_given_up() {
    let (project, kubo) = (Project::applied(), Kubo::start());
    let (head, from) = (project.head(), kubo.swarm_address());
    let begin = Instant::now();
    let run = machine().ends(1, ["verify", &head, "--from", &from]);
    run.prints(&["the block is missing"]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    output_of(tool("sh").args(["-c", "kill -s STOP \"$0\"", &kubo.pid().to_string()]));
    let begin = Instant::now();
    let run = machine().run(["verify", &head, "--from", &from, "--source-timeout", "1s"]);
    output_of(tool("sh").args(["-c", "kill -s CONT \"$0\"", &kubo.pid().to_string()]));
    assert_eq!(run.code, 3, "{run:#?}");
    run.says(&[&from, "did not answer within 1s"]);
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
}

/// Passes bytes on until so many came from the target, says so, and then holds everything back.
fn hold_after(target: u16, bytes: usize) -> (u16, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, reached) = mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { continue };
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
            let (mut up_from, mut up_to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut up_from, &mut up_to));
            let sender = sender.clone();
            thread::spawn(move || {
                let (mut passed, mut buffer) = (0, [0; 4096]);
                while let Ok(size @ 1..) = server.read(&mut buffer) {
                    if passed > bytes {
                        sender.send(()).ok();
                        continue;
                    }
                    passed += size;
                    if client.write_all(&buffer[..size]).is_err() {
                        return;
                    }
                }
                // The end of the target is the end of the client.
                client.shutdown(std::net::Shutdown::Both).ok();
            });
        }
    });
    (port, reached)
}

#[test]
fn a_kubo_that_dies_in_the_middle_ends_the_fetch() {
    let (project, mut kubo) = (applied_with(99), Kubo::start());
    let head = publish(&project, &kubo);
    let port = kubo.swarm_address().split('/').nth(4).unwrap().parse().unwrap();
    let (relay, reached) = hold_after(port, 60_000);
    let from = format!("/ip4/127.0.0.1/tcp/{relay}/p2p/{}", kubo.peer_id());
    let machine = machine();
    let child = machine.command(["verify", &head, "--from", &from, "--json"]).spawn().unwrap();
    reached.recv_timeout(LIMIT).unwrap();
    kubo.kill();
    let begin = Instant::now();
    let run = machine.judge(child.wait_with_output().unwrap());
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    assert_eq!(run.code, 3, "{run:#?}");
    run.says(&[&from, "cannot be reached"]);
    // One that stays and is silent is given up as well.
    kubo.restart();
    let (relay, _reached) = hold_after(port, 60_000);
    let from = format!("/ip4/127.0.0.1/tcp/{relay}/p2p/{}", kubo.peer_id());
    let begin = Instant::now();
    let run = machine.ends(3, ["verify", &head, "--from", &from, "--source-timeout", "1s"]);
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    run.says(&[&from, "did not answer within 1s"]);
}

#[test]
fn a_private_network_lets_only_its_own_in() {
    let (project, mut kubo) = (Project::applied(), Kubo::start());
    let digits = "0123456789abcdef".repeat(4);
    let key = format!("/key/swarm/psk/1.0.0/\n/base16/\n{digits}\n");
    kubo.stop();
    std::fs::write(kubo.repo().join("swarm.key"), &key).unwrap();
    kubo.restart();
    let mut private = project.copy();
    private.write("swarm.key", &key);
    private.secrets.push(digits.clone());
    let node = Node::start(&private, &["--peer", kubo.peer_id(), "--swarm-key", "file:swarm.key"]);
    connect(&kubo, &node).unwrap();
    let head = project.head();
    kubo.run(&["pin", "add", "--recursive", &head]);
    let mut machine = machine();
    let from = kubo.swarm_address();
    machine.ends(3, ["verify", &head, "--from", &from, "--source-timeout", "2s"]).says(&[&from]);
    machine.write("swarm.key", &key);
    machine.secrets.push(digits);
    machine.ok(["verify", &head, "--from", &from, "--swarm-key", "file:swarm.key"]);
    // Outside of the network nobody is spoken to.
    let plain = Node::start(&project, &["--peer", kubo.peer_id()]);
    assert!(connect(&kubo, &plain).is_err());
    machine.write("swarm.key", "no key");
    let run = machine.ends(2, ["verify", &head, "--from", &from, "--swarm-key", "file:swarm.key"]);
    run.says(&["it is not a swarm key", "hint:"]);
}

#[test]
fn wrong_usage_is_told() {
    let project = Project::applied();
    let head = project.head();
    project.ends(2, ["node"]).says(&["nobody may connect", "hint: name who may with `--peer PEERID`"]);
    for (peer, said) in [
        ("nonsense", "neither a peer id nor an address"),
        ("/ip4/127.0.0.1/tcp/4001", "which peer is there"),
        ("/ip4/127.0.0.1", "which peer is there"),
        ("/nonsense", "not a multiaddress"),
    ] {
        project.ends(2, ["node", "--peer", peer]).says(&[said, "hint: write it like"]);
    }
    let id = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    for listen in
        ["127.0.0.1:4001", "/ip4/127.0.0.1/udp/4001/quic-v1", &format!("/ip4/127.0.0.1/tcp/1/p2p/{id}")]
    {
        project.ends(2, ["node", "--peer", id, "--listen", listen]).says(&["hint: write it like"]);
    }
    for from in ["/ip4/127.0.0.1/tcp/4001", "/dns4/example.org/tcp/1", "/nonsense"] {
        project.ends(2, ["verify", &head, "--from", from]).says(&["`--from` cannot be used", "hint:"]);
    }
    let own = ["node", "--peer", id, "--node-key", "env:GREFFE_KEY"];
    project.ends(2, own).says(&["the key that signs events", "hint: run `greffe key generate"]);
    // A port that is taken, also by another node.
    let node = Node::start(&project, &["--public"]);
    let taken = format!("/ip4/127.0.0.1/tcp/{}", node.port());
    project
        .ends(3, ["node", "--public", "--listen", &taken])
        .says(&["cannot listen on", "hint: choose another"]);
    let nobody = Project::empty();
    nobody.ends(3, ["node", "--public", "--all", "--archive", "none"]).says(&["there is no archive in"]);
}

#[test]
fn bytes_that_are_no_handshake_and_many_connections_do_no_harm() {
    let (project, kubo) = (Project::with(&THREE), Kubo::start());
    project.ok(["apply"]);
    let node = Node::start(&project, &["--peer", kubo.peer_id(), "--connections", "4"]);
    let mut streams = Vec::new();
    for count in 0..50 {
        let mut stream = TcpStream::connect(("127.0.0.1", node.port())).unwrap();
        let _ = stream.write_all(&vec![b'x'; 100 * count]);
        streams.push(stream);
    }
    drop(streams);
    assert!(poll(LIMIT, || connect(&kubo, &node).is_ok()));
    kubo.run(&["pin", "add", "--recursive", &project.head()]);
}

/// Connections that say nothing, made again whenever one is closed, until this value goes.
struct Silent {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Silent {
    fn start(port: u16, from: &[(&'static str, usize)]) -> Self {
        let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let locals: Vec<&str> =
            from.iter().flat_map(|(local, count)| std::iter::repeat_n(*local, *count)).collect();
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&made));
        let thread = thread::spawn(move || {
            let connect = |local: &str| {
                let stream = connect_from(local, ([127, 0, 0, 1], port).into());
                stream.set_nonblocking(true).unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                stream
            };
            let mut streams: Vec<TcpStream> = locals.iter().map(|local| connect(local)).collect();
            while !stopped.load(Ordering::SeqCst) {
                for (stream, local) in streams.iter_mut().zip(&locals) {
                    let closed = |end: std::io::Result<usize>| {
                        end.map_or_else(|error| error.kind() != ErrorKind::WouldBlock, |size| size == 0)
                    };
                    if closed(stream.read(&mut [0; 100])) {
                        *stream = connect(local);
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self { stop, made, thread: Some(thread) }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = self.thread.take().unwrap().join();
    }
}

#[test]
fn silent_connections_shut_out_nobody() {
    let (project, mut machine) = (Project::applied(), machine());
    let head = project.head();
    machine.ok(["key", "generate", "--out", "node.pem", "--plain"]);
    machine.variables.push(("GREFFE_NODE_KEY".into(), "file:node.pem".into()));
    let closed = Node::start(&project, &["--peer", "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"]);
    let run = machine.ends(3, ["verify", &head, "--from", closed.address(), "--source-timeout", "2s"]);
    let id =
        run.stderr.split("this is ").nth(1).unwrap().split(|c: char| !c.is_alphanumeric()).next().unwrap();
    let node = Node::start(&project, &["--peer", id]);
    // From the address of the peer itself more than all places, and from others as well.
    for from in
        [&[("127.0.0.1:0", 200)][..], &[("127.0.0.1:0", 40), ("127.0.0.2:0", 80), ("127.0.0.3:0", 80)]]
    {
        let silent = Silent::start(node.port(), from);
        assert!(poll(LIMIT, || silent.made.load(Ordering::SeqCst) >= 210));
        for _ in 0..5 {
            let object = machine.json(&["verify", &head, "--from", node.address()]);
            assert_eq!(object["verified"], true, "{object:#}");
        }
    }
}

#[test]
fn who_only_holds_a_connection_makes_room_where_anybody_may_come() {
    let project = Project::applied();
    let (head, node) = (project.head(), Node::start(&project, &["--public", "--connections", "8"]));
    let (address, (sender, opened)) = (node.address().to_owned(), mpsc::channel());
    // Each holds a stream and says nothing by it.
    let holders: Vec<_> = (0..8)
        .map(|_| {
            let (address, sender) = (PeerAddress::parse(&address).unwrap(), sender.clone());
            thread::spawn(move || {
                in_swarm(async |swarm| {
                    swarm
                        .dial(DialOpts::peer_id(address.id).addresses(vec![address.address]).build())
                        .unwrap();
                    let mut stream = None;
                    loop {
                        match swarm.select_next_some().await {
                            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                                let (opening, opened) = oneshot::channel();
                                swarm.behaviour_mut().streams.open(peer_id, opening);
                                let sender = sender.clone();
                                stream = Some(tokio::spawn(async move {
                                    let mut stream = opened.await.unwrap();
                                    let wants = encode_wants(&[], true);
                                    write_message(&mut stream, &wants, LIMIT).await.unwrap();
                                    sender.send(()).unwrap();
                                    stream
                                }));
                            }
                            SwarmEvent::ConnectionClosed { .. } => return drop(stream),
                            _ => {}
                        }
                    }
                })
            })
        })
        .collect();
    for _ in 0..8 {
        opened.recv_timeout(LIMIT).unwrap();
    }
    for _ in 0..3 {
        let object = machine().json(&["verify", &head, "--from", node.address()]);
        assert_eq!(object["verified"], true, "{object:#}");
    }
    assert!(holders.iter().any(|holder| holder.is_finished()));
    drop(node);
    assert!(poll(LIMIT, || holders.iter().all(|holder| holder.is_finished())));
}

/// Opens streams on a connection of its own, one after the other, and fills each; says how many the node bore.
fn open_streams(node: &Node, count: usize, wait: Duration) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let key = Keypair::generate_ed25519();
        let mut transport = tcp::tokio::Transport::default()
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&key).unwrap())
            .multiplex(yamux::Config::default());
        let options = DialOptions { role: Endpoint::Dialer, port_use: PortUse::New };
        let address = PeerAddress::parse(node.address()).unwrap().address;
        let (_, mut muxer) = transport.dial(address, options).unwrap().await.unwrap();
        let mut held = Vec::new();
        // What does not come in time: the connection is open, and the node reads no more.
        let opening = async {
            for _ in 0..count {
                let opened = poll_fn(|context| match Pin::new(&mut muxer).poll_inbound(context) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Pin::new(&mut muxer).poll_outbound(context),
                });
                let Ok(mut stream) = opened.await else { return };
                // The name of a protocol that is not there to its end; streams that have to wait hold more.
                let mut bytes = vec![b' '; if held.len() < 16 { 16_000 } else { 128 << 10 }];
                bytes[..2].copy_from_slice(&[0xff, 0x7f]);
                let mut written = 0;
                let sent = poll_fn(|context| {
                    if let Poll::Ready(Err(_)) = Pin::new(&mut muxer).poll_inbound(context) {
                        return Poll::Ready(false);
                    }
                    while written < bytes.len() {
                        match Pin::new(&mut stream).poll_write(context, &bytes[written..]) {
                            Poll::Ready(Ok(size)) => written += size,
                            Poll::Ready(Err(_)) => return Poll::Ready(false),
                            Poll::Pending => return Poll::Pending,
                        }
                    }
                    Poll::Ready(true)
                });
                if !sent.await {
                    return;
                }
                held.push(stream);
            }
            // The end of a connection takes a moment to come.
            let end = poll_fn(|context| match Pin::new(&mut muxer).poll_inbound(context) {
                Poll::Ready(Err(_)) => Poll::Ready(()),
                Poll::Ready(Ok(_)) => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                Poll::Pending => Poll::Pending,
            });
            if tokio::time::timeout(wait, end).await.is_ok() {
                held.clear();
            }
        };
        tokio::time::timeout(LIMIT * 2, opening).await.ok();
        held.len()
    })
}

#[test]
fn who_opens_many_streams_loses_the_connection_and_nobody_else_does() {
    let project = Project::applied();
    let (head, node) = (project.head(), Node::start(&project, &["--public"]));
    let status = format!("/proc/{}/status", node.child.id());
    let memory = || -> u64 {
        let text = std::fs::read_to_string(&status).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    machine().ok(["verify", &head, "--from", node.address()]);
    let before = memory();
    // As many as any client of Bitswap has open are borne.
    assert_eq!(open_streams(&node, 16, Duration::from_secs(1)), 16);
    for _ in 0..8 {
        assert!(open_streams(&node, 250, LIMIT) < 250);
    }
    // 250 streams of 128 KiB would be 31 MiB.
    let more = memory() - before;
    assert!(more < 16 << 10, "{more} KiB");
    let object = machine().json(&["verify", &head, "--from", node.address()]);
    assert_eq!(object["verified"], true, "{object:#}");
}

/// How a peer that speaks Bitswap misbehaves.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Other bytes than those that were asked for.
    WrongBytes,
    /// What was asked for, again and again.
    Again,
    /// A message that is longer than any may be.
    TooLong,
    /// A message that comes a byte at a time.
    Endless,
    Silence,
}

/// Does something with a swarm of its own.
fn in_swarm(work: impl AsyncFnOnce(&mut Swarm<Behaviour>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let admission = Admission { peers: None, incoming: 8, owner: |address| address };
        let mut swarm = make_swarm(&Identity::fresh(), &admission).unwrap();
        work(&mut swarm).await;
    });
    runtime.shutdown_background();
}

/// A peer with one block; it goes on until the test ends.
fn misbehaving(manner: Manner, block: (Cid, Vec<u8>)) -> String {
    let (sender, address) = mpsc::channel();
    thread::spawn(move || {
        in_swarm(async |swarm| {
            swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
            let id = *swarm.local_peer_id();
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::NewListenAddr { address, .. } => {
                        sender.send(format!("{address}/p2p/{id}")).unwrap();
                    }
                    SwarmEvent::Behaviour(BehaviourEvent::Streams(accepted)) => {
                        let (opening, opened) = oneshot::channel();
                        swarm.behaviour_mut().streams.open(accepted.peer, opening);
                        tokio::spawn(misbehave(manner, block.clone(), accepted, opened));
                    }
                    _ => {}
                }
            }
        })
    });
    address.recv_timeout(LIMIT).unwrap()
}

/// What it does once it was asked for something; ends when it is sent away.
async fn misbehave(
    manner: Manner,
    (cid, bytes): (Cid, Vec<u8>),
    mut accepted: Accepted,
    opened: oneshot::Receiver<Stream>,
) -> Option<()> {
    read_message(&mut accepted.stream, 4 << 20, LIMIT).await.ok()??;
    let mut stream = opened.await.ok()?;
    let reply = |bytes: &[u8]| Reply { blocks: vec![(cid, bytes.to_vec())], presences: Vec::new() }.encode();
    match manner {
        Manner::WrongBytes => write_message(&mut stream, &reply(b"wrong"), LIMIT).await.ok()?,
        Manner::Again => loop {
            write_message(&mut stream, &reply(&bytes), LIMIT).await.ok()?;
        },
        // 4 MiB and one byte, and then as much as is taken.
        Manner::TooLong => loop {
            write_message(&mut stream, &[0x81, 0x80, 0x80, 0x02], LIMIT).await.ok()?;
        },
        Manner::Endless => {
            write_message(&mut stream, &[0x80, 0x80, 0x80, 0x02], LIMIT).await.ok()?;
            loop {
                write_message(&mut stream, &[0], LIMIT).await.ok()?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Manner::Silence => {}
    }
    std::future::pending().await
}

#[test]
fn peers_that_misbehave_are_given_up_in_time_and_named() {
    let project = Project::applied();
    let head: Cid = project.head().parse().unwrap();
    project.ok(["export", "--out", "all.car"]);
    let car = project.read("all.car");
    let (_, begin) = decode_header(&car).unwrap();
    let frame = decode_frame(&car[begin..]).unwrap();
    assert_eq!(frame.cid, head);
    let block = (head, car[begin + frame.prefix..begin + frame.total()].to_vec());
    for (manner, said) in [
        (Manner::WrongBytes, "blocks came that were not asked for"),
        (Manner::Again, "blocks came that were not asked for"),
        (Manner::TooLong, "4194304"),
        (Manner::Endless, "did not answer within 1s"),
        (Manner::Silence, "did not answer within 1s"),
    ] {
        let address = misbehaving(manner, block.clone());
        let begin = Instant::now();
        let run = machine().run(["verify", &head.to_string(), "--from", &address, "--source-timeout", "1s"]);
        println!("{manner:?}: {:?} {}", begin.elapsed(), run.stderr);
        assert_eq!(run.code, 3, "{manner:?}: {run:#?}");
        run.says(&[&address, said]);
        assert!(begin.elapsed() < Duration::from_secs(20), "{manner:?}: {:?}", begin.elapsed());
    }
}
