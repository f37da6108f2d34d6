//! The access log: a line of JSON for each answer, with the same keys in each. Nothing that a client wrote is in it but a
//! name or a CID that could be read as one; the writing is a thread's, so that no request waits for the disk.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use super::site::Report;
use crate::model::{Pseudonym, Timestamp};
use crate::ops::now;
use crate::store::RotatingLines;

/// Lines that wait to be written; one more is counted and dropped.
const WAITING: usize = 16 << 10;
/// Bytes that are written at once.
const BATCH: usize = 64 << 10;

/// How much of an address is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    #[default]
    None,
    /// The network: 24 bits of IPv4, 48 of IPv6.
    Short,
    Full,
}

impl Addresses {
    fn of(self, address: IpAddr) -> Option<IpAddr> {
        match (self, address.to_canonical()) {
            (Self::None, _) => None,
            (Self::Full, address) => Some(address),
            (Self::Short, IpAddr::V4(address)) => {
                Some(IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() >> 8 << 8)))
            }
            (Self::Short, IpAddr::V6(address)) => {
                Some(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80)))
            }
        }
    }
}

/// What is said of one answer.
#[derive(Debug, Serialize)]
pub struct Line {
    /// When the answer began.
    pub at: Timestamp,
    pub client: Option<IpAddr>,
    /// Pseudonym of the token's holder.
    pub holder: Option<Pseudonym>,
    /// What the token is called.
    pub token: Option<String>,
    pub method: &'static str,
    /// Which of the paths that are served, as it is documented.
    pub route: &'static str,
    /// The CID or the name of the chain.
    pub what: Option<String>,
    pub status: u16,
    /// Until the answer began.
    pub microseconds: u64,
    /// Lines before this one that could not be written.
    pub dropped: u64,
}

enum Message {
    Line(Box<Line>),
    /// Nothing comes any more.
    End,
}

/// Takes lines.
pub struct Journal {
    sender: SyncSender<Message>,
    writer: Mutex<Option<JoinHandle<()>>>,
    addresses: Addresses,
    /// Lines that were not written since the last that was.
    dropped: Arc<AtomicU64>,
}

impl Journal {
    /// Begins to write. Errors are told to `report`.
    ///
    /// # Errors
    /// Those of the system, for a thread.
    pub fn start(lines: RotatingLines, addresses: Addresses, report: Report) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut writer = Writer { lines, report, dropped: Arc::clone(&dropped), is_failing: false };
        let work = move || writer.work(&receiver);
        let thread = std::thread::Builder::new().name("access log".to_owned()).spawn(work)?;
        Ok(Self { sender, writer: Mutex::new(Some(thread)), addresses, dropped })
    }

    /// Writes a line down, soon.
    pub fn add(&self, client: IpAddr, mut line: Line) {
        line.client = self.addresses.of(client);
        line.dropped = self.dropped.swap(0, Ordering::Relaxed);
        let dropped = line.dropped + 1;
        if self.sender.try_send(Message::Line(Box::new(line))).is_err() {
            self.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
    }
}

impl Journal {
    /// Writes what waits; what comes later is dropped.
    pub fn end(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // With an error it has ended already.
            let _ = self.sender.send(Message::End);
            let _ = writer.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes lines.
struct Writer {
    lines: RotatingLines,
    report: Report,
    dropped: Arc<AtomicU64>,
    /// Whether the last lines could not be written: that is said once, and not of each.
    is_failing: bool,
}

impl Writer {
    fn work(&mut self, receiver: &Receiver<Message>) {
        while let Ok(Message::Line(line)) = receiver.recv() {
            let (mut batch, mut count) = (Vec::new(), 1 + line.dropped);
            push(&mut batch, &line);
            let mut ends = false;
            while batch.len() < BATCH
                && !ends
                && let Ok(message) = receiver.recv_timeout(Duration::from_millis(10))
            {
                match message {
                    Message::Line(line) => {
                        count += 1 + line.dropped;
                        push(&mut batch, &line);
                    }
                    Message::End => ends = true,
                }
            }
            self.write(&batch, count);
            if ends {
                return;
            }
        }
    }

    /// Writes so many lines; where they cannot be, the next one says how many were lost.
    fn write(&mut self, batch: &[u8], count: u64) {
        let written = self.lines.append(batch);
        if let Err(error) = &written {
            self.dropped.fetch_add(count, Ordering::Relaxed);
            if !self.is_failing {
                let path = self.lines.path().display();
                (self.report)(&format!("error: the access log {path} cannot be written: {error}"));
            }
        }
        self.is_failing = written.is_err();
    }
}

fn push(batch: &mut Vec<u8>, line: &Line) {
    // A line is made of what JSON has.
    if serde_json::to_writer(&mut *batch, line).is_ok() {
        batch.push(b'\n');
    }
}

/// A line about an answer that begins now.
pub fn line(method: &'static str, route: &'static str, status: u16) -> Line {
    let (client, holder, token, what) = (None, None, None, None);
    Line { at: now(), client, holder, token, method, route, what, status, microseconds: 0, dropped: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_left_out_or_cut_short() {
        let [four, six]: [IpAddr; 2] = ["192.0.2.77", "2001:db8:1:2::3"].map(|text| text.parse().unwrap());
        let mapped: IpAddr = "::ffff:192.0.2.77".parse().unwrap();
        let said = |addresses: Addresses, address| addresses.of(address).map(|address| address.to_string());
        assert_eq!(said(Addresses::None, four), None);
        assert_eq!(said(Addresses::Short, four).as_deref(), Some("192.0.2.0"));
        assert_eq!(said(Addresses::Short, mapped).as_deref(), Some("192.0.2.0"));
        assert_eq!(said(Addresses::Short, six).as_deref(), Some("2001:db8:1::"));
        assert_eq!(said(Addresses::Full, six).as_deref(), Some("2001:db8:1:2::3"));
    }

    #[test]
    fn all_lines_are_written_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lines = RotatingLines::open(&path, 1 << 30, 1).unwrap();
        let journal = Journal::start(lines, Addresses::None, Arc::new(|_| ())).unwrap();
        for _ in 0..1000 {
            journal.add([10, 0, 0, 1].into(), line("GET", "/ipfs/{cid}", 200));
        }
        drop(journal);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1000);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let keys: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.len(), 10, "{keys:?}");
        assert_eq!((&first["client"], &first["route"]), (&serde_json::Value::Null, &"/ipfs/{cid}".into()));
    }
    #[test]
    fn lines_that_are_lost_are_counted_and_told_once() {
        let (told, reports) = std::sync::mpsc::channel();
        let lines = RotatingLines::open(std::path::Path::new("/dev/full"), 1 << 30, 1).unwrap();
        let report: Report = Arc::new(move |text: &str| told.send(text.to_owned()).unwrap());
        let dropped = Arc::new(AtomicU64::new(0));
        let mut writer = Writer { lines, report, dropped: Arc::clone(&dropped), is_failing: false };
        writer.write(b"1\n2\n", 2);
        writer.write(b"3\n", 1);
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
        drop(writer);
        let told: Vec<String> = reports.iter().collect();
        assert!(told.len() == 1 && told[0].contains("/dev/full cannot be written"), "{told:?}");
    }

    #[test]
    fn what_comes_after_the_end_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lines = RotatingLines::open(&path, 1 << 30, 1).unwrap();
        let journal = Journal::start(lines, Addresses::None, Arc::new(|_| ())).unwrap();
        let add = || journal.add([10, 0, 0, 1].into(), line("GET", "/ipfs/{cid}", 200));
        add();
        journal.end();
        add();
        journal.end();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }
}
