//! The operators that the networks use. Each computes its result's shape.

use super::graph::{Attribute, GraphBuilder, Value, to_i64};
use crate::array::Array;
use crate::resample::Matrix;

impl GraphBuilder {
    /// Adds a 2-D convolution with bias. `weight` is out × in/groups × height × width, `pads` the padding before and after,
    /// the same on both axes.
    pub fn conv(
        &mut self,
        x: &Value,
        weight: &Value,
        bias: &Value,
        stride: usize,
        pads: (usize, usize),
        groups: usize,
    ) -> Value {
        let side = |axis: usize| (x.shape[axis] + pads.0 + pads.1 - weight.shape[axis]) / stride + 1;
        let shape = vec![x.shape[0], weight.shape[0], side(2), side(3)];
        let kernel = [weight.shape[2] as i64, weight.shape[3] as i64];
        let (before, after) = (pads.0 as i64, pads.1 as i64);
        let attributes = [
            ("dilations", Attribute::Ints(&[1, 1])),
            ("group", Attribute::Int(groups as i64)),
            ("kernel_shape", Attribute::Ints(&kernel)),
            ("pads", Attribute::Ints(&[before, before, after, after])),
            ("strides", Attribute::Ints(&[stride as i64, stride as i64])),
        ];
        self.node("Conv", &[x, weight, bias], shape, &attributes)
    }

    /// Adds square maximum pooling with the same padding on all sides.
    pub fn max_pool(&mut self, x: &Value, kernel: usize, stride: usize, padding: usize) -> Value {
        let side = |n: usize| (n + 2 * padding - kernel) / stride + 1;
        let shape = vec![x.shape[0], x.shape[1], side(x.shape[2]), side(x.shape[3])];
        let (k, s, p) = (kernel as i64, stride as i64, padding as i64);
        let attributes = [
            ("kernel_shape", Attribute::Ints(&[k, k])),
            ("pads", Attribute::Ints(&[p, p, p, p])),
            ("strides", Attribute::Ints(&[s, s])),
        ];
        self.node("MaxPool", &[x], shape, &attributes)
    }

    /// Adds the mean over square windows of an odd `side`, with stride 1; at the borders, over the positions that exist.
    pub fn local_mean(&mut self, x: &Value, side: usize) -> Value {
        let (k, p) = (side as i64, side as i64 / 2);
        let attributes = [
            ("count_include_pad", Attribute::Int(0)),
            ("kernel_shape", Attribute::Ints(&[k, k])),
            ("pads", Attribute::Ints(&[p, p, p, p])),
            ("strides", Attribute::Ints(&[1, 1])),
        ];
        self.node("AveragePool", &[x], x.shape.clone(), &attributes)
    }

    /// Concatenates values along the channels (axis 1).
    pub fn concat_channels(&mut self, parts: &[Value]) -> Value {
        let Some(first) = parts.first() else { return self.constant("nothing", &[0], &[]) };
        let mut shape = first.shape.clone();
        shape[1] = parts.iter().map(|part| part.shape[1]).sum();
        let parts: Vec<&Value> = parts.iter().collect();
        self.node("Concat", &parts, shape, &[("axis", Attribute::Int(1))])
    }

    /// Adds some of the channels (axis 1).
    pub fn slice_channels(&mut self, x: &Value, channels: std::ops::Range<usize>) -> Value {
        let mut shape = x.shape.clone();
        shape[1] = channels.len();
        let [starts, ends, axes] =
            [channels.start as i64, channels.end as i64, 1].map(|value| self.integers(&[value]));
        self.node("Slice", &[x, &starts, &ends, &axes], shape, &[])
    }

    /// Adds a matrix product on the last two axes; leading axes are the same in both.
    pub fn mat_mul(&mut self, a: &Value, b: &Value) -> Value {
        let mut shape = a.shape.clone();
        let last = shape.len() - 1;
        shape[last] = b.shape[last];
        self.node("MatMul", &[a, b], shape, &[])
    }

    /// Reshapes values.
    pub fn reshape(&mut self, x: &Value, shape: &[usize]) -> Value {
        debug_assert_eq!(x.shape.iter().product::<usize>(), shape.iter().product::<usize>());
        let sides = self.integers(&to_i64(shape));
        self.node("Reshape", &[x, &sides], shape.to_vec(), &[])
    }

    /// Reorders the axes.
    pub fn transpose(&mut self, x: &Value, order: &[usize]) -> Value {
        let shape = order.iter().map(|&axis| x.shape[axis]).collect();
        self.node("Transpose", &[x], shape, &[("perm", Attribute::Ints(&to_i64(order)))])
    }

