use super::*;
use crate::line_file::Pin;

const MS: u64 = 1_000_000;

fn pin(line: u32) -> Option<Pin> {
    Some(Pin { line, active_low: false })
}

fn gpio() -> GpioConfig {
    GpioConfig {
        chip: "/dev/gpiochip0".into(),
        input_chip: None,
        reject: pin(17),
        pass: None,
        fault: None,
        heartbeat: None,
        strobe: None,
        strobe_ms: None,
        trigger: pin(5),
        encoder: pin(6),
        belt: Some(Pin { line: 13, active_low: true }),
        confirm: pin(19),
        select: vec![Pin { line: 20, active_low: false }, Pin { line: 21, active_low: false }],
        debounce_ms: 1.5,
    }
}

fn edge(line: u32, active: bool, ms: u64, number: u32) -> Edge {
    Edge { line, active, at: Moment(ms * MS), number }
}

fn read(reader: &mut EdgeReader, edges: &[Edge]) -> Vec<EventKind> {
    let mut events = vec![];
    edges.iter().for_each(|edge| reader.edge(*edge, &mut events));
    events.iter().map(|event| event.kind).collect()
}

#[test]
fn all_inputs_are_asked_for_and_the_encoder_by_one_edge() {
    let reader = EdgeReader::new(&gpio());
    let lines: Vec<_> = reader.lines().map(|line| (line.line, line.both_edges)).collect();
    assert_eq!(lines, [(5, true), (6, false), (13, true), (19, true), (20, true), (21, true)]);
    assert_eq!(reader.lines().filter(|line| line.active_low).map(|line| line.line).sum::<u32>(), 13);
}

#[test]
fn without_a_debounce_time_every_rising_edge_is_a_part() {
    let mut reader = EdgeReader::new(&GpioConfig { debounce_ms: 0.0, ..gpio() });
    let both: Vec<_> = reader.lines().filter(|line| line.both_edges).map(|line| line.line).collect();
    assert_eq!(both, [13, 20, 21]);
    let triggers = [edge(5, true, 1, 1), edge(5, true, 2, 2), edge(5, true, 3, 5)];
    // Reported before the trigger that reveals it.
    let lost = EventKind::TriggersLost { parts: 2 };
    let told = [EventKind::Trigger, EventKind::Trigger, lost, EventKind::Trigger];
    assert_eq!(read(&mut reader, &triggers), told);
    assert_eq!(read(&mut reader, &[edge(19, true, 4, 1)]), [EventKind::Fell]);
    assert_eq!(reader.next_wake(), None);
}

#[test]
fn bounces_of_a_part_that_comes_and_goes_are_one_trigger_and_every_tick_counts() {
    let mut reader = EdgeReader::new(&gpio());
    let at = |line, us: u64, active, number| Edge { line, active, at: Moment(us * 1000), number };
    // 1.5 ms of lockout after each edge that counts.
    let part = [(0, true), (200, false), (300, true), (40_000, false), (40_100, true), (40_300, false)];
    let edges: Vec<_> = (1..).zip(part).map(|(number, (us, active))| at(5, us, active, number)).collect();
    assert_eq!(read(&mut reader, &edges), [EventKind::Trigger]);
    let ticks: Vec<_> = (1..=4).map(|number| at(6, 50_000 + u64::from(number), true, number)).collect();
    assert_eq!(read(&mut reader, &ticks), [EventKind::Encoder { ticks: 1 }; 4]);
    // A start and stop within the lockout: only `settle` afterwards shows that the belt has stopped.
    assert_eq!(
        read(&mut reader, &[at(13, 60_000, true, 1), at(13, 60_500, false, 2)]),
        [EventKind::Belt { running: true }]
    );
    assert_eq!(reader.next_wake(), Some(Moment(61_500_000)));
    let mut events = vec![];
    reader.settle(Moment(61_500_000), &mut events);
    assert_eq!(events, [Event { at: Moment(60_500_000), kind: EventKind::Belt { running: false } }]);
    assert_eq!((reader.next_wake(), reader.lost_edges()), (None, 0));
}

