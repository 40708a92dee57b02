//! The stack machine that executes a pickle's opcodes.

use std::collections::HashMap;
use std::rc::Rc;

use super::calls::{Called, call, storage};
use super::reader::Reader;
use super::strings::{quoted, text};
use super::{Dict, Pickle, PickleValue, malformed, underflow};
use crate::teacher::WeightFileError;

pub(super) struct Machine<'a> {
    reader: Reader<'a>,
    stack: Vec<PickleValue>,
    marks: Vec<usize>,
    memo: Vec<Option<PickleValue>>,
    dicts: Vec<Dict>,
    lists: Vec<Vec<PickleValue>>,
    storages: HashMap<Rc<str>, Rc<str>>,
    /// Number of opcodes, and of entries of dicts made by calls, still allowed.
    left: usize,
}

/// Maximum number of steps: a tensor takes about thirty. The results of a forged pickle must not fill the memory.
const MAX_STEPS: usize = 1 << 22;
/// Maximum number of memo entries; a forged index must not fill the memory.
const MAX_MEMO: usize = 1 << 20;
/// Maximum nesting of tuples; forged ones must not overflow the call stack when they are dropped.
const MAX_NESTING: usize = 64;

impl<'a> Machine<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(bytes),
            stack: vec![],
            marks: vec![],
            memo: vec![],
            dicts: vec![],
            lists: vec![],
            storages: HashMap::new(),
            left: MAX_STEPS,
        }
    }

    pub fn run(mut self) -> Result<Pickle, WeightFileError> {
        loop {
            self.step()?;
            match self.reader.byte()? {
                b'.' => {
                    let root = self.pop()?;
                    let Self { reader, dicts, lists, storages, .. } = self;
                    return Ok(Pickle { root, length: reader.at(), storages, dicts, lists });
                }
                opcode => self.execute(opcode)?,
            }
        }
    }

    fn execute(&mut self, opcode: u8) -> Result<(), WeightFileError> {
        match opcode {
            0x80 => drop(self.reader.byte()?),
            0x95 => drop(self.reader.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'N' | 0x88 | 0x89 => self.stack.push(PickleValue::Opaque),
            b'G' => {
                self.reader.take(8)?;
                self.stack.push(PickleValue::Opaque);
            }
            b'}' => self.push_dict(vec![]),
            b']' => {
                self.stack.push(PickleValue::List(self.lists.len()));
                self.lists.push(vec![]);
            }
            b')' => self.push_tuple(vec![])?,
            b't' => {
                let items = self.since_mark()?;
                self.push_tuple(items)?;
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let first = self.stack.len().checked_sub(count).ok_or_else(underflow)?;
                let items = self.stack.split_off(first);
                self.push_tuple(items)?;
            }
            b'K' => self.unsigned(1)?,
            b'M' => self.unsigned(2)?,
            b'J' => {
                let n = self.reader.number(4)? as i32;
                self.stack.push(PickleValue::Int(n.into()));
            }
            0x8a => {
                let n = self.reader.long()?;
                self.stack.push(n.map_or(PickleValue::Opaque, PickleValue::Int));
            }
            b'X' | b'T' => self.text(4)?,
            0x8c | b'U' => self.text(1)?,
            b'S' => {
                let line = quoted(self.reader.line()?.trim_ascii_end())?;
                self.stack.push(PickleValue::Text(line));
            }
            b'q' => {
                let index = self.reader.number(1)? as usize;
                self.memorise(index)?;
            }
            b'r' => {
                let index = self.reader.number(4)? as usize;
                self.memorise(index)?;
            }
            0x94 => self.memorise(self.memo.len())?,
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            b'c' => {
                let (module, name) = (text(self.reader.line()?), text(self.reader.line()?));
                self.stack.push(PickleValue::Global(format!("{module} {name}").into()));
            }
            0x93 => {
                let (PickleValue::Text(name), PickleValue::Text(module)) = (self.pop()?, self.pop()?) else {
                    return Err(malformed());
                };
                self.stack.push(PickleValue::Global(format!("{module} {name}").into()));
            }
            b'Q' => {
                let id = self.pop()?;
                let (kind, key) = storage(&id)?;
                self.storages.insert(key.clone(), kind.clone());
                self.stack.push(PickleValue::Storage(kind, key));
            }
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                match call(&callable, &arguments)? {
                    Called::Value(value) => self.stack.push(value),
                    Called::Dict(pairs) => {
                        let entries = self.entries(pairs)?;
                        self.push_dict(entries);
                    }
                }
            }
            // An object's state: for an OrderedDict, only torch's version notes.
            b'b' => drop(self.pop()?),
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dict(vec![key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.extend_dict(items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.extend_list(items)?;
            }
            opcode => {
                let at = self.reader.at() - 1;
                return Err(format!(
                    "its pickle has opcode {opcode:#04x} at byte {at}, which no state dict uses; save the state_dict() alone, or use safetensors"
                )
                .into());
            }
        }
        Ok(())
    }

    /// Counts one step.
    fn step(&mut self) -> Result<(), WeightFileError> {
        let left = self.left.checked_sub(1);
        self.left = left.ok_or_else(|| {
            format!("its pickle takes more than {MAX_STEPS} steps, more than any checkpoint; save the state_dict() alone")
        })?;
        Ok(())
    }

    fn unsigned(&mut self, bytes: usize) -> Result<(), WeightFileError> {
        let n = self.reader.number(bytes)?;
        self.stack.push(PickleValue::Int(n));
        Ok(())
    }

    fn text(&mut self, length_bytes: usize) -> Result<(), WeightFileError> {
        let length = self.reader.number(length_bytes)? as usize;
        let text = text(self.reader.take(length)?);
        self.stack.push(PickleValue::Text(text));
        Ok(())
    }

    fn pop(&mut self) -> Result<PickleValue, WeightFileError> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn since_mark(&mut self) -> Result<Vec<PickleValue>, WeightFileError> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len()).ok_or_else(underflow)?;
        Ok(self.stack.split_off(mark))
    }

    fn push_tuple(&mut self, items: Vec<PickleValue>) -> Result<(), WeightFileError> {
        let depth = |item: &PickleValue| if let PickleValue::Tuple(_, depth) = item { depth + 1 } else { 0 };
        let depth = items.iter().map(depth).max().unwrap_or(0);
        if depth > MAX_NESTING {
            return Err(format!(
                "its pickle nests tuples more than {MAX_NESTING} deep, deeper than in any checkpoint; save the state_dict() alone"
            )
            .into());
        }
        self.stack.push(PickleValue::Tuple(items.into(), depth));
        Ok(())
    }

    fn push_dict(&mut self, entries: Dict) {
        self.stack.push(PickleValue::Dict(self.dicts.len()));
        self.dicts.push(entries);
    }

    /// Returns the entries of a dict made of pairs, which is how Python 2 builds an OrderedDict.
    fn entries(&mut self, pairs: Option<PickleValue>) -> Result<Dict, WeightFileError> {
        let Some(PickleValue::List(pairs)) = pairs else { return Ok(vec![]) };
        let mut entries = vec![];
        for place in 0..self.lists[pairs].len() {
            self.step()?;
            let pair = match &self.lists[pairs][place] {
                PickleValue::List(pair) => &self.lists[*pair],
                PickleValue::Tuple(pair, _) => &pair[..],
                _ => return Err(malformed()),
            };
            let [key, value] = pair else { return Err(malformed()) };
            entries.extend(entry(key.clone(), value.clone()));
        }
        Ok(entries)
    }

    fn memorise(&mut self, index: usize) -> Result<(), WeightFileError> {
        if index >= MAX_MEMO {
            return Err(malformed());
        }
        if self.memo.len() <= index {
            self.memo.resize(index + 1, None);
        }
        self.memo[index] = Some(self.stack.last().cloned().ok_or_else(underflow)?);
        Ok(())
    }

    fn recall(&mut self, bytes: usize) -> Result<(), WeightFileError> {
        let index = self.reader.number(bytes)? as usize;
        let value = self.memo.get(index).cloned().flatten().ok_or_else(malformed)?;
        self.stack.push(value);
        Ok(())
    }

    fn extend_dict(&mut self, items: Vec<PickleValue>) -> Result<(), WeightFileError> {
        match self.stack.last() {
            Some(PickleValue::Dict(dict)) if items.len().is_multiple_of(2) => {
                let mut items = items.into_iter();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    self.dicts[*dict].extend(entry(key, value));
                }
                Ok(())
            }
            Some(PickleValue::Opaque) => Ok(()),
            _ => Err(malformed()),
        }
    }

    fn extend_list(&mut self, items: Vec<PickleValue>) -> Result<(), WeightFileError> {
        match self.stack.last() {
            Some(PickleValue::List(list)) => {
                self.lists[*list].extend(items);
                Ok(())
            }
            Some(PickleValue::Opaque) => Ok(()),
            _ => Err(malformed()),
        }
    }
}

/// Returns what a dict keeps of an entry, see [`Dict`].
fn entry(key: PickleValue, value: PickleValue) -> Option<(Rc<str>, PickleValue)> {
    match (key, value) {
        (PickleValue::Text(key), value @ (PickleValue::Tensor(_) | PickleValue::Dict(_))) => {
            Some((key, value))
        }
        _ => None,
    }
}
