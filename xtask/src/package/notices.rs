//! Writes `third-party.txt`: every crate linked into programs, with its licence and the licence texts from its sources.
//!
//! Cargo lists the crates, and their sources are in the registry's folder on this machine, so nothing is downloaded.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::bill_of_materials;
use crate::{shell, workspace};

const HEAD: &str = "\
Nominal's own code (LICENSE-MIT, LICENSE-APACHE) is linked with the components listed here, each with its version, its licence as stated by its authors, and the location of its source. The crates are used unmodified. If a
component offers a choice of licences, any of them may be chosen. The licence texts found in the crates' sources follow the
list, each once; the numbers after a crate refer to its texts.
";
const STANDARD_LIBRARY: &str = "\
The Rust standard library | MIT OR Apache-2.0
    source: https://github.com/rust-lang/rust/tree/master/library
    parts by others: COPYRIGHT-library.html in share/doc/rust of the compiler
";
/// Additional components of a statically linked program.
const C_LIBRARY: &str = "\
The GNU C library, linked statically | LGPL-2.1-or-later
    source: https://sources.debian.org/src/glibc/
    text: /usr/share/common-licenses/LGPL-2.1 on the board. Nominal's source is open, so the program can be relinked with
    another C library: cargo xtask package
libgcc, linked statically | GPL-3.0-or-later WITH GCC-exception-3.1
    source: https://sources.debian.org/src/gcc-12/
";
/// Prefixes of the names of licence files, and of folders of such files; case is ignored.
const TEXTS: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];

/// A crate linked into the program.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Crate {
    pub name: String,
    pub version: String,
    pub licence: String,
    pub repository: String,
}

/// The additional features of a board's program.
pub const FEATURES: &str = "edge-runtime/camera";
/// Cargo's arguments for a board's programs.
static BOARD: [&str; 6] = ["--package", "edge-runtime", "--package", "gateway", "--features", FEATURES];

/// What is linked into programs.
pub struct Linked<'a> {
    /// The programs' names, for people.
    pub programs: &'a str,
    /// Cargo's arguments that name their packages and features.
    pub arguments: &'a [&'a str],
    /// Rust's name of their platform.
    pub triple: &'a str,
    /// Whether the C library is linked into them.
    pub is_static: bool,
    /// What comes beside them.
    pub components: &'a [Component],
}

/// Something that isn't a crate.
#[derive(Debug)]
pub struct Component {
    /// Its name, with its version if it has one.
    pub name: &'static str,
    /// Its licence as an SPDX expression.
    pub licence: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Where its licence's text is.
    pub text: &'static str,
}

impl Linked<'static> {
    /// Describes a board's programs.
    pub fn board(triple: &'static str, is_static: bool) -> Self {
        Self {
            programs: "edge-runtime and nominal-gateway",
            arguments: &BOARD,
            triple,
            is_static,
            components: &[],
        }
    }
}

/// Writes the file.
pub fn write(root: &Path, linked: &Linked<'_>, to: &Path) -> Result<()> {
    let crates = linked_into(root, linked)?;
    let registry = registry()?;
    let mut found = vec![];
    for one in &crates {
        found.push(texts(&source(&registry, one)?)?);
    }
    let text = render(linked, &crates, &found);
    fs::write(to, text).with_context(|| format!("can't write {}", to.display()))
}

/// Writes the software bill of materials.
pub fn write_bill(root: &Path, linked: &Linked<'_>, to: &Path) -> Result<()> {
    let crates = linked_into(root, linked)?;
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("can't read Cargo.lock")?;
    let version = env!("CARGO_PKG_VERSION");
    let mut others = vec![("The Rust standard library", "MIT OR Apache-2.0")];
    if linked.is_static {
        others.extend([
            ("The GNU C library", "LGPL-2.1-or-later"),
            ("libgcc", "GPL-3.0-or-later WITH GCC-exception-3.1"),
        ]);
    }
    others.extend(linked.components.iter().map(|one| (one.name, one.licence)));
    let text = bill_of_materials::render(version, &crates, &lock, &others);
    fs::write(to, text).with_context(|| format!("can't write {}", to.display()))
}

