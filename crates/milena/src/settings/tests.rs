use super::{Source, gather, setting_of_variable};
use crate::properties;

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn variables_name_settings_as_the_container_image_does() {
    for (variable, setting) in [
        ("KAFKA_LOG_DIRS", Some("log.dirs")),
        ("MILENA_LOG_DIRS", Some("log.dirs")),
        ("KAFKA_NODE_ID", Some("node.id")),
        ("KAFKA_A__B", Some("a_b")),
        ("KAFKA_LISTENER_NAME_MY___ONE_SSL", Some("listener.name.my-one.ssl")),
        ("MILENA_LOG", None),
        ("KAFKA_HEAP_OPTS", None),
        ("KAFKA_", None),
        ("KAFKAESQUE", None),
        ("LOG_DIRS", None),
    ] {
        assert_eq!(setting_of_variable(variable).as_deref(), setting, "{variable}");
    }
}

#[test]
fn flags_go_before_the_environment_before_the_file() {
    let file = properties::parse(b"a=file\nb=file\nc=file\nd=file\nd=later\n").expect("well formed");
    let environment =
        pairs(&[("MILENA_C", "milena"), ("KAFKA_A", "kafka"), ("KAFKA_B", "kafka"), ("KAFKA_C", "kafka")]);
    let settings =
        gather(Some(("server.properties", file)), environment, &pairs(&[("a", "flag"), ("e", "1")]));
    let value = |name: &str| settings[name].value.as_str();
    assert_eq!((value("a"), value("b"), value("c")), ("flag", "kafka", "milena"));
    assert_eq!((value("d"), value("e")), ("later", "1"));
    assert_eq!(settings["a"].source, Source::Flag);
    assert_eq!(settings["b"].source.to_string(), "the environment variable KAFKA_B");
    assert_eq!(settings["d"].source.to_string(), "server.properties, line 5");
    assert_eq!(settings.len(), 5);
}
