//! Sinusoidal encoding of positions (Vaswani et al., 2017), of rows and columns separately.

use tch::{Device, Kind, Tensor};

/// Number of values that encode a row, and as many a column: 128 together, as in CFLOW-AD.
pub const ENCODED: usize = 64;
/// The longest wavelength is this times 2π.
const LONGEST: f64 = 1e4;

/// Encodes the positions 0 to `length` − 1 along one axis: [`ENCODED`] × length, in 64-bit floats. Value 2i of position p is
/// sin(p / 10⁴^(2i / [`ENCODED`])), value 2i + 1 the cosine.
pub fn encoding(length: usize) -> Tensor {
    let value = |channel: usize, position: usize| {
        let wave = (channel / 2 * 2) as f64 / ENCODED as f64;
        let angle = position as f64 / LONGEST.powf(wave);
        if channel.is_multiple_of(2) { angle.sin() } else { angle.cos() }
    };
    let values: Vec<f64> =
        (0..ENCODED).flat_map(|channel| (0..length).map(move |position| value(channel, position))).collect();
    let shape = [ENCODED as i64, length as i64];
    Tensor::from_slice(&values).reshape(shape).to_kind(Kind::Double).to_device(Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_has_its_own_encoding() {
        let encoded = encoding(64);
        assert_eq!(encoded.size(), [64, 64]);
        assert_eq!((encoded.double_value(&[0, 0]), encoded.double_value(&[1, 0])), (0.0, 1.0));
        assert!((encoded.double_value(&[0, 3]) - 3f64.sin()).abs() < 1e-12);
        assert!((encoded.double_value(&[3, 2]) - (2.0 / 1e4f64.powf(2.0 / 64.0)).cos()).abs() < 1e-12);
        let products = encoded.tr().matmul(&encoded);
        for position in 0..64 {
            let with_others = products.get(position);
            assert_eq!(with_others.argmax(0, false).int64_value(&[]), position);
        }
    }
}
