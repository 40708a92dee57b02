//! Real bad bytes on the server: nothing of them is ever installed, the reason is named, and the next good index is followed.

use std::path::Path;
use std::time::Duration;

use fleet::BoardReport;
use gateway::line::Event;

use super::board::{Board, Settings};
use super::rollout::{block_on, identity, wait_until};
use super::servers::{Nginx, free_port};
use super::workshop::{NAME, Workshop};

const LIMIT: Duration = Duration::from_secs(60);

/// Waits until the board says this of itself. Its gateway is started anew, because pauses after failures grow.
async fn wait_for_words(board: &mut Board, words: &str) {
    board.kill().await;
    board.start();
    let mut last = String::new();
    let end = tokio::time::Instant::now() + LIMIT;
    let mut events = board.events();
    while !last.contains(words) {
        let event = tokio::time::timeout_at(end, events.recv()).await;
        let event = event.unwrap_or_else(|_| panic!("no {words:?}, but {last}")).unwrap();
        if let Event::Fleet(json) = event {
            let report: BoardReport = serde_json::from_str(&json).unwrap();
            let reasons = report.products.iter().filter_map(|product| product.reason.clone());
            last = reasons.chain(report.problem).collect::<Vec<_>>().join("; ");
        }
    }
}

/// Waits for the next second, by which the server tells versions apart.
fn pause() {
    std::thread::sleep(Duration::from_millis(1100));
}

fn write(path: &Path, bytes: &[u8]) {
    pause();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn bad_bytes_are_named_and_never_installed() {
    let workshop = Workshop::new();
    let old = workshop.bundle(NAME, 1, "rejects 1");
    workshop.publish(&old, 100);
    let Some(nginx) = Nginx::start(&workshop.path(""), &workshop.fleet(), free_port()) else { return };
    let settings = Settings { source: nginx.url(), group: None, broker_port: None, every_s: 1 };
    block_on(async {
        let mut board = Board::new(&workshop, "line1", &old, &settings);
        board.start();
        let index = workshop.fleet().join("index.json");
        let good = std::fs::read(&index).unwrap();
        wait_until("the index was seen", LIMIT, || board.kept()["index"] == 1).await;
        // Truncated, changed, larger than allowed, signed by somebody else.
        write(&index, &good[..good.len() / 2]);
        wait_for_words(&mut board, "not what a trusted key signed").await;
        write(&index, &vec![b' '; 5 << 20]);
        wait_for_words(&mut board, "larger than").await;
        let stranger = Workshop::new();
        let theirs = stranger.bundle(NAME, 9, "rejects 0");
        stranger.publish(&theirs, 100);
        for name in ["index.json.minisig", "index.json"] {
            write(&workshop.fleet().join(name), &std::fs::read(stranger.fleet().join(name)).unwrap());
        }
        wait_for_words(&mut board, "trust that key").await;
        // Signed, and no index.
        pause();
        workshop.sign_index(b"{\"format\": 7}");
        wait_for_words(&mut board, "format 7").await;
        // An older index.
        let second = String::from_utf8(good.clone()).unwrap().replacen("\"serial\": 1", "\"serial\": 2", 1);
        pause();
        workshop.sign_index(second.as_bytes());
        wait_until("the second index was seen", LIMIT, || board.kept()["index"] == 2).await;
        pause();
        workshop.sign_index(&good);
        wait_for_words(&mut board, "this board has seen 2").await;
        pause();
        workshop.sign_index(second.as_bytes());

        // A bundle with a byte that is another one, too short, too long, missing; then as it was signed.
        let new = workshop.bundle(NAME, 2, "rejects 2");
        let model = workshop.fleet().join("bundles/cap/2/model.onnx");
        workshop.publish(&new, 0);
        let whole = std::fs::read(&model).unwrap();
        let mut flipped = whole.clone();
        flipped[50_000] ^= 1;
        std::fs::write(&model, &flipped).unwrap();
        workshop.run(&["rollout", "--product", NAME, "--percent", "100"]);
        wait_for_words(&mut board, "not the file that the index names").await;
        std::fs::write(&model, [&whole[..], b"more"].concat()).unwrap();
        wait_for_words(&mut board, "longer than").await;
        std::fs::remove_file(&model).unwrap();
        wait_for_words(&mut board, "404").await;
        assert!(!board.inbox().exists() && board.line.in_use() == identity(&old));
        std::fs::write(&model, &whole).unwrap();
        wait_until("it is installed", LIMIT, || board.line.in_use() == identity(&new)).await;

        // Another product's bundle, one that is larger than this board takes, and one whose golden frames differ.
        let lid = workshop.bundle("lid", 3, "rejects 0");
        workshop.publish(&lid, 100);
        wait_for_words(&mut board, "name of this product's bundle folder").await;
        let large = workshop.bundle(NAME, 4, "rejects 0");
        std::fs::write(large.join("model.onnx"), vec![0; 2 << 20]).unwrap();
        signing::sign_bundle(
            &large,
            NAME,
            4,
            signing::Version::FIRST,
            &signing::SecretKey::read(&workshop.path("office.key")).unwrap(),
        )
        .unwrap();
        workshop.publish(&large, 100);
        wait_for_words(&mut board, "fleet.max_mib").await;
        let differs = workshop.bundle(NAME, 5, "golden fails");
        workshop.publish(&differs, 100);
        wait_for_words(&mut board, "golden frame").await;
        assert_eq!(board.line.in_use(), identity(&new));
    });
}
