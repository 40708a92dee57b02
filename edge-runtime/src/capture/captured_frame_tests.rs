use judge::Pixels;

use super::*;

const SIZE: Size = Size { width: 32, height: 24 };
const FORMATS: [RawFormat; 5] = [
    RawFormat::Yuyv,
    RawFormat::Nv12,
    RawFormat::Grey,
    RawFormat::Rgb24,
    RawFormat::Bayer(raw::BayerPattern::Grbg),
];

/// Deterministic noise, good enough to damage frames with.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// Truncates, appends, removes or overwrites bytes, up to eight times.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(8) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => bytes.push(self.next() as u8),
                2 => drop(bytes.drain(at..(at + self.below(9)).min(bytes.len()))),
                _ => {
                    let value = self.next() as u8;
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value;
                    }
                }
            }
        }
    }
}

fn jpeg() -> Vec<u8> {
    let pixels: Vec<u8> = (0..SIZE.width * SIZE.height * 3).map(|n| (n * 7 % 251) as u8).collect();
    let mut jpeg = vec![];
    jpeg_encoder::Encoder::new(&mut jpeg, 80)
        .encode(&pixels, SIZE.width as u16, SIZE.height as u16, jpeg_encoder::ColorType::Rgb)
        .unwrap();
    jpeg
}

fn captured(data: FrameData) -> CapturedFrame {
    CapturedFrame::new(data, Moment(5), 3)
}

#[test]
fn damaged_bytes_are_a_frame_or_an_error_and_never_a_panic() {
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let (mut frames, mut errors) = (0, 0);
    for round in 0..10_000 {
        let format = FORMATS.get(round % 6).copied();
        let mut bytes = format.map_or_else(jpeg, |format| vec![90; format.bytes(SIZE) as usize]);
        noise.damage(&mut bytes);
        let captured = captured(match format {
            None => FrameData::Encoded(bytes),
            Some(format) => FrameData::Raw { format, size: SIZE, bytes },
        });
        match captured.frame() {
            Ok(_) => frames += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                errors += 1;
            }
        }
    }
    assert!(frames > 100 && errors > 1000, "{frames} frames, {errors} errors");
}

#[test]
fn a_frame_is_decoded_once() {
    let captured = captured(FrameData::Encoded(jpeg()));
    let first = captured.frame().unwrap();
    assert_eq!(first.size(), SIZE);
    assert!(std::ptr::eq(first, captured.frame().unwrap()));
    assert!(captured.jpeg().is_some());
    assert_eq!((captured.captured_at(), captured.sequence()), (Moment(5), 3));
}

#[test]
fn a_buffer_is_cut_behind_the_picture_and_a_short_one_is_refused() {
    let jpeg = jpeg();
    let mut buffer = jpeg.clone();
    buffer.extend([0; 100]);
    assert_eq!(judge::trim_jpeg(&buffer), Some(&jpeg[..]));
    let short = &jpeg[..jpeg.len() - 40];
    assert_eq!(judge::trim_jpeg(short), None);
    let short = captured(FrameData::Encoded(short.to_vec()));
    assert!(matches!(short.frame(), Err(DecodeError::Truncated { .. })));
}

#[test]
fn a_refused_frame_says_why() {
    let refused = captured(FrameData::Refused(DecodeError::UnknownFormat));
    assert!(matches!(refused.frame(), Err(DecodeError::UnknownFormat)));
    assert!(refused.jpeg().is_none());
}

#[test]
fn fingerprints_are_of_the_bytes() {
    let grey = |value| {
        let bytes = vec![value; 768];
        captured(FrameData::Raw { format: RawFormat::Grey, size: SIZE, bytes }).fingerprint()
    };
    assert_eq!(grey(1), grey(1));
    assert_ne!(grey(1), grey(2));
    let deep = |value| {
        let frame = Frame::new(SIZE, Pixels::Grey16(vec![value; 768])).unwrap();
        captured(FrameData::Frame(frame)).fingerprint()
    };
    assert_ne!(deep(256), deep(257));
}
