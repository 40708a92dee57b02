//! Reports of many boards reach the table, though broker, collector and boards are killed: none is lost, none is there twice.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nominal_fleet::table::Table;

use super::board::{Board, Settings};
use super::number;
use super::rollout::{Random, block_on, wait_until};
use super::servers::{Broker, collect, free_port};
use super::workshop::{NAME, Workshop};

#[test]
fn no_report_is_lost_or_doubled_though_broker_collector_and_boards_are_killed() {
    let (count, kills) = (number("NOMINAL_FLEET_BOARDS", 10), number("NOMINAL_FLEET_KILLS", 3));
    // With a thousand boards, two thousand parts a second.
    let parts = if count > 100 { 1 } else { 5 };
    let workshop = Workshop::new();
    let bundle = workshop.bundle(NAME, 1, "rejects 1");
    workshop.publish(&bundle, 100);
    let port = free_port();
    let Some(mut broker) = Broker::start(&workshop.path(""), port) else { return };
    let source = workshop.fleet().to_str().unwrap().to_owned();
    let settings = Settings { source, group: None, broker_port: Some(port), every_s: 60 };
    block_on(async {
        let mut collector = collect(&workshop.path(""), port);
        let mut boards: Vec<Board> =
            (0..count).map(|n| Board::new(&workshop, &format!("line{n}"), &bundle, &settings)).collect();
        for board in &mut boards {
            board.line.parts_per_tick.store(parts, Ordering::Relaxed);
            board.start();
        }
        let begin = Instant::now();
        let mut random = Random(11);
        let mut memory: f64 = 0.0;
        for round in 0..kills {
            tokio::time::sleep(Duration::from_millis(500 + random.below(1500) as u64)).await;
            memory = memory.max(broker.process.memory_mib());
            drop(broker);
            if round % 3 == 1 {
                drop(collector);
                collector = collect(&workshop.path(""), port);
            }
            let killed: Vec<usize> = (0..count.div_ceil(20)).map(|_| random.below(count)).collect();
            // What is on its way from the line to its gateway goes down with the gateway; what that has taken must not.
            killed.iter().for_each(|board| boards[*board].line.parts_per_tick.store(0, Ordering::Relaxed));
            tokio::time::sleep(Duration::from_millis(700)).await;
            for board in killed {
                boards[board].kill().await;
                boards[board].start();
                boards[board].line.parts_per_tick.store(parts, Ordering::Relaxed);
            }
            tokio::time::sleep(Duration::from_millis(random.below(1500) as u64)).await;
            broker = Broker::start(&workshop.path(""), port).unwrap();
        }
        boards.iter().for_each(|board| board.line.is_ended.store(true, Ordering::Relaxed));
        let made: u64 = boards.iter().map(|board| board.line.parts()).sum();
        let ran = begin.elapsed();
        let table = Table::look_into(&workshop.path("fleet.db")).unwrap();
        let mut last = (0, Instant::now());
        wait_until("all parts are in the table", Duration::from_secs(120 + count as u64), || {
            let (parts, _) = table.parts().unwrap();
            if parts != last.0 {
                last = (parts, Instant::now());
            }
            assert!(last.1.elapsed() < Duration::from_secs(90), "{parts} of {made}");
            parts == made
        })
        .await;
        // The key is board, run and part: none can be there twice. Each board's run is from 1 to its last part.
        assert_eq!(table.parts().unwrap(), (made, count as u64));
        let reports = table.boards().unwrap();
        assert_eq!((reports.len(), reports.iter().map(|board| board.lost).sum::<u64>()), (count, 0));
        eprintln!(
            "{count} boards, {made} parts in {:.1} s, broker killed {kills} times: 0 lost, 0 doubled; all in the table {:.1} s after \
             the last; {memory:.0} MiB for the broker, {:.0} MiB for the collector",
            ran.as_secs_f64(),
            (begin.elapsed() - ran).as_secs_f64(),
            collector.memory_mib()
        );
    });
}
