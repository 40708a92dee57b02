//! Reads the subset of Python's pickle format that torch checkpoints use. It builds values and executes nothing: a
//! call to an unknown callable becomes an opaque value.
//!
//! Opcodes and their meaning: Python's `pickletools`.

mod calls;
mod machine;
mod reader;
mod strings;

use std::collections::HashMap;
use std::rc::Rc;

use crate::teacher::WeightFileError;

/// A value of a pickle. Dicts and lists are stored in the [`Pickle`], because a pickle can change them after
/// inserting them into others, or into themselves.
#[derive(Debug, Clone)]
pub(super) enum PickleValue {
    /// None, booleans, floats and results of unknown callables, which a state dict doesn't need.
    Opaque,
    /// An integer.
    Int(i64),
    /// A string, or a byte string of Python 2.
    Text(Rc<str>),
    /// A tuple, and the depth of tuples nested in it.
    Tuple(Rc<[PickleValue]>, usize),
    /// The number of a list.
    List(usize),
    /// The number of a dict or an OrderedDict.
    Dict(usize),
    /// A callable or class, as `module name`.
    Global(Rc<str>),
    /// A tensor's storage: element type and key.
    Storage(Rc<str>, Rc<str>),
    /// A tensor.
    Tensor(Rc<TensorRef>),
}

/// The location of a tensor's values.
#[derive(Debug)]
pub(super) struct TensorRef {
    /// Element type, such as `FloatStorage`.
    pub kind: Rc<str>,
    /// The storage's key.
    pub key: Rc<str>,
    /// First element in the storage.
    pub offset: usize,
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Elements between neighbours along each axis.
    pub strides: Vec<usize>,
}

/// A decoded pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    /// The value that it describes.
    pub root: PickleValue,
    /// Its length in bytes.
    pub length: usize,
    /// The element type of every storage that it refers to, by key.
    pub storages: HashMap<Rc<str>, Rc<str>>,
    dicts: Vec<Dict>,
    lists: Vec<Vec<PickleValue>>,
}

/// A dict's tensors and nested dicts by name, in order. Entries with other keys or values aren't weights, and are
/// dropped.
type Dict = Vec<(Rc<str>, PickleValue)>;

impl Pickle {
    /// Decodes the pickle that starts with the first byte.
    ///
    /// # Errors
    /// A sentence, if the bytes are cut short or use an opcode that no checkpoint has.
    pub fn decode(bytes: &[u8]) -> Result<Self, WeightFileError> {
        machine::Machine::new(bytes).run()
    }

    /// Returns the tensors and dicts that a dict names; nothing for other values.
    pub fn entries(&self, value: &PickleValue) -> &[(Rc<str>, PickleValue)] {
        match value {
            PickleValue::Dict(number) => self.dicts.get(*number).map_or(&[], Vec::as_slice),
            _ => &[],
        }
    }

    /// Returns a list's values; `None` for other values.
    pub fn items(&self, value: &PickleValue) -> Option<&[PickleValue]> {
        match value {
            PickleValue::List(number) => self.lists.get(*number).map(Vec::as_slice),
            _ => None,
        }
    }
}

fn cut_short() -> WeightFileError {
    "its pickle is cut short; get another copy".into()
}

fn underflow() -> WeightFileError {
    "its pickle is damaged (a value is missing); get another copy".into()
}

fn malformed() -> WeightFileError {
    "its pickle does not describe tensors as torch does; save the state_dict() alone, or use safetensors"
        .into()
}
