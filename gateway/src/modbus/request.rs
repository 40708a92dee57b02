//! Answers one request.

use rmodbus::server::{ModbusFrame, Read, Write as FrameWrite};
use rmodbus::{ErrorKind, ModbusProto};

use super::map::Image;
use super::writes::{Refusal, Write};

/// Bytes of the header: transaction, protocol, length; the unit counts to what follows.
const HEADER: usize = 6;
/// Maximum length of a frame: the header, and the 254 bytes that the protocol allows for unit and request.
pub const MAX_FRAME: usize = HEADER + 254;
/// The smallest number of bytes after the header: unit and function.
const MIN_REST: usize = 2;

/// Returns the length of the frame at the start of `bytes`; `None` if that can't be told yet.
///
/// # Errors
/// [`Garbage`] if no frame starts like that.
pub fn frame_len(bytes: &[u8]) -> Result<Option<usize>, Garbage> {
    let Some([_, _, protocol @ .., high, low]) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let rest = usize::from(u16::from_be_bytes([*high, *low]));
    if *protocol != [0, 0] || !(MIN_REST..=MAX_FRAME - HEADER).contains(&rest) {
        return Err(Garbage);
    }
    Ok(Some(HEADER + rest))
}

/// Bytes that don't start a Modbus TCP frame. There is no way to find the next one: the connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Modbus TCP frame")]
pub struct Garbage;

/// Answers a request of exactly [`frame_len`] bytes into `response`, which is cleared first. Returns whether the answer is
/// an exception.
///
/// # Errors
/// [`Garbage`] if it can't be answered at all.
pub fn answer(
    frame: &[u8],
    image: &Image,
    write: &mut dyn FnMut(Write) -> Result<(), Refusal>,
    response: &mut Vec<u8>,
) -> Result<bool, Garbage> {
    response.clear();
    let Some((header, [unit, function, data @ ..])) = frame.split_first_chunk::<HEADER>() else {
        return Err(Garbage);
    };
    let answered = lengths(*function, data).and_then(|()| by_library(frame, *unit, image, write, response));
    let code = match answered {
        Ok(exception) => return Ok(exception),
        Err(code) => code,
    };
    response.clear();
    let [transaction @ .., _, _] = header;
    response.extend_from_slice(transaction);
    response.extend_from_slice(&[0, 3, *unit, function | 0x80, code]);
    Ok(true)
}

const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_VALUE: u8 = 3;

/// Checks a request's own statements of length against its length.
fn lengths(function: u8, data: &[u8]) -> Result<(), u8> {
    let fits = match function {
        // Address and count.
        1..=4 => matches!(data, [_, _, high, low] if [*high, *low] != [0, 0]),
        5 | 6 => data.len() == 4,
        15 | 16 => match data {
            [_, _, high, low, bytes, values @ ..] => {
                let count = u16::from_be_bytes([*high, *low]);
                let needed = if function == 15 { count.div_ceil(8) } else { count.saturating_mul(2) };
                count > 0 && needed == u16::from(*bytes) && values.len() == usize::from(*bytes)
            }
            _ => false,
        },
        _ => return Err(ILLEGAL_FUNCTION),
    };
    if fits { Ok(()) } else { Err(ILLEGAL_VALUE) }
}

