//! A line to a gateway that waits before it answers, and answers otherwise than the gateway does.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the line does to answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// There are no CARs.
    NoCars,
    /// There are no CARs, and not this block.
    Lacks(String),
    /// The last byte of every answer is another one.
    FlipsAByte,
    /// Every block is one and the same; there are no CARs.
    AnotherBlock,
    /// A block of a CAR has 3 MiB.
    LargeInCar,
    /// Blocks have 3 MiB; there are no CARs.
    Large,
    /// One small block again and again; blocks alone stall.
    EndlessCar,
    /// Nothing is answered.
    Stalls,
    /// Half of the answer, and then nothing.
    StallsInTheMiddle,
    /// A byte now and then.
    Trickles,
    /// Half of the answer, which said that it is longer.
    ClosesInTheMiddle,
    /// Half of a CAR, as if that were all; blocks are sound.
    HalfCars,
    /// The blocks of a CAR come in the opposite order.
    BackwardCars,
    Fails,
}

/// Listens and passes on.
pub struct GatewayProxy {
    port: u16,
    fault: Arc<Mutex<Fault>>,
    requests: Arc<AtomicU64>,
}

impl GatewayProxy {
    /// To a gateway at `http://127.0.0.1:PORT`.
    pub fn to(url: &str, fault: Fault) -> Self {
        Self::waiting(url, fault, Duration::ZERO)
    }

    /// The same, each answer so much later.
    pub fn waiting(url: &str, fault: Fault, delay: Duration) -> Self {
        let gateway = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, fault: Arc::new(Mutex::new(fault)), requests: Arc::default() };
        let (fault, requests) = (proxy.fault.clone(), proxy.requests.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, gateway) = (client.unwrap(), gateway.clone());
                let (fault, requests) = (fault.clone(), requests.clone());
                thread::spawn(move || answer(client, &gateway, &fault, &requests, delay));
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Reads up to the empty line after the headers; what of the body came with them.
fn read_head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 1 << 16]);
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Some((String::from_utf8(bytes).ok()?, body));
        }
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
    }
}

/// Answers requests until the client goes. A client that leaves early is no error here.
fn answer(mut client: TcpStream, gateway: &str, fault: &Mutex<Fault>, requests: &AtomicU64, delay: Duration) {
    while let Some((head, _)) = read_head(&mut client) {
        requests.fetch_add(1, Ordering::SeqCst);
        thread::sleep(delay);
        let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
        let fault = fault.lock().unwrap().clone();
        if respond(&mut client, gateway, &path, &fault).is_none() {
            return;
        }
    }
}

/// `None` ends the connection.
fn respond(client: &mut TcpStream, gateway: &str, path: &str, fault: &Fault) -> Option<()> {
    let car = path.contains("format=car");
    match fault {
        Fault::Fails => return send(client, 500, "text/plain", b"it does not work"),
        Fault::Stalls => return stall(client),
        Fault::EndlessCar if car => return send_for_ever(client),
        Fault::EndlessCar => return stall(client),
        Fault::NoCars | Fault::AnotherBlock | Fault::Large | Fault::Lacks(_) if car => {
            return send(client, 406, "text/plain", b"no CARs here");
        }
        Fault::Lacks(cid) if path.contains(cid.as_str()) => return send(client, 404, "text/plain", b"no"),
        Fault::AnotherBlock => return send(client, 200, "application/vnd.ipld.raw", b"another block"),
        Fault::LargeInCar if car => {
            let header =
                greffe::codec::car::encode_header(&greffe::model::Cid::of(greffe::model::Codec::Raw, b""));
            // A frame of three mebibytes.
            let body = [&header[..], &[0x80, 0x80, 0xc0, 0x01], &[0; 3 << 20]].concat();
            return send(client, 200, "application/vnd.ipld.car", &body);
        }
        Fault::Large => return send(client, 200, "application/vnd.ipld.raw", &[0; 3 << 20]),
        _ => {}
    }
    let mut upstream = TcpStream::connect(gateway).ok()?;
    // An answer to this version ends with its connection, and is not in chunks.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {gateway}\r\n\r\n");
    upstream.write_all(request.as_bytes()).ok()?;
    let (head, mut body) = read_head(&mut upstream)?;
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    let kind = head.lines().find_map(|line| line.strip_prefix("Content-Type: ")).unwrap_or("text/plain");
    if *fault == Fault::None && car && status == 200 {
        // Passed on as it comes.
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n");
        client.write_all(head.as_bytes()).ok()?;
        client.write_all(&body).ok()?;
        std::io::copy(&mut upstream, client).ok()?;
        return None;
    }
    upstream.read_to_end(&mut body).ok()?;
    let half = body.len() / 2;
    match fault {
        Fault::FlipsAByte => *body.last_mut()? ^= 1,
        Fault::HalfCars if car => body.truncate(half),
        Fault::BackwardCars if car => body = backward(&body)?,
        Fault::ClosesInTheMiddle | Fault::StallsInTheMiddle | Fault::Trickles => {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
            client.write_all(head.as_bytes()).ok()?;
            if *fault == Fault::Trickles {
                for byte in body {
                    client.write_all(&[byte]).ok()?;
                    thread::sleep(Duration::from_millis(100));
                }
                return None;
            }
            client.write_all(&body[..half]).ok()?;
            return if *fault == Fault::StallsInTheMiddle { stall(client) } else { None };
        }
        _ => {}
    }
    send(client, status, kind, &body)
}

fn backward(car: &[u8]) -> Option<Vec<u8>> {
    use greffe::codec::car::{decode_frame, decode_header};
    let (_, mut at) = decode_header(car).ok()?;
    let (header, mut frames) = (&car[..at], Vec::new());
    while at < car.len() {
        let frame = decode_frame(&car[at..]).ok()?;
        let end = at + frame.prefix + frame.length;
        frames.push(&car[at..end]);
        at = end;
    }
    frames.push(header);
    frames.reverse();
    Some(frames.concat())
}

fn send(client: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> Option<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
    client.write_all(&[head.as_bytes(), body].concat()).ok()
}

/// Until the client goes.
fn stall(client: &mut TcpStream) -> Option<()> {
    while client.read(&mut [0; 64]).ok()? > 0 {}
    None
}

fn send_for_ever(client: &mut TcpStream) -> Option<()> {
    use greffe::codec::car::{encode_header, push_frame};
    let block = b"a block that nobody asked for";
    let cid = greffe::model::Cid::of(greffe::model::Codec::Raw, block);
    let mut bytes = Vec::new();
    for _ in 0..1000 {
        push_frame(&mut bytes, &cid, block);
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.ipld.car\r\nConnection: close\r\n\r\n";
    client.write_all(&[head.as_bytes(), &encode_header(&cid)].concat()).ok()?;
    loop {
        client.write_all(&bytes).ok()?;
    }
}
