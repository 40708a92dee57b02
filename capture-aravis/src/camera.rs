//! An open camera.

use std::ffi::c_int;
use std::time::Duration;

use frame_channel::AravisCamera;
use rustix::time::{ClockId, clock_gettime};

use crate::device_clock::DeviceClock;
use crate::library::{Library, Object, c_text, control_lost, take_lost, text};
use crate::numbers::Numbers;
use crate::settings::{Settings, frame_bytes};

/// Buffers that Aravis fills: for a quarter of a second, or as many as fit.
const MIN_BUFFERS: u64 = 4;
const MAX_BUFFERS: u64 = 64;
const MAX_BUFFER_BYTES: u64 = 256 << 20;
/// `ARV_BUFFER_STATUS_SUCCESS`, and the status of other frames in words.
const SUCCESS: c_int = 0;
/// `ARV_BUFFER_PAYLOAD_TYPE_IMAGE`.
const IMAGE: c_int = 1;
/// `ARV_GV_STREAM_SOCKET_BUFFER_AUTO`.
const AUTOMATIC: c_int = 1;
/// A frame can't have waited longer than this: the wall clock was set.
const LONGEST_WAIT: u64 = 1_000_000_000;

/// A frame in Aravis' memory.
pub(crate) struct Frame<'b> {
    pub(crate) sequence: u64,
    /// When its exposure began, in nanoseconds of the monotonic clock.
    pub(crate) captured_at: u64,
    /// Why it can't be used.
    pub(crate) damage: Option<String>,
    pub(crate) bytes: &'b [u8],
}

/// A camera that sends frames, until it is dropped.
pub(crate) struct Camera<'l> {
    library: &'l Library,
    camera: Object,
    stream: Object,
    wanted: AravisCamera,
    description: String,
    frame_bytes: usize,
    exposure: u64,
    numbers: Numbers,
    clock: DeviceClock,
}

