//! The functions of Aravis and GLib that this program uses, declared as in the headers of Aravis 0.8 and loaded from its library.
//!
//! Aravis keeps its binary interface within 0.8 (`libaravis-0.8.so.0`). All functions are called from one thread.

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_uint, c_ulong, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

/// The library of Debian's package `libaravis-0.8-0`.
const FILE: &CStr = c"libaravis-0.8.so.0";

/// Why Aravis can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// It can't be loaded.
    #[error("cannot load Aravis ({0}); install it: `apt-get install libaravis-0.8-0`")]
    Absent(String),
    /// It lacks a function.
    #[error("the installed Aravis has no {0}; install version 0.8.20 or later")]
    TooOld(&'static str),
}

/// An `ArvCamera`, `ArvStream`, `ArvBuffer` or other object.
pub(crate) type Object = *mut c_void;

/// GLib's `GError`.
#[repr(C)]
pub(crate) struct Error {
    domain: u32,
    code: c_int,
    message: *const c_char,
}

/// Where a function puts its error.
pub(crate) type ErrorPlace = *mut *mut Error;

macro_rules! functions {
    ($($name:ident($($argument:ty),* $(; $more:tt)?) $(-> $result:ty)?;)*) => {
        /// The functions, by their names in C.
        #[derive(Debug)]
        pub(crate) struct Functions {
            $(pub(crate) $name: unsafe extern "C" fn($($argument),* $(, $more)?) $(-> $result)?,)*
        }

        impl Functions {
            /// Takes the functions from a loaded library.
            ///
            /// # Safety
            /// The handle must be that of Aravis 0.8.
            unsafe fn of(handle: *mut c_void) -> Result<Self, LibraryError> {
                Ok(Self {
                    $($name: {
                        let name = concat!(stringify!($name), "\0");
                        // SAFETY: the handle is a loaded library's, and the name ends with a zero.
                        let found = unsafe { libc::dlsym(handle, name.as_ptr().cast()) };
                        if found.is_null() {
                            return Err(LibraryError::TooOld(stringify!($name)));
                        }
                        // SAFETY: the function of this name has this type in the headers of Aravis 0.8 and of GLib.
                        unsafe {
                            std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),* $(, $more)?) $(-> $result)?>(found)
                        }
                    },)*
                })
            }
        }
    };
}

functions! {
    arv_update_device_list();
    arv_get_n_devices() -> c_uint;
    arv_get_device_id(c_uint) -> *const c_char;
    arv_get_device_address(c_uint) -> *const c_char;
    arv_get_device_protocol(c_uint) -> *const c_char;
    arv_camera_new(*const c_char, ErrorPlace) -> Object;
    arv_camera_get_device(Object) -> Object;
    arv_camera_get_vendor_name(Object, ErrorPlace) -> *const c_char;
    arv_camera_get_model_name(Object, ErrorPlace) -> *const c_char;
    arv_camera_is_gv_device(Object) -> c_int;
    arv_camera_is_feature_available(Object, *const c_char, ErrorPlace) -> c_int;
    arv_device_write_register(Object, u64, u32, ErrorPlace) -> c_int;
    arv_camera_set_pixel_format_from_string(Object, *const c_char, ErrorPlace);
    arv_camera_set_region(Object, c_int, c_int, c_int, c_int, ErrorPlace);
    arv_camera_get_region(Object, *mut c_int, *mut c_int, *mut c_int, *mut c_int, ErrorPlace);
    arv_camera_set_frame_rate(Object, c_double, ErrorPlace);
    arv_camera_set_exposure_time(Object, c_double, ErrorPlace);
    arv_camera_get_exposure_time(Object, ErrorPlace) -> c_double;
    arv_camera_set_exposure_time_auto(Object, c_int, ErrorPlace);
    arv_camera_get_exposure_time_auto(Object, ErrorPlace) -> c_int;
    arv_camera_set_gain(Object, c_double, ErrorPlace);
    arv_camera_get_gain(Object, ErrorPlace) -> c_double;
    arv_camera_set_gain_auto(Object, c_int, ErrorPlace);
    arv_camera_get_gain_auto(Object, ErrorPlace) -> c_int;
    arv_camera_set_trigger(Object, *const c_char, ErrorPlace);
    arv_camera_clear_triggers(Object, ErrorPlace);
    arv_camera_set_acquisition_mode(Object, c_int, ErrorPlace);
    arv_gv_device_is_controller(Object) -> c_int;
    arv_camera_gv_set_stream_options(Object, c_int);
    arv_camera_gv_set_packet_size(Object, c_int, ErrorPlace);
    arv_camera_gv_auto_packet_size(Object, ErrorPlace) -> c_uint;
    arv_camera_get_payload(Object, ErrorPlace) -> c_uint;
    arv_camera_create_stream(Object, *const c_void, *mut c_void, ErrorPlace) -> Object;
    arv_camera_start_acquisition(Object, ErrorPlace);
    arv_camera_stop_acquisition(Object, ErrorPlace);
    arv_stream_push_buffer(Object, Object);
    arv_stream_timeout_pop_buffer(Object, u64) -> Object;
    arv_buffer_new_allocate(usize) -> Object;
    arv_buffer_get_status(Object) -> c_int;
    arv_buffer_get_payload_type(Object) -> c_int;
    arv_buffer_get_data(Object, *mut usize) -> *const c_void;
    arv_buffer_get_frame_id(Object) -> u64;
    arv_buffer_get_timestamp(Object) -> u64;
    arv_buffer_get_system_timestamp(Object) -> u64;
    arv_buffer_get_image_width(Object) -> c_int;
    arv_buffer_get_image_height(Object) -> c_int;
    g_object_set(Object, *const c_char; ...);
    g_object_unref(Object);
    g_error_free(*mut Error);
    g_signal_connect_data(Object, *const c_char, *const c_void, *mut c_void, *const c_void, c_uint) -> c_ulong;
}

