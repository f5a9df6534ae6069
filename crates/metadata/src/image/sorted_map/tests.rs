use std::collections::BTreeMap;

use super::*;

/// A small random number generator, so that a failure can be repeated from its seed.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn behaves_as_a_btree_map_and_copies_do_not_change() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mut ours: SortedMap<u32, u64> = SortedMap::default();
    let mut model = BTreeMap::new();
    let mut copies = Vec::new();
    for step in 0..20_000_u64 {
        let key = (next(&mut seed) % 2_000) as u32;
        match next(&mut seed) % 5 {
            0 | 1 => assert_eq!(ours.insert(key, step), model.insert(key, step)),
            2 => assert_eq!(ours.remove(&key), model.remove(&key)),
            3 => {
                let changed = ours.get_mut(&key).map(|value| std::mem::replace(value, step));
                assert_eq!(changed, model.get_mut(&key).map(|value| std::mem::replace(value, step)));
            }
            _ => assert_eq!(ours.get(&key), model.get(&key)),
        }
        assert_eq!(ours.len(), model.len());
        if step % 2_500 == 0 {
            copies.push((ours.clone(), model.clone()));
        }
    }
    copies.push((ours, model));
    for (ours, model) in copies {
        assert!(ours.iter().eq(model.iter()));
        for from in [0, 1, 777, 1_999, 5_000] {
            assert!(ours.iter_from(&from).eq(model.range(from..)), "from {from}");
        }
    }
}

#[test]
fn an_empty_map_has_nothing() {
    let mut map: SortedMap<u8, u8> = SortedMap::default();
    assert_eq!(map.get(&1), None);
    assert_eq!(map.remove(&1), None);
    assert_eq!(map.iter().count() + map.iter_from(&0).count(), 0);
    assert!(map.is_empty());
}

#[test]
fn a_change_copies_one_chunk_only() {
    let mut map: SortedMap<u32, u32> = SortedMap::default();
    for key in 0..10_000 {
        map.insert(key, key);
    }
    let mut changed = map.clone();
    changed.insert(5_000, 0);
    let shared = map.chunks.iter().zip(&changed.chunks).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
    assert_eq!(shared, map.chunks.len() - 1);
}
