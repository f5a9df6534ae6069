use super::*;

#[test]
fn the_table_is_in_order_and_within_what_kafka_has() {
    assert!(APIS.is_sorted_by_key(|api| api.key.as_i16()));
    for api in APIS {
        let known = api.key.versions();
        assert!(known.contains(api.versions.start()) && known.contains(api.versions.end()), "{:?}", api.key);
    }
}
