//! Sends alerts, each channel on a thread of its own: one that never answers holds nobody up.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;

use super::rounds::Message;
use crate::model::Timestamp;
use crate::watch::alert::{AlertError, Channel};
use crate::watch::{Alert, Told};

/// Alerts that are sent one after the other before it is noted what came of them.
const BATCH: usize = 20;

/// What came of sending one alert.
pub struct Sent {
    pub channel: String,
    /// `None`: what is open was said again.
    pub id: Option<String>,
    /// Why it was not taken.
    pub failure: Option<AlertError>,
}

struct Courier {
    name: String,
    channel: Arc<Channel>,
    /// Whether it is on its way.
    busy: bool,
    /// Whether what is open is to be said again.
    again: bool,
    /// Until when nothing is sent: the channel took nothing, whatever it was.
    rests: Option<Timestamp>,
}

/// One for each channel.
pub struct Couriers {
    /// What people call the chain.
    chain: String,
    couriers: Vec<Courier>,
    messages: Sender<Message>,
}

impl Couriers {
    pub fn new(chain: &str, channels: Vec<(String, Channel)>, messages: Sender<Message>) -> Self {
        let courier = |(name, channel)| {
            let channel = Arc::new(channel);
            Courier { name, channel, busy: false, again: false, rests: None }
        };
        Self { chain: chain.to_owned(), couriers: channels.into_iter().map(courier).collect(), messages }
    }

    /// What is open is to be said again, where that is forgotten.
    pub fn say_again(&mut self) {
        self.couriers.iter_mut().for_each(|courier| courier.again = courier.channel.forgets());
    }

    /// Sends what is due at that time, by those who are neither on their way nor at rest.
    pub fn send(&mut self, told: &Told, at: Timestamp) {
        let is_idle = |courier: &&mut Courier| !courier.busy && courier.rests.is_none_or(|rests| rests <= at);
        for courier in self.couriers.iter_mut().filter(is_idle) {
            let due = told.due(&courier.name, at, BATCH);
            let open = match due.is_empty() && std::mem::take(&mut courier.again) {
                true => told.standing(at, &self.chain),
                false => Vec::new(),
            };
            if due.is_empty() && open.is_empty() {
                continue;
            }
            let (name, channel) = (courier.name.clone(), Arc::clone(&courier.channel));
            let messages = self.messages.clone();
            let deliver = move || {
                deliver(&name, &channel, &due, &messages);
                say_again(&name, &channel, &open, &messages);
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

    /// Until when nothing is sent through this channel.
    pub fn rest(&mut self, name: &str, until: Option<Timestamp>) {
        let named = self.couriers.iter_mut().filter(|courier| courier.name == name);
        named.for_each(|courier| courier.rests = until);
    }

    /// Whether one is on its way.
    pub fn are_busy(&self) -> bool {
        self.couriers.iter().any(|courier| courier.busy)
    }
}

/// Sends one after the other; what comes behind one that found the channel closed waits for it.
fn deliver(name: &str, channel: &Channel, due: &[Alert], messages: &Sender<Message>) {
    for alert in due {
        let failure = channel.send(alert).err();
        let ends = failure.as_ref().is_some_and(|failure| !failure.is_of_alert());
        let sent = Sent { channel: name.to_owned(), id: Some(alert.id.clone()), failure };
        if messages.send(Message::Sent(sent)).is_err() || ends {
            return;
        }
    }
}

/// Says again what is open. That it was taken is nothing to tell of.
fn say_again(name: &str, channel: &Channel, open: &[Alert], messages: &Sender<Message>) {
    let said = if open.is_empty() { Ok(()) } else { channel.say_again(open) };
    if let Err(failure) = said {
        let sent = Sent { channel: name.to_owned(), id: None, failure: Some(failure) };
        messages.send(Message::Sent(sent)).ok();
    }
}
