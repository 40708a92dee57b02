//! A folder with signed bundles that nobody has trained, and the fleet's folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use signing::{SecretKey, Trust, Version, sign_bundle};

pub const NAME: &str = "cap";

/// A temporary folder with a key.
pub struct Workshop {
    root: tempfile::TempDir,
    secret: SecretKey,
    pub trust: Trust,
}

impl Workshop {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        signing::secret_key::write_pair(&root.path().join("office.key"), false).unwrap();
        let secret = SecretKey::read(&root.path().join("office.key")).unwrap();
        let trust = Trust::new(vec![secret.public().unwrap()]);
        Self { root, secret, trust }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn key(&self) -> String {
        self.secret.public().unwrap().text().to_owned()
    }

    /// Signs a bundle whose threshold file says how the stand-in's parts are judged: `rejects N` of a hundred, or `golden fails`.
    pub fn bundle(&self, name: &str, serial: u64, behaviour: &str) -> PathBuf {
        let folder = self.path(&format!("made/{name}-{serial}"));
        std::fs::create_dir_all(folder.join("golden")).unwrap();
        std::fs::write(folder.join("model.onnx"), vec![serial as u8; 100_000]).unwrap();
        std::fs::write(folder.join("model.threshold"), format!("{serial} {behaviour}")).unwrap();
        std::fs::write(folder.join("golden/a.png"), "a golden frame").unwrap();
        sign_bundle(&folder, name, serial, Version::FIRST, &self.secret).unwrap();
        folder
    }

    pub fn fleet(&self) -> PathBuf {
        self.path("fleet")
    }

    /// Runs `nominal-fleet` with the workshop's key.
    pub fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nominal-fleet"));
        let [first, rest @ ..] = arguments else { panic!("no command") };
        command.arg(first).arg(self.fleet()).args(rest).arg("--key").arg(self.path("office.key"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Publishes a bundle for all boards, for so many percent of them.
    pub fn publish(&self, bundle: &Path, percent: u8) -> String {
        self.run(&[
            "publish",
            "--bundle",
            bundle.to_str().unwrap(),
            "--product",
            NAME,
            "--percent",
            &percent.to_string(),
        ])
    }

    /// Signs bytes as an index.
    pub fn sign_index(&self, bytes: &[u8]) {
        let signature = self.secret.sign(bytes, "index").unwrap();
        std::fs::write(self.fleet().join("index.json.minisig"), signature).unwrap();
        std::fs::write(self.fleet().join("index.json"), bytes).unwrap();
    }
}