/// Lists the crates that are linked into the programs.
fn linked_into(root: &Path, linked: &Linked<'_>) -> Result<Vec<Crate>> {
    let mut tree = workspace::cargo(root);
    tree.args(["tree", "--locked", "--offline", "--target", linked.triple]);
    tree.args(linked.arguments).args(["--edges", "normal,no-proc-macro"]);
    tree.args(["--prefix", "none", "--format", "{p}\t{l}\t{r}"]);
    let printed =
        shell::output(&mut tree).context("cargo can't list the linked crates; run `cargo fetch --locked`")?;
    crates_of(&printed)
}

/// Reads the crates from the output of `cargo tree`, each once. Those of the workspace, which have a path, are left out.
fn crates_of(printed: &str) -> Result<Vec<Crate>> {
    let mut crates = vec![];
    for line in printed.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.trim_end_matches(" (*)").split('\t').collect();
        let [package, licence, repository] = fields[..] else {
            anyhow::bail!("unexpected output of `cargo tree`: {line:?}");
        };
        if package.contains(" (/") {
            continue;
        }
        let (name, version) = package
            .split_once(" v")
            .with_context(|| format!("unexpected output of `cargo tree`, without a version: {package:?}"))?;
        ensure!(
            !licence.is_empty(),
            "{name} {version} states no licence; check whether it may be distributed"
        );
        let [name, version, licence, repository] =
            [name, version, licence, repository].map(|word| word.trim().to_owned());
        crates.push(Crate { name, version, licence, repository });
    }
    crates.sort();
    crates.dedup();
    Ok(crates)
}

/// Returns the folders with the sources of crates.
fn registry() -> Result<Vec<PathBuf>> {
    let folder = workspace::cargo_home()?.join("registry/src");
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("can't read the sources in {}; build first", folder.display()))?;
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
}

fn source(registry: &[PathBuf], one: &Crate) -> Result<PathBuf> {
    let name = format!("{}-{}", one.name, one.version);
    registry
        .iter()
        .map(|folder| folder.join(&name))
        .find(|folder| folder.is_dir())
        .with_context(|| format!("the source of {name} is not on this machine; run `cargo fetch --locked`"))
}

/// Returns the licence texts in a crate's sources.
fn texts(folder: &Path) -> Result<Vec<String>> {
    let is_text = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        TEXTS.iter().any(|text| name.starts_with(text)) && !name.ends_with(".rs")
    };
    let mut files = vec![];
    for path in entries(folder)?.into_iter().filter(|path| is_text(path)) {
        if path.is_dir() { files.extend(entries(&path)?) } else { files.push(path) }
    }
    files.retain(|path| path.is_file());
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).replace('\r', "").trim().to_owned())
    };
    files.iter().map(read).collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths)
}

