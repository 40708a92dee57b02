//! The gateway's program is killed at random moments while it fetches and installs: what the line finds in its inbox is always whole.

use std::process::Stdio;
use std::time::Duration;

use signing::verify::Extent;
use signing::verify_bundle;

use super::line::Line;
use super::number;
use super::rollout::{Random, block_on, identity, wait_until};
use super::servers::{Process, beside};
use super::workshop::{NAME, Workshop};

#[test]
fn a_gateway_that_is_killed_at_any_moment_leaves_the_old_bundle_or_the_new_one() {
    let kills = number("NOMINAL_FLEET_KILLS", 6);
    let workshop = Workshop::new();
    let first = workshop.bundle(NAME, 1, "rejects 1");
    workshop.publish(&first, 100);
    let folder = workshop.path("board");
    let config = format!(
        "[line]\nsocket = \"line.sock\"\n[fleet]\nsource = \"{}\"\ntrust = [\"{}\"]\nboard = \"line1\"\ninbox = \"inbox\"\n\
         records = \"records\"\nfolder = \"gateway\"\nevery_s = 1\n",
        workshop.fleet().display(),
        workshop.key()
    );
    block_on(async {
        let line = Line::start(&folder, &first, &workshop.trust);
        std::fs::write(folder.join("gateway.toml"), config).unwrap();
        let start = || {
            let log = std::fs::File::options().append(true).create(true).open(folder.join("log")).unwrap();
            let mut command = beside("gateway")?;
            command.arg("run").arg(folder.join("gateway.toml")).stdin(Stdio::null()).stderr(log);
            Some(Process(command.spawn().unwrap()))
        };
        let Some(gateway) = start() else { return };
        drop(gateway);
        let mut random = Random(3);
        let mut bundle = first;
        for round in 0..kills {
            bundle = workshop.bundle(NAME, 2 + round as u64, "rejects 1");
            workshop.publish(&bundle, 100);
            let gateway = start().unwrap();
            // It connects, fetches and has the line install it within the first two seconds.
            tokio::time::sleep(Duration::from_millis(700 + random.below(1500) as u64)).await;
            drop(gateway);
            line.in_use();
            let inbox = folder.join("inbox").join(NAME);
            if inbox.exists() {
                verify_bundle(&inbox, NAME, &workshop.trust, Extent::All).unwrap();
            }
        }
        let _gateway = start().unwrap();
        wait_until("the last is in use", Duration::from_secs(60), || line.in_use() == identity(&bundle))
            .await;
    });
}