/// Aravis, loaded for as long as the program runs.
#[derive(Debug)]
pub struct Library {
    pub(crate) functions: Functions,
}

/// A connected camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCamera {
    /// Its name, for the line file.
    pub id: String,
    /// Its address in the network or on the bus.
    pub address: String,
    /// `GigEVision` or `USB3Vision`.
    pub protocol: String,
}

impl Library {
    /// Loads Aravis.
    ///
    /// # Errors
    /// [`LibraryError`] if it isn't installed.
    pub fn load() -> Result<Self, LibraryError> {
        // SAFETY: loading runs the initialisers of Aravis and GLib, which have no requirements. It is never unloaded.
        let handle = unsafe { libc::dlopen(FILE.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        if handle.is_null() {
            // SAFETY: dlerror returns a text, or null; it is copied before the next call.
            let reason = unsafe { text(libc::dlerror()) };
            return Err(LibraryError::Absent(reason));
        }
        // SAFETY: the file's name is that of Aravis 0.8.
        let functions = unsafe { Functions::of(handle)? };
        Ok(Self { functions })
    }

    /// Looks for cameras in all networks and on all buses. This takes about a second.
    #[must_use]
    pub fn cameras(&self) -> Vec<FoundCamera> {
        let f = &self.functions;
        // SAFETY: these functions have no requirements; an index beyond the list gives null.
        unsafe {
            (f.arv_update_device_list)();
            let found = |index| FoundCamera {
                id: text((f.arv_get_device_id)(index)),
                address: text((f.arv_get_device_address)(index)),
                protocol: text((f.arv_get_device_protocol)(index)),
            };
            (0..(f.arv_get_n_devices)()).map(found).collect()
        }
    }

    /// Calls a function that reports errors, and returns its result or the error's text.
    pub(crate) fn call<T>(&self, function: impl FnOnce(&Functions, ErrorPlace) -> T) -> Result<T, String> {
        let mut error: *mut Error = std::ptr::null_mut();
        let result = function(&self.functions, &raw mut error);
        if error.is_null() {
            return Ok(result);
        }
        // SAFETY: the function has set an error of its own, which is freed once.
        unsafe {
            let reason = text((*error).message);
            (self.functions.g_error_free)(error);
            Err(reason)
        }
    }
}

/// Copies a text from C; an empty one for null.
///
/// # Safety
/// The text must be null or end with a zero.
pub(crate) unsafe fn text(from: *const c_char) -> String {
    if from.is_null() {
        return String::new();
    }
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned()
}

/// Returns a text for C.
pub(crate) fn c_text(from: &str) -> Result<CString, String> {
    CString::new(from).map_err(|_| format!("{from:?} has a zero in it; correct the line file"))
}

/// Whether a camera has been lost since this was last asked. A flag of the whole program: Aravis reports it on a thread of its own, perhaps
/// after the camera was closed, and the program holds one camera at a time. A late report costs one reopening.
static IS_LOST: AtomicBool = AtomicBool::new(false);

/// Called by Aravis if a GigE Vision camera doesn't answer heartbeats, or a USB3 Vision camera is unplugged.
pub(crate) extern "C" fn control_lost(_device: Object, _data: *mut c_void) {
    IS_LOST.store(true, Ordering::Release);
}

pub(crate) fn take_lost() -> bool {
    IS_LOST.swap(false, Ordering::AcqRel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aravis_has_every_function_and_reports_errors_as_text() {
        let library = match Library::load() {
            Ok(library) => library,
            Err(LibraryError::Absent(reason)) => {
                assert!(reason.contains("libaravis"), "{reason}");
                eprintln!("skipped: {reason}");
                return;
            }
            Err(e) => panic!("{e}"),
        };
        let name = c_text("no such camera").unwrap();
        // SAFETY: the name ends with a zero.
        let opened = library.call(|f, error| unsafe { (f.arv_camera_new)(name.as_ptr(), error) });
        assert!(opened.unwrap_err().contains("not found"));
        assert!(c_text("a\0b").unwrap_err().contains("zero"));
    }
}
