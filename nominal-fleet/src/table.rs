//! What the boards report, in one SQLite file. Each part, alarm and report has its own key, so that what comes twice is kept once.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fleet::BoardReport;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, Transaction, params};
use serde::Deserialize;

/// The tables. A board whose counters are lost numbers its runs from 1 again, so a part's key has its time, too. Whole messages are kept as JSON beside their keys: `json_extract(message, '$.score')`.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS parts (
    board TEXT NOT NULL, run INTEGER NOT NULL, part INTEGER NOT NULL, at_unix_ms INTEGER NOT NULL, product TEXT NOT NULL,
    disposition TEXT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (board, run, part, at_unix_ms)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarms (
    board TEXT NOT NULL, at_unix_ms INTEGER NOT NULL, alarm TEXT NOT NULL, active INTEGER NOT NULL,
    PRIMARY KEY (board, at_unix_ms, alarm, active)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reports (
    board TEXT NOT NULL, at_unix_ms INTEGER NOT NULL, received_unix_ms INTEGER NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (board, at_unix_ms)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (
    board TEXT NOT NULL PRIMARY KEY, received_unix_ms INTEGER NOT NULL, message TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stores (
    board TEXT NOT NULL, store TEXT NOT NULL, up_to INTEGER NOT NULL, lost INTEGER NOT NULL,
    PRIMARY KEY (board, store)) WITHOUT ROWID;
";
const CANNOT_WRITE: &str = "cannot write the table; check free space, and whether another program holds it";
/// How long another program may hold the file.
const BUSY: Duration = Duration::from_secs(30);

/// What a message is about, by the last part of its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A part.
    Part,
    /// An alarm.
    Alarm,
    /// What a board says about itself.
    Report,
}

/// A message of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The board's name.
    pub board: String,
    /// What it is about.
    pub kind: Kind,
    /// JSON.
    pub payload: Vec<u8>,
}

/// How many of some messages were new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// Those that weren't there yet.
    pub new: u64,
    /// Those that were.
    pub twice: u64,
    /// Those that can't be read.
    pub unreadable: u64,
}

/// How far a board's messages are stored without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUpTo {
    /// The board.
    pub board: String,
    /// Its store, as its messages name it.
    pub store: String,
    /// The number of the last message before the first gap.
    pub up_to: u64,
}

#[derive(Deserialize)]
struct PartJson {
    run: u32,
    part: u64,
    product: String,
    disposition: String,
    at_unix_ms: u64,
}

#[derive(Deserialize)]
struct AlarmJson {
    alarm: String,
    active: bool,
    at_unix_ms: u64,
}

/// Which message of a board's store this is; boards that keep nothing on the disk don't say.
#[derive(Deserialize)]
struct NumberJson {
    store: String,
    number: u64,
    since: u64,
}

/// The newest report of a board.
#[derive(Debug, Clone, PartialEq)]
pub struct LastReport {
    /// What it says.
    pub report: BoardReport,
    /// When it was received, in milliseconds since 1970: by this machine's clock, not the board's.
    pub received_unix_ms: u64,
    /// Messages of the board that never came.
    pub lost: u64,
}

/// The file.
pub struct Table(Connection);

impl Table {
    /// Opens the file, which is made if it doesn't exist.
    ///
    /// # Errors
    /// If it can't be opened, or isn't such a file.
    pub fn open(path: &Path) -> Result<Self> {
        let said =
            || format!("cannot use {}; give a file that this program has made, or a new one", path.display());
        let connection = Connection::open(path).with_context(said)?;
        connection.busy_timeout(BUSY)?;
        // What was confirmed to a board must survive a power cut: its gateway forgets it.
        let set_up = format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {SCHEMA}");
        connection.execute_batch(&set_up).with_context(said)?;
        Ok(Self(connection))
    }

