//! HTTP in front of a timestamp authority, on this machine: it answers as it is told, also wrongly.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What a front does with a request.
pub enum Said {
    Answer(Vec<u8>),
    Status(u16, &'static str),
    /// Bytes without an end.
    Endless,
    /// One byte every tenth of a second, of a token that never ends.
    Slow,
}

type Act = Box<dyn FnMut(&[u8]) -> Said + Send>;

/// What one request was: its head, and its body.
#[derive(Clone)]
pub struct Asked {
    pub head: String,
    pub body: Vec<u8>,
}

/// A front that runs until it is dropped.
pub struct Front {
    port: u16,
    act: Arc<Mutex<Act>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    pub fn start(act: impl FnMut(&[u8]) -> Said + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let act: Arc<Mutex<Act>> = Arc::new(Mutex::new(Box::new(act)));
        let (asked, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (actor, notes, end) = (Arc::clone(&act), Arc::clone(&asked), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away is no failure of the front.
                serve(stream.unwrap(), &actor, &notes, &end).ok();
            }
        });
        Self { port, act, asked, ends, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/tsr", self.port)
    }

    /// From now on it does this.
    pub fn acts(&self, act: impl FnMut(&[u8]) -> Said + Send + 'static) {
        *self.act.lock().unwrap() = Box::new(act);
    }

    /// What it was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn serve(
    mut stream: TcpStream,
    act: &Mutex<Act>,
    asked: &Mutex<Vec<Asked>>,
    ends: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    asked.lock().unwrap().push(Asked { head, body: body.clone() });
    let said = act.lock().unwrap()(&body);
    let (status, text) = match &said {
        Said::Status(status, text) => (*status, *text),
        _ => (200, ""),
    };
    write!(
        stream,
        "HTTP/1.1 {status} It\r\nContent-Type: application/timestamp-reply\r\nConnection: close\r\n\r\n{text}"
    )?;
    match said {
        Said::Answer(bytes) => stream.write_all(&bytes),
        Said::Status(..) => Ok(()),
        Said::Endless => loop {
            stream.write_all(&[0x30; 4096])?;
        },
        Said::Slow => {
            stream.write_all(&[0x30, 0x82, 0x10, 0])?;
            while !ends.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(100));
                stream.write_all(&[0x30])?;
            }
            Ok(())
        }
    }
}
