//! The C library's memory allocator, tuned for training.

/// Keeps freed memory for the next step instead of giving it back to the system.
///
/// Each step frees and allocates the same few gigabytes in blocks so large that glibc would map each one again, and the
/// system would clear every page of it: a fifth of EfficientNet-Lite0's training time.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both settings only affect what the allocator does with free memory.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
    }
}
