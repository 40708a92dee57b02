//! The C library's memory allocator, tuned for training.

/// Keeps freed memory for the next step instead of giving it back to the system.
///
/// Each step frees and takes the same few gigabytes in blocks so large that glibc would map each one anew, and the
/// system would clear every page of it: a fifth of EfficientNet-Lite0's training time.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both settings only tell the allocator what to do with memory that is free.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
    }
}
