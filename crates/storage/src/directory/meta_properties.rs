//! The `meta.properties` file: whose log directory it is.
//!
//! Java properties. Version 1 has `cluster.id`, `node.id` and `directory.id`; version 0, of a
//! broker that used ZooKeeper, has `broker.id`. Source: Kafka's `MetaProperties`.

use std::fmt::Write as _;
use std::path::Path;

use crate::checkpoint::{CheckpointError, read_text};
use crate::fs::{self, Fs};
use crate::uuid;

const FILE: &str = "meta.properties";

/// The owner of a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The version of the file: 1.
    pub version: i32,
    /// The cluster's id.
    pub cluster_id: Option<String>,
    /// The node's id.
    pub node_id: Option<i32>,
    /// The directory's id, as the 16 bytes of a UUID.
    pub directory_id: Option<[u8; 16]>,
}

pub(crate) fn read(fs: &Fs, dir: &Path) -> Result<Option<MetaProperties>, CheckpointError> {
    let path = dir.join(FILE);
    let Some(text) = read_text(fs, &path)? else { return Ok(None) };
    let mut properties = MetaProperties { version: 0, cluster_id: None, node_id: None, directory_id: None };
    for (n, line) in text.lines().enumerate() {
        let malformed = |reason| CheckpointError::Malformed { path: path.clone(), line: n + 1, reason };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (key, value) = line.split_once(['=', ':']).ok_or_else(|| malformed("not a property"))?;
        let value = unescape(value.trim());
        match key.trim_end() {
            "version" => properties.version = value.parse().map_err(|_| malformed("not a version"))?,
            "cluster.id" => properties.cluster_id = Some(value),
            "node.id" | "broker.id" => {
                properties.node_id = Some(value.parse().map_err(|_| malformed("not the id of a node"))?);
            }
            "directory.id" => {
                let id = uuid::decode(&value).ok_or_else(|| malformed("not the id of a directory"))?;
                properties.directory_id = Some(id);
            }
            // Unknown properties are no error, as in Kafka.
            _ => {}
        }
    }
    Ok(Some(properties))
}

/// A value as Java's `Properties` reads it: a backslash makes the next character plain.
fn unescape(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut escaped = false;
    for character in value.chars() {
        escaped = character == '\\' && !escaped;
        if !escaped {
            plain.push(character);
        }
    }
    plain
}

pub(super) fn write(fs: &Fs, dir: &Path, properties: &MetaProperties) -> fs::Result<()> {
    let mut text = String::from("#\n");
    let mut line = |key: &str, value: &str| writeln!(text, "{key}={value}").expect("a string takes all");
    if let Some(cluster_id) = &properties.cluster_id {
        line("cluster.id", cluster_id);
    }
    if let Some(directory_id) = properties.directory_id {
        line("directory.id", &uuid::encode(directory_id));
    }
    if let Some(node_id) = properties.node_id {
        line("node.id", &node_id.to_string());
    }
    line("version", &properties.version.to_string());
    fs.replace(&dir.join(FILE), text.as_bytes())
}
