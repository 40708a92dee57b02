//! Many small matrices times constant ones: each position's feature, minus a centre, in another basis.

use crate::buffer::with_scratch;
use crate::microkernel::{ChannelLayout, Sink};
use crate::parallel::{self, SharedOutput};
use crate::pointwise::{Pointwise, PointwiseBlock};
use crate::simd::{Dispatch, Isa};
use crate::spec::{Epilogue, Error, Shape, check_length, saturating_len};

/// (x − centre) · weights for each matrix x of a batch, each with its own centre and weights.
#[derive(Debug)]
pub struct BatchMatMul {
    rows: usize,
    inputs: usize,
    outputs: usize,
    isa: Isa,
    /// batch × inputs, or empty.
    centres: Vec<f32>,
    products: Vec<Pointwise>,
}

impl BatchMatMul {
    /// Packs the constant matrices, for inputs of `rows` × `inputs`. `weights` is batch × `inputs` × `outputs`; `centres`, if given,
    /// is batch × `inputs`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for matrices that are empty or too large for memory; [`Error::Length`] if a slice has the wrong length.
    pub fn new(
        (batch, rows): (usize, usize),
        [inputs, outputs]: [usize; 2],
        weights: &[f32],
        centres: Option<&[f32]>,
        isa: Isa,
    ) -> Result<Self, Error> {
        if batch == 0 || rows == 0 || inputs == 0 || outputs == 0 {
            return Err(Error::Unsupported("product of empty matrices".to_owned()));
        }
        for channels in [inputs, outputs] {
            Shape { height: batch, width: rows, channels }.within_limits()?;
        }
        Shape { height: batch, width: inputs, channels: outputs }.within_limits()?;
        check_length("weights", saturating_len(batch, saturating_len(inputs, outputs)), weights)?;
        if let Some(centres) = centres {
            check_length("centres", saturating_len(batch, inputs), centres)?;
        }
        let products = weights.chunks_exact(inputs * outputs).map(|matrix| {
            let by_output: Vec<f32> = (0..outputs)
                .flat_map(|output| matrix.iter().skip(output).step_by(outputs).copied())
                .collect();
            Pointwise::new(isa, inputs, outputs, &by_output, &vec![0.0; outputs], &Epilogue::default())
        });
        let products = products.collect();
        let centres = centres.unwrap_or_default().to_vec();
        Ok(Self { rows, inputs, outputs, isa, centres, products })
    }

    /// Computes the products. `input` is batch × rows × inputs, `output` is batch × rows × outputs.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice has the wrong length.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), Error> {
        let of_each = self.rows * self.inputs;
        check_length("input", saturating_len(self.products.len(), of_each), input)?;
        check_length("output", saturating_len(self.products.len(), self.rows * self.outputs), output)?;
        let output = SharedOutput::new(output);
        parallel::for_each(self.products.len(), |index| {
            let matrix = &input[index * of_each..][..of_each];
            let product = |input: &[f32]| {
                self.isa.run(PointwiseBlock {
                    pointwise: &self.products[index],
                    input,
                    run_length: self.inputs,
                    sink: Sink::Image { output, residual: None, accumulate: false },
                    layout: ChannelLayout::all_contiguous(self.outputs),
                    first: index * self.rows,
                    gaps: None,
                });
            };
            match self.centres.get(index * self.inputs..(index + 1) * self.inputs) {
                None => product(matrix),
                Some(centre) => with_scratch(of_each, |scratch| {
                    let centred = &mut scratch[..of_each];
                    for (to, from) in
                        centred.chunks_exact_mut(self.inputs).zip(matrix.chunks_exact(self.inputs))
                    {
                        to.iter_mut().zip(from).zip(centre).for_each(|((to, x), c)| *to = x - c);
                    }
                    product(centred);
                }),
            }
        });
        Ok(())
    }
}
