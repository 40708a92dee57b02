//! libtorch 2.11.0 for the trainer: a pruned copy of the PyTorch wheel's CPU part, and a link to it in the checkout.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache};
use crate::package::Component;
use crate::pip::Pip;
use crate::wheel::{self, Wheel};

const VERSION: &str = "2.11.0";
/// The link's name in the root of the checkout; `.cargo/config.toml` points `LIBTORCH` to it.
const LINK: &str = ".libtorch";
/// Version of the selection and layout of the files kept.
const LAYOUT: u32 = 1;

const TORCH: Wheel = Wheel {
    package: "torch",
    version: VERSION,
    what: "libtorch",
    licence: "BSD-3-Clause",
    megabytes: 530.7,
    sha256: "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756",
};
// The CPU library is linked against these two, although it only calls them with a GPU.
const CUDA_RUNTIME: Wheel = Wheel {
    package: "nvidia-cuda-runtime",
    version: "13.0.96",
    what: "a library that libtorch is linked against",
    licence: "NVIDIA CUDA Toolkit EULA",
    megabytes: 2.2,
    sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
};
const CUPTI: Wheel = Wheel {
    package: "nvidia-cuda-cupti",
    version: "13.0.85",
    what: "a library that libtorch is linked against",
    licence: "NVIDIA CUDA Toolkit EULA",
    megabytes: 10.7,
    sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
};

/// The files kept from each wheel, and their locations. The libraries share a folder because they look for each other there.
const WHEEL_FILES: [(&Wheel, &[&str]); 3] = [
    (
        &TORCH,
        &[
            "torch/include/=include/",
            "torch/lib/libc10.so=lib/libc10.so",
            "torch/lib/libtorch_cpu.so=lib/libtorch_cpu.so",
            "torch/lib/libgomp.so.1=lib/libgomp.so.1",
            "torch-2.11.0.dist-info/licenses/=licenses/torch/",
        ],
    ),
    (
        &CUDA_RUNTIME,
        &[
            "nvidia/cu13/lib/libcudart.so.13=lib/libcudart.so.13",
            "nvidia_cuda_runtime-13.0.96.dist-info/licenses/=licenses/nvidia-cuda-runtime/",
        ],
    ),
    (
        &CUPTI,
        &[
            "nvidia/cu13/lib/libcupti.so.13=lib/libcupti.so.13",
            "nvidia_cuda_cupti-13.0.85.dist-info/licenses/=licenses/nvidia-cuda-cupti/",
        ],
    ),
];

/// What a release ships of it, beside the trainer.
pub const COMPONENTS: [Component; 4] = [
    Component {
        name: "libtorch 2.11.0, CPU part",
        licence: "BSD-3-Clause",
        source: "https://pypi.org/project/torch/2.11.0/",
        text: "licenses/torch, with those of its own components",
    },
    Component {
        name: "libgomp, as in the package torch",
        licence: "GPL-3.0-or-later WITH GCC-exception-3.1",
        source: "https://gcc.gnu.org/",
        text: "licenses/torch",
    },
    Component {
        name: "nvidia-cuda-runtime 13.0.96",
        licence: "LicenseRef-NVIDIA-CUDA-EULA",
        source: "https://pypi.org/project/nvidia-cuda-runtime/13.0.96/",
        text: "licenses/nvidia-cuda-runtime; distributable according to its attachment A",
    },
    Component {
        name: "nvidia-cuda-cupti 13.0.85",
        licence: "LicenseRef-NVIDIA-CUDA-EULA",
        source: "https://pypi.org/project/nvidia-cuda-cupti/13.0.85/",
        text: "licenses/nvidia-cuda-cupti; distributable according to its attachment A",
    },
];

/// Returns the folder of the libtorch that builds use.
pub fn folder(root: &Path) -> Result<PathBuf> {
    let folder = match source(root, &|name| env::var_os(name)) {
        LibtorchSource::Own(folder) => folder,
        _ => root.join(LINK),
    };
    // A release ships its licences, which only this program's own layout has.
    for path in ["lib/libtorch_cpu.so", "licenses/torch"] {
        if !folder.join(path).exists() {
            bail!("{} has no {path}; run `cargo xtask setup` without LIBTORCH", folder.display());
        }
    }
    Ok(folder.canonicalize().unwrap_or(folder))
}

