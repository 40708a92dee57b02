//! The file in memory that both processes hold: slots of equal size, each with a header before its frame.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use rustix::buffer::spare_capacity;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, ftruncate, memfd_create};
use rustix::io::{pread, retry_on_intr};

use crate::{ChannelError, MAX_SLOT_BYTES};

/// The frame's number, little-endian.
const HEADER: u64 = 8;

/// The shared file.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    file: File,
    slots: u32,
    slot_bytes: u64,
}

impl SharedMemory {
    /// Creates a file whose size can't change any more. Memory is only used for what is written.
    pub(crate) fn create(slots: u32, slot_bytes: u64) -> Result<Self, ChannelError> {
        let fd = memfd_create("nominal-frames", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&fd, u64::from(slots) * (HEADER + slot_bytes))?;
        fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Self { file: fd.into(), slots, slot_bytes })
    }

    /// Takes a file from another process, whose slots have at most `max_slot_bytes` bytes.
    pub(crate) fn adopt(
        fd: OwnedFd,
        slots: u32,
        slot_bytes: u64,
        max_slot_bytes: u64,
    ) -> Result<Self, ChannelError> {
        let refused = |reason: &str| ChannelError::Protocol(reason.to_owned());
        if !(1..=64).contains(&slots) || !(1..=MAX_SLOT_BYTES.min(max_slot_bytes)).contains(&slot_bytes) {
            return Err(refused("its memory has an absurd size"));
        }
        // Only files in memory have seals: reading one never waits, unlike a pipe or a file of some other kind.
        let seals = fcntl_get_seals(&fd).map_err(|_| refused("its memory is not a file in memory"))?;
        if !seals.contains(SealFlags::SHRINK | SealFlags::GROW) {
            return Err(refused("its memory can change its size"));
        }
        let file = File::from(fd);
        if file.metadata()?.len() < u64::from(slots) * (HEADER + slot_bytes) {
            return Err(refused("its memory is too small"));
        }
        Ok(Self { file, slots, slot_bytes })
    }

    /// Returns the file, to be passed on.
    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// Returns the bytes that a frame may have.
    pub(crate) const fn slot_bytes(&self) -> u64 {
        self.slot_bytes
    }

    /// Writes a frame, no longer than a slot.
    pub(crate) fn write(&self, slot: u32, sequence: u64, bytes: &[u8]) -> std::io::Result<()> {
        let at = self.offset(slot);
        self.file.write_all_at(bytes, at + HEADER)?;
        self.file.write_all_at(&sequence.to_le_bytes(), at)
    }

    /// Copies a frame of this length and number.
    pub(crate) fn read(&self, slot: u32, sequence: u64, length: u64) -> Result<Vec<u8>, ChannelError> {
        let refused = |reason: &str| ChannelError::Protocol(reason.to_owned());
        if slot >= self.slots || length > self.slot_bytes {
            return Err(refused("a frame lies outside of its memory"));
        }
        let length = usize::try_from(length).map_err(|_| refused("a frame is too long"))?;
        let (at, mut number) = (self.offset(slot), [0; HEADER as usize]);
        self.file.read_exact_at(&mut number, at)?;
        if u64::from_le_bytes(number) != sequence {
            return Err(refused("a slot holds another frame than announced"));
        }
        self.copy(at + HEADER, length)
    }

    /// Copies bytes into memory that isn't filled with zeros before: each frame would be written twice.
    fn copy(&self, from: u64, length: usize) -> Result<Vec<u8>, ChannelError> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = from + bytes.len() as u64;
            let read = retry_on_intr(|| pread(&self.file, spare_capacity(&mut bytes), at))?;
            if read == 0 {
                return Err(ChannelError::Protocol("its memory ends within a frame".to_owned()));
            }
        }
        // A vector may have more room than it was asked for.
        bytes.truncate(length);
        Ok(bytes)
    }

    fn offset(&self, slot: u32) -> u64 {
        u64::from(slot) * (HEADER + self.slot_bytes)
    }
}
