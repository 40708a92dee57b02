use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn number(of: Option<&Stored>) -> Option<u8> {
    of.and_then(|message| message.payload.first().copied())
}

fn store(messages: u8, max_bytes: usize) -> Store {
    let mut store = Store::new(max_bytes, HOUR);
    (0..messages).for_each(|number| store.push("t", vec![number]));
    store
}

#[test]
fn the_oldest_go_first_and_are_dropped_first() {
    let mut store = store(10, 5 * (2 + OVERHEAD));
    assert_eq!((store.len(), store.dropped(), store.bytes()), (5, 5, 5 * (2 + OVERHEAD)));
    assert_eq!(number(store.oldest()), Some(5));
    store.push("t", vec![0; 1 << 20]);
    assert_eq!((store.len(), store.dropped(), store.bytes()), (0, 11, 0), "larger than the store");
}

#[test]
fn what_was_not_confirmed_is_sent_again_in_order() {
    let mut store = store(4, 1 << 20);
    for packet in [7, 8, 9] {
        assert!(store.oldest().is_some());
        store.sent(packet);
    }
    assert!(store.confirmed(8) && !store.confirmed(8) && !store.confirmed(1));
    assert_eq!((store.len(), store.in_flight()), (3, 2));
    store.unsend();
    for expected in [0, 2, 3] {
        assert_eq!(number(store.oldest()), Some(expected));
        store.sent(expected.into());
        assert!(store.confirmed(expected.into()));
    }
    assert!(store.oldest().is_none() && store.is_empty() && store.bytes() == 0);
}

#[test]
fn messages_that_are_too_old_are_dropped() {
    let mut store = Store::new(1 << 20, Duration::from_millis(30));
    store.push("t", vec![1]);
    store.sent(1);
    store.push("t", vec![2]);
    std::thread::sleep(Duration::from_millis(50));
    store.push("t", vec![3]);
    assert_eq!((number(store.oldest()), store.dropped()), (Some(3), 1));
    assert!(store.confirmed(1), "what is on its way is not too old");
}

fn on_disk(folder: &Path, until_stored: bool) -> Store {
    Store::open(folder, 1 << 20, until_stored).unwrap()
}

/// Sends everything that may be sent, and returns the numbers in the payloads.
fn send(store: &mut Store, packet: &mut u16) -> Vec<u64> {
    let mut numbers = vec![];
    while store.may_send(usize::MAX)
        && let Some((_, payload)) = store.to_send()
    {
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(payload["part"], payload["number"], "{payload}");
        numbers.push(payload["number"].as_u64().unwrap());
        *packet += 1;
        store.sent(*packet);
        assert!(store.confirmed(*packet));
    }
    numbers
}

fn push(store: &mut Store, numbers: std::ops::RangeInclusive<u64>) {
    numbers.for_each(|number| store.push("a/parts", format!("{{\"part\":{number}}}").into_bytes()));
}

#[test]
fn more_than_the_memory_holds_waits_on_the_disk_and_comes_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = on_disk(folder.path(), false);
    push(&mut store, 1..=10_000);
    assert!(store.len() == 10_000 && store.bytes < WINDOW + 1000 && store.waiting.len() < 4000);
    let mut packet = 0;
    assert_eq!(send(&mut store, &mut packet), (1..=10_000).collect::<Vec<_>>());
    assert!(store.is_empty() && store.bytes == 0 && store.dropped() == 0);
    push(&mut store, 10_001..=10_003);
    drop(store);
    let mut store = on_disk(folder.path(), false);
    push(&mut store, 10_004..=10_004);
    assert_eq!(send(&mut store, &mut packet), [10_001, 10_002, 10_003, 10_004]);
}

#[test]
fn messages_stay_until_the_collector_has_stored_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = on_disk(folder.path(), true);
    push(&mut store, 1..=2000);
    let mut packet = 0;
    // Only so many: the collector may be away.
    assert_eq!(send(&mut store, &mut packet), (1..=MAX_PUBLISHED as u64).collect::<Vec<_>>());
    let id = store.disk.as_ref().unwrap().id.clone();
    store.stored("another run", 100);
    store.stored(&id, 5000);
    assert_eq!(store.len(), 2000);
    store.stored(&id, 100);
    assert_eq!((store.len(), send(&mut store, &mut packet).len()), (1900, 100));
    // The broker is gone, and with it perhaps what it had confirmed.
    store.unsend();
    assert_eq!(send(&mut store, &mut packet), (101..=600).collect::<Vec<_>>());
    store.publish_again();
    assert!(send(&mut store, &mut packet).is_empty(), "not before the pause");
    store.disk.as_mut().unwrap().pause = Duration::ZERO;
    store.publish_again();
    assert_eq!(send(&mut store, &mut packet), (101..=600).collect::<Vec<_>>());
    drop(store);
    let mut store = on_disk(folder.path(), true);
    assert_eq!(send(&mut store, &mut packet).first(), Some(&101));
    let id = store.disk.as_ref().unwrap().id.clone();
    store.stored(&id, 2000);
    assert!(store.is_empty() && store.bytes == 0);
}

#[test]
fn a_full_disk_store_drops_the_oldest_and_says_which_is_the_lowest() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), 32 << 10, false).unwrap();
    push(&mut store, 1..=5000);
    assert_eq!(store.dropped() + store.len() as u64, 5000);
    assert!(store.bytes() <= 32 << 10 && store.dropped() > 1000);
    let (_, payload) = store.to_send().unwrap();
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["since"], store.dropped() + 1);
    assert_eq!(send(&mut store, &mut 0).len() as u64, 5000 - store.dropped());
}

#[test]
fn a_damaged_file_costs_what_is_behind_the_damage_and_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), 16 << 20, false).unwrap();
    push(&mut store, 1..=60_000);
    drop(store);
    let mut files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "journal"));
    files.sort();
    assert!(files.len() > 2, "{files:?}");
    let number = |path: &Path| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let second = number(&files[1]);
    let mut store = Store::open(folder.path(), 16 << 20, false).unwrap();
    let mut bytes = std::fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&files[0], bytes).unwrap();
    let sent = send(&mut store, &mut 0);
    let whole = sent.iter().take_while(|&&number| number < second).count() as u64;
    assert!((1..second - 1).contains(&whole), "{whole}");
    let expected = (1..=whole).chain(second..=60_000).collect::<Vec<_>>();
    assert!(sent == expected, "{} of {}", sent.len(), expected.len());
    assert_eq!(store.dropped(), second - 1 - whole);
}
