use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::fs::faults::{Fault, Faults};
use crate::fs::simulated::Disk;
use crate::testing::TempDir;

/// The unit of space: large enough that the smallest grants do not matter.
const UNIT: u64 = 64 << 10;

/// The room of a disk of 100 units with `used` of them used, and the file that uses them.
fn room(reserved_bytes: u64, used_bytes: u64) -> (Arc<Disk>, Fs, Room) {
    let disk = Disk::new(1);
    disk.set_capacity(100 * UNIT);
    let fs = Fs::simulated(disk.clone());
    use_bytes(&fs, used_bytes);
    let room = Room::new(&PathBuf::from("/"));
    room.set_reserved_bytes(reserved_bytes);
    (disk, fs, room)
}

fn use_bytes(fs: &Fs, bytes: u64) {
    let file = fs.open(&PathBuf::from("/ballast"), fs::Mode::Create).unwrap();
    file.truncate(bytes).unwrap();
}

fn admits(room: &Room, fs: &Fs, bytes: u64, purpose: Purpose) -> bool {
    match room.admit(fs, usize::try_from(bytes).unwrap(), purpose) {
        Ok(()) => true,
        Err(error) => {
            assert!(error.is_full(), "{error}");
            false
        }
    }
}

#[test]
fn clients_leave_the_reserve_and_the_broker_half_of_it() {
    let (_disk, fs, room) = room(8 * UNIT, 91 * UNIT);
    assert!(admits(&room, &fs, UNIT / 2, Purpose::Client));
    assert!(!admits(&room, &fs, 2 * UNIT, Purpose::Client), "the reserve would be touched");
    assert!(!admits(&room, &fs, 1, Purpose::Client), "from then on nobody is let through");
    assert!(admits(&room, &fs, 4 * UNIT, Purpose::Own));
    assert!(!admits(&room, &fs, 6 * UNIT, Purpose::Own));
    use_bytes(&fs, 95 * UNIT);
    assert!(admits(&room, &fs, UNIT / 2, Purpose::Own) && !admits(&room, &fs, 2 * UNIT, Purpose::Own));
}

#[test]
fn a_partition_that_moves_here_does_not_stop_clients() {
    let (_disk, fs, room) = room(8 * UNIT, 90 * UNIT);
    assert!(!admits(&room, &fs, 5 * UNIT, Purpose::Copy));
    assert!(admits(&room, &fs, UNIT, Purpose::Client) && !room.look(&fs).unwrap());
    assert!(admits(&room, &fs, UNIT, Purpose::Copy));
}

#[test]
fn clients_are_heard_again_only_where_the_room_is_well_above_the_reserve() {
    let (_disk, fs, room) = room(8 * UNIT, 93 * UNIT);
    assert!(!admits(&room, &fs, 1, Purpose::Client));
    assert!(room.look(&fs).unwrap());
    for (used, refused) in
        [(93, true), (91, true), (89, false), (91, false), (93, true), (92, true), (0, false)]
    {
        use_bytes(&fs, used * UNIT);
        assert_eq!(room.look(&fs).unwrap(), refused, "{used} units used");
        assert_eq!(admits(&room, &fs, 1, Purpose::Client), !refused, "{used} units used");
    }
}

#[test]
fn a_batch_that_did_not_fit_fits_when_clients_are_heard_again() {
    let (_disk, fs, room) = room(UNIT, 90 * UNIT);
    assert!(!admits(&room, &fs, 20 * UNIT, Purpose::Client));
    use_bytes(&fs, 80 * UNIT);
    assert!(room.look(&fs).unwrap(), "19 units would not do");
    use_bytes(&fs, 77 * UNIT);
    assert!(!room.look(&fs).unwrap());
    assert!(admits(&room, &fs, 20 * UNIT, Purpose::Client));
}

#[test]
fn a_small_volume_reserves_a_tenth() {
    let (_disk, fs, room) = room(1 << 40, 85 * UNIT);
    assert!(admits(&room, &fs, UNIT, Purpose::Client));
    use_bytes(&fs, 91 * UNIT);
    assert!(room.look(&fs).unwrap());
}

#[test]
fn the_volume_is_asked_rarely_and_near_the_reserve_more_often() {
    let dir = TempDir::new();
    let faults = Arc::new(Faults::default());
    let fs = Fs::faulty(faults.clone());
    let room = Room::new(dir.path());
    room.set_reserved_bytes(1);
    for _ in 0..10_000 {
        assert!(admits(&room, &fs, 100, Purpose::Client));
    }
    let asked = faults.take_done().len();
    assert!(asked <= 4, "{asked} questions for a megabyte");

    let (_disk, fs, room) = self::room(8 * UNIT, 90 * UNIT);
    let mut used = 90 * UNIT;
    while admits(&room, &fs, 1000, Purpose::Client) {
        used += 1000;
        use_bytes(&fs, used);
    }
    let left = 100 * UNIT - used;
    assert!((8 * UNIT..8 * UNIT + 4096).contains(&left), "{left} bytes are left");
}

#[test]
fn what_nobody_reserves_is_given_to_all() {
    let (_disk, fs, room) = room(0, 100 * UNIT);
    assert!(admits(&room, &fs, UNIT, Purpose::Client) && admits(&room, &fs, UNIT, Purpose::Own));
    let error = room.refusal();
    room.met_full(&fs, &error);
    assert!(
        !room.look(&fs).unwrap() && admits(&room, &fs, UNIT, Purpose::Client),
        "the disk says for itself"
    );
}

#[test]
fn a_write_that_met_a_full_disk_ends_the_grant() {
    let (_disk, fs, room) = room(8 * UNIT, 10 * UNIT);
    assert!(admits(&room, &fs, 1, Purpose::Client));
    // Another program was faster.
    use_bytes(&fs, 100 * UNIT);
    assert!(admits(&room, &fs, 1, Purpose::Client));
    let error = room.refusal();
    room.met_full(&fs, &error);
    assert!(!admits(&room, &fs, 1, Purpose::Client));
}

#[test]
fn a_quota_is_left_to_those_who_meet_it() {
    let (_disk, fs, room) = room(8 * UNIT, 10 * UNIT);
    let error = room.refusal();
    room.met_full(&fs, &error);
    assert!(admits(&room, &fs, 1, Purpose::Client) && !room.look(&fs).unwrap());
}

#[test]
fn a_volume_that_does_not_answer_refuses_nobody() {
    let dir = TempDir::new();
    let faults = Arc::new(Faults::default());
    let fs = Fs::faulty(faults.clone());
    let room = Room::new(dir.path());
    room.set_reserved_bytes(1);
    faults.add(Fault {
        operation: Operation::Stat,
        path_end: "",
        after: 0,
        times: 2,
        error: io::ErrorKind::Other,
    });
    assert!(admits(&room, &fs, 1, Purpose::Client));
    room.look(&fs).unwrap_err();
    assert!(admits(&room, &fs, 1, Purpose::Client));
}
