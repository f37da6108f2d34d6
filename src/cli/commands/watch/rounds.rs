//! Rounds: all looks at the same time, each on a thread of its own and for as long as it may take. One that hangs is not
//! begun again before it ends, and holds up neither the others nor alerts.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::couriers::{Couriers, Sent};
use super::logged::Log;
use super::looks::Looker;
use crate::cli::Exit;
use crate::cli::error::CliError;
use crate::model::Timestamp;
use crate::ops::now;
use crate::server::Stop;
use crate::store::replace_file;
use crate::watch::{Alert, Board, Found, LookName, Looked, Metrics, Round, State, Telling, Told};

/// How often it shows that it lives.
const TICK: Duration = Duration::from_secs(1);

/// What threads say.
pub enum Message {
    Looked(LookName, f64, Box<Result<Found, String>>),
    Sent(Sent),
    /// A courier is back.
    Back(String),
    Stop,
    /// The listener ended without being told to.
    Deaf(String),
}

/// Looks that run, and what came of those that ended.
pub struct Rounds {
    looker: Arc<Looker>,
    limit: Duration,
    /// With when each was begun.
    running: BTreeMap<LookName, Instant>,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
}

impl Rounds {
    /// `limit`: how long one look may take.
    pub fn new(looker: Looker, limit: Duration) -> Self {
        let (sender, receiver) = channel();
        Self { looker: Arc::new(looker), limit, running: BTreeMap::new(), sender, receiver }
    }

    /// For those who have something to say.
    pub fn sender(&self) -> Sender<Message> {
        self.sender.clone()
    }

    /// Ends with the signals of `stop`.
    pub fn end_with(&self, stop: &Arc<Stop>) {
        let (stop, sender) = (Arc::clone(stop), self.sender());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(stop.wait());
                sender.send(Message::Stop).ok();
            }
        });
    }

    /// Runs what listens on a thread of its own.
    pub fn attach(&self, stop: &Arc<Stop>, run: impl FnOnce(&Stop) -> io::Result<()> + Send + 'static) {
        let (stop, sender) = (Arc::clone(stop), self.sender());
        thread::spawn(move || {
            if let Err(error) = run(&stop) {
                sender.send(Message::Deaf(error.to_string())).ok();
            }
        });
    }

    /// Begins these looks but for those that still run; gives the ones that it began.
    fn begin(&mut self, names: &[LookName], told: &Told) -> Vec<LookName> {
        let idle = names.iter().copied().filter(|name| !self.running.contains_key(name));
        let idle: Vec<LookName> = idle.collect();
        for name in idle.iter().copied() {
            let (looker, sender) = (Arc::clone(&self.looker), self.sender());
            let (judged, guard) = (told.judged, told.guard.clone());
            let look = move || {
                let begin = Instant::now();
                let found = looker.look(name, judged, &guard).map_err(|error| said(&error));
                sender.send(Message::Looked(name, begin.elapsed().as_secs_f64(), Box::new(found))).ok();
            };
            if thread::Builder::new().name(name.as_str().to_owned()).spawn(look).is_ok() {
                self.running.insert(name, Instant::now());
            }
        }
        idle
    }

    /// Whether a look runs that may still end in time.
    fn is_under_way(&self, name: LookName) -> bool {
        self.running.get(&name).is_some_and(|begun| begun.elapsed() < self.limit)
    }
}