    /// Opens a file that is there, to look into it.
    ///
    /// # Errors
    /// If it can't be opened, or isn't such a file.
    pub fn look_into(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags);
        let connection = connection.with_context(|| {
            format!("cannot use {}; give the file of `nominal-fleet collect`", path.display())
        })?;
        connection.busy_timeout(BUSY)?;
        Ok(Self(connection))
    }

    /// Adds messages in one step, and returns how far each board's are stored without a gap.
    ///
    /// # Errors
    /// If nothing can be written; nothing was added then.
    pub fn add(&mut self, messages: &[Incoming], now_unix_ms: u64) -> Result<(Added, Vec<StoredUpTo>)> {
        let mut added = Added::default();
        let mut stored: Vec<StoredUpTo> = vec![];
        let transaction = self.0.transaction().context(CANNOT_WRITE)?;
        for message in messages {
            match insert(&transaction, message, now_unix_ms).context(CANNOT_WRITE)? {
                Some(0) => added.twice += 1,
                Some(_) => added.new += 1,
                None => added.unreadable += 1,
            }
            if let Ok(number) = serde_json::from_slice::<NumberJson>(&message.payload) {
                let up_to = advance(&transaction, &message.board, &number).context(CANNOT_WRITE)?;
                let store = StoredUpTo { board: message.board.clone(), store: number.store, up_to };
                stored.retain(|it| (&it.board, &it.store) != (&store.board, &store.store));
                stored.push(store);
            }
        }
        transaction.commit().context(CANNOT_WRITE)?;
        Ok((added, stored))
    }

    /// Returns the newest report of each board, by name.
    ///
    /// # Errors
    /// If the table can't be read.
    pub fn boards(&self) -> Result<Vec<LastReport>> {
        let mut statement = self.0.prepare(
            "SELECT message, received_unix_ms, (SELECT total(lost) FROM stores WHERE stores.board = latest.board) \
             FROM latest ORDER BY board",
        )?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, unsigned(row, 1)?, row.get::<_, f64>(2)?)))?;
        rows.map(|row| {
            let (message, received_unix_ms, lost) = row?;
            let report = serde_json::from_str(&message).context("a report in the table can't be read")?;
            Ok(LastReport { report, received_unix_ms, lost: lost as u64 })
        })
        .collect()
    }

    /// Returns the reports of a board, the newest first.
    ///
    /// # Errors
    /// If the table can't be read.
    pub fn history(&self, board: &str, limit: u32) -> Result<Vec<BoardReport>> {
        let mut statement = self
            .0
            .prepare("SELECT message FROM reports WHERE board = ?1 ORDER BY received_unix_ms DESC, at_unix_ms DESC LIMIT ?2")?;
        let rows = statement.query_map(params![board, limit], |row| row.get::<_, String>(0))?;
        rows.map(|row| serde_json::from_str(&row?).context("a report in the table can't be read")).collect()
    }

    /// Returns the number of parts, and how many boards they are from.
    ///
    /// # Errors
    /// If the table can't be read.
    pub fn parts(&self) -> Result<(u64, u64)> {
        let count = "SELECT count(*), count(DISTINCT board) FROM parts";
        Ok(self.0.query_row(count, [], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))?)
    }
}