impl<'l> Camera<'l> {
    /// Opens a camera, sets it up, and starts it.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn open(library: &'l Library, wanted: AravisCamera) -> Result<Self, String> {
        if wanted.id.trim().is_empty() {
            return Err("camera.id is empty; `capture-aravis --list` prints the names of connected cameras"
                .to_owned());
        }
        take_lost();
        let id = c_text(&wanted.id)?;
        // SAFETY: the name ends with a zero.
        let camera = library.call(|f, error| unsafe { (f.arv_camera_new)(id.as_ptr(), error) }).map_err(|e| {
            format!(
                "cannot open the camera {:?}: {e}; `capture-aravis --list` prints the names of connected cameras, and one that another \
                 program holds can't be opened",
                wanted.id
            )
        })?;
        if camera.is_null() {
            return Err(format!("cannot open the camera {:?}; check its power and cable", wanted.id));
        }
        let frame_bytes = frame_bytes(&wanted);
        let mut opened = Self {
            library,
            camera,
            stream: std::ptr::null_mut(),
            description: String::new(),
            frame_bytes: usize::try_from(frame_bytes).map_err(|e| e.to_string())?,
            exposure: 0,
            numbers: Numbers::default(),
            clock: DeviceClock::default(),
            wanted,
        };
        opened.settings().apply()?;
        opened.exposure = opened.settings().exposure_us().map_or(0, |us| (us.max(0.0) * 1000.0) as u64);
        opened.description = opened.describe();
        opened.start(frame_bytes)?;
        Ok(opened)
    }

    /// Returns the camera in words.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// Returns one sentence for each value that can shift scores.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.settings().warnings()
    }

    /// Waits for a frame and lets `take` have it. Returns `None` if none came in `time`.
    ///
    /// # Errors
    /// A sentence, if the camera is lost.
    pub(crate) fn next<T>(
        &mut self,
        time: Duration,
        take: impl FnOnce(Frame<'_>) -> T,
    ) -> Result<Option<T>, String> {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let f = &self.library.functions;
        // SAFETY: the stream is open; the buffer is ours until it is pushed again.
        let buffer = unsafe { (f.arv_stream_timeout_pop_buffer)(self.stream, microseconds) };
        if take_lost() {
            if !buffer.is_null() {
                // SAFETY: as above.
                unsafe { (f.arv_stream_push_buffer)(self.stream, buffer) };
            }
            return Err("the camera no longer answers; check its power and cable".to_owned());
        }
        if buffer.is_null() {
            return Ok(None);
        }
        let taken = take(self.frame(buffer));
        // SAFETY: as above; nothing refers to the buffer any more.
        unsafe { (self.library.functions.arv_stream_push_buffer)(self.stream, buffer) };
        Ok(Some(taken))
    }

    const fn settings(&self) -> Settings<'_> {
        Settings { library: self.library, camera: self.camera, wanted: &self.wanted }
    }

    fn describe(&self) -> String {
        let name = |vendor| {
            // SAFETY: the camera is open; the texts belong to it and are copied.
            self.library.call(|f, error| unsafe {
                let get = if vendor { f.arv_camera_get_vendor_name } else { f.arv_camera_get_model_name };
                text(get(self.camera, error))
            })
        };
        let AravisCamera { id, format, width, height, fps, trigger, .. } = &self.wanted;
        let pace = trigger
            .as_ref()
            .map_or_else(|| format!("{fps} frames per second"), |input| format!("triggered by {input}"));
        format!(
            "{} {} ({id}), {width} × {height} {}, {pace}",
            name(true).unwrap_or_default(),
            name(false).unwrap_or_default(),
            format.key()
        )
    }

    fn start(&mut self, frame_bytes: u64) -> Result<(), String> {
        let (library, camera) = (self.library, self.camera);
        // SAFETY: the camera is open.
        let payload = library.call(|f, error| unsafe { (f.arv_camera_get_payload)(camera, error) })?;
        if u64::from(payload) != frame_bytes {
            return Err(format!(
                "the camera sends {payload} bytes a frame instead of {frame_bytes}; give a width without padding (a multiple of 16), and switch \
                 off the camera's chunk data"
            ));
        }
        // SAFETY: the camera is open; without a callback there are no further requirements.
        let stream = library.call(|f, error| unsafe {
            (f.arv_camera_create_stream)(camera, std::ptr::null(), std::ptr::null_mut(), error)
        });
        self.stream =
            stream.map_err(|e| format!("the camera gives no stream: {e}; is another program using it?"))?;
        if self.stream.is_null() {
            return Err("the camera gives no stream; is another program using it?".to_owned());
        }
        // SAFETY: the camera is open.
        if unsafe { (library.functions.arv_camera_is_gv_device)(camera) } != 0 {
            // Room for a frame, as far as the system allows: cameras send all packets of a frame at once.
            // SAFETY: the stream of a GigE Vision camera has these two properties, which are integers; a null ends the list.
            unsafe {
                (library.functions.g_object_set)(
                    self.stream,
                    c"socket-buffer".as_ptr(),
                    AUTOMATIC,
                    c"socket-buffer-size".as_ptr(),
                    0 as c_int,
                    std::ptr::null::<std::ffi::c_char>(),
                );
            }
        }
        let for_a_quarter_second = (self.wanted.fps / 4.0).ceil() as u64;
        let room = MAX_BUFFER_BYTES / frame_bytes.max(1);
        let buffers = for_a_quarter_second.clamp(MIN_BUFFERS * 2, MAX_BUFFERS).min(room).max(MIN_BUFFERS);
        let f = &library.functions;
        for _ in 0..buffers {
            // SAFETY: the stream takes the buffer over.
            unsafe { (f.arv_stream_push_buffer)(self.stream, (f.arv_buffer_new_allocate)(self.frame_bytes)) };
        }
        // SAFETY: the device belongs to the open camera; the callback has the signal's type and needs no data.
        unsafe {
            let device = (f.arv_camera_get_device)(camera);
            let callback = control_lost as *const std::ffi::c_void;
            (f.g_signal_connect_data)(
                device,
                c"control-lost".as_ptr(),
                callback,
                std::ptr::null_mut(),
                std::ptr::null(),
                0,
            );
        }
        // SAFETY: the camera is open.
        library
            .call(|f, error| unsafe { (f.arv_camera_start_acquisition)(camera, error) })
            .map_err(|e| format!("the camera doesn't start: {e}"))
    }

    /// Reads a buffer that the stream has handed out.
    fn frame(&mut self, buffer: Object) -> Frame<'_> {
        let f = &self.library.functions;
        let mut size = 0;
        // SAFETY: the buffer is ours. A frame that is not an image has no size to ask for: Aravis answers 0 after a warning, so it isn't asked.
        let (status, id, device, system, payload, data) = unsafe {
            (
                (f.arv_buffer_get_status)(buffer),
                (f.arv_buffer_get_frame_id)(buffer),
                (f.arv_buffer_get_timestamp)(buffer),
                (f.arv_buffer_get_system_timestamp)(buffer),
                (f.arv_buffer_get_payload_type)(buffer),
                (f.arv_buffer_get_data)(buffer, &raw mut size),
            )
        };
        let is_image = status == SUCCESS && payload == IMAGE && !data.is_null();
        // SAFETY: as above.
        let found = is_image.then(|| unsafe {
            [(f.arv_buffer_get_image_width)(buffer), (f.arv_buffer_get_image_height)(buffer)]
        });
        let number = self.numbers.next(id);
        let arrived_at = arrived_at(system, now(ClockId::Realtime), now(ClockId::Monotonic));
        let sent_at = if status == SUCCESS {
            self.clock.sent_at(device, arrived_at)
        } else {
            self.clock.damaged_sent_at(device, now(ClockId::Monotonic))
        };
        let captured_at = sent_at.saturating_sub(self.exposure);
        let wanted = [self.wanted.width, self.wanted.height].map(i64::from);
        let damage = if status != SUCCESS {
            Some(incomplete(status))
        } else if number.is_doubled {
            Some(format!("the camera sent the number {id} twice; check its firmware"))
        } else if payload != IMAGE || data.is_null() {
            Some("the camera sends no plain images; switch off its chunk data and compression".to_owned())
        } else if found.is_some_and(|found| found.map(i64::from) != wanted) || size < self.frame_bytes {
            Some(format!(
                "it has the size {found:?} instead of {wanted:?}; did another program change the camera?"
            ))
        } else {
            None
        };
        let bytes: &[u8] = if damage.is_some() {
            &[]
        } else {
            // SAFETY: the buffer holds `size` bytes, at least these, and stays ours while the frame is in use.
            unsafe { std::slice::from_raw_parts(data.cast(), self.frame_bytes) }
        };
        Frame { sequence: number.sequence, captured_at, damage, bytes }
    }
}

