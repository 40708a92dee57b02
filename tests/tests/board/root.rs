//! Builds what the board boots from: the kernel's modules, a shell, this project's programs, bundles and
//! frames.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::initramfs::Archive;

/// The modules that the scenarios need; their dependencies are added.
const MODULES: [&str; 9] = [
    "configfs",
    "vivid",
    "v4l2loopback",
    "gpio-simulator",
    "xhci_pci",
    "ftdi_sio",
    "virtio_blk",
    "crc32c_generic",
    "ext4",
];
/// The parts of the C library that a Rust program is linked with, from Debian's `libc6:arm64`.
const LIBRARIES: [&str; 4] = [
    "ld-linux-aarch64.so.1",
    "aarch64-linux-gnu/libc.so.6",
    "aarch64-linux-gnu/libm.so.6",
    "aarch64-linux-gnu/libgcc_s.so.1",
];

/// Returns the kernel's part; `cargo xtask board` has prepared `folder`.
pub fn base(folder: &Path) -> Archive {
    let mut root = Archive::default();
    for name in ["bin", "dev", "proc", "sys", "tmp", "root", "modules", "lib", "lib/aarch64-linux-gnu"] {
        root.folder(name);
    }
    root.copy("bin/busybox", &folder.join("busybox"));
    let mut list = String::new();
    for module in modules(folder) {
        let name = module.file_name().unwrap().to_str().unwrap();
        let (name, content) = match name.strip_suffix(".xz") {
            Some(name) => (name, unpacked(&module)),
            None => (name, std::fs::read(&module).unwrap()),
        };
        let place = format!("modules/{name}");
        root.file(&place, &content);
        list += &format!("/{place}\n");
    }
    root.file("modules.list", list.as_bytes());
    for library in LIBRARIES {
        let name = library.rsplit('/').next().unwrap();
        root.copy(&format!("lib/{name}"), &Path::new("/lib").join(library));
    }
    root.file("init", include_bytes!("guest/init.sh"));
    root.file("bin/parts.sh", include_bytes!("guest/parts.sh"));
    root.file("bin/supervise.sh", include_bytes!("guest/supervise.sh"));
    root
}

/// Returns the modules' files, each after its dependencies.
fn modules(folder: &Path) -> Vec<PathBuf> {
    let release = std::fs::read_dir(folder.join("modules")).unwrap().next().unwrap().unwrap().path();
    let index = std::fs::read_to_string(release.join("modules.dep")).unwrap();
    let needs: HashMap<&str, Vec<&str>> = index
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(file, needs)| (file, needs.split_whitespace().collect()))
        .collect();
    let named = |name: &str| {
        let stem = |file: &str| file.rsplit('/').next().unwrap().split('.').next().unwrap().replace('_', "-");
        needs.keys().copied().find(|file| stem(file) == name.replace('_', "-"))
    };
    let mut found = vec![];
    for name in MODULES {
        // A missing module is built into the kernel.
        let Some(file) = named(name) else { continue };
        add(file, &needs, &mut found);
    }
    found.into_iter().map(|file| release.join(file)).collect()
}

fn add<'a>(file: &'a str, needs: &HashMap<&'a str, Vec<&'a str>>, found: &mut Vec<&'a str>) {
    if found.contains(&file) {
        return;
    }
    for needed in needs.get(file).into_iter().flatten() {
        add(needed, needs, found);
    }
    found.push(file);
}

fn unpacked(file: &Path) -> Vec<u8> {
    let output = Command::new("xz").args(["--decompress", "--stdout"]).arg(file).output().unwrap();
    assert!(output.status.success(), "xz can't unpack {}", file.display());
    output.stdout
}
