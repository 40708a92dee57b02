//! The segments of a JPEG file (ITU-T T.81, annex B).

/// Markers, by their second byte.
pub(super) mod marker {
    pub const SOF0: u8 = 0xC0;
    pub const SOF1: u8 = 0xC1;
    pub const SOF2: u8 = 0xC2;
    pub const SOF3: u8 = 0xC3;
    pub const DHT: u8 = 0xC4;
    pub const JPG: u8 = 0xC8;
    pub const SOF9: u8 = 0xC9;
    pub const SOF10: u8 = 0xCA;
    pub const SOF11: u8 = 0xCB;
    pub const DAC: u8 = 0xCC;
    pub const SOF15: u8 = 0xCF;
    pub const RST0: u8 = 0xD0;
    pub const SOI: u8 = 0xD8;
    pub const EOI: u8 = 0xD9;
    pub const SOS: u8 = 0xDA;
    pub const DQT: u8 = 0xDB;
    pub const DNL: u8 = 0xDC;
    pub const DRI: u8 = 0xDD;
    pub const DHP: u8 = 0xDE;
    pub const APP0: u8 = 0xE0;
    pub const APP1: u8 = 0xE1;
    pub const APP14: u8 = 0xEE;
    pub const APP15: u8 = 0xEF;
    /// JPEG-LS (ITU-T T.87).
    pub const SOF55: u8 = 0xF7;
    pub const TEM: u8 = 0x01;
}

/// A marker and its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment<'b> {
    /// Second byte of the marker.
    pub marker: u8,
    /// Position of the marker's first byte in the file.
    pub start: usize,
    /// What follows the length; empty for markers that stand alone.
    pub payload: &'b [u8],
    /// Position after the segment.
    pub end: usize,
}

/// Returns the next segment at or after `at`, skipping compressed data and stray bytes before it. `None` if the file ends
/// before the segment does.
pub(super) fn next(bytes: &[u8], mut at: usize) -> Option<Segment<'_>> {
    loop {
        // 0xFF00 is a data byte, 0xFFFF is padding.
        at += memchr::memchr(0xFF, bytes.get(at..)?)?;
        match *bytes.get(at + 1)? {
            0xFF => at += 1,
            0x00 => at += 2,
            marker @ (marker::TEM | marker::RST0..=marker::EOI) => {
                return Some(Segment { marker, start: at, payload: &[], end: at + 2 });
            }
            marker => {
                let length = u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]);
                // A length below two is damage; it is taken for two so that the search goes on.
                let end = at + 2 + usize::from(length).max(2);
                let payload = bytes.get(at + 4..end)?;
                return Some(Segment { marker, start: at, payload, end });
            }
        }
    }
}

/// Returns the position of the end-of-image marker, found by walking the segments: a search from the end could find that
/// of a second picture, which some cameras append. Anything after the marker is ignored.
pub(super) fn end_of_image(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        let segment = next(bytes, at)?;
        if segment.marker == marker::EOI {
            return Some(segment.start);
        }
        at = segment.end;
    }
}