/// An error with its causes, on one line.
fn said(error: &CliError) -> String {
    let parts = std::iter::once(&error.message).chain(&error.causes);
    parts.map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// All that a watch holds.
pub struct Watching {
    pub rounds: Rounds,
    pub couriers: Couriers,
    pub metrics: Metrics,
    pub log: Log,
    /// The channels.
    pub names: Vec<String>,
    pub state: State,
    pub board: Arc<Board>,
    pub metrics_file: Option<PathBuf>,
    /// The look at the guard's notes, which has an interval of its own; `None` where one round is all.
    pub guarding: Option<Guarding>,
}

/// When the guard's notes are looked at beside the rounds.
pub struct Guarding {
    interval: Duration,
    begun: Instant,
    /// Looks that told of something and were not shown yet.
    told: Vec<Round>,
}

impl Guarding {
    pub fn every(interval: Duration) -> Self {
        Self { interval, begun: Instant::now(), told: Vec::new() }
    }

    /// What was not shown yet.
    fn take(&mut self) -> Vec<Round> {
        std::mem::take(&mut self.told)
    }
}

/// Whether it goes on.
enum Next {
    On,
    End,
}

impl Watching {
    /// One round, and what it tells of once to every channel; what one does not take is left to the next run.
    ///
    /// # Errors
    /// Those of the file of what was told, and of metrics.
    pub fn once(&mut self) -> Result<Round, CliError> {
        let (round, _) =
            self.round()?.ok_or_else(|| CliError::new(Exit::Unfinished, "stopped".to_owned()))?;
        // What fails is due later than now, so that each is tried once.
        let at = now();
        loop {
            self.couriers.send(&self.state.told, at);
            if !self.couriers.are_busy() {
                break;
            }
            if let Ok(message) = self.rounds.receiver.recv_timeout(TICK) {
                self.hear(message, &mut BTreeMap::new())?;
            }
        }
        self.write(true)?;
        Ok(round)
    }

    /// Round after round, until it is stopped or `show` says that nobody listens any more. `show` learns whether findings
    /// began or ended.
    ///
    /// # Errors
    /// As [`Self::once`].
    pub fn go_on(
        &mut self,
        interval: Duration,
        show: &mut dyn FnMut(&Self, &Round, bool) -> bool,
    ) -> Result<(), CliError> {
        loop {
            let begin = Instant::now();
            let Some((round, changed)) = self.round()? else { return Ok(()) };
            if !show(self, &round, changed) {
                return Ok(());
            }
            let mut late = BTreeMap::new();
            while let Some(left) = interval.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
                if let Next::End = self.wait(left, &mut late)? {
                    return Ok(());
                }
                for look in self.guarding.as_mut().map(Guarding::take).unwrap_or_default() {
                    if !show(self, &look, true) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// One round; `None` when it was stopped. And whether findings began or ended.
    fn round(&mut self) -> Result<Option<(Round, bool)>, CliError> {
        let begin = Instant::now();
        let mut looked = BTreeMap::new();
        let begun = self.rounds.begin(&LookName::ALL, &self.state.told);
        if let Some(guarding) = &mut self.guarding {
            guarding.begun = begin;
        }
        // Nobody waits again for one that hangs since an earlier round.
        while begun.iter().any(|name| !looked.contains_key(name)) {
            let Some(left) = self.rounds.limit.checked_sub(begin.elapsed()).filter(|left| !left.is_zero())
            else {
                break;
            };
            if let Next::End = self.wait(left, &mut looked)? {
                return Ok(None);
            }
        }
        let limit = self.rounds.limit;
        let look = |name: LookName| {
            let unfinished =
                || (limit.as_secs_f64(), Err(format!("it did not end within {} s", limit.as_secs_f64())));
            let (seconds, found) = looked.remove(&name).unwrap_or_else(unfinished);
            Looked { name, seconds, found }
        };
        // One that was begun beside this round tells by itself.
        let is_apart = |name: &LookName| {
            *name == LookName::Guard && !begun.contains(name) && self.rounds.is_under_way(*name)
        };
        let names = LookName::ALL.into_iter().filter(|name| !is_apart(name)).collect::<Vec<_>>();
        let round = Round { at: now(), looks: names.into_iter().map(look).collect() };
        let alerts = self.tell(&round)?;
        self.couriers.say_again();
        let seconds = begin.elapsed().as_secs_f64();
        self.log.round(round.at, seconds, self.state.told.open.len());
        self.metrics.take(&round, &self.state.told, seconds);
        self.write(true)?;
        Ok(Some((round, !alerts.is_empty())))
    }

    /// Takes in what looks found, and owes alerts of it.
    fn tell(&mut self, round: &Round) -> Result<Vec<Alert>, CliError> {
        let telling = Telling { name: &self.log.name, channels: &self.names };
        let before = self.state.told.clone();
        let alerts: Vec<Alert> = self.state.told.take(round, &telling);
        // Before anything is sent, so that nothing is sent twice.
        if self.state.told != before {
            self.state.keep()?;
        }
        alerts.iter().for_each(|alert| self.log.alert(alert));
        Ok(alerts)
    }

    /// Looks at the guard's notes where a guard is known and its time has come.
    fn watch_guard(&mut self) {
        let Some(guarding) = &mut self.guarding else { return };
        let is_due = guarding.begun.elapsed() >= guarding.interval && self.state.told.guard.guard.is_some();
        if is_due && !self.rounds.begin(&[LookName::Guard], &self.state.told).is_empty() {
            guarding.begun = Instant::now();
        }
    }

    /// Tells at once what the guard noted; what keeps it from being read is told by the round.
    fn guarded(&mut self, seconds: f64, found: &Result<Found, String>) -> Result<(), CliError> {
        if self.guarding.is_none() || found.is_err() {
            return Ok(());
        }
        let look = Looked { name: LookName::Guard, seconds, found: found.clone() };
        let round = Round { at: now(), looks: vec![look] };
        let alerts = self.tell(&round)?;
        self.metrics.look(&round, &self.state.told);
        if let Some(guarding) = self.guarding.as_mut().filter(|_| !alerts.is_empty()) {
            guarding.told.push(round);
        }
        self.write(false)
    }

    /// Waits for a message, at most `left`, and sends what is due meanwhile.
    fn wait(
        &mut self,
        left: Duration,
        looked: &mut BTreeMap<LookName, (f64, Result<Found, String>)>,
    ) -> Result<Next, CliError> {
        self.board.touch();
        self.watch_guard();
        self.couriers.send(&self.state.told, now());
        match self.rounds.receiver.recv_timeout(left.min(TICK)) {
            Ok(message) => self.hear(message, looked),
            Err(RecvTimeoutError::Timeout) => Ok(Next::On),
            Err(RecvTimeoutError::Disconnected) => Ok(Next::End),
        }
    }

    fn hear(
        &mut self,
        message: Message,
        looked: &mut BTreeMap<LookName, (f64, Result<Found, String>)>,
    ) -> Result<Next, CliError> {
        match message {
            Message::Looked(name, seconds, found) => {
                self.rounds.running.remove(&name);
                if name == LookName::Guard {
                    self.guarded(seconds, &found)?;
                }
                looked.insert(name, (seconds, *found));
            }
            Message::Sent(sent) => self.note(&sent, now())?,
            Message::Back(name) => self.couriers.back(&name),
            Message::Stop => return Ok(Next::End),
            Message::Deaf(reason) => {
                return Err(CliError::new(Exit::Unfinished, format!("the listener ended: {reason}")));
            }
        }
        Ok(Next::On)
    }

    fn note(&mut self, sent: &Sent, at: Timestamp) -> Result<(), CliError> {
        let delivered = sent.failure.is_none();
        if let Some(id) = &sent.id {
            self.state.told.sent(&sent.channel, id, delivered, at);
            self.state.keep()?;
            let is_closed = sent.failure.as_ref().is_some_and(|failure| !failure.is_of_alert());
            let next = self.state.told.next(&sent.channel, id).filter(|_| is_closed);
            self.couriers.rest(&sent.channel, next);
        }
        self.metrics.sent(&sent.channel, delivered, &self.state.told);
        if let Some(reason) = &sent.failure {
            self.log.failed(at, &sent.channel, &reason.to_string());
        }
        self.write(false)
    }

    /// Shows metrics; `ready`: after a round.
    fn write(&self, ready: bool) -> Result<(), CliError> {
        let text = self.metrics.text();
        let text = text.map_err(|error| CliError::new(Exit::Unfinished, format!("no metrics: {error}")))?;
        if let Some(path) = &self.metrics_file {
            replace_file(path, text.as_bytes()).map_err(|error| {
                CliError::new(Exit::Unfinished, format!("{} cannot be written: {error}", path.display()))
                    .hint("name a file that can be written with `--metrics-file`")
            })?;
        }
        self.board.write(text, ready);
        Ok(())
    }
}