/// Inserts a message. Returns the number of new rows; `None` if it can't be read.
fn insert(transaction: &Transaction<'_>, message: &Incoming, now_unix_ms: u64) -> Result<Option<usize>> {
    let (board, payload) = (&message.board, &message.payload);
    // SQLite's integers have 63 bits and a sign.
    let number = |number: u64| i64::try_from(number).ok();
    let (Ok(text), Some(now)) = (str::from_utf8(payload), number(now_unix_ms)) else { return Ok(None) };
    match message.kind {
        Kind::Part => {
            let Ok(part) = serde_json::from_slice::<PartJson>(payload) else { return Ok(None) };
            let (Some(numbered), Some(at)) = (number(part.part), number(part.at_unix_ms)) else {
                return Ok(None);
            };
            let mut insert =
                transaction.prepare("INSERT OR IGNORE INTO parts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
            let row = params![board, part.run, numbered, at, part.product, part.disposition, text];
            Ok(Some(insert.execute(row)?))
        }
        Kind::Alarm => {
            let Ok(alarm) = serde_json::from_slice::<AlarmJson>(payload) else { return Ok(None) };
            let Some(at) = number(alarm.at_unix_ms) else { return Ok(None) };
            let mut insert = transaction.prepare("INSERT OR IGNORE INTO alarms VALUES (?1, ?2, ?3, ?4)")?;
            Ok(Some(insert.execute(params![board, at, alarm.alarm, alarm.active])?))
        }
        Kind::Report => {
            let Ok(report) = serde_json::from_slice::<BoardReport>(payload) else { return Ok(None) };
            let Some(at) = number(report.at_unix_ms) else { return Ok(None) };
            let mut insert = transaction.prepare("INSERT OR IGNORE INTO reports VALUES (?1, ?2, ?3, ?4)")?;
            let new = insert.execute(params![board, at, now, text])?;
            if new > 0 {
                // The last one to come, whatever the clocks say.
                let mut replace = transaction.prepare("INSERT OR REPLACE INTO latest VALUES (?1, ?2, ?3)")?;
                replace.execute(params![board, now, text])?;
            }
            Ok(Some(new))
        }
    }
}

/// Notes that a message was stored, and returns how far there is no gap. What the board says it has no longer can't be waited for: it is
/// lost.
fn advance(transaction: &Transaction<'_>, board: &str, message: &NumberJson) -> Result<u64> {
    let mut select = transaction.prepare("SELECT up_to, lost FROM stores WHERE board = ?1 AND store = ?2")?;
    let before = select
        .query_row(params![board, message.store], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))
        .optional()?;
    let since = message.since.max(1);
    let (mut up_to, mut lost) = before.unwrap_or((since - 1, 0));
    if since - 1 > up_to {
        lost += since - 1 - up_to;
        up_to = since - 1;
    }
    if message.number == up_to.saturating_add(1) {
        up_to = message.number;
    }
    let numbers = (i64::try_from(up_to), i64::try_from(lost));
    if let (Ok(up_to), Ok(lost)) = numbers
        && before != Some((up_to as u64, lost as u64))
    {
        let mut replace = transaction.prepare("INSERT OR REPLACE INTO stores VALUES (?1, ?2, ?3, ?4)")?;
        replace.execute(params![board, message.store, up_to, lost])?;
    }
    Ok(up_to)
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(board: &str, run: u32, part: u64, more: &str) -> Incoming {
        let payload = format!(
            r#"{{"line":"a","run":{run},"part":{part},"product":"cap","disposition":"pass","at_unix_ms":5{more}}}"#
        );
        Incoming { board: board.to_owned(), kind: Kind::Part, payload: payload.into_bytes() }
    }

    fn numbered(number: u64, since: u64) -> Incoming {
        part("a", 1, number, &format!(r#","store":"s","number":{number},"since":{since}"#))
    }

    fn table() -> (tempfile::TempDir, Table) {
        let folder = tempfile::tempdir().unwrap();
        let table = Table::open(&folder.path().join("fleet.db")).unwrap();
        (folder, table)
    }

    #[test]
    fn what_comes_twice_is_kept_once() {
        let (folder, mut table) = table();
        let messages = [part("a", 1, 1, ""), part("b", 1, 1, ""), part("a", 2, 1, ""), part("a", 1, 1, "")];
        let (added, stored) = table.add(&messages, 9).unwrap();
        assert_eq!(added, Added { new: 3, twice: 1, unreadable: 0 });
        assert!(stored.is_empty());
        assert_eq!(table.add(&messages, 9).unwrap().0, Added { new: 0, twice: 4, unreadable: 0 });
        let alarm = |active| Incoming {
            board: "a".to_owned(),
            kind: Kind::Alarm,
            payload: format!(r#"{{"line":"a","alarm":"blind","active":{active},"at_unix_ms":7}}"#)
                .into_bytes(),
        };
        let (added, _) = table.add(&[alarm(true), alarm(false), alarm(true)], 9).unwrap();
        assert_eq!(added, Added { new: 2, twice: 1, unreadable: 0 });
        drop(table);
        assert_eq!(Table::look_into(&folder.path().join("fleet.db")).unwrap().parts().unwrap(), (3, 2));
    }

    #[test]
    fn a_board_whose_counters_are_lost_overwrites_nothing() {
        let (_folder, mut table) = table();
        let mut again = part("a", 1, 1, "");
        again.payload = String::from_utf8(again.payload).unwrap().replace(":5", ":6").into_bytes();
        let messages = [part("a", 1, 1, ""), again, part("a", 1, 1, "")];
        assert_eq!(table.add(&messages, 9).unwrap().0, Added { new: 2, twice: 1, unreadable: 0 });
    }

    #[test]
    fn how_far_there_is_no_gap_is_known_and_what_never_comes_is_counted() {
        let (_folder, mut table) = table();
        let mut add = |number, since| table.add(&[numbered(number, since)], 9).unwrap().1[0].up_to;
        assert_eq!((add(1, 1), add(2, 1), add(4, 1)), (1, 2, 2));
        assert_eq!((add(3, 1), add(4, 1), add(4, 1)), (3, 4, 4));
        // The board has dropped 5 to 8.
        assert_eq!((add(9, 9), add(10, 9)), (9, 10));
        // An old one, late.
        assert_eq!(add(2, 1), 10);
        let lost: i64 = table.0.query_row("SELECT lost FROM stores", [], |row| row.get(0)).unwrap();
        assert_eq!(lost, 4);
        // Another run of the board begins where it is.
        let next = part("a", 3, 1, r#","store":"t","number":77,"since":70"#);
        assert_eq!(table.add(&[next], 9).unwrap().1[0].up_to, 69);
    }

    #[test]
    fn nonsense_is_counted_and_harms_nothing() {
        let (folder, mut table) = table();
        let payloads: [&[u8]; 8] = [
            b"",
            b"{",
            b"[]",
            b"\xff\xfe",
            br#"{"run":-1,"part":1,"product":"","disposition":"","at_unix_ms":1}"#,
            br#"{"run":1,"part":18446744073709551615,"product":"","disposition":"","at_unix_ms":1}"#,
            br#"{"store":"s","number":18446744073709551615,"since":18446744073709551615}"#,
            br#"{"store":"s","number":0,"since":0}"#,
        ];
        for kind in [Kind::Part, Kind::Alarm, Kind::Report] {
            let messages = payloads.map(|payload| Incoming {
                board: "x'; --".to_owned(),
                kind,
                payload: payload.to_vec(),
            });
            assert_eq!(
                table.add(&messages, 9).unwrap().0,
                Added { unreadable: 8, ..Added::default() },
                "{kind:?}"
            );
        }
        assert_eq!(table.parts().unwrap(), (0, 0));
        let other = folder.path().join("other");
        std::fs::write(&other, "not a table, but long enough to be taken for one".repeat(100)).unwrap();
        assert!(Table::open(&other).is_err());
        assert!(Table::look_into(&folder.path().join("none")).is_err());
    }

    #[test]
    fn the_newest_report_of_each_board_is_shown() {
        let (_folder, mut table) = table();
        let report = |board: &str, index, at| {
            let report = BoardReport {
                board: board.to_owned(),
                group: None,
                version: "0.1.0".to_owned(),
                line_version: String::new(),
                index,
                products: vec![],
                parts: 0,
                rejected: 0,
                p99_ms: None,
                alarms: vec![],
                problem: None,
                at_unix_ms: at,
            };
            let payload = serde_json::to_vec(&report).unwrap();
            Incoming { board: board.to_owned(), kind: Kind::Report, payload }
        };
        table.add(&[report("b", 1, 100), report("a", 1, 100)], 1000).unwrap();
        // The board's clock has jumped back: it is the newest even so.
        table.add(&[report("b", 2, 50)], 1001).unwrap();
        let boards = table.boards().unwrap();
        let seen: Vec<_> = boards
            .iter()
            .map(|it| (it.report.board.as_str(), it.report.index, it.received_unix_ms))
            .collect();
        assert_eq!(seen, [("a", 1, 1000), ("b", 2, 1001)]);
        let history: Vec<u64> = table.history("b", 10).unwrap().iter().map(|report| report.index).collect();
        assert_eq!((history, table.history("b", 1).unwrap().len()), (vec![2, 1], 1));
    }
}