/// Answers a request whose lengths are right, and returns whether the answer is an exception.
///
/// # Errors
/// The code of an exception that the library doesn't answer with itself.
fn by_library(
    frame: &[u8],
    unit: u8,
    image: &Image,
    write: &mut dyn FnMut(Write) -> Result<(), Refusal>,
    response: &mut Vec<u8>,
) -> Result<bool, u8> {
    // What the library gives up on has values that it doesn't allow.
    let refused = |_: ErrorKind| ILLEGAL_VALUE;
    // Any unit is answered, as it came: there is one device behind this address, and clients differ in what they send.
    let mut modbus = ModbusFrame::new(unit, frame, ModbusProto::TcpUdp, response).with_broadcast_units(&[]);
    modbus.parse().map_err(refused)?;
    if modbus.processing_required && modbus.readonly {
        let function = modbus.func;
        let result = read(function.byte(), modbus.get_external_read().map_err(refused)?, image);
        modbus.process_external_read(result).map_err(refused)?;
    } else if modbus.processing_required {
        let request = modbus.get_external_write().map_err(refused)?;
        // Not by the library, whose codes for gateways are not those of the specification.
        write(to_write(&request)).map_err(exception)?;
        modbus.process_external_write(Ok(())).map_err(refused)?;
    }
    modbus.finalize_response().map_err(refused)?;
    Ok(modbus.error.is_some())
}

fn read(function: u8, read: Read<'_>, image: &Image) -> Result<(), ErrorKind> {
    match read {
        Read::Words(words) => {
            let registers = match function {
                3 => image.holding(words.address, words.count),
                _ => image.inputs(words.address, words.count),
            };
            let registers = registers.ok_or(ErrorKind::IllegalDataAddress)?;
            for (bytes, register) in words.buf.chunks_exact_mut(2).zip(registers) {
                bytes.copy_from_slice(&register.to_be_bytes());
            }
        }
        Read::Bits(bits) => {
            let found = match function {
                1 => image.coils(bits.address, bits.count),
                _ => image.discretes(bits.address, bits.count),
            };
            let found = found.ok_or(ErrorKind::IllegalDataAddress)?;
            for (byte, value) in bits.buf.iter_mut().zip(found.to_le_bytes()) {
                *byte = value;
            }
        }
    }
    Ok(())
}

fn to_write(request: &FrameWrite<'_>) -> Write {
    match request {
        FrameWrite::Words(words) => {
            let values = words.data.chunks_exact(2).filter_map(|pair| pair.first_chunk::<2>());
            Write::Registers(words.address, values.map(|pair| u16::from_be_bytes(*pair)).collect())
        }
        FrameWrite::Bits(bits) => {
            let all = bits.data.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
            Write::Coils(bits.address, all.take(bits.count.into()).collect())
        }
    }
}