    /// Adds the mean of each 2×2 window, stride 2, with the same padding on all sides, whose zeros count.
    pub fn average_pool(&mut self, x: &Value, padding: usize) -> Value {
        let side = |n: usize| (n + 2 * padding) / 2;
        let shape = vec![x.shape[0], x.shape[1], side(x.shape[2]), side(x.shape[3])];
        let p = padding as i64;
        let attributes = [
            ("count_include_pad", Attribute::Int(1)),
            ("kernel_shape", Attribute::Ints(&[2, 2])),
            ("pads", Attribute::Ints(&[p, p, p, p])),
            ("strides", Attribute::Ints(&[2, 2])),
        ];
        self.node("AveragePool", &[x], shape, &attributes)
    }

    /// Adds `max(x, 0)`.
    pub fn relu(&mut self, x: &Value) -> Value {
        self.node("Relu", &[x], x.shape.clone(), &[])
    }

    /// Adds `min(max(x, low), high)`.
    pub fn clip(&mut self, x: &Value, low: f32, high: f32) -> Value {
        let low = self.scalar(low);
        let high = self.scalar(high);
        self.node("Clip", &[x, &low, &high], x.shape.clone(), &[])
    }

    /// Adds `a + b`, broadcast.
    pub fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Add", a, b)
    }

    /// Adds `a - b`, broadcast.
    pub fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Sub", a, b)
    }

    /// Adds `a * b`, broadcast.
    pub fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Mul", a, b)
    }

    /// Adds `a / b`, broadcast.
    pub fn div(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Div", a, b)
    }

    /// Adds `max(a, b)`, broadcast.
    pub fn max(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Max", a, b)
    }

    /// Adds `min(a, b)`, broadcast.
    pub fn min(&mut self, a: &Value, b: &Value) -> Value {
        self.binary("Min", a, b)
    }

    /// Adds `√x`.
    pub fn sqrt(&mut self, x: &Value) -> Value {
        self.node("Sqrt", &[x], x.shape.clone(), &[])
    }

    /// Adds the natural logarithm.
    pub fn log(&mut self, x: &Value) -> Value {
        self.node("Log", &[x], x.shape.clone(), &[])
    }

    /// Adds `eˣ`.
    pub fn exp(&mut self, x: &Value) -> Value {
        self.node("Exp", &[x], x.shape.clone(), &[])
    }

    /// Adds the hyperbolic tangent.
    pub fn tanh(&mut self, x: &Value) -> Value {
        self.node("Tanh", &[x], x.shape.clone(), &[])
    }

    /// Adds the sum over the channels (axis 1), which remains as an axis of length 1.
    pub fn sum_channels(&mut self, x: &Value) -> Value {
        let axes = self.integers(&[1]);
        let mut shape = x.shape.clone();
        shape[1] = 1;
        self.node("ReduceSum", &[x, &axes], shape, &[("keepdims", Attribute::Int(1))])
    }

    /// Adds the minimum over the channels (axis 1), which remains as an axis of length 1.
    pub fn min_channels(&mut self, x: &Value) -> Value {
        let mut shape = x.shape.clone();
        shape[1] = 1;
        let attributes = [("axes", Attribute::Ints(&[1])), ("keepdims", Attribute::Int(1))];
        self.node("ReduceMin", &[x], shape, &attributes)
    }

    /// Adds the mean of the `count` largest of all elements, as a vector of length 1.
    pub fn mean_of_largest(&mut self, x: &Value, count: usize) -> Value {
        let flat = self.reshape(x, &[1, x.shape.iter().product()]);
        self.mean_of_largest_in_rows(&flat, count)
    }

    /// Adds the mean of the `count` largest elements along the last axis, which is removed.
    pub fn mean_of_largest_in_rows(&mut self, x: &Value, count: usize) -> Value {
        let (largest, _) = self.top_k(x, count, true);
        self.mean_of_last(&largest)
    }

    /// Adds the mean over the last axis, which is removed.
    pub fn mean_of_last(&mut self, x: &Value) -> Value {
        let last = x.shape.len() - 1;
        let attributes = [("axes", Attribute::Ints(&[last as i64])), ("keepdims", Attribute::Int(0))];
        self.node("ReduceMean", &[x], x.shape[..last].to_vec(), &attributes)
    }

    /// Adds the maximum over the last axis, which is removed.
    pub fn largest_of_last(&mut self, x: &Value) -> Value {
        let last = x.shape.len() - 1;
        let attributes = [("axes", Attribute::Ints(&[last as i64])), ("keepdims", Attribute::Int(0))];
        self.node("ReduceMax", &[x], x.shape[..last].to_vec(), &attributes)
    }

    /// Adds the `count` largest, or smallest, elements along the last axis, in order, and their indices as integers.
    pub fn top_k(&mut self, x: &Value, count: usize, largest: bool) -> (Value, Value) {
        let k = self.integers(&[count as i64]);
        let mut shape = x.shape.clone();
        let last = shape.len() - 1;
        shape[last] = count;
        let values = Value { name: self.fresh_name("topk"), shape: shape.clone() };
        let places = Value { name: self.fresh_name("topk_places"), shape };
        let attributes =
            [("axis", Attribute::Int(last as i64)), ("largest", Attribute::Int(i64::from(largest)))];
        self.push("TopK", &[x, &k], &[&values, &places], &attributes);
        (values, places)
    }

    /// Gathers the slices of `x` at the integer indices `places` along `axis`, which is replaced by the axes of `places`.
    pub fn gather(&mut self, x: &Value, places: &Value, axis: usize) -> Value {
        let shape = [&x.shape[..axis], &places.shape[..], &x.shape[axis + 1..]].concat();
        self.node("Gather", &[x, places], shape, &[("axis", Attribute::Int(axis as i64))])
    }

    /// Adds the maximum of all values, without axes.
    pub fn largest(&mut self, x: &Value) -> Value {
        self.node("ReduceMax", &[x], vec![], &[("keepdims", Attribute::Int(0))])
    }

    /// Adds `rows · x · columnsᵀ` on the last two axes: any separable resizing or smoothing.
    pub fn resample(&mut self, x: &Value, rows: &Matrix, columns: &Matrix) -> Value {
        let mut matrix = |matrix: &Matrix| {
            let Array { shape, data } = matrix.to_array();
            let name = self.fresh_name("matrix");
            self.constant(&name, &shape, &data)
        };
        let (rows, columns) = (matrix(rows), matrix(&columns.transposed()));
        let (height, width) = (rows.shape[0], columns.shape[1]);
        let half = self.node("MatMul", &[x, &columns], vec![x.shape[0], x.shape[1], x.shape[2], width], &[]);
        self.node("MatMul", &[&rows, &half], vec![x.shape[0], x.shape[1], height, width], &[])
    }

    fn binary(&mut self, op: &str, a: &Value, b: &Value) -> Value {
        let shape = broadcast(&a.shape, &b.shape);
        self.node(op, &[a, b], shape, &[])
    }
}