/// Returns the wheels that libtorch is assembled from.
pub fn wheels() -> Vec<&'static Wheel> {
    WHEEL_FILES.iter().map(|(wheel, _)| *wheel).collect()
}

/// The origin of libtorch.
#[derive(Debug, PartialEq)]
enum LibtorchSource {
    /// `LIBTORCH_USE_PYTORCH=1`: torch-sys asks the user's Python and nothing else.
    PyTorch,
    /// The user's own folder.
    Own(PathBuf),
    /// Downloaded by this step.
    Wheels,
}

/// Makes sure that libtorch, and the link to it in the checkout, exist.
pub fn ensure(cache: &Cache, root: &Path, pip: &Pip) -> Result<()> {
    match source(root, &|name| env::var_os(name)) {
        LibtorchSource::PyTorch => {
            println!(
                "libtorch: using your Python's PyTorch, since LIBTORCH_USE_PYTORCH=1 is set; it must be {VERSION}"
            );
            Ok(())
        }
        LibtorchSource::Own(folder) => {
            if !folder.join("lib/libtorch_cpu.so").exists() && env::var_os("LIBTORCH_LIB").is_none() {
                bail!(
                    "LIBTORCH is set to {}, but that folder has no lib/libtorch_cpu.so; correct it, or unset it to \
                     download libtorch {VERSION}",
                    folder.display()
                );
            }
            println!(
                "libtorch: using yours in {}, since LIBTORCH is set; it must be {VERSION}",
                folder.display()
            );
            Ok(())
        }
        LibtorchSource::Wheels => {
            let place = cache.path("libtorch-2.11.0");
            let link = root.join(LINK);
            if is_other_libtorch(&link, &place) {
                println!(
                    "libtorch: {LINK} already exists and was not created by this program; using it unchanged"
                );
                return Ok(());
            }
            install(&place, cache, pip)?;
            create_link(&link, &place)
        }
    }
}

fn source(root: &Path, variable: &dyn Fn(&str) -> Option<OsString>) -> LibtorchSource {
    if variable("LIBTORCH_USE_PYTORCH").is_some_and(|v| v == "1") {
        return LibtorchSource::PyTorch;
    }
    // Cargo sets LIBTORCH to the link unless the user has set it, see .cargo/config.toml.
    match variable("LIBTORCH").filter(|v| !v.is_empty()).map(PathBuf::from) {
        Some(folder) if folder != root.join(LINK) => LibtorchSource::Own(folder),
        _ => LibtorchSource::Wheels,
    }
}

/// Returns whether the link, or a folder in its place, leads to a libtorch of the right version other than the cache's.
fn is_other_libtorch(link: &Path, place: &Path) -> bool {
    let version = fs::read_to_string(link.join("build-version")).unwrap_or_default();
    let is_right = version.trim().starts_with(VERSION) && link.join("lib/libtorch_cpu.so").exists();
    is_right && fs::canonicalize(link).ok() != fs::canonicalize(place).ok()
}

fn install(place: &Path, cache: &Cache, pip: &Pip) -> Result<()> {
    let stamp = stamp();
    if cache::is_installed(place, &stamp) && place.join("lib/libtorch_cpu.so").exists() {
        println!("libtorch {VERSION} is in {}", place.display());
        return Ok(());
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!(
            "libtorch can only be downloaded for Linux on x86-64; set LIBTORCH to a folder with libtorch {VERSION} for \
             this machine, or LIBTORCH_USE_PYTORCH=1 to use that of an installed PyTorch {VERSION}"
        );
    }
    cache::install(place, &stamp, |part| {
        wheel::unpack(&WHEEL_FILES, part, cache, pip)?;
        // The wheel's own libtorch.so needs the CUDA part. This linker script replaces it with the libraries kept.
        fs::write(part.join("lib/libtorch.so"), "INPUT(libtorch_cpu.so libc10.so)\n")?;
        // torch-sys compares this with the version it supports.
        fs::write(part.join("build-version"), format!("{VERSION}\n"))?;
        Ok(())
    })?;
    wheel::forget(&wheels(), cache)?;
    println!("libtorch {VERSION} is now in {}", place.display());
    Ok(())
}

