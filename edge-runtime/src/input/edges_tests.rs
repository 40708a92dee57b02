use super::*;
use crate::line_file::Pin;

const MS: u64 = 1_000_000;

fn pin(line: u32) -> Option<Pin> {
    Some(Pin { line, active_low: false })
}

fn gpio() -> Gpio {
    Gpio {
        chip: "/dev/gpiochip0".into(),
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

fn read(reader: &mut EdgeReader, edges: &[Edge]) -> Vec<Happening> {
    let mut events = vec![];
    edges.iter().for_each(|edge| reader.edge(*edge, &mut events));
    events.iter().map(|event| event.what).collect()
}

#[test]
fn all_inputs_but_the_encoder_are_debounced() {
    let reader = EdgeReader::new(&gpio());
    let lines: Vec<_> = reader.lines().iter().map(|line| (line.line, line.edges, line.debounce)).collect();
    let debounce = Duration::from_micros(1500);
    assert_eq!(
        lines,
        [
            (5, Edges::Rising, debounce),
            (6, Edges::Rising, Duration::ZERO),
            (13, Edges::Both, debounce),
            (19, Edges::Rising, debounce),
            (20, Edges::Both, debounce),
            (21, Edges::Both, debounce),
        ]
    );
    assert_eq!(reader.lines().iter().filter(|line| line.active_low).map(|line| line.line).sum::<u32>(), 13);
}

#[test]
fn edges_are_events_with_the_time_of_the_edge() {
    let mut reader = EdgeReader::new(&gpio());
    let mut events = vec![];
    for e in [edge(5, true, 3, 1), edge(6, true, 4, 1), edge(13, false, 5, 1), edge(19, true, 6, 1)] {
        reader.edge(e, &mut events);
    }
    // A line that nobody asked for.
    reader.edge(edge(17, true, 9, 1), &mut events);
    let expected = [
        (3, Happening::Trigger),
        (4, Happening::Encoder { ticks: 1 }),
        (5, Happening::Belt { running: false }),
        (6, Happening::Fell),
    ];
    assert_eq!(events, expected.map(|(ms, what)| Event { at: Moment(ms * MS), what }));
}

#[test]
fn lost_ticks_are_added_and_lost_edges_counted() {
    let mut reader = EdgeReader::new(&gpio());
    let ticks = read(&mut reader, &[edge(6, true, 1, 3), edge(6, true, 2, 4), edge(6, true, 3, 10)]);
    assert_eq!(ticks, [3, 1, 6].map(|ticks| Happening::Encoder { ticks }));
    assert_eq!((reader.lost_triggers(), reader.lost_edges()), (0, 0));
    read(&mut reader, &[edge(5, true, 4, 1), edge(5, true, 5, 4)]);
    read(&mut reader, &[edge(13, true, 6, 2), edge(13, true, 7, 3), edge(19, true, 8, 2)]);
    assert_eq!((reader.lost_triggers(), reader.lost_edges()), (2, 2));
}

#[test]
fn edge_numbers_wrap_and_may_be_missing() {
    assert_eq!(lost_between(Some(u32::MAX), 0), 0);
    assert_eq!(lost_between(Some(u32::MAX - 1), 2), 3);
    assert_eq!(lost_between(None, 0), 0);
    assert_eq!(lost_between(Some(0), 0), 0);
    assert_eq!(lost_between(Some(7), 3), 0);
    assert_eq!(lost_between(None, 1), 0);
}

#[test]
fn the_product_number_is_given_out_once_its_inputs_are_quiet() {
    let mut reader = EdgeReader::new(&gpio());
    let mut events = vec![];
    reader.start(Moment(0), |line| line == 21, &mut events);
    assert_eq!(
        events.iter().map(|event| event.what).collect::<Vec<_>>(),
        [Happening::Belt { running: false }, Happening::Select(2)]
    );
    assert_eq!(reader.next_wake(), None);
    // From 2 to 1 by way of 3.
    assert_eq!(read(&mut reader, &[edge(20, true, 100, 1), edge(21, false, 103, 1)]), []);
    assert_eq!(reader.next_wake(), Some(Moment(123 * MS)));
    events.clear();
    reader.settle(Moment(122 * MS), &mut events);
    assert_eq!(events, []);
    reader.settle(Moment(123 * MS), &mut events);
    assert_eq!(events, [Event { at: Moment(103 * MS), what: Happening::Select(1) }]);
    assert_eq!(reader.next_wake(), None);
    // There and back is no change.
    read(&mut reader, &[edge(20, false, 200, 2), edge(20, true, 201, 3)]);
    events.clear();
    reader.settle(Moment(300 * MS), &mut events);
    assert_eq!(events, []);
}
