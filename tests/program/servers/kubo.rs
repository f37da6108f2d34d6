//! Kubo, the program that `GREFFE_TEST_KUBO` names: nodes that know nobody and whom nobody finds.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::process::{Home, Process};
use super::{feed, free_port, program, set, succeeded};

/// What a node's interface asks every request for.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// User and password.
    Basic(&'static str, &'static str),
    Bearer(&'static str),
}

impl Secret {
    /// As Kubo's settings and its command line write it.
    fn setting(&self) -> String {
        match self {
            Self::Basic(user, password) => format!("basic:{user}:{password}"),
            Self::Bearer(token) => format!("bearer:{token}"),
        }
    }
}

/// What a node does that others do not.
#[derive(Clone, Default)]
pub struct KuboOptions {
    /// The size of blocks at which the node begins to collect garbage, as in `10MB`; it collects by itself only
    /// when this is set.
    pub storage_max: Option<&'static str>,
    pub secret: Option<Secret>,
}

/// A node that runs. It ends with this value, and its blocks go.
pub struct Kubo {
    // Fields are dropped in this order: the folder goes when nobody uses it.
    process: Option<Process>,
    home: Home,
    options: KuboOptions,
    /// Of the interface, the gateway and the swarm, the same after a restart.
    ports: [u16; 3],
    peer_id: String,
}

impl Kubo {
    /// A new node without a block.
    pub fn start() -> Self {
        Self::start_with(KuboOptions::default())
    }

    pub fn start_with(options: KuboOptions) -> Self {
        let home = Home::of_tests();
        let ports = [free_port(), free_port(), free_port()];
        let arguments = ["init", "--empty-repo", "--profile=test,announce-off"].map(str::to_owned);
        home.run(&program("GREFFE_TEST_KUBO"), &arguments, "");
        let mut kubo = Self { process: None, home, options, ports, peer_id: String::new() };
        kubo.configure();
        kubo.restart();
        kubo
    }

    /// Closes what the profiles of `init` leave open, and opens what tests ask for.
    fn configure(&mut self) {
        let mut config = self.config();
        config["Identity"]["PeerID"].as_str().unwrap().clone_into(&mut self.peer_id);
        let [rpc, gateway, swarm] = self.ports.map(|port| format!("/ip4/127.0.0.1/tcp/{port}"));
        let socket = format!("/unix{}", self.socket().display());
        for (path, value) in [
            ("Addresses.API", json!([rpc, socket])),
            ("Addresses.Gateway", json!(gateway)),
            ("Addresses.Swarm", json!([swarm])),
            ("Routing.Type", json!("none")),
            ("HTTPRetrieval.Enabled", json!(false)),
            ("Swarm.RelayClient.Enabled", json!(false)),
            ("Swarm.EnableHolePunching", json!(false)),
        ] {
            set(&mut config, path, value);
        }
        if let Some(size) = self.options.storage_max {
            set(&mut config, "Datastore.StorageMax", json!(size));
        }
        if let Some(secret) = &self.options.secret {
            let allowed = json!({ "AuthSecret": secret.setting(), "AllowedPaths": ["/api/v0"] });
            set(&mut config, "API.Authorizations", json!({ "greffe": allowed }));
        }
        self.write_config(&config);
    }

    /// The address of the interface, which `/api/v0` follows.
    pub fn rpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// The same as a multiaddress.
    pub fn rpc_multiaddress(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.ports[0])
    }

    /// The same interface as a Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.home.path("rpc.sock")
    }

    pub fn gateway_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// Where other nodes reach this one, with its identity.
    pub fn swarm_address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", self.ports[2], self.peer_id)
    }

    pub fn peer_id(&self) -> &str {
        &self.peer_id
    }

    /// The process that listens.
    ///
    /// # Panics
    /// When the node does not run.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the node does not run").pid()
    }

    /// The folder of its blocks and settings.
    pub fn repo(&self) -> PathBuf {
        self.home.path(".ipfs")
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        self.home.log()
    }

    /// What `ipfs` prints, which has to succeed; it works on the files of a node that does not run.
    pub fn run(&self, arguments: &[&str]) -> String {
        let bytes = self.run_with(arguments, b"").unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        String::from_utf8(bytes).unwrap().trim_end_matches('\n').to_owned()
    }

    /// The same with `input`; the error is what the program said.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let mut command = Command::new(program("GREFFE_TEST_KUBO"));
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").env("HOME", self.home.path(""));
        if let Some(secret) = &self.options.secret {
            command.arg(format!("--api-auth={}", secret.setting()));
        }
        command.args(arguments);
        succeeded(feed(command, input))
    }

    /// Removes every block that no pin holds, and says their CIDs.
    pub fn garbage_collect(&self) -> Vec<String> {
        self.run(&["repo", "gc", "--quiet"]).lines().map(str::to_owned).collect()
    }

    /// Changes a setting, which counts from the next start.
    pub fn set_config(&self, path: &str, value: Value) {
        let mut config = self.config();
        set(&mut config, path, value);
        self.write_config(&config);
    }

    /// Connects both nodes, so that each finds the blocks of the other.
    pub fn connect_to(&self, other: &Self) {
        self.run(&["swarm", "connect", &other.swarm_address()]);
    }

    /// Ends the node as a crash would, and returns when it has ended.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.end_by("KILL");
        }
    }

    /// Ends the node as its system would.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts the node again at the same ports; one that still runs is ended first.
    pub fn restart(&mut self) {
        self.stop();
        // Kubo does not start where one that was killed left its socket.
        let _ = fs::remove_file(self.socket());
        let mut arguments = vec!["daemon".to_owned()];
        arguments.extend(self.options.storage_max.map(|_| "--enable-gc".to_owned()));
        let said = self.log().len();
        // An interface that asks for a secret tells nobody else whether it is ready; the log does.
        let is_ready = |_| self.log()[said..].contains("Daemon is ready");
        self.process = Some(self.home.start(&program("GREFFE_TEST_KUBO"), &arguments, "TERM", is_ready));
    }

    fn config(&self) -> Value {
        serde_json::from_slice(&fs::read(self.repo().join("config")).unwrap()).unwrap()
    }

    fn write_config(&self, config: &Value) {
        fs::write(self.repo().join("config"), config.to_string()).unwrap();
    }
}
