//! How the server is run.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where the server keeps its data and how it listens: on the loopback address only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerOptions {
    /// The folder of this server alone; made if it is not there.
    pub store: PathBuf,
    /// The port, or a free one.
    pub port: Option<u16>,
    /// Every write is on the disk before it is acknowledged.
    pub sync_always: bool,
    /// The most bytes of all streams together; the server's own choice (most of the disk) if none.
    pub max_file_store: Option<u64>,
    /// Whether the monitoring endpoints listen too, on a free port.
    pub monitor: bool,
}

impl BrokerOptions {
    /// A durable server on a free port with its data in `store`.
    pub fn new(store: impl Into<PathBuf>) -> Self {
        let store = store.into();
        Self { store, port: None, sync_always: true, max_file_store: None, monitor: false }
    }

    /// The server's configuration; `store` is where its data goes, absolute.
    pub(crate) fn config(&self, store: &Path) -> String {
        let mut text = String::from("# Written at every start.\n");
        // -1 is the server's own way to say "a free one".
        let port = self.port.map_or(-1, i32::from);
        let ports_file_dir = quoted(&store.join("run"));
        let mut line = |line: std::fmt::Arguments<'_>| {
            let _ = writeln!(text, "{line}");
        };
        line(format_args!("server_name: auditrelay"));
        line(format_args!("host: \"127.0.0.1\""));
        line(format_args!("port: {port}"));
        if self.monitor {
            line(format_args!("http: \"127.0.0.1:-1\""));
        }
        line(format_args!("ports_file_dir: {ports_file_dir}"));
        line(format_args!("max_payload: 1MB"));
        line(format_args!("jetstream {{"));
        line(format_args!("  store_dir: {}", quoted(store)));
        if self.sync_always {
            line(format_args!("  sync_interval: always"));
        }
        if let Some(bytes) = self.max_file_store {
            line(format_args!("  max_file_store: {bytes}"));
        }
        line(format_args!("}}"));
        text
    }
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_says_what_the_options_say() {
        let mut options = BrokerOptions::new("/ignored");
        options.port = Some(4222);
        options.max_file_store = Some(1_000);
        let text = options.config(Path::new("/data/a \"b\""));
        assert_eq!(
            text,
            "# Written at every start.\nserver_name: auditrelay\nhost: \"127.0.0.1\"\nport: 4222\n\
             ports_file_dir: \"/data/a \\\"b\\\"/run\"\nmax_payload: 1MB\njetstream {\n  \
             store_dir: \"/data/a \\\"b\\\"\"\n  sync_interval: always\n  max_file_store: 1000\n}\n"
        );
    }

    #[test]
    fn a_free_port_is_the_default() {
        let text = BrokerOptions::new("/x").config(Path::new("/x"));
        assert!(text.contains("port: -1\n") && !text.contains("http:"), "{text}");
    }
}
