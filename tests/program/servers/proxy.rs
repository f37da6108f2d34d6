//! A proxy before a server: what goes through it is cut, held back or preceded by something when a test says so.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Pass,
    /// So many bytes of it go through, then the connection ends.
    Cut(usize),
    /// Nothing of it goes through, and no answer comes.
    Stall,
    /// It goes through, 16 KiB at a time with a pause before each.
    Slow(Duration),
    /// It goes through, and the connection ends where the answer begins.
    Mute,
}

/// A proxy that runs. It ends with this value.
pub struct Proxy {
    url: String,
    ended: Arc<AtomicBool>,
}

type Judge = dyn Fn(&str) -> Act + Send + Sync;

impl Proxy {
    /// A proxy before `target`, as in `http://127.0.0.1:5001`. `judge` is told the first line of each request
    /// before it goes through.
    pub fn start(target: &str, judge: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = target.strip_prefix("http://").unwrap().to_owned();
        let ended = Arc::new(AtomicBool::new(false));
        let (judge, done): (Arc<Judge>, _) = (Arc::new(judge), ended.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                if done.load(Ordering::SeqCst) {
                    return;
                }
                let (judge, target) = (judge.clone(), target.clone());
                let Ok(client) = client else { continue };
                thread::spawn(move || {
                    // A server that does not run ends the connection, as it would without a proxy.
                    if let Ok(server) = TcpStream::connect(target) {
                        join(client, server, &*judge);
                    }
                });
            }
        });
        Self { url, ended }
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.strip_prefix("http://").unwrap());
    }
}

fn join(client: TcpStream, server: TcpStream, judge: &Judge) {
    let muted = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            pass(&client, &server, judge, &muted);
            end(&client, &server);
        });
        let mut bytes = [0; 1 << 14];
        while let Ok(count @ 1..) = (&server).read(&mut bytes) {
            if muted.load(Ordering::SeqCst) || (&client).write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        end(&client, &server);
    });
}

fn end(client: &TcpStream, server: &TcpStream) {
    for stream in [client, server] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Requests, until one side ends or one of them is cut.
fn pass(mut client: &TcpStream, mut server: &TcpStream, judge: &Judge, muted: &AtomicBool) {
    let (mut bytes, mut act, mut passed) = ([0; 1 << 14], Act::Pass, 0);
    while let Ok(count @ 1..) = client.read(&mut bytes) {
        let mut piece = &bytes[..count];
        // A request begins a piece: nothing is sent before the answer to the one before.
        if ["GET ", "POST ", "HEAD ", "PUT ", "DELETE "].iter().any(|verb| piece.starts_with(verb.as_bytes()))
        {
            let line = String::from_utf8_lossy(piece);
            (act, passed) = (judge(line.lines().next().unwrap()), 0);
            muted.store(act == Act::Mute, Ordering::SeqCst);
        }
        match act {
            Act::Pass | Act::Mute => {}
            Act::Slow(pause) => thread::sleep(pause),
            Act::Stall => continue,
            Act::Cut(limit) => piece = &piece[..piece.len().min(limit - passed)],
        }
        passed += piece.len();
        if server.write_all(piece).is_err() || act == Act::Cut(passed) {
            return;
        }
    }
}