const fn exception(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::NotAllowed => ILLEGAL_FUNCTION,
        Refusal::Address => 2,
        Refusal::Value => ILLEGAL_VALUE,
        Refusal::Busy => 6,
        Refusal::NoLine => 11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WordOrder;
    use crate::line::tests::line;

    fn frame(request: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x12, 0x34, 0, 0];
        frame.extend((request.len() as u16 + 1).to_be_bytes());
        frame.push(9);
        frame.extend(request);
        assert_eq!(frame_len(&frame), Ok(Some(frame.len())));
        frame
    }

    /// Returns the answer without its header, and what was written.
    fn answered(request: &[u8], refusal: Option<Refusal>) -> (Vec<u8>, Vec<Write>) {
        let image = Image::of(&line(0), WordOrder::HighFirst, [0; 6]);
        let (mut response, mut written) = (vec![], vec![]);
        let mut write = |write| {
            written.push(write);
            refusal.map_or(Ok(()), Err)
        };
        let exception = answer(&frame(request), &image, &mut write, &mut response).unwrap();
        let (header, rest) = response.split_at(7);
        assert_eq!(header[..4], [0x12, 0x34, 0, 0]);
        assert_eq!(usize::from(header[5]), rest.len() + 1);
        assert_eq!((header[4], header[6]), (0, 9));
        assert_eq!(exception, rest[0] & 0x80 != 0);
        (rest.to_vec(), written)
    }

    #[test]
    fn each_kind_of_register_is_read() {
        assert_eq!(answered(&[4, 0, 0, 0, 2], None).0, [4, 4, 0, 1, 0, 1]);
        assert_eq!(answered(&[3, 0, 100, 0, 1], None).0, [3, 2, 0, 1]);
        assert_eq!(answered(&[2, 0, 0, 0, 9], None).0, [2, 2, 0b100_1011, 0]);
        assert_eq!(answered(&[1, 0, 0, 0, 4], None).0, [1, 1, 0b0111]);
        assert_eq!(answered(&[4, 0, 100, 0, 120], None).0.len(), 242);
    }

    #[test]
    fn each_kind_of_write_is_passed_on_and_confirmed() {
        let (response, written) = answered(&[6, 0, 1, 0x12, 0x34], None);
        assert_eq!(response, [6, 0, 1, 0x12, 0x34]);
        assert_eq!(written, [Write::Registers(1, vec![0x1234])]);
        let (response, written) = answered(&[16, 0, 4, 0, 2, 4, 0, 1, 0, 2], None);
        assert_eq!(response, [16, 0, 4, 0, 2]);
        assert_eq!(written, [Write::Registers(4, vec![1, 2])]);
        let (response, written) = answered(&[5, 0, 16, 0xff, 0], None);
        assert_eq!(response, [5, 0, 16, 0xff, 0]);
        assert_eq!(written, [Write::Coils(16, vec![true])]);
        let (response, written) = answered(&[15, 0, 16, 0, 2, 1, 0b10], None);
        assert_eq!(response, [15, 0, 16, 0, 2]);
        assert_eq!(written, [Write::Coils(16, vec![false, true])]);
        for (refusal, code) in [
            (Refusal::NotAllowed, 1),
            (Refusal::Address, 2),
            (Refusal::Value, 3),
            (Refusal::Busy, 6),
            (Refusal::NoLine, 11),
        ] {
            assert_eq!(answered(&[6, 0, 1, 0, 0], Some(refusal)).0, [0x86, code]);
        }
    }

    #[test]
    fn what_is_wrong_is_an_exception_and_nothing_is_written() {
        for (request, code) in [
            (&[7][..], 1),
            (&[0x2b, 14, 1, 0], 1),
            (&[23, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0], 1),
            (&[0x83, 0, 0, 0, 1], 1),
            (&[4, 0, 220, 0, 1], 2),
            (&[4, 0xff, 0xff, 0, 2], 2),
            (&[3, 0, 6, 0, 1], 2),
            (&[2, 0, 31, 0, 2], 2),
            (&[1, 0, 0, 7, 0xd0], 2),
            (&[4, 0, 0, 0, 0], 3),
            (&[4, 0, 0, 0, 126], 3),
            (&[4, 0, 0, 0xff, 0xff], 3),
            (&[1, 0, 0, 7, 0xd1], 3),
            (&[4, 0, 0, 0], 3),
            (&[4, 0, 0, 0, 1, 0], 3),
            (&[4], 3),
            (&[5, 0, 16, 1, 0], 3),
            (&[6, 0, 1, 0], 3),
            (&[15, 0, 16, 0, 2, 2, 0, 0], 3),
            (&[16, 0, 0, 0, 1, 2, 0], 3),
            (&[16, 0, 0, 0, 1, 250, 0, 1], 3),
            (&[16, 0, 0, 0x80, 1, 2, 0, 1], 3),
            (&[16, 0, 0], 3),
        ] {
            let (response, written) = answered(request, None);
            assert_eq!((response, written), (vec![request[0] | 0x80, code], vec![]), "{request:?}");
        }
    }

    #[test]
    fn bytes_that_start_no_frame_are_told_from_those_that_may() {
        assert_eq!(frame_len(&[0x12, 0x34, 0, 0, 0]), Ok(None));
        for wrong in [
            b"GET / HTTP/1.1",
            &[0, 1, 0, 1, 0, 6][..],
            &[0, 1, 0, 0, 0, 1],
            &[0, 1, 0, 0, 0, 255],
            &[0xff; 6],
        ] {
            assert_eq!(frame_len(wrong), Err(Garbage), "{wrong:?}");
        }
    }
}