fn stamp() -> String {
    let hashes: String = wheels().iter().map(|w| w.requirement()).collect();
    format!("layout {LAYOUT}\n{hashes}")
}

/// Makes `link` point to `place`, replacing an existing link atomically.
fn create_link(link: &Path, place: &Path) -> Result<()> {
    match link.symlink_metadata() {
        Ok(_) if fs::read_link(link).is_ok_and(|target| target == place) => return Ok(()),
        Ok(found) if !found.is_symlink() => bail!(
            "{} exists, but is neither libtorch {VERSION} nor a link; move it away and run the command again",
            link.display()
        ),
        _ => {}
    }
    let part = cache::with_suffix(link, ".part");
    cache::remove(&part)?;
    symlink(place, &part).with_context(|| format!("can't create the link {}", part.display()))?;
    cache::rename(&part, link)?;
    println!("{LINK} points to {}", place.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into())
    }

    #[test]
    fn the_users_libtorch_comes_first_and_cargos_default_is_not_the_users() {
        let root = Path::new("/checkout");
        assert_eq!(source(root, &with(&[])), LibtorchSource::Wheels);
        assert_eq!(source(root, &with(&[("LIBTORCH", "")])), LibtorchSource::Wheels);
        assert_eq!(source(root, &with(&[("LIBTORCH", "/checkout/.libtorch")])), LibtorchSource::Wheels);
        assert_eq!(
            source(root, &with(&[("LIBTORCH", "/opt/torch")])),
            LibtorchSource::Own("/opt/torch".into())
        );
        let both = with(&[("LIBTORCH", "/opt/torch"), ("LIBTORCH_USE_PYTORCH", "1")]);
        assert_eq!(source(root, &both), LibtorchSource::PyTorch);
        assert_eq!(source(root, &with(&[("LIBTORCH_USE_PYTORCH", "0")])), LibtorchSource::Wheels);
    }

    #[test]
    fn a_dangling_or_stale_link_is_repaired_and_a_folder_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (link, place) = (folder.path().join(".libtorch"), folder.path().join("cache"));
        fs::create_dir(&place).unwrap();
        create_link(&link, &place).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), place);

        fs::remove_file(&link).unwrap();
        symlink(folder.path().join("gone"), &link).unwrap();
        assert!(!link.exists(), "dangling");
        create_link(&link, &place).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), place);
        let before = link.symlink_metadata().unwrap().modified().unwrap();
        create_link(&link, &place).unwrap();
        assert_eq!(link.symlink_metadata().unwrap().modified().unwrap(), before, "a second run does nothing");

        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        fs::write(link.join("mine"), "").unwrap();
        assert!(create_link(&link, &place).unwrap_err().to_string().contains("move it away"));
        assert!(link.join("mine").exists());
    }

    #[test]
    fn a_libtorch_that_someone_linked_by_hand_is_kept_where_its_version_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let (link, place) = (folder.path().join(".libtorch"), folder.path().join("cache"));
        let own = folder.path().join("own");
        fs::create_dir_all(own.join("lib")).unwrap();
        fs::write(own.join("lib/libtorch_cpu.so"), "").unwrap();
        fs::write(own.join("build-version"), "2.11.0+cpu\n").unwrap();
        symlink(&own, &link).unwrap();
        assert!(is_other_libtorch(&link, &place));
        assert!(!is_other_libtorch(&link, &own), "the cache's own");
        fs::write(own.join("build-version"), "2.9.1\n").unwrap();
        assert!(!is_other_libtorch(&link, &place));
    }

    #[test]
    fn an_installed_libtorch_is_found_again_without_python() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open_at(folder.path()).unwrap();
        let place = cache.path("libtorch-2.11.0");
        cache::install(&place, &stamp(), |part| {
            fs::create_dir(part.join("lib"))?;
            Ok(fs::write(part.join("lib/libtorch_cpu.so"), "")?)
        })
        .unwrap();
        let pip = Pip::with_program("no-such-program-here".into());
        install(&place, &cache, &pip).unwrap();
        fs::remove_file(place.join("lib/libtorch_cpu.so")).unwrap();
        assert!(install(&place, &cache, &pip).is_err(), "a missing library has to be fetched again");
    }
}
