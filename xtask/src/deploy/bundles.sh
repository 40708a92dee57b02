# Installs bundles on a board, for deployments (`on-board.sh`) and the image's `first-boot`. Both source this file after
# setting: root (empty except in tests), bundles (the folder of bundles), edge (the program).
#
# .NAME.beside is the inactive bundle: the new one until it is switched in, then the old one until the new one has passed
# all checks. A bundle left under this name by a power cut can be deleted.

# Runs a command as the service's user, or as nobody before its package is installed. A bundle may come from anywhere, so the
# process that reads its model must neither be root nor reach the gate's lines, for which the service has groups. This also
# ensures that the line can read the bundle.
as_service() {
    user=65534
    if getent passwd nominal >/dev/null; then user=nominal; fi
    setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs -- "$@"
}

# holds FOLDER [LINE]: checks that the bundle gives the same results here as where it was made and that the line would run it, and
# prints doctor's findings.
holds() {
    if as_service timeout 600 "$edge" doctor --bundle "$1" ${2:+--line "$2"} >"$root/run/nominal-doctor.log" 2>&1; then return 0; fi
    grep -E '^(problem|error)' "$root/run/nominal-doctor.log" || cat "$root/run/nominal-doctor.log"
    return 1
}

# stage FOLDER NAME: copies the bundle to .NAME.beside, readable but not writable for the service.
stage() {
    mkdir -p "$bundles" &&
        rm -rf "$bundles/.$2.beside" &&
        cp -r "$1" "$bundles/.$2.beside" &&
        chown -R root:root "$bundles/.$2.beside" &&
        chmod -R u=rwX,go=rX "$bundles/.$2.beside"
}

# switch NAME: atomically exchanges .NAME.beside with NAME. A line that starts now, or after a power cut, finds one of the
# two, complete.
switch() { "$edge" exchange "$bundles/.$1.beside" "$bundles/$1"; }

# into_place FILE: atomically replaces FILE with FILE.new, even if the power is cut.
into_place() { sync "$1.new" && mv "$1.new" "$1"; }
