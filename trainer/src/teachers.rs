//! The user's teachers, and those shipped with this program. Each shipped teacher has a card in `models/teachers`.

use networks::teacher::{Library, Shipped};

const SHIPPED: &[Shipped] = &[
    Shipped { name: "pdn-s", file: include_bytes!("../../models/teachers/pdn-s.safetensors") },
    Shipped { name: "pdn-xs", file: include_bytes!("../../models/teachers/pdn-xs.safetensors") },
];

/// Returns the library of imported teachers and those shipped with this program.
#[must_use]
pub fn user_library() -> Library {
    Library::of_user().with(SHIPPED)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use networks::teacher::Library;

    use super::SHIPPED;

    #[test]
    fn each_is_there_without_being_imported() {
        let library = Library::at(Path::new("there is no such folder")).with(SHIPPED);
        assert_eq!(library.names().unwrap(), ["pdn-s", "pdn-xs"]);
        for shipped in SHIPPED {
            assert!(library.is_shipped(shipped.name));
            assert_eq!(library.load(shipped.name).unwrap().network.name, shipped.name);
        }
        assert!(library.load("pdn-m").unwrap_err().to_string().contains("pdn-s, pdn-xs"));
    }
}
