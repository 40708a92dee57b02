# What a deployment (`on-board.sh`) and the image's `first-boot` do with bundles on a board. Both read this file and set
# before: root (empty but in tests), bundles (the folder of bundles), edge (the program).
#
# .NAME.beside is the bundle that is not in force: the new one until it takes its place, then the old one, until the new
# one has proved itself. What a power cut leaves under this name is of no use to anybody.

# As the service's user, and before its package is there as nobody. A bundle may come from anywhere, and what reads its
# model must not be root, nor reach the gate's lines, for which the service has groups; and what only root may read is of no
# use to the line.
as_service() {
    user=65534
    if getent passwd nominal >/dev/null; then user=nominal; fi
    setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs -- "$@"
}

# holds FOLDER: does the bundle do here what it did where it was made? What doctor finds is said.
holds() {
    if as_service timeout 600 "$edge" doctor --bundle "$1" >"$root/run/nominal-doctor.log" 2>&1; then return 0; fi
    grep -E '^(problem|error)' "$root/run/nominal-doctor.log" || cat "$root/run/nominal-doctor.log"
    return 1
}

# stage FOLDER NAME: a copy beside the place of NAME, the service's to read and not to write.
stage() {
    mkdir -p "$bundles" &&
        rm -rf "$bundles/.$2.beside" &&
        cp -r "$1" "$bundles/.$2.beside" &&
        chown -R root:root "$bundles/.$2.beside" &&
        chmod -R u=rwX,go=rX "$bundles/.$2.beside"
}

# switch NAME: the bundle beside the place takes the place, and what lay there lies beside it, in one step: a line that
# starts now, or after a power cut, finds one of them, and whole.
switch() { "$edge" exchange "$bundles/.$1.beside" "$bundles/$1"; }

# into_place FILE: FILE.new becomes FILE, whole or not at all, power cuts included.
into_place() { sync "$1.new" && mv "$1.new" "$1"; }
