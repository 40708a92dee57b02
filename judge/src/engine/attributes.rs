//! A node's attributes by name. Of the wrong type, they are an error; where ONNX has a default, it is the caller's.

use tract_core::internal::*;

use crate::onnx::AttributeProto;

pub(super) struct Attributes<'a>(pub &'a [AttributeProto]);

impl<'a> Attributes<'a> {
    fn find(&self, name: &str) -> Option<&'a AttributeProto> {
        self.0.iter().find(|attribute| attribute.name == name)
    }

    pub fn int(&self, name: &str, default: i64) -> TractResult<i64> {
        let Some(attribute) = self.find(name) else { return Ok(default) };
        attribute.i.ok_or_else(|| format_err!("its {name} is no integer"))
    }

    pub fn ints(&self, name: &str) -> TractResult<&'a [i64]> {
        let Some(attribute) = self.find(name) else { return Ok(&[]) };
        ensure!(!attribute.ints.is_empty(), "its {name} are no integers");
        Ok(&attribute.ints)
    }

    /// Sides, strides or axes: `None` where the attribute isn't there.
    pub fn sizes(&self, name: &str) -> TractResult<Option<Vec<usize>>> {
        let ints = self.ints(name)?;
        let sizes = ints.iter().map(|&n| usize::try_from(n)).collect::<Result<Vec<_>, _>>();
        let sizes = sizes.map_err(|_| format_err!("its {name} are {ints:?}"))?;
        Ok(Some(sizes).filter(|sizes| !sizes.is_empty()))
    }

    pub fn text(&self, name: &str) -> TractResult<&'a str> {
        let Some(attribute) = self.find(name) else { return Ok("") };
        std::str::from_utf8(attribute.s.as_deref().unwrap_or_default())
            .map_err(|_| format_err!("its {name} is no text"))
    }
}
