//! The subset of Python's pickle format that torch state dicts use. It builds values and executes nothing: a
//! callable that isn't known becomes an opaque value.
//!
//! Opcodes and their meaning: Python's `pickletools`.

use std::cell::RefCell;
use std::rc::Rc;

use crate::teacher::WeightFileError;

/// A decoded value.
#[derive(Debug, Clone)]
pub enum Value {
    /// None, booleans, floats, byte strings, results of unknown callables: nothing that a state dict needs.
    Opaque,
    /// An integer.
    Int(i64),
    /// A string.
    Text(Rc<str>),
    /// A tuple, and how deep tuples are nested in it.
    Tuple(Rc<[Value]>, usize),
    /// A list.
    List(Rc<RefCell<Vec<Value>>>),
    /// A dict or OrderedDict, in order.
    Dict(Rc<RefCell<Vec<(Value, Value)>>>),
    /// A callable or class, as `module name`.
    Global(Rc<str>),
    /// A tensor's storage: element type and key.
    Storage(Rc<str>, Rc<str>),
    /// A tensor.
    Tensor(Rc<TensorRef>),
}

/// Where a tensor's values lie.
#[derive(Debug)]
pub struct TensorRef {
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

/// Decodes one pickle and returns its value and the bytes it took.
///
/// # Errors
/// A sentence, where the bytes are cut short or use an opcode that no state dict has.
pub fn decode(bytes: &[u8]) -> Result<(Value, usize), WeightFileError> {
    Machine { bytes, at: 0, stack: vec![], marks: vec![], memo: vec![], nested_dicts: 0 }.run()
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: Vec<Option<Value>>,
    nested_dicts: usize,
}

/// More memo entries than any state dict has; a forged index must not fill the memory.
const MAX_MEMO: usize = 1 << 20;
/// More nesting than any state dict has; forged nesting must not fill the call stack when it is dropped.
const MAX_NESTING: usize = 16;
/// More axes than any weight has.
const MAX_AXES: usize = 8;

impl Machine<'_> {
    fn run(mut self) -> Result<(Value, usize), WeightFileError> {
        loop {
            match self.byte()? {
                b'.' => return Ok((self.pop()?, self.at)),
                0x80 => drop(self.byte()?),
                0x95 => drop(self.take(8)?),
                b'(' => self.marks.push(self.stack.len()),
                b'N' | 0x88 | 0x89 => self.stack.push(Value::Opaque),
                b'G' => {
                    self.take(8)?;
                    self.stack.push(Value::Opaque);
                }
                b'}' => self.stack.push(Value::Dict(Rc::default())),
                b']' => self.stack.push(Value::List(Rc::default())),
                b')' => self.stack.push(Value::Tuple(Rc::new([]), 0)),
                b't' => {
                    let items = self.since_mark()?;
                    self.push_tuple(items)?;
                }
                op @ 0x85..=0x87 => {
                    let count = usize::from(op - 0x84);
                    let first = self.stack.len().checked_sub(count).ok_or_else(underflow)?;
                    let items = self.stack.split_off(first);
                    self.push_tuple(items)?;
                }
                b'K' => {
                    let n = self.byte()?.into();
                    self.stack.push(Value::Int(n));
                }
                b'M' => {
                    let n = self.number(2)?;
                    self.stack.push(Value::Int(n));
                }
                b'J' => {
                    let n = self.number(4)? as i32;
                    self.stack.push(Value::Int(n.into()));
                }
                0x8a => self.long()?,
                b'X' => self.text(4)?,
                0x8c => self.text(1)?,
                b'U' => {
                    let n = self.number(1)? as usize;
                    self.take(n)?;
                    self.stack.push(Value::Opaque);
                }
                b'q' => {
                    let index = self.number(1)? as usize;
                    self.memorise(index)?;
                }
                b'r' => {
                    let index = self.number(4)? as usize;
                    self.memorise(index)?;
                }
                0x94 => self.memorise(self.memo.len())?,
                b'h' => self.recall(1)?,
                b'j' => self.recall(4)?,
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.stack.push(Value::Global(format!("{module} {name}").into()));
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Value::Text(name), Value::Text(module)) = (name, module) else {
                        return Err(malformed());
                    };
                    self.stack.push(Value::Global(format!("{module} {name}").into()));
                }
                b'Q' => {
                    let id = self.pop()?;
                    self.stack.push(storage(&id)?);
                }
                b'R' | 0x81 => {
                    let (arguments, callable) = (self.pop()?, self.pop()?);
                    self.stack.push(reduce(&callable, &arguments)?);
                }
                // An object's state: for an OrderedDict only torch's version notes.
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
                op => {
                    let at = self.at - 1;
                    return Err(format!(
                        "its pickle has opcode {op:#04x} at byte {at}, which no state dict uses; save the state_dict() alone, or use safetensors"
                    )
                    .into());
                }
            }
        }
    }

    fn take(&mut self, n: usize) -> Result<&[u8], WeightFileError> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len()).ok_or_else(cut_short)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, WeightFileError> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned little-endian number.
    fn number(&mut self, bytes: usize) -> Result<i64, WeightFileError> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |n, &b| (n << 8) | i64::from(b)))
    }

    /// A signed little-endian number of any length; what doesn't fit is of no use here.
    fn long(&mut self) -> Result<(), WeightFileError> {
        let length = self.number(1)? as usize;
        let bytes = self.take(length)?;
        let value = match bytes.last() {
            None => Value::Int(0),
            Some(_) if length > 8 => Value::Opaque,
            Some(&top) => {
                let fill = if top >= 0x80 { -1 } else { 0 };
                Value::Int(bytes.iter().rev().fold(fill, |n: i64, &b| (n << 8) | i64::from(b)))
            }
        };
        self.stack.push(value);
        Ok(())
    }

    fn text(&mut self, length_bytes: usize) -> Result<(), WeightFileError> {
        let length = self.number(length_bytes)? as usize;
        let text: Rc<str> = String::from_utf8_lossy(self.take(length)?).into();
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn line(&mut self) -> Result<String, WeightFileError> {
        let length = self.bytes[self.at..].iter().position(|&b| b == b'\n').ok_or_else(cut_short)?;
        let line = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.at += 1;
        Ok(line)
    }

    fn pop(&mut self) -> Result<Value, WeightFileError> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, WeightFileError> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len()).ok_or_else(underflow)?;
        Ok(self.stack.split_off(mark))
    }

    fn push_tuple(&mut self, items: Vec<Value>) -> Result<(), WeightFileError> {
        let depth = |item: &Value| if let Value::Tuple(_, depth) = item { depth + 1 } else { 0 };
        let depth = items.iter().map(depth).max().unwrap_or(0);
        if depth > MAX_NESTING {
            return Err(malformed());
        }
        self.stack.push(Value::Tuple(items.into(), depth));
        Ok(())
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
        let index = self.number(bytes)? as usize;
        let value = self.memo.get(index).cloned().flatten().ok_or_else(malformed)?;
        self.stack.push(value);
        Ok(())
    }

    fn extend_dict(&mut self, items: Vec<Value>) -> Result<(), WeightFileError> {
        match self.stack.last() {
            Some(Value::Dict(dict)) if items.len().is_multiple_of(2) => {
                let mut items = items.into_iter();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    // Only names of tensors and of dicts matter; what isn't kept can't nest.
                    match value {
                        Value::Tensor(_) => {}
                        Value::Dict(_) if self.nested_dicts < MAX_NESTING => self.nested_dicts += 1,
                        _ => continue,
                    }
                    if matches!(key, Value::Text(_)) {
                        dict.borrow_mut().push((key, value));
                    }
                }
                Ok(())
            }
            Some(Value::Opaque) => Ok(()),
            _ => Err(malformed()),
        }
    }

    fn extend_list(&mut self, items: Vec<Value>) -> Result<(), WeightFileError> {
        match self.stack.last() {
            Some(Value::List(list)) => {
                // A state dict's lists hold names of storages.
                list.borrow_mut().extend(items.into_iter().filter(|item| matches!(item, Value::Text(_))));
                Ok(())
            }
            Some(Value::Opaque) => Ok(()),
            _ => Err(malformed()),
        }
    }
}

