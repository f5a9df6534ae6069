//! The valid names of topics.

/// The characters that a topic's name may have at most: its directory's name has a partition
/// number more, and file systems stop at 255.
pub const TOPIC_NAME_LENGTH_MAX: usize = 249;

/// Whether the cluster itself writes the topic of that name.
pub fn is_internal_topic(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// Checks the name of a topic.
///
/// # Errors
/// Kafka's sentence about what is wrong, for `INVALID_TOPIC_EXCEPTION`.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    let wrong = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.len() > TOPIC_NAME_LENGTH_MAX && is_legal(name) => {
            format!("the length of '{name}' is longer than the max allowed length {TOPIC_NAME_LENGTH_MAX}")
        }
        // The name itself may be as large as a request; what is shown of it is not.
        _ if name.chars().count() > TOPIC_NAME_LENGTH_MAX => format!(
            "the length of '{}...' is longer than the max allowed length {TOPIC_NAME_LENGTH_MAX}",
            name.chars().take(TOPIC_NAME_LENGTH_MAX).collect::<String>()
        ),
        _ if !is_legal(name) => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {wrong}"))
}

fn is_legal(name: &str) -> bool {
    name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
}
