//! Many products from one file: what is out of date is made, what fails fails alone, and an interrupted batch goes on.

use std::process::Command;

use serde_json::Value;
use shared_format::Size;
use tests::images::write_parts;
use tests::workshop::{TEACHER, Workshop};
use tests::{run, succeed, wait_until};

const SIZE: Size = Size { width: 96, height: 64 };

fn text(key: &str) -> String {
    format!(
        "{key}\ntrain = [\"--teacher\", \"{TEACHER}\", \"--method\", \"padim\", \"--size\", \"64\", \"--align\", \"off\"]\n\
         [[product]]\nname = \"cap\"\ndata = \"caps\"\n\
         [[product]]\nname = \"lid\"\ndata = \"lids\"\nexport = [\"--target-fpr\", \"0.1\"]\n\
         [[product]]\nname = \"none\"\ndata = \"none\"\n"
    )
}

struct Shop(Workshop);

impl Shop {
    fn batch(&self, more: &[&str]) -> Command {
        let mut command = self.0.trainer();
        command
            .args(["batch", "--json"])
            .arg(self.0.path("summary.json"))
            .arg(self.0.path("products.toml"))
            .args(more);
        command
    }

    /// Runs the batch and returns its exit code and what became of each product.
    fn outcomes(&self, more: &[&str]) -> (i32, Vec<(String, String)>) {
        let (code, _, stderr) = run(&mut self.batch(more));
        let bytes = std::fs::read(self.0.path("summary.json")).unwrap_or_else(|_| panic!("{stderr}"));
        let summary: Value = serde_json::from_slice(&bytes).unwrap();
        let word = |of: &Value, key: &str| of[key].as_str().unwrap().to_owned();
        let summary = summary.as_array().unwrap();
        (code, summary.iter().map(|of| (word(of, "product"), word(of, "outcome"))).collect())
    }
}

fn expected(outcomes: [&str; 3]) -> Vec<(String, String)> {
    ["cap", "lid", "none"].map(str::to_owned).into_iter().zip(outcomes.map(str::to_owned)).collect()
}

#[test]
fn only_what_is_out_of_date_is_made_and_one_failure_stops_no_other() {
    let shop = Shop(Workshop::default());
    write_parts(&shop.0.path("caps"), SIZE, 12, false);
    write_parts(&shop.0.path("lids"), SIZE, 12, true);
    std::fs::create_dir(shop.0.path("none")).unwrap();
    succeed(shop.0.trainer().args(["key", "new", "--no-password"]).arg(shop.0.path("office.key")));
    std::fs::write(shop.0.path("products.toml"), text("key = \"office.key\"")).unwrap();
    assert_eq!(shop.outcomes(&["--jobs", "2"]), (1, expected(["made", "made", "failed"])));
    for name in ["cap", "lid"] {
        let bundle = shop.0.path(&format!("made/bundles/{name}"));
        succeed(shop.0.trainer().arg("verify").arg(bundle).arg("--key").arg(shop.0.path("office.pub")));
    }
    let log = std::fs::read_to_string(shop.0.path("made/work/none/log.txt")).unwrap();
    assert!(log.contains("error"), "{log}");
    assert_eq!(shop.outcomes(&[]).1, expected(["up_to_date", "up_to_date", "failed"]));
    // Another photo, another option, a bundle that somebody has removed.
    std::fs::copy(shop.0.path("lids/part-000.png"), shop.0.path("caps/more.png")).unwrap();
    assert_eq!(shop.outcomes(&[]).1, expected(["made", "up_to_date", "failed"]));
    std::fs::write(shop.0.path("products.toml"), text("key = \"office.key\"").replace("0.1", "0.2")).unwrap();
    assert_eq!(shop.outcomes(&[]).1, expected(["up_to_date", "made", "failed"]));
    std::fs::remove_dir_all(shop.0.path("made/bundles/cap")).unwrap();
    assert_eq!(
        shop.outcomes(&["--only", "cap", "--only", "lid"]).1,
        expected(["made", "up_to_date", ""])[..2]
    );
    assert_eq!(shop.outcomes(&["--only", "lid", "--anew"]).1, expected(["", "made", ""])[1..2]);
}

#[test]
fn an_interrupted_batch_goes_on_and_nonsense_is_named() {
    let shop = Shop(Workshop::default());
    write_parts(&shop.0.path("caps"), SIZE, 12, false);
    write_parts(&shop.0.path("lids"), SIZE, 12, true);
    std::fs::create_dir(shop.0.path("none")).unwrap();
    std::fs::write(shop.0.path("products.toml"), text("")).unwrap();
    let only = ["--only", "cap", "--only", "lid"];
    let mut child = shop.batch(&only).spawn().unwrap();
    wait_until(|| shop.0.path("made/work/cap").exists(), || "the first product begins".to_owned());
    succeed(Command::new("kill").args(["-INT", &child.id().to_string()]));
    let code = child.wait().unwrap().code();
    assert!(code == Some(130) || code == Some(0), "{code:?}");
    let (code, outcomes) = shop.outcomes(&only);
    assert!(
        code == 0 && outcomes.iter().all(|(_, outcome)| outcome == "made" || outcome == "up_to_date"),
        "{outcomes:?}"
    );
    assert_eq!(shop.outcomes(&only).1, expected(["up_to_date", "up_to_date", ""])[..2]);
    for (file, said) in [
        (text("").replace("\"lids\"", "\"lid\""), "lid is not a folder"),
        (text("").replace("name = \"lid\"", "name = \"cap\""), "cap is there twice"),
        (text("key = \"nothing.key\""), "nothing.key"),
        (text("threads = 3"), "threads"),
    ] {
        std::fs::write(shop.0.path("products.toml"), file).unwrap();
        let (code, _, stderr) = run(&mut shop.batch(&[]));
        assert!(code == 1 && stderr.contains(said), "{said}: {stderr}");
    }
}