/// Broadcasts shapes by NumPy's rule: they are aligned at their ends, and an axis of length 1 repeats.
fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank).map(|axis| at(a, axis).max(at(b, axis))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::bilinear;

    #[test]
    fn shapes_follow_the_operators() {
        let mut g = GraphBuilder::new("shapes");
        let x = g.input("image", &[1, 3, 64, 96]);
        let w = g.constant("w", &[8, 3, 7, 7], &vec![0.0; 8 * 3 * 49]);
        let b = g.constant("b", &[8], &[0.0; 8]);
        let c = g.conv(&x, &w, &b, 2, (3, 3), 1);
        assert_eq!(c.shape(), [1, 8, 32, 48]);
        let p = g.max_pool(&c, 3, 2, 1);
        assert_eq!(p.shape(), [1, 8, 16, 24]);
        assert_eq!(g.average_pool(&c, 0).shape(), [1, 8, 16, 24]);
        let w = g.constant("wide", &[2, 8, 16, 24], &vec![0.0; 2 * 8 * 16 * 24]);
        let b = g.constant("b2", &[2], &[0.0; 2]);
        assert_eq!(g.conv(&p, &w, &b, 1, (0, 0), 1).shape(), [1, 2, 1, 1]);
        let s = g.sum_channels(&p);
        let d = g.div(&p, &s);
        assert_eq!(d.shape(), [1, 8, 16, 24]);
        assert_eq!(g.mean_of_largest(&d, 4).shape(), [1]);
        assert_eq!(g.largest_of_last(&d).shape(), [1, 8, 16]);
        assert_eq!(g.slice_channels(&d, 2..5).shape(), [1, 3, 16, 24]);
        assert_eq!(g.resample(&s, &bilinear(16, 64), &bilinear(24, 96)).shape(), [1, 1, 64, 96]);
    }
}
