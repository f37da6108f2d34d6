//! Sends alerts, each channel on a thread of its own: one that never answers holds nobody up.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;

use super::rounds::Message;
use crate::model::Timestamp;
use crate::watch::alert::Channel;
use crate::watch::{Alert, Told};

/// Alerts that are sent one after the other before it is noted what came of them.
const BATCH: usize = 20;

/// What came of sending one alert.
pub struct Sent {
    pub channel: String,
    pub id: String,
    /// Why it was not taken.
    pub failure: Option<String>,
}

struct Courier {
    name: String,
    channel: Arc<Channel>,
    /// Whether it is on its way.
    busy: bool,
}

/// One for each channel.
pub struct Couriers {
    couriers: Vec<Courier>,
    messages: Sender<Message>,
}

impl Couriers {
    pub fn new(channels: Vec<(String, Channel)>, messages: Sender<Message>) -> Self {
        let courier = |(name, channel)| Courier { name, channel: Arc::new(channel), busy: false };
        Self { couriers: channels.into_iter().map(courier).collect(), messages }
    }

    /// Sends what is due, by those who are not on their way.
    pub fn send(&mut self, told: &Told, at: Timestamp) {
        for courier in self.couriers.iter_mut().filter(|courier| !courier.busy) {
            let due = told.due(&courier.name, at, BATCH);
            if due.is_empty() {
                continue;
            }
            let (name, channel) = (courier.name.clone(), Arc::clone(&courier.channel));
            let messages = self.messages.clone();
            let deliver = move || {
                deliver(&name, &channel, &due, &messages);
                messages.send(Message::Back(name)).ok();
            };
            courier.busy = thread::Builder::new().name("alert".to_owned()).spawn(deliver).is_ok();
        }
    }

    /// Notes that a courier is back.
    pub fn back(&mut self, name: &str) {
        self.couriers
            .iter_mut()
            .filter(|courier| courier.name == name)
            .for_each(|courier| courier.busy = false);
    }

    /// Whether one is on its way.
    pub fn are_busy(&self) -> bool {
        self.couriers.iter().any(|courier| courier.busy)
    }
}

/// Sends one after the other; what comes behind one that was not taken waits for it.
fn deliver(name: &str, channel: &Channel, due: &[Alert], messages: &Sender<Message>) {
    for alert in due {
        let failure = channel.send(alert).err().map(|error| error.to_string());
        let ends = failure.is_some();
        let sent = Sent { channel: name.to_owned(), id: alert.id.clone(), failure };
        if messages.send(Message::Sent(sent)).is_err() || ends {
            return;
        }
    }
}
