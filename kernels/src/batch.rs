//! Many small matrices times constant ones: each position's feature, minus a centre, in another basis.

use crate::buffer::lend;
use crate::pointwise::{Pixels, Pointwise};
use crate::share::{self, Target};
use crate::simd::{Path, Vectors};
use crate::spec::{Epilogue, Error, Shape, check, values};
use crate::tile::{Sink, Split};

/// (x − centre) · weights for each matrix x of a batch, each with its own centre and weights.
#[derive(Debug)]
pub struct Batch {
    rows: usize,
    inputs: usize,
    outputs: usize,
    path: Path,
    /// batch × inputs, or empty.
    centres: Vec<f32>,
    products: Vec<Pointwise>,
}

impl Batch {
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
        path: Path,
    ) -> Result<Self, Error> {
        if batch == 0 || rows == 0 || inputs == 0 || outputs == 0 {
            return Err(Error::Unsupported("product of empty matrices".to_owned()));
        }
        for channels in [inputs, outputs] {
            Shape { height: batch, width: rows, channels }.within_limits()?;
        }
        Shape { height: batch, width: inputs, channels: outputs }.within_limits()?;
        check("weights", values(batch, values(inputs, outputs)), weights)?;
        if let Some(centres) = centres {
            check("centres", values(batch, inputs), centres)?;
        }
        let products = weights.chunks_exact(inputs * outputs).map(|matrix| {
            let by_output: Vec<f32> = (0..outputs)
                .flat_map(|output| matrix.iter().skip(output).step_by(outputs).copied())
                .collect();
            Pointwise::new(path, inputs, outputs, &by_output, &vec![0.0; outputs], &Epilogue::default())
        });
        let products = products.collect();
        let centres = centres.unwrap_or_default().to_vec();
        Ok(Self { rows, inputs, outputs, path, centres, products })
    }

    /// Computes the products. `input` is batch × rows × inputs, `output` is batch × rows × outputs.
    ///
    /// # Errors
    /// [`Error::Length`] if a slice has the wrong length.
    pub fn run(&self, input: &[f32], output: &mut [f32]) -> Result<(), Error> {
        let of_each = self.rows * self.inputs;
        check("input", values(self.products.len(), of_each), input)?;
        check("output", values(self.products.len(), self.rows * self.outputs), output)?;
        let output = Target::new(output);
        share::for_each(self.products.len(), |index| {
            let matrix = &input[index * of_each..][..of_each];
            let product = |input: &[f32]| {
                self.path.run(Pixels {
                    pointwise: &self.products[index],
                    input,
                    block: self.inputs,
                    sink: Sink::Image { output, residual: None, adds: false },
                    split: Split::none(self.outputs),
                    first: index * self.rows,
                    gaps: None,
                });
            };
            match self.centres.get(index * self.inputs..(index + 1) * self.inputs) {
                None => product(matrix),
                Some(centre) => lend(of_each, |room| {
                    let centred = &mut room[..of_each];
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