#[test]
fn edges_are_events_with_the_time_of_the_edge() {
    let mut reader = EdgeReader::new(&gpio());
    let mut events = vec![];
    reader.start(Moment(0), |line| line == 13, &mut vec![]);
    for e in [edge(5, true, 3, 1), edge(6, true, 4, 1), edge(13, false, 5, 1), edge(19, true, 6, 1)] {
        reader.edge(e, &mut events);
    }
    // A line that was not requested.
    reader.edge(edge(17, true, 9, 1), &mut events);
    let expected = [
        (3, EventKind::Trigger),
        (4, EventKind::Encoder { ticks: 1 }),
        (5, EventKind::Belt { running: false }),
        (6, EventKind::Fell),
    ];
    assert_eq!(events, expected.map(|(ms, kind)| Event { at: Moment(ms * MS), kind }));
}

#[test]
fn lost_ticks_are_added_and_lost_edges_counted() {
    let mut reader = EdgeReader::new(&gpio());
    let ticks = read(&mut reader, &[edge(6, true, 1, 3), edge(6, true, 2, 4), edge(6, true, 3, 10)]);
    assert_eq!(ticks, [3, 1, 6].map(|ticks| EventKind::Encoder { ticks }));
    assert_eq!(reader.lost_edges(), 0);
    // One part left and another came between the first two; then one came, left, and came again.
    let triggers =
        [edge(5, true, 100, 1), edge(5, true, 200, 3), edge(5, false, 300, 4), edge(5, true, 400, 7)];
    let lost = EventKind::TriggersLost { parts: 1 };
    let told = [EventKind::Trigger, EventKind::Trigger, lost, EventKind::Trigger];
    assert_eq!(read(&mut reader, &triggers), told);
    // Whatever was lost, the last edge tells the current level.
    let belt = [edge(13, true, 500, 2), edge(13, true, 600, 4)];
    assert_eq!(read(&mut reader, &belt), [EventKind::Belt { running: true }; 2]);
    assert_eq!(reader.lost_edges(), 2);
}

#[test]
fn edge_numbers_wrap_and_may_be_missing() {
    assert_eq!(lost_between(u32::MAX, 0), 0);
    assert_eq!(lost_between(u32::MAX - 1, 2), 3);
    assert_eq!(lost_between(0, 0), 0);
    assert_eq!(lost_between(7, 3), 0);
    assert_eq!(lost_between(0, 1), 0);
    assert_eq!(lost_between(0, 4), 3);
}

#[test]
fn the_product_number_is_given_out_once_its_inputs_are_quiet() {
    let mut reader = EdgeReader::new(&gpio());
    let mut events = vec![];
    reader.start(Moment(0), |line| line == 21, &mut events);
    assert_eq!(
        events.iter().map(|event| event.kind).collect::<Vec<_>>(),
        [EventKind::Belt { running: false }, EventKind::Select(2)]
    );
    assert_eq!(reader.next_wake(), None);
    // From 2 to 1 via 3.
    assert_eq!(read(&mut reader, &[edge(20, true, 100, 1), edge(21, false, 103, 1)]), []);
    assert_eq!(reader.next_wake(), Some(Moment(123 * MS)));
    events.clear();
    reader.settle(Moment(122 * MS), &mut events);
    assert_eq!(events, []);
    reader.settle(Moment(123 * MS), &mut events);
    assert_eq!(events, [Event { at: Moment(103 * MS), kind: EventKind::Select(1) }]);
    assert_eq!(reader.next_wake(), None);
    // Moving there and back changes nothing.
    read(&mut reader, &[edge(20, false, 200, 2), edge(20, true, 201, 3)]);
    events.clear();
    reader.settle(Moment(300 * MS), &mut events);
    assert_eq!(events, []);
}
