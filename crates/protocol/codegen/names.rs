//! Kafka's names in Rust's spelling.

/// `TransactionalId` becomes `transactional_id`; words that Rust keeps for itself become raw.
pub(crate) fn field(name: &str) -> String {
    let snake = snake(name);
    if matches!(snake.as_str(), "type" | "match" | "struct" | "ref") { format!("r#{snake}") } else { snake }
}

/// `PartitionProduceData` becomes `partition_produce_data`.
pub(crate) fn snake(name: &str) -> String {
    let name = name.replace("KRaft", "Kraft");
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// `TransactionalId` becomes `transactionalId`, as Kafka spells it in JSON.
pub(crate) fn camel(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}
