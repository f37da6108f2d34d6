//! A line to a server that can be cut at a chosen message.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Where the line is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The message does not arrive.
    Before,
    /// It arrives, and its answer does not.
    After,
}

type Plan = Arc<Mutex<Option<(&'static str, Cut)>>>;

/// Listens and passes on.
pub struct Proxy {
    pub port: u16,
    plan: Plan,
}

impl Proxy {
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let plan = Plan::default();
        let proxy = Self { port: listener.local_addr().unwrap().port(), plan: plan.clone() };
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port)));
                let Ok(server) = server else { continue };
                pass(client, server, plan.clone());
            }
        });
        proxy
    }

    /// Cuts the next connection that says `text`, once.
    pub fn cut(&self, text: &'static str, cut: Cut) {
        *self.plan.lock().unwrap() = Some((text, cut));
    }

    /// Whether the cut was made.
    pub fn has_cut(&self) -> bool {
        self.plan.lock().unwrap().is_none()
    }
}

fn pass(client: TcpStream, server: TcpStream, plan: Plan) {
    let swallow = Arc::new(AtomicBool::new(false));
    let (mut to_client, mut from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let swallows = swallow.clone();
    thread::spawn(move || {
        let mut bytes = [0; 1 << 16];
        while let Ok(count @ 1..) = from_server.read(&mut bytes) {
            if swallows.load(Ordering::SeqCst) || to_client.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = from_server.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let (mut client, mut server) = (client, server);
        let mut bytes = [0; 1 << 16];
        while let Ok(count @ 1..) = client.read(&mut bytes) {
            let mut plan = plan.lock().unwrap();
            let says = |text: &str| bytes[..count].windows(text.len()).any(|part| part == text.as_bytes());
            let cut = plan.take_if(|(text, _)| says(text)).map(|(_, cut)| cut);
            drop(plan);
            if cut == Some(Cut::Before) {
                break;
            }
            swallow.fetch_or(cut.is_some(), Ordering::SeqCst);
            if server.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
}
