//! The settings that are compared.

use std::fmt;

/// Settings of `trainer train`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The method's name.
    pub method: String,
    /// The teacher's name.
    pub teacher: String,
    /// Number of pixels of the network's input.
    pub pixels: u32,
    /// How parts are aligned.
    pub align: String,
}

impl Candidate {
    /// Returns the options that stand for these settings, as `trainer train` takes them.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let Self { method, teacher, pixels, align } = self;
        ["--method", method, "--teacher", teacher, "--pixels", &pixels.to_string(), "--align", align]
            .map(str::to_owned)
            .into()
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, teacher, pixels, align } = self;
        write!(f, "{method}, {teacher}, {pixels} pixels, align {align}")
    }
}

/// The values of each setting.
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a> {
    /// Names of methods.
    pub methods: &'a [String],
    /// Names of teachers.
    pub teachers: &'a [String],
    /// Numbers of pixels.
    pub pixels: &'a [u32],
    /// Kinds of alignment.
    pub aligns: &'a [String],
}

impl Candidates<'_> {
    /// Returns every combination. The first consists of the first value of each setting.
    #[must_use]
    pub fn all(&self) -> Vec<Candidate> {
        let mut all = Vec::new();
        for method in self.methods {
            for teacher in self.teachers {
                for &pixels in self.pixels {
                    all.extend(self.aligns.iter().map(|align| Candidate {
                        method: method.clone(),
                        teacher: teacher.clone(),
                        pixels,
                        align: align.clone(),
                    }));
                }
            }
        }
        all
    }
}