/// A persistent id is torch's way to point to a storage: ("storage", type, key, device, elements).
fn storage(id: &Value) -> Result<Value, WeightFileError> {
    if let Value::Tuple(parts, _) = id
        && let [Value::Text(word), Value::Global(kind), Value::Text(key), ..] = &parts[..]
        && &**word == "storage"
    {
        let kind = kind.strip_prefix("torch ").unwrap_or(kind);
        return Ok(Value::Storage(kind.into(), key.clone()));
    }
    Err(malformed())
}

/// What a call would return, for the calls that a state dict is made of.
fn reduce(callable: &Value, arguments: &Value) -> Result<Value, WeightFileError> {
    let (Value::Global(name), Value::Tuple(arguments, _)) = (callable, arguments) else {
        return Ok(Value::Opaque);
    };
    match &**name {
        "collections OrderedDict" => Ok(Value::Dict(Rc::default())),
        "torch._utils _rebuild_parameter" => arguments.first().cloned().ok_or_else(malformed),
        "torch._utils _rebuild_tensor_v2" => {
            let [Value::Storage(kind, key), offset, shape, strides, ..] = &arguments[..] else {
                return Err(malformed());
            };
            let numbers = |value: &Value| match value {
                Value::Tuple(items, _) => items.iter().map(count).collect::<Result<Vec<_>, _>>(),
                _ => Err(malformed()),
            };
            let (shape, strides) = (numbers(shape)?, numbers(strides)?);
            if shape.len() != strides.len() || shape.len() > MAX_AXES {
                return Err(malformed());
            }
            let (kind, key, offset) = (kind.clone(), key.clone(), count(offset)?);
            Ok(Value::Tensor(Rc::new(TensorRef { kind, key, offset, shape, strides })))
        }
        _ => Ok(Value::Opaque),
    }
}

fn count(value: &Value) -> Result<usize, WeightFileError> {
    match value {
        Value::Int(n) => usize::try_from(*n).map_err(|_| malformed()),
        _ => Err(malformed()),
    }
}

fn cut_short() -> WeightFileError {
    "its pickle is cut short; take another copy".into()
}

fn underflow() -> WeightFileError {
    "its pickle is damaged (a value is missing); take another copy".into()
}

fn malformed() -> WeightFileError {
    "its pickle does not describe tensors as torch does; save the state_dict() alone, or use safetensors"
        .into()
}
