# Run by `cargo xtask deploy` on the board, as root, in the folder with the received files: nominal.deb and, if they are to
# be replaced, bundle/NAME and line.toml. Installs either all of them or, on failure, restores the previous state.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
umask 022
# Empty on a board; set in tests.
root=${NOMINAL_ROOT-}
bundles=$root/var/lib/nominal/bundles
line=$root/etc/nominal/line.toml
edge=new/usr/bin/edge-runtime
. ./bundles.sh
name=$(ls bundle 2>/dev/null || true)

say() {
    echo "$*"
    logger -t nominal-deploy -- "$*" 2>/dev/null || true
}
die() {
    say "$*"
    exit 1
}
version() { dpkg-query -W -f '${db:Status-Status} ${Version}' nominal 2>/dev/null | sed -n 's/^installed //p'; }
install() { dpkg --force-confdef --force-confold --install "$1" >dpkg.log 2>&1 </dev/null || { cat dpkg.log; return 1; }; }
has_systemd() { [ -d "$root/run/systemd/system" ]; }

exec 9>"$root/run/nominal-deploy.lock"
flock -n 9 || die "another deployment is running on this board; wait until it has finished"

# Builds a package from the installed version, for rolling back.
keep_package() {
    mkdir -p old/DEBIAN
    dpkg-query -s nominal | grep -v '^Status:' | awk '/^Conffiles:/ { skip = 1; next } /^ / && skip { next } { skip = 0; print }' \
        >old/DEBIAN/control
    for file in postinst prerm postrm conffiles; do
        [ ! -e "$root/var/lib/dpkg/info/nominal.$file" ] || cp -p "$root/var/lib/dpkg/info/nominal.$file" "old/DEBIAN/$file"
    done
    dpkg-query -L nominal | while read -r path; do
        if [ -d "$path" ] && [ ! -L "$path" ]; then mkdir -p "old$path"; else cp -a "$path" "old$path"; fi
    done
    # Use the line file as delivered: dpkg would take an edited one for the package's own and later replace it silently.
    cp -p "$root/usr/share/nominal/line.toml" old/etc/nominal/line.toml
    dpkg-deb --build old old.deb >/dev/null
    rm -r old
}

# 1. Before any change: check that the new program runs here, and that the new bundle gives the same results as on its host.
mkdir new
dpkg-deb --extract nominal.deb new
new/usr/bin/edge-runtime --version || die "the package's program does not run on this board; is it for another processor?"
if [ -n "$name" ]; then
    # Let the service's user, as which the bundle is judged, read it.
    chmod 755 . new
    chmod -R u=rwX,go=rX bundle
    "$edge" exchange --help >/dev/null 2>&1 || die "the package's program can't exchange bundles; deploy a newer one"
    # In its final folder, from which the line file's paths are relative.
    rules=$line
    if [ -e line.toml ]; then
        cp line.toml "$line.check" 2>/dev/null && chmod 644 "$line.check" && rules=$line.check
    fi
    if [ -e "$rules" ]; then
        holds "bundle/$name" "$rules" || refused=1
    else
        holds "bundle/$name" || refused=1
    fi
    rm -f "$line.check"
    [ -z "${refused-}" ] || die "the bundle $name was refused; the line was not touched"
    # Earlier versions of this file switched by two renames; a power cut between them left only the old bundle.
    if [ ! -e "$bundles/$name" ] && [ -e "$bundles/.$name.old" ]; then
        mv "$bundles/.$name.old" "$bundles/$name"
    fi
    rm -rf "$bundles/.$name.old" "$bundles/.$name.new"
fi
before=$(version)
[ -z "$before" ] || keep_package
[ ! -e "$line" ] || cp -p "$line" old-line.toml

# 2. Switch, and roll back if anything fails.
new_one=''
id_of() { stat -c %d:%i "$1" 2>/dev/null; }
is_new() { [ -n "$new_one" ] && [ "$(id_of "$1")" = "$new_one" ]; }
back() {
    trap - EXIT
    # If a step fails here, the others are still rolled back.
    set +e
    say "rolling back"
    if [ -n "$name" ]; then
        if is_new "$bundles/$name"; then
            # The previous bundle is now at .NAME.beside; if nothing is there, there was none.
            if [ -e "$bundles/.$name.beside" ]; then switch "$name"; else rm -rf "${bundles:?}/$name"; fi
        fi
        if is_new "$bundles/$name"; then
            say "the previous bundle could not be restored; it is in $bundles/.$name.beside"
        else
            rm -rf "$bundles/.$name.beside"
        fi
    fi
    if [ -n "$before" ]; then install old.deb || say "the package $before could not be restored; install it by hand"; fi
    [ -n "$before" ] || dpkg --remove nominal >/dev/null 2>&1
    if [ -e old-line.toml ]; then cp -p old-line.toml "$line.new"; else cp new/etc/nominal/line.toml "$line.new"; fi
    into_place "$line"
    # The new bundle may have run already, and the line refuses one that is older than any that it has run. Before the check of what is
    # new, nothing of it has run, and what is older for other reasons stays refused.
    [ -z "${checked-}" ] || as_service "$edge" check --allow-downgrade "$line" >/dev/null 2>&1
    if [ -n "$before" ] && has_systemd; then
        systemctl restart nominal && say "the line runs as before" || say "the line does not run; see \`systemctl status nominal\`"
    fi
    exit 1
}
trap back EXIT

install nominal.deb || die "dpkg refused the package"
mkdir -p "$bundles"
if [ -n "$name" ]; then
    stage "bundle/$name" "$name" || die "the bundle $name could not be copied; check the free disk space"
    new_one=$(id_of "$bundles/.$name.beside")
    switch "$name" || die "the bundle $name could not be switched in"
fi
if [ -e line.toml ]; then
    cp line.toml "$line.new"
    chmod 644 "$line.new"
    into_place "$line"
fi

# 3. Check everything in its final location, as the user that it will run as.
if [ -n "$name" ]; then
    holds "$bundles/$name" "$line" || die "doctor found problems with the installed bundle $name"
fi
if [ -n "$(ls "$bundles" 2>/dev/null)" ]; then
    as_service "$edge" check "$line" >check.log 2>&1 || {
        cat check.log
        die "the line file is not valid on this board"
    }
    checked=1
    if has_systemd; then
        # Returns when the line is ready or has failed to start.
        systemctl restart nominal || die "the line did not start; see \`journalctl -u nominal\`"
        sleep 3
        systemctl is-active --quiet nominal || die "the line ended after its start; see \`journalctl -u nominal\`"
        say "the line runs"
    else
        say "there is no systemd here; start the line by hand"
    fi
else
    say "there is no bundle yet: the line waits for one"
fi

# 4. Done.
trap - EXIT
[ -z "$name" ] || rm -rf "$bundles/.$name.beside"
say "deployed: nominal $(version)${name:+, bundle $name}$([ ! -e line.toml ] || echo ', a new line file')"
