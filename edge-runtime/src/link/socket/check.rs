//! Checks the gateway's socket before, and while, a line uses it.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};
use shared_format::gateway::{Decoder, LineMessage};

/// A line says hello at once.
const HELLO_TIMEOUT: Duration = Duration::from_secs(3);
/// The most that is read while waiting for it.
const MAX_BYTES: usize = 4096;
/// The bit that gives new files a folder's group.
const SET_GROUP: u32 = 0o2000;

/// Says who can connect to a socket, and whether a line listens there already.
///
/// # Errors
/// A sentence that says why it can't be made or used, and what to do.
pub fn check(path: &Path) -> Result<String, String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let of_folder = fs::metadata(folder).map_err(|e| {
        format!(
            "socket.path: the folder {} can't be used: {e}; create it, or correct the path",
            folder.display()
        )
    })?;
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            let group = group(found.gid());
            match UnixStream::connect(path) {
                Ok(stream) => {
                    let line = hello(stream).ok_or_else(|| {
                        format!(
                            "socket.path: whoever listens at {} is not a line; stop that program, or correct the path",
                            path.display()
                        )
                    })?;
                    Ok(format!(
                        "{}: {line} listens; its owner and the group {group} can connect",
                        path.display()
                    ))
                }
                Err(e) if e.kind() == ErrorKind::ConnectionRefused => {
                    Ok(format!("{}: left by a line that has ended; the next one replaces it", path.display()))
                }
                Err(e) => Err(format!(
                    "socket.path: cannot connect to {}: {e}; run this as root or as a user in the group {group}",
                    path.display()
                )),
            }
        }
        Ok(_) => Err(format!(
            "socket.path: {} is something other than a socket; remove it, or correct the path",
            path.display()
        )),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
                return Err(format!(
                    "socket.path: this user can't write to {}; give the folder to the line's user (on a board: `sudo \
                     systemd-tmpfiles --create nominal.conf`)",
                    folder.display()
                ));
            }
            let is_inherited = of_folder.mode() & SET_GROUP != 0;
            let gid = if is_inherited { of_folder.gid() } else { rustix::process::getegid().as_raw() };
            Ok(format!("{}: can be made; its owner and the group {} can connect", path.display(), group(gid)))
        }
        Err(e) => Err(format!("socket.path: cannot look at {}: {e}; check the permissions", path.display())),
    }
}

/// Returns who says hello.
fn hello(mut stream: UnixStream) -> Option<String> {
    stream.set_read_timeout(Some(HELLO_TIMEOUT)).ok()?;
    let mut decoder = Decoder::default();
    let mut byte = [0];
    for _ in 0..MAX_BYTES {
        stream.read_exact(&mut byte).ok()?;
        match decoder.push::<LineMessage>(byte[0]) {
            Some(Ok(LineMessage::Hello(hello))) => return Some(format!("line {:?}", hello.line.as_str())),
            Some(_) => return None,
            None => {}
        }
    }
    None
}

/// Returns a group's name, or its number if it has none.
fn group(gid: u32) -> String {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let named = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(gid)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| gid.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use shared_format::gateway::{Hello, MAX_LEN, Message as _, cut};

    use super::*;

    #[test]
    fn each_state_of_the_socket_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.sock");
        let said = check(&path).unwrap();
        assert!(said.contains("can be made") && said.contains("can connect"), "{said}");
        let said = check(&folder.path().join("nowhere/line.sock")).unwrap_err();
        assert!(said.contains("create it, or correct the path"), "{said}");
        fs::write(&path, "").unwrap();
        assert!(check(&path).unwrap_err().contains("remove it, or correct the path"));
        fs::remove_file(&path).unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        for (message, is_line) in [(&b"HTTP/1.1 200\0"[..], false), (b"", true)] {
            let mut hello = message.to_vec();
            if is_line {
                let line = Hello { line: cut("a"), version: cut("1"), run: 1, products: 1, accepts: 0 };
                hello = LineMessage::Hello(line).encode(&mut [0; MAX_LEN]).unwrap().to_vec();
            }
            let server = listener.try_clone().unwrap();
            let serving = std::thread::spawn(move || server.accept().unwrap().0.write_all(&hello).unwrap());
            let said = check(&path);
            serving.join().unwrap();
            assert_eq!(said.is_ok(), is_line, "{said:?}");
            assert!(said.map_or_else(|e| e.contains("not a line"), |ok| ok.contains("line \"a\" listens")));
        }
        drop(listener);
        assert!(check(&path).unwrap().contains("the next one replaces it"));
        fs::remove_file(&path).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
        // Root may write everywhere.
        if !rustix::process::geteuid().is_root() {
            assert!(check(&path).unwrap_err().contains("can't write to"));
        }
    }

    #[test]
    fn a_group_has_its_name() {
        assert_eq!((group(0), group(4_000_000_000)), ("root".to_owned(), "4000000000".to_owned()));
    }
}
