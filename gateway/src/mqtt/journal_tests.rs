use super::*;

fn payload(number: u64) -> Vec<u8> {
    format!("{{\"part\":{number}}}").into_bytes()
}

fn append(journal: &mut Journal, count: u64) {
    for _ in 0..count {
        let number = journal.next();
        assert_eq!(journal.append("a/parts", &payload(number)).unwrap(), number);
    }
}

/// Reads all messages from a number on.
fn all(journal: &Journal, mut from: u64) -> Vec<u64> {
    let mut found = vec![];
    loop {
        let read = journal.read(from).unwrap();
        let Some(last) = read.last() else { return found };
        from = last.number + 1;
        for message in read {
            assert_eq!((message.topic.as_str(), &message.payload), ("a/parts", &payload(message.number)));
            found.push(message.number);
        }
    }
}

#[test]
fn what_was_not_confirmed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), 1 << 20).unwrap();
    append(&mut journal, 1000);
    journal.release(301);
    assert!(
        matches!(Journal::open(folder.path(), 1 << 20), Err(e) if e.kind() == io::ErrorKind::ResourceBusy)
    );
    drop(journal);
    let mut journal = Journal::open(folder.path(), 1 << 20).unwrap();
    assert_eq!((journal.lowest(), journal.next()), (301, 1001));
    append(&mut journal, 10);
    assert_eq!(all(&journal, journal.lowest()), (301..=1010).collect::<Vec<_>>());
    journal.release(1011);
    drop(journal);
    // Numbers are never given twice, even if nothing is left.
    let journal = Journal::open(folder.path(), 1 << 20).unwrap();
    assert_eq!((journal.next(), journal.bytes()), (1011, 0));
    assert_eq!(all(&journal, 1), Vec::<u64>::new());
}

#[test]
fn the_oldest_are_deleted_if_there_is_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), 64 << 10).unwrap();
    append(&mut journal, 10_000);
    assert!(journal.bytes() <= 64 << 10 && journal.bytes() > 48 << 10, "{}", journal.bytes());
    let on_disk: u64 =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= (64 << 10) + 100, "{on_disk}");
    let left = all(&journal, 1);
    assert_eq!(left, (journal.lowest()..=10_000).collect::<Vec<_>>());
    assert!(left.len() > 1000);
}

#[test]
fn a_file_cut_at_any_byte_loses_only_what_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), 1 << 20).unwrap();
    append(&mut journal, 5);
    let path = journal.segments[0].path.clone();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let ends: Vec<usize> = decode(&whole).map(|(_, end)| end).collect();
    assert_eq!(ends.len(), 5);
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let left = ends.iter().filter(|end| **end <= length).count() as u64;
        let mut journal = Journal::open(folder.path(), 1 << 20).unwrap();
        append(&mut journal, 1);
        assert_eq!(all(&journal, 1), (1..=left + 1).collect::<Vec<_>>(), "{length} bytes");
        drop(journal);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}

#[test]
fn no_flipped_bit_gives_another_message() {
    let record = [encode(1, "a", b"one"), encode(2, "b", b"two")].map(Option::unwrap).concat();
    let expected: Vec<Numbered> = decode(&record).map(|(message, _)| message).collect();
    for bit in 0..8 * record.len() {
        let mut flipped = record.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let read: Vec<Numbered> = decode(&flipped).map(|(message, _)| message).collect();
        assert!(read.len() < 2 && expected.starts_with(&read), "bit {bit}");
    }
    assert!(encode(1, &"x".repeat(70_000), b"").is_none() && encode(1, "a", &vec![0; MAX_BODY]).is_none());
}

#[test]
fn a_damaged_note_or_file_is_no_reason_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(CURSOR), b"\xff\xfe").unwrap();
    std::fs::write(folder.path().join("00000000000000000001.journal"), vec![0xff; 5000]).unwrap();
    let mut journal = Journal::open(folder.path(), 1 << 20).unwrap();
    append(&mut journal, 3);
    assert_eq!(all(&journal, 1), [1, 2, 3]);
    assert!(Journal::open(Path::new("/nowhere"), 1 << 20).is_err());
}

#[test]
fn a_disk_that_is_full_for_a_while_costs_only_what_came_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), 1 << 20).unwrap();
    append(&mut journal, 3);
    journal.writer = None;
    for number in [4, 5] {
        let path = folder.path().join(format!("{number:020}.{EXTENSION}"));
        std::os::unix::fs::symlink("/dev/full", path).unwrap();
        assert_eq!(journal.append("a/parts", b"").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(journal.segments.len(), 1);
    }
    append(&mut journal, 2);
    assert_eq!(all(&journal, 1), [1, 2, 3, 6, 7], "the numbers of those that are lost are not given again");
    journal.release(6);
    assert_eq!(all(&journal, 6), [6, 7]);
    drop(journal);
    let journal = Journal::open(folder.path(), 1 << 20).unwrap();
    assert_eq!((journal.lowest(), journal.next(), all(&journal, 6)), (6, 8, vec![6, 7]));
}

#[test]
fn what_was_deleted_after_the_last_note_is_not_missed_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), 64 << 10).unwrap();
    append(&mut journal, 10_000);
    let lowest = journal.lowest();
    drop(journal);
    std::fs::remove_file(folder.path().join(CURSOR)).unwrap();
    assert_eq!(Journal::open(folder.path(), 64 << 10).unwrap().lowest(), lowest);
}
