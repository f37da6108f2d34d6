//! IPFS Cluster, the programs that `GREFFE_TEST_CLUSTER_SERVICE` and `GREFFE_TEST_CLUSTER_CTL` name: a cluster of
//! one peer that pins on one node.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::process::{Home, Process};
use super::{Kubo, Login, feed, free_port, program, set, text};

/// A cluster that runs. It ends with this value; the node that it pins on has to outlive it.
pub struct Cluster {
    // Fields are dropped in this order: the folder goes when nobody uses it.
    process: Option<Process>,
    home: Home,
    /// Who both interfaces ask for, if for anyone.
    login: Option<Login>,
    /// Of the REST interface, the pinning service and the swarm, the same after a restart.
    ports: [u16; 3],
    /// How many peers a pin is given to; -1 for all of them.
    replication: i8,
}

impl Cluster {
    /// A new cluster without a pin that answers everyone. The node must ask for no secret: a cluster knows none.
    pub fn start(kubo: &Kubo) -> Self {
        Self::start_as(kubo, None, -1)
    }

    /// A new cluster that answers one user with a new password.
    pub fn start_with_login(kubo: &Kubo) -> Self {
        Self::start_as(kubo, Some(Login::new("greffe")), -1)
    }

    /// A new cluster that answers everyone, and chooses one peer for each pin.
    pub fn start_that_chooses(kubo: &Kubo) -> Self {
        Self::start_as(kubo, None, 1)
    }

    fn start_as(kubo: &Kubo, login: Option<Login>, replication: i8) -> Self {
        let home = Home::of_tests();
        let ports = [free_port(), free_port(), free_port()];
        let arguments = ["init", "--consensus", "crdt"].map(str::to_owned);
        home.run(&program("GREFFE_TEST_CLUSTER_SERVICE"), &arguments, "");
        let mut cluster = Self { process: None, home, login, ports, replication };
        cluster.configure(kubo);
        cluster.restart();
        cluster
    }

    fn configure(&self, kubo: &Kubo) {
        let path = self.home.path(".ipfs-cluster/service.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let [rest, pins, swarm] = self.ports.map(|port| format!("/ip4/127.0.0.1/tcp/{port}"));
        let login = self.login.as_ref().map(|login| json!({ &login.user: login.password }));
        for (path, value) in [
            ("cluster.listen_multiaddress", json!([swarm])),
            ("cluster.mdns_interval", json!("0s")),
            ("cluster.enable_relay_hop", json!(false)),
            ("cluster.replication_factor_min", json!(self.replication)),
            ("cluster.replication_factor_max", json!(self.replication)),
            ("api.restapi.http_listen_multiaddress", json!(rest)),
            ("api.restapi.basic_auth_credentials", json!(login)),
            ("api.pinsvcapi.http_listen_multiaddress", json!(pins)),
            ("api.pinsvcapi.basic_auth_credentials", json!(login)),
            ("ipfs_connector.ipfshttp.node_multiaddress", json!(kubo.rpc_multiaddress())),
            // The default is a gigabyte.
            ("datastore.pebble.pebble_options.cache_size_bytes", json!(8 << 20)),
        ] {
            set(&mut config, path, value);
        }
        // An interface that is not named is not opened.
        config["api"].as_object_mut().unwrap().remove("ipfsproxy");
        fs::write(&path, config.to_string()).unwrap();
    }

    /// The address of the REST interface.
    pub fn rest_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// The address of the Pinning Services interface.
    pub fn pinning_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// Who both interfaces ask for.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        self.home.log()
    }

    /// What `ipfs-cluster-ctl` says in JSON; the error is what it printed.
    pub fn run(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(program("GREFFE_TEST_CLUSTER_CTL"));
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").env("HOME", self.home.path(""));
        command.arg(format!("--host=/ip4/127.0.0.1/tcp/{}", self.ports[0]));
        if let Some(Login { user, password }) = &self.login {
            // The program sends a password in the clear only when it is told to.
            command.args(["--force-http", &format!("--basic-auth={user}:{password}")]);
        }
        command.arg("--encoding=json").args(arguments);
        let output = feed(command, b"");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        text(output).map_err(|error| format!("{error}{printed}"))?;
        Ok(serde_json::from_str(&printed).unwrap_or(Value::Null))
    }

    /// What the cluster's peer says of a CID: `pinned`, `pinning`, `pin_error`, `unpinned`, and others.
    pub fn status(&self, cid: &str) -> String {
        let status = self.run(&["status", cid]).unwrap_or_else(|error| panic!("{error}"));
        let peers = status["peer_map"].as_object().unwrap_or_else(|| panic!("{status}"));
        peers.values().next().unwrap()["status"].as_str().unwrap().to_owned()
    }

    /// Ends the cluster as a crash would, and returns when it has ended.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.end_by("KILL");
        }
    }

    /// Ends the cluster as its system would.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts the cluster again at the same ports; one that still runs is ended first.
    pub fn restart(&mut self) {
        self.stop();
        let said = self.log().len();
        let is_ready = |_| self.log()[said..].contains("IPFS Cluster is READY");
        let arguments = ["daemon".to_owned()];
        self.process =
            Some(self.home.start(&program("GREFFE_TEST_CLUSTER_SERVICE"), &arguments, "TERM", is_ready));
    }
}
