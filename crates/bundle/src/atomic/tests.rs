use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_appears_whole_and_replaces_whole() {
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("new/bundle");
    write_folder(&target, |p| write_synced(&p.join("one"), b"1")).unwrap();
    assert_eq!(names(&target), ["one"]);
    write_folder(&target, |p| write_synced(&p.join("two"), b"2")).unwrap();
    assert_eq!(names(&target), ["two"]);
    assert_eq!(names(target.parent().unwrap()), ["bundle"]);
}

#[test]
#[cfg(target_os = "linux")]
fn links_stay_links_devices_stay_devices_and_old_partials_go() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let (file, link) = (root.path().join("file"), root.path().join("link"));
    // No process has this number: Linux's limit is far lower.
    fs::write(root.path().join(".file.partial-4194999999"), b"x").unwrap();
    fs::write(root.path().join(".file.partial-4194304-a1b2"), b"x").unwrap();
    write_file(&file, b"1").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    write_file(&link, b"2").unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"2");
    // As readable as a file that any other program makes here.
    fs::write(root.path().join("plain"), b"x").unwrap();
    let mode = |name: &str| fs::metadata(root.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("file"), mode("plain"));
    write_file(Path::new("/dev/null"), b"3").unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    assert_eq!(names(root.path()), ["file", "link", "plain"]);
}

#[test]
fn a_failure_leaves_everything_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("bundle");
    write_folder(&target, |p| write_synced(&p.join("one"), b"1")).unwrap();
    let failed = write_folder(&target, |p| {
        write_synced(&p.join("two"), b"2")?;
        Err(io::Error::other("disk full"))
    });
    assert!(failed.is_err());
    assert_eq!(names(&target), ["one"]);
    assert_eq!(names(root.path()), ["bundle"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_is_replaced_is_there_at_every_moment() {
    use std::mem::MaybeUninit;

    use rustix::fs::inotify;

    let root = tempfile::tempdir().unwrap();
    let (new, target) = (root.path().join(".bundle.beside"), root.path().join("bundle"));
    write_synced_folder(&new, b"1");
    replace_folder(&new, &target).unwrap();
    assert_eq!(names(root.path()), ["bundle"]);
    write_synced_folder(&new, b"2");
    let changes = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&changes, root.path(), inotify::WatchFlags::ALL_EVENTS).unwrap();
    // Forwards and back.
    for (now, before) in [(b"2", b"1"), (b"1", b"2")] {
        replace_folder(&new, &target).unwrap();
        assert_eq!(fs::read(target.join("model")).unwrap(), now);
        assert_eq!(fs::read(new.join("model")).unwrap(), before);
    }
    // Anything that takes more than one step would need a third name, or a removal.
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(&changes, &mut buffer);
    let mut moves = 0;
    while let Ok(event) = reader.next() {
        let name = event.file_name().map(|name| name.to_str().unwrap().to_owned()).unwrap_or_default();
        assert!(["", "bundle", ".bundle.beside"].contains(&name.as_str()), "{name}");
        let gone = inotify::ReadFlags::DELETE | inotify::ReadFlags::CREATE;
        assert!(!event.events().intersects(gone), "{name}");
        moves += usize::from(event.events().contains(inotify::ReadFlags::MOVED_TO));
    }
    assert_eq!(moves, 4);
}

#[test]
#[cfg(unix)]
fn nothing_moves_where_the_new_folder_is_not_there() {
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("bundle");
    write_synced_folder(&target, b"1");
    let error = replace_folder(&root.path().join("none"), &target).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(fs::read(target.join("model")).unwrap(), b"1");
}

#[cfg(unix)]
fn write_synced_folder(folder: &Path, model: &[u8]) {
    fs::create_dir_all(folder.join("golden")).unwrap();
    write_synced(&folder.join("model"), model).unwrap();
    write_synced(&folder.join("golden/normal.png"), model).unwrap();
}
