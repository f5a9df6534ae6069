use super::*;

#[test]
fn text_is_kafkas() {
    // Uuid.METADATA_TOPIC_ID and one that Kafka's Uuid.randomUuid().toString() printed.
    let mut one = [0; 16];
    one[15] = 1;
    assert_eq!(encode(one), "AAAAAAAAAAAAAAAAAAAAAQ");
    assert_eq!(encode([0xff; 16]), "_____________________w");
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..1000 {
        let uuid: [u8; 16] = std::array::from_fn(|_| random.u8(..));
        let text = encode(uuid);
        assert_eq!(text.len(), 22);
        assert_eq!(decode(&text), Some(uuid));
    }
}

#[test]
fn other_text_is_refused() {
    for text in [
        "",
        "AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAA+A",
        "AAAAAAAAAAAAAAAAAAAAA\u{e9}",
    ] {
        assert_eq!(decode(text), None, "{text}");
    }
}
