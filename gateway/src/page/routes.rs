//! Who may ask for what.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, COOKIE, HeaderValue, RETRY_AFTER, SET_COOKIE};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Page;
use super::access::{PasswordError, Role, Session, verify};
use super::answer::{Answer, done, refuse, with_asset, with_events, with_json, with_picture};
use super::assets;
use super::records::{MAX_LISTED, Picture, Place, RecordName, pieces};
use crate::log::limited;

/// The longest body of a request in bytes.
const MAX_BODY: usize = 4 << 10;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest name of a person in characters; the line takes twice as many bytes.
const MAX_PERSON: usize = 32;
/// The entries of the log that are shown.
const LOG_ENTRIES: usize = 200;
/// The header that requests which change something repeat the session's value in.
const CSRF: &str = "x-nominal-csrf";

/// What the login form sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    role: Role,
    name: String,
    password: String,
}

impl Page {
    /// Answers a request.
    pub(super) async fn respond<B>(self: &Arc<Self>, peer: IpAddr, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = request.uri().path().to_owned();
        if request.method() == Method::GET {
            if let Some((media_type, bytes)) = assets::find(&path) {
                return with_asset(media_type, bytes);
            }
            if path == "/health" {
                return done(&json!({"ok": true}));
            }
        }
        let now = Instant::now();
        if request.method() == Method::POST {
            if !is_own_json(&request) {
                return refuse(StatusCode::BAD_REQUEST, "request");
            }
            if path == "/api/login" {
                return self.login(peer, request).await;
            }
        }
        let token = self.token(&request).unwrap_or_default().to_owned();
        let Some(session) = self.sessions.find(&token, now) else {
            return refuse(StatusCode::UNAUTHORIZED, "login");
        };
        match *request.method() {
            Method::GET => self.get(&path, request.uri().query(), token, &session).await,
            Method::POST => {
                let csrf = request.headers().get(CSRF).and_then(|value| value.to_str().ok());
                if !session.is_own(csrf) {
                    return refuse(StatusCode::FORBIDDEN, "login");
                }
                // Whoever wants to leave may.
                if path != "/api/logout" && !self.sessions.may_change(&token, now) {
                    return refuse(StatusCode::TOO_MANY_REQUESTS, "too_fast");
                }
                self.post(peer, &path, request, &token, &session).await
            }
            _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "request"),
        }
    }

    async fn get(
        self: &Arc<Self>,
        path: &str,
        query: Option<&str>,
        token: String,
        session: &Session,
    ) -> Answer {
        match path {
            "/api/session" => done(&describe(session)),
            "/api/parts" => done(&self.live.parts()),
            "/api/events" => {
                let Ok(permit) = Arc::clone(&self.listeners).try_acquire_owned() else {
                    return refuse(StatusCode::SERVICE_UNAVAILABLE, "too_many");
                };
                let page = Arc::clone(self);
                let is_valid = move || page.sessions.find(&token, Instant::now()).is_some();
                with_events(self.live.listen(is_valid), permit)
            }
            "/api/records" => self.records(query.unwrap_or_default()).await,
            "/api/tasks" => self.tasks().await,
            "/api/log" if session.role < Role::Engineer => refuse(StatusCode::FORBIDDEN, "role"),
            "/api/log" => self.log().await,
            _ => match path.strip_prefix("/api/records/").and_then(|rest| rest.split_once('/')) {
                Some((name, picture)) => self.picture(name, picture).await,
                None => match path.strip_prefix("/api/photos/") {
                    Some(number) => self.photo(number).await,
                    None => refuse(StatusCode::NOT_FOUND, "not_found"),
                },
            },
        }
    }

    async fn post<B>(
        self: &Arc<Self>,
        peer: IpAddr,
        path: &str,
        request: Request<B>,
        token: &str,
        session: &Session,
    ) -> Answer
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let unread = || refuse(StatusCode::BAD_REQUEST, "request");
        match path {
            "/api/logout" => {
                self.sessions.close(token);
                self.note(session, peer, "logout", json!({})).await;
                self.with_cookie(done(&json!({})), "", 0)
            }
            "/api/command" => match read(request).await {
                Some(command) => self.command(command, session, peer).await,
                None => unread(),
            },
            "/api/decide" => match read(request).await {
                Some(decision) => self.decide(decision, session, peer).await,
                None => unread(),
            },
            "/api/task" => match read(request).await {
                Some(task) => self.task(task, session, peer).await,
                None => unread(),
            },
            _ => refuse(StatusCode::NOT_FOUND, "not_found"),
        }
    }

    async fn login<B>(self: &Arc<Self>, peer: IpAddr, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Some(Login { role, name, password }) = read(request).await else {
            return refuse(StatusCode::BAD_REQUEST, "request");
        };
        let name = name.trim().to_owned();
        let is_name = !name.is_empty()
            && name.chars().count() <= MAX_PERSON
            && name.len() <= 2 * MAX_PERSON
            && !name.chars().any(char::is_control);
        if !is_name {
            return refuse(StatusCode::BAD_REQUEST, "name");
        }
        // One check at a time, and the limit holds for those that wait, too.
        let Ok(_one) = self.checking.acquire().await else {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "internal");
        };
        let now = Instant::now();
        if let Some(wait) = self.attempts.wait(peer, role, now) {
            let mut answer = refuse(StatusCode::TOO_MANY_REQUESTS, "wait");
            answer.headers_mut().insert(RETRY_AFTER, (wait.as_secs() + 1).into());
            return answer;
        }
        let file = self.passwords.clone();
        let checked = spawn_blocking(move || verify(&file, role, &password)).await;
        let who = format!("{name} ({})", role.as_str());
        match checked {
            Ok(Ok(Some(hash))) => {
                self.attempts.succeeded(peer, role);
                let Some((token, session)) = self.sessions.open(role, name, hash, now) else {
                    return refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal");
                };
                self.note(&session, peer, "login", json!({})).await;
                self.with_cookie(done(&describe(&session)), &token, self.sessions.lifetime().as_secs())
            }
            Ok(Ok(None)) => {
                self.attempts.failed(peer, role, now);
                self.note_of(who, peer, "wrong password", json!({})).await;
                refuse(StatusCode::UNAUTHORIZED, "password")
            }
            Ok(Err(PasswordError::NotSet)) => refuse(StatusCode::UNAUTHORIZED, "password_not_set"),
            Ok(Err(e)) => {
                limited!(warn, "nobody can log in to the page: {e}");
                refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
            Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    async fn records(&self, query: &str) -> Answer {
        let Some(records) = self.records.clone() else { return refuse(StatusCode::NOT_FOUND, "no_records") };
        let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        let place = value("place").map_or(Some(Place::Rejected), Place::parse);
        let before = value("before").map(RecordName::parse);
        let count = value("count").map_or(Ok(MAX_LISTED), str::parse);
        let (Some(place), None | Some(Some(_)), Ok(count @ 1..=MAX_LISTED)) = (place, &before, count) else {
            return refuse(StatusCode::BAD_REQUEST, "request");
        };
        let path = records.path().display().to_string();
        let listed = spawn_blocking(move || records.list(place, before.flatten().as_ref(), count)).await;
        match listed {
            Ok(Ok((records, has_more))) => done(&json!({"records": records, "has_more": has_more})),
            Ok(Err(e)) => {
                limited!(
                    warn,
                    "the records in {path} can't be read: {e}; check page.records, and that this user is in the group of the folder"
                );
                refuse(StatusCode::INTERNAL_SERVER_ERROR, "records_unreadable")
            }
            Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    async fn picture(&self, name: &str, picture: &str) -> Answer {
        let missing = || refuse(StatusCode::NOT_FOUND, "not_found");
        let (Some(records), Some(name), Some(picture)) =
            (self.records.clone(), RecordName::parse(name), Picture::parse(picture))
        else {
            return missing();
        };
        match spawn_blocking(move || picture.open(&records, &name)).await {
            Ok(Ok((file, length, media_type))) => with_picture(media_type, length, pieces(file, length)),
            Ok(Err(e)) if e.kind() != ErrorKind::NotFound => {
                limited!(
                    warn,
                    "a picture of a record can't be read: {e}; check the group of the folder of records"
                );
                missing()
            }
            _ => missing(),
        }
    }

    async fn log(self: &Arc<Self>) -> Answer {
        let page = Arc::clone(self);
        match spawn_blocking(move || page.audit.newest(LOG_ENTRIES)).await {
            Ok(Ok(entries)) => done(&json!(entries)),
            _ => with_json(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": "internal"})),
        }
    }

    /// Returns the name of the cookie. With its prefix, browsers take it from this host alone and over TLS alone.
    const fn cookie(&self) -> &'static str {
        if self.is_secure { "__Host-nominal" } else { "nominal" }
    }

    fn token<'r, B>(&self, request: &'r Request<B>) -> Option<&'r str> {
        let cookies = request.headers().get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.cookie()).map(|(_, token)| token)
    }

    fn with_cookie(&self, mut answer: Answer, token: &str, seconds: u64) -> Answer {
        let (name, secure) = (self.cookie(), if self.is_secure { "; Secure" } else { "" });
        let text = format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        if let Ok(value) = HeaderValue::from_str(&text) {
            answer.headers_mut().insert(SET_COOKIE, value);
        }
        answer
    }
}

fn describe(session: &Session) -> serde_json::Value {
    json!({"role": session.role, "name": session.name, "csrf": session.csrf})
}

/// Whether a request has JSON and, as far as the browser says, comes from the page itself. Forms of other sites can't send
/// JSON.
fn is_own_json<B>(request: &Request<B>) -> bool {
    let header = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    let is_json = request.headers().get(CONTENT_TYPE).is_some_and(|value| value == "application/json");
    is_json && header("sec-fetch-site").is_none_or(|site| site == b"same-origin")
}

/// Reads a body of JSON; `None` if it is something else, too long or too slow.
async fn read<B, T: DeserializeOwned>(request: Request<B>) -> Option<T>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = timeout(BODY_TIMEOUT, Limited::new(request.into_body(), MAX_BODY).collect()).await;
    serde_json::from_slice(&body.ok()?.ok()?.to_bytes()).ok()
}
