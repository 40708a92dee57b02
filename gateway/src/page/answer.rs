//! Answers to browsers, with the headers that every one has.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// Nothing but what the gateway itself serves, in no other site's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// An answer to a browser.
pub type Answer = Response<AnswerBody>;

/// The body of an answer: bytes that are there, or pieces that come.
#[derive(Debug)]
pub enum AnswerBody {
    /// All at once.
    Whole(Option<Bytes>),
    /// Piece by piece, until the other end is dropped. The permit is given back with the body.
    Pieces(
        mpsc::Receiver<Bytes>,
        #[expect(dead_code, reason = "it is given back when the body is dropped")]
        Option<OwnedSemaphorePermit>,
    ),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces, _) => {
                pieces.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Pieces(..) => SizeHint::default(),
        }
    }
}

fn answer(status: StatusCode, media_type: &'static str, caching: &'static str, body: AnswerBody) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in HEADERS.into_iter().chain([("content-type", media_type), ("cache-control", caching)])
    {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Answers with JSON, which no cache may keep.
pub fn with_json(status: StatusCode, value: &Value) -> Answer {
    let body = AnswerBody::Whole(Some(Bytes::from(value.to_string())));
    answer(status, "application/json", "no-store", body)
}

/// Answers with JSON to a request that was carried out.
pub fn done(value: &Value) -> Answer {
    with_json(StatusCode::OK, value)
}

/// Refuses a request. The word is the key of a sentence in the page's texts.
pub fn refuse(status: StatusCode, word: &str) -> Answer {
    with_json(status, &json!({ "error": word }))
}

/// Answers with one of the page's own files, about which a browser asks again each time: an update must take effect.
pub fn with_asset(media_type: &'static str, bytes: &'static [u8]) -> Answer {
    answer(StatusCode::OK, media_type, "no-cache", AnswerBody::Whole(Some(Bytes::from_static(bytes))))
}

/// Answers with a picture of this many bytes. It never changes, but only this browser may keep it, and not for long.
pub fn with_picture(media_type: &'static str, length: u64, pieces: mpsc::Receiver<Bytes>) -> Answer {
    let body = AnswerBody::Pieces(pieces, None);
    let mut response = answer(StatusCode::OK, media_type, "private, max-age=600", body);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

/// Answers with server-sent events.
pub fn with_events(events: mpsc::Receiver<Bytes>, permit: OwnedSemaphorePermit) -> Answer {
    let body = AnswerBody::Pieces(events, Some(permit));
    answer(StatusCode::OK, "text/event-stream", "no-store", body)
}