impl Drop for Camera<'_> {
    fn drop(&mut self) {
        let camera = self.camera;
        if !self.stream.is_null() {
            // It may be gone; then there is nothing to stop.
            // SAFETY: the camera is open.
            let _ = self.library.call(|f, error| unsafe { (f.arv_camera_stop_acquisition)(camera, error) });
            // SAFETY: the stream is ours, and not used again.
            unsafe { (self.library.functions.g_object_unref)(self.stream) };
        }
        // SAFETY: the camera is ours, and not used again.
        unsafe { (self.library.functions.g_object_unref)(camera) };
    }
}

/// Says why Aravis couldn't complete a frame.
fn incomplete(status: c_int) -> String {
    let reason = match status {
        2 => "packets are missing, and it took too long",
        3 => "packets are missing",
        4 => "a packet has a wrong number",
        5 => "it is larger than agreed",
        7 => "it was aborted",
        _ => "the camera's driver could not complete it",
    };
    format!("{reason}; check cable, switch and packet size")
}

fn now(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Converts a time of the wall clock, at which a frame's first packet arrived, to the monotonic clock.
const fn arrived_at(system: u64, wall_now: u64, monotonic_now: u64) -> u64 {
    let age = wall_now.saturating_sub(system);
    if system > wall_now || age > LONGEST_WAIT { monotonic_now } else { monotonic_now.saturating_sub(age) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_set_moves_no_frame() {
        assert_eq!(arrived_at(900, 1000, 50_000), 49_900);
        assert_eq!(arrived_at(1001, 1000, 50_000), 50_000, "set back");
        assert_eq!(arrived_at(0, 5 * LONGEST_WAIT, 50_000), 50_000, "set ahead, or not given");
    }

    #[test]
    fn an_incomplete_frame_says_why_and_what_to_do() {
        for status in -1..9 {
            assert!(incomplete(status).contains("; check cable"), "{status}");
        }
        assert!(incomplete(3).contains("packets are missing"));
    }
}
