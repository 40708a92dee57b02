//! A simulated board for testing the scripts that run on boards: a root in a temporary folder, and stand-ins for programs that only a
//! board has. The tests need no privileges and change nothing outside the folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The device's program. A model is valid if its text begins with `good`, a line file if it has a name. Calls are logged with their
/// user.
const EDGE_RUNTIME: &str = r#"#!/bin/sh
echo "${USER_HERE-root}: $*" >>"$NOMINAL_ROOT/calls"
case "$*" in
    'exchange --help' | --version) ;;
    exchange*)
        if [ -e "$3" ]; then mv "$3" "$3.aside" && mv "$2" "$3" && mv "$3.aside" "$2"; else mv "$2" "$3"; fi
        [ ! -e "$NOMINAL_ROOT/power-cut" ] || kill -9 "$PPID"
        ;;
    doctor*) grep -q ^good "$3/model.onnx" || { echo "problem       the model is damaged"; exit 1; } ;;
    check*)
        for file in "$@"; do :; done
        grep -q '^name' "$file" || { echo "error: $file is invalid" >&2; exit 1; }
        ;;
esac
"#;

const STAND_INS: [(&str, &str); 9] = [
    ("edge-runtime", EDGE_RUNTIME),
    ("chown", "#!/bin/sh\n"),
    ("dpkg", "#!/bin/sh\n[ ! -e \"$NOMINAL_ROOT/no-dpkg\" ]\n"),
    ("dpkg-deb", "#!/bin/sh\ncp -r \"$NOMINAL_ROOT/package/.\" \"$3\"\n"),
    ("dpkg-query", "#!/bin/sh\nexit 1\n"),
    ("getent", "#!/bin/sh\n[ -e \"$NOMINAL_ROOT/has-user\" ]\n"),
    ("hostname", "#!/bin/sh\n"),
    (
        "setpriv",
        "#!/bin/sh\nexport USER_HERE=$2\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n",
    ),
    ("ssh-keygen", "#!/bin/sh\n[ \"$1\" = -q ] || grep -q ^ssh- \"$3\"\n"),
];

/// The simulated board.
pub struct StandIn {
    folder: tempfile::TempDir,
}

impl StandIn {
    /// Creates a board with the package, and without a bundle.
    pub fn new() -> Self {
        let board = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in STAND_INS {
            board.write(&format!("bin/{name}"), text);
            fs::set_permissions(board.path(&format!("bin/{name}")), fs::Permissions::from_mode(0o755))
                .unwrap();
        }
        for folder in
            ["run", "etc/nominal", "var/lib/nominal/bundles", "package/usr/bin", "package/etc/nominal"]
        {
            fs::create_dir_all(board.path(folder)).unwrap();
        }
        fs::copy(board.path("bin/edge-runtime"), board.path("package/usr/bin/edge-runtime")).unwrap();
        board.write("package/etc/nominal/line.toml", "name = \"delivered\"\n");
        board.write("etc/nominal/line.toml", "name = \"old\"\n");
        board.write("has-user", "");
        board
    }

    /// Returns the local path of a path on the board.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file, and creates the folders above it.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Returns a file's contents; empty if it doesn't exist.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// Returns the names in a folder, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs a script on the board, in one of its folders.
    pub fn run(&self, folder: &str, script: &str) -> Output {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut sh = Command::new("sh");
        sh.args(["-c", script]).current_dir(self.path(folder));
        sh.env("PATH", path).env("NOMINAL_ROOT", self.folder.path()).output().unwrap()
    }
}

/// Returns a script's standard output and standard error.
pub fn output_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
