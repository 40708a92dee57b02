//! Makes a product's next bundle from what people decided about its records.
//!
//! | file | contents |
//! |---|---|
//! | `lesson` | how a bundle was taught, in its `lesson.json`, so that it can be taught again |
//! | `decisions` | the decided records of a product |
//! | `material` | what is learned from: the photos of the lesson and the false alarms |
//! | `comparison` | what changes for the decided records between the bundle in use and the next |
//! | `refusal` | why the bundle in use is kept |
//! | `report` | what came of it, for programs |
//! | `known_defects` | the photos of the decided defects, one folder per kind |
//! | `background` | gives way to a running line |
//! | `bundle_place` | puts the next bundle in the place of the one in use, and back |
//! | `error` | why nothing can be learned |

mod background;
mod bundle_place;
mod comparison;
mod decisions;
mod error;
mod known_defects;
mod lesson;
mod material;
mod refusal;
mod report;

pub use background::give_way;
pub use bundle_place::BundlePlace;
pub(crate) use bundle_place::{beside_of, has_earlier, identity};
pub use comparison::{Comparison, Judged, JudgedRecord};
pub use decisions::{DecidedRecord, Decisions};
pub use error::LearnError;
pub use known_defects::write_known_defects;
pub use lesson::{LESSON_FILE, Learned, Lesson};
pub use material::Material;
pub use refusal::{Refusal, refusals};
pub use report::{LearnReport, Passing};
