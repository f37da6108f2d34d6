//! TLS in front of a server, with a certificate of an authority that nobody else knows.

use std::path::PathBuf;

use super::free_port;
use super::process::{Home, Process};
use crate::tools::{output_of, tool};

/// Listens, speaks TLS, and carries bytes between both sides until one of them ends.
const TERMINATE: &str = r#"
import socket, ssl, sys, threading

port, to, chain = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain)

def carry(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

def serve(plain):
    try:
        client = context.wrap_socket(plain, server_side=True)
    except (OSError, ssl.SSLError):
        return
    server = socket.create_connection(("127.0.0.1", to))
    threading.Thread(target=carry, args=(server, client), daemon=True).start()
    carry(client, server)

listener = socket.create_server(("127.0.0.1", port))
print("listening", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

/// A server that speaks TLS for another one; it ends with this value.
pub struct Tls {
    // Fields are dropped in this order: the folder goes when nobody uses it.
    _process: Process,
    home: Home,
    port: u16,
}

impl Tls {
    /// Before the server at `http://127.0.0.1:PORT`.
    pub fn before(url: &str) -> Self {
        let home = Home::of_tests();
        let (key, authority, chain) = (home.path("ca.key"), home.path("ca.pem"), home.path("chain.pem"));
        let make = |arguments: &[&str]| output_of(tool("openssl").args(arguments).current_dir(home.path("")));
        let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        let [key, authority] = [&key, &authority].map(|path| path.display().to_string());
        make(
            &[
                &["req", "-x509", "-subj", "/CN=authority of a test", "-keyout", &key, "-out", &authority],
                &ec[..],
            ]
            .concat(),
        );
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
        make(
            &[
                &["req", "-x509", "-subj", "/CN=node of a test", "-keyout", "node.key", "-out", "node.pem"],
                &[
                    "-CA",
                    &authority,
                    "-CAkey",
                    &key,
                    "-addext",
                    names,
                    "-addext",
                    "basicConstraints=CA:FALSE",
                ],
                &ec[..],
            ]
            .concat(),
        );
        let read = |name: &str| std::fs::read_to_string(home.path(name)).unwrap();
        std::fs::write(&chain, read("node.pem") + &read("node.key")).unwrap();
        let (port, to) = (free_port(), url.rsplit(':').next().unwrap().to_owned());
        let arguments =
            ["-c".to_owned(), TERMINATE.to_owned(), port.to_string(), to, chain.display().to_string()];
        let listens = |_| home.log().contains("listening");
        let process = home.start(&PathBuf::from("python3"), &arguments, "TERM", listens);
        Self { _process: process, home, port }
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The certificate of the authority that signed this server's.
    pub fn authority(&self) -> PathBuf {
        self.home.path("ca.pem")
    }
}
