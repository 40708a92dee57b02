//! Writes `sbom.cdx.json`: the software bill of materials of the programs, in CycloneDX 1.5, of the crates that `third-party.txt` lists.
//!
//! There is a tool for this, cargo-cyclonedx. It describes packages and not what is linked into a program for one target and these
//! features, and would have to be built first.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::notices::Crate;

/// Returns the bill of materials. `lock` is the contents of `Cargo.lock`, from which the crates' SHA-256 are taken, and `others` names what
/// is linked besides them, with its licence. It has no time and no random number, so that equal programs have equal bills.
pub fn render(version: &str, crates: &[Crate], lock: &str, others: &[(&str, &str)]) -> String {
    let checksums = checksums(lock);
    let mut components = vec![];
    for Crate { name, version, licence, repository } in crates {
        let purl = format!("pkg:cargo/{name}@{version}");
        let mut text = format!(
            "    {{\"type\": \"library\", \"bom-ref\": {0}, \"name\": {1}, \"version\": {2}, \"purl\": {0}, \"licenses\": [{{\"expression\": {3}}}]",
            quoted(&purl),
            quoted(name),
            quoted(version),
            quoted(&expression(licence))
        );
        if let Some(checksum) = checksums.get(&(name.as_str(), version.as_str())) {
            let _ =
                write!(text, ", \"hashes\": [{{\"alg\": \"SHA-256\", \"content\": {}}}]", quoted(checksum));
        }
        if !repository.is_empty() {
            let _ = write!(
                text,
                ", \"externalReferences\": [{{\"type\": \"vcs\", \"url\": {}}}]",
                quoted(repository)
            );
        }
        components.push(text + "}");
    }
    for (name, licence) in others {
        components.push(format!(
            "    {{\"type\": \"library\", \"bom-ref\": {0}, \"name\": {0}, \"licenses\": [{{\"expression\": {1}}}]}}",
            quoted(name),
            quoted(licence)
        ));
    }
    format!(
        "{{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.5\",\n  \"version\": 1,\n  \"metadata\": {{\"component\": {{\"type\": \
         \"application\", \"bom-ref\": \"nominal\", \"name\": \"nominal\", \"version\": {}, \"licenses\": [{{\"expression\": \"MIT OR \
         Apache-2.0\"}}]}}}},\n  \"components\": [\n{}\n  ]\n}}\n",
        quoted(version),
        components.join(",\n")
    )
}

/// Returns a licence as an SPDX expression: some crates write `/` for `OR`.
fn expression(licence: &str) -> String {
    licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

/// Returns the SHA-256 of the crates in a lock file, by name and version.
fn checksums(lock: &str) -> HashMap<(&str, &str), &str> {
    let value = |package: &'_ str, key: &str| -> Option<(usize, usize)> {
        let begin = package.find(&format!("\n{key} = \""))? + key.len() + 5;
        Some((begin, begin + package[begin..].find('"')?))
    };
    let mut found = HashMap::new();
    for package in lock.split("[[package]]") {
        let field = |key| value(package, key).map(|(begin, end)| &package[begin..end]);
        if let (Some(name), Some(version), Some(checksum)) =
            (field("name"), field("version"), field("checksum"))
        {
            found.insert((name, version), checksum);
        }
    }
    found
}

/// Returns a text as a JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_bill_is_json_that_names_each_crate_with_its_hash() {
        let one = |name: &str, version: &str, licence: &str, repository: &str| Crate {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: licence.to_owned(),
            repository: repository.to_owned(),
        };
        let crates = [one("a", "1.0.0", "MIT/Apache-2.0", "https://a"), one("b\"\\\n", "2.0.0", "Zlib", "")];
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.9.0\"\nchecksum = \"ee\"\n\n[[package]]\nname = \"a\"\n\
                    version = \"1.0.0\"\nsource = \"registry\"\nchecksum = \"0a\"\n\n[[package]]\nname = \"own\"\nversion = \"1.0.0\"\n";
        let text = render("0.1.0", &crates, lock, &[("The GNU C library", "LGPL-2.1-or-later")]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sbom.cdx.json");
        std::fs::write(&path, &text).unwrap();
        let check = "import json, sys\nb = json.load(open(sys.argv[1]))\nc = b['components']\n\
                     print(b['bomFormat'], b['metadata']['component']['version'], len(c), c[0]['purl'], c[0]['hashes'][0]['content'],\n\
                     c[0]['licenses'][0]['expression'], repr(c[1]['name']), 'hashes' in c[1], c[2]['name'])";
        let output = Command::new("python3").args(["-c", check]).arg(&path).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim_end(),
            "CycloneDX 0.1.0 3 pkg:cargo/a@1.0.0 0a MIT OR Apache-2.0 'b\"\\\\\\n' False The GNU C library",
            "{text}"
        );
    }
}