fn render(linked: &Linked<'_>, crates: &[Crate], found: &[Vec<String>]) -> String {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ordered = vec![];
    let mut list = String::new();
    for (one, texts) in crates.iter().zip(found) {
        let Crate { name, version, licence, repository } = one;
        let _ = writeln!(list, "{name} {version} | {licence}");
        let _ = writeln!(list, "    source: https://crates.io/crates/{name}/{version} {repository}");
        let mut its = vec![];
        for text in texts {
            let next = ordered.len() + 1;
            let number = *numbers.entry(text).or_insert(next);
            if number == next {
                ordered.push(text);
            }
            its.push(number.to_string());
        }
        let said = if its.is_empty() { "none in its sources".to_owned() } else { its.join(", ") };
        let _ = writeln!(list, "    texts: {said}");
    }
    let c_library = if linked.is_static { C_LIBRARY } else { "" };
    let mut beside = String::new();
    for Component { name, licence, source, text } in linked.components {
        let _ = writeln!(beside, "{name} | {licence}\n    source: {source}\n    text: {text}");
    }
    let programs = linked.programs;
    let mut all = format!("Components of {programs}.\n\n{HEAD}\n{STANDARD_LIBRARY}{c_library}{beside}{list}");
    for (index, text) in ordered.iter().enumerate() {
        let _ = write!(all, "\n======== text {}\n\n{text}\n", index + 1);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "edge-runtime v0.1.0 (/checkout/edge-runtime)\tMIT OR Apache-2.0\t\n\
        serialport v4.10.1\tMPL-2.0\thttps://github.com/serialport/serialport-rs\n\
        anyhow v1.0.104\tMIT OR Apache-2.0\thttps://github.com/dtolnay/anyhow\n\
        serialport v4.10.1\tMPL-2.0\thttps://github.com/serialport/serialport-rs (*)\n";

    #[test]
    fn each_crate_of_others_is_listed_once() {
        let crates = crates_of(PRINTED).unwrap();
        let names: Vec<&str> = crates.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["anyhow", "serialport"]);
        assert!(crates_of("a v1.0.0\t\t\n").unwrap_err().to_string().contains("states no licence"));
        assert!(crates_of("a v1.0.0\n").is_err());
    }

    #[test]
    fn texts_are_found_under_their_many_names_and_printed_once() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("a-1/LICENSE-MIT", "Copyright A. Permission is hereby granted"),
            ("a-1/license/apache.txt", "Apache License"),
            ("a-1/src/license.rs", "no text"),
            ("b-1/COPYING", "Apache License\r\n"),
            ("b-1/NOTICE.md", "Made by B"),
            ("c-1/README.md", "nothing"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let crates = crates_of("a v1\tMIT\tgit\nb v1\tApache-2.0\tgit\nc v1\tMIT\tgit\n").unwrap();
        let registry = [folder.path().to_path_buf()];
        let found: Vec<_> = crates.iter().map(|c| texts(&source(&registry, c).unwrap()).unwrap()).collect();
        const BESIDE: Component =
            Component { name: "libx 1", licence: "Zlib", source: "https://x", text: "licenses/x" };
        let with = |is_static: bool, components: &[Component]| {
            let linked = Linked { programs: "a program", arguments: &[], triple: "", is_static, components };
            render(&linked, &crates, &found)
        };
        let text = with(false, &[BESIDE]);
        assert!(text.contains("libx 1 | Zlib\n    source: https://x\n    text: licenses/x\n"), "{text}");
        assert_eq!(text.matches("Apache License").count(), 1, "{text}");
        assert!(
            text.contains("a 1 | MIT\n    source: https://crates.io/crates/a/1 git\n    texts: 1, 2\n"),
            "{text}"
        );
        assert!(text.contains("b 1 | Apache-2.0") && text.contains("texts: 2, 3\n"), "{text}");
        assert!(text.contains("texts: none in its sources\n") && !text.contains("no text"), "{text}");
        assert!(!text.contains("GNU C library") && with(true, &[]).contains("GNU C library"));
        let absent = crates_of("d v1\tMIT\tgit\n").unwrap();
        assert!(source(&registry, &absent[0]).unwrap_err().to_string().contains("cargo fetch"));
    }

    #[test]
    fn the_program_s_own_crates_are_all_there_with_their_texts() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("third-party.txt");
        let linked = Linked { arguments: &BOARD[..4], ..Linked::board("x86_64-unknown-linux-gnu", false) };
        write(&workspace::root().unwrap(), &linked, &to).unwrap();
        let text = fs::read_to_string(to).unwrap();
        let version = |name: &str| {
            let lock = fs::read_to_string(workspace::root().unwrap().join("Cargo.lock")).unwrap();
            let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        for (name, licence) in [("tract-onnx", "MIT OR Apache-2.0"), ("serialport", "MPL-2.0")] {
            assert!(text.contains(&format!("\n{name} {} | {licence}\n", version(name))), "{name}");
        }
        assert!(text.contains("Mozilla Public License") && text.contains("github.com/serialport"));
        let bill = folder.path().join("sbom.cdx.json");
        write_bill(&workspace::root().unwrap(), &linked, &bill).unwrap();
        let text_of_bill = fs::read_to_string(bill).unwrap();
        let tract = format!("\"pkg:cargo/tract-onnx@{}\"", version("tract-onnx"));
        assert!(text_of_bill.contains(&tract) && !text_of_bill.contains("pkg:cargo/proptest"));
        // Every crate is from the registry, so each has its hash in the lock file.
        let count = |what: &str| text_of_bill.matches(what).count();
        assert_eq!(count("\"purl\""), count("\"SHA-256\""));
        // Procedural macros and test dependencies aren't linked into the program.
        assert!(!text.contains("\nserde_derive ") && !text.contains("\nproptest "));
    }
}
