//! A bundle is rolled out step by step, while boards and the web server are killed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleet::share;
use judge::file_sha256;

use super::board::{Board, Settings};
use super::line::hex;
use super::number;
use super::servers::{Nginx, free_port};
use super::workshop::{NAME, Workshop};

/// Returns what identifies a bundle of the workshop.
pub fn identity(bundle: &std::path::Path) -> String {
    hex(&file_sha256(&std::fs::read(bundle.join("model.threshold")).unwrap()))
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Waits until something holds, looking ten times a second.
pub async fn wait_until(what: &str, limit: Duration, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !is() {
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Numbers that look random, the same in each run (Marsaglia, "Xorshift RNGs", 2003).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Returns how many boards run each bundle. Each must be whole.
fn counts(boards: &[Board]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for board in boards {
        *counts.entry(board.line.in_use()).or_default() += 1;
    }
    counts
}

#[test]
fn a_rollout_by_percentages_ends_on_all_boards_though_they_and_the_server_are_killed() {
    let (count, kills) = (number("NOMINAL_FLEET_BOARDS", 20), number("NOMINAL_FLEET_KILLS", 5));
    let workshop = Workshop::new();
    let [old, new] =
        [(1, "rejects 1"), (2, "rejects 2")].map(|(serial, how)| workshop.bundle(NAME, serial, how));
    workshop.publish(&old, 100);
    let port = free_port();
    let Some(mut nginx) = Nginx::start(&workshop.path(""), &workshop.fleet(), port) else { return };
    // A thousand boards that ask each second would test the machine that they share.
    let every_s = 1 + count as u32 / 100;
    let settings = Settings { source: nginx.url(), group: None, broker_port: None, every_s };
    block_on(async {
        let mut boards: Vec<Board> =
            (0..count).map(|n| Board::new(&workshop, &format!("line{n}"), &old, &settings)).collect();
        boards.iter_mut().for_each(Board::start);
        let begin = Instant::now();
        workshop.publish(&new, 30);
        let mut random = Random(7);
        for _ in 0..kills {
            // One board in twenty each time.
            for _ in 0..count.div_ceil(20) {
                let board = &mut boards[random.below(count)];
                board.kill().await;
                tokio::time::sleep(Duration::from_millis(random.below(50) as u64)).await;
                board.start();
            }
            if random.below(4) == 0 {
                drop(nginx);
                tokio::time::sleep(Duration::from_millis(random.below(1000) as u64)).await;
                nginx = Nginx::start(&workshop.path(""), &workshop.fleet(), port).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let below = |percent: f64| boards.iter().filter(|board| share(&board.name) < percent).count();
        let on_new = |boards: &[Board]| counts(boards).get(&identity(&new)).copied().unwrap_or(0);
        let limit = Duration::from_secs(60 + count as u64 / 2);
        wait_until("30 % have it", limit, || on_new(&boards) == below(30.0)).await;
        let third = begin.elapsed();
        // Nobody runs ahead, and a hold holds.
        workshop.run(&["rollout", "--product", NAME, "--percent", "100", "--hold"]);
        tokio::time::sleep(Duration::from_secs(2 * u64::from(every_s) + 1)).await;
        assert_eq!(on_new(&boards), below(30.0));
        workshop.run(&["rollout", "--product", NAME, "--resume"]);
        wait_until("all have it", limit, || on_new(&boards) == count).await;
        eprintln!(
            "{count} boards, {kills} rounds of kills: 30 % after {:.1} s, all after {:.1} s; {:.0} MiB for all gateways and lines",
            third.as_secs_f64(),
            begin.elapsed().as_secs_f64(),
            super::servers::memory_mib("self")
        );
        // What is withdrawn goes back everywhere, and comes again if it is not.
        workshop.run(&["rollout", "--product", NAME, "--withdraw"]);
        let on_old = |boards: &[Board]| counts(boards).get(&identity(&old)).copied().unwrap_or(0);
        wait_until("all went back", limit, || on_old(&boards) == count).await;
        workshop.run(&["rollout", "--product", NAME, "--resume"]);
        wait_until("all have it again", limit, || on_new(&boards) == count).await;
    });
}

#[test]
fn a_board_goes_back_from_a_bundle_that_rejects_too_much_and_stays_there() {
    let workshop = Workshop::new();
    let old = workshop.bundle(NAME, 1, "rejects 1");
    let bad = workshop.bundle(NAME, 2, "rejects 40");
    workshop.publish(&old, 100);
    // A share in place of a web server.
    let source = workshop.fleet().to_str().unwrap().to_owned();
    let settings = Settings { source, group: Some("pilot".to_owned()), broker_port: None, every_s: 1 };
    block_on(async {
        let mut board = Board::new(&workshop, "line1", &old, &settings);
        board.line.parts_per_tick.store(10, std::sync::atomic::Ordering::Relaxed);
        board.start();
        workshop.publish(&bad, 100);
        let limit = Duration::from_secs(60);
        wait_until("it has it", limit, || board.line.in_use() == identity(&bad)).await;
        wait_until("it went back", limit, || board.line.in_use() == identity(&old)).await;
        wait_until("it remembers", limit, || !board.kept()["refused"].as_array().unwrap().is_empty()).await;
        let kept = board.kept();
        let reason = kept["refused"][0]["reason"].as_str().unwrap();
        assert!(
            reason.contains("parts were rejected") && kept["trials"].as_array().unwrap().is_empty(),
            "{kept}"
        );
        // Not even after a restart.
        board.kill().await;
        board.start();
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(board.line.in_use(), identity(&old));
        // The next one is taken, by the board's own group.
        let next = workshop.bundle(NAME, 3, "rejects 0");
        workshop.run(&[
            "publish",
            "--bundle",
            next.to_str().unwrap(),
            "--group",
            "pilot",
            "--percent",
            "100",
        ]);
        wait_until("it has the next", limit, || board.line.in_use() == identity(&next)).await;
    });
}
