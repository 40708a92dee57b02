# What `cargo xtask deploy` runs on the board, as root, in the folder with what was sent: nominal.deb and, if they are to
# change, bundle/NAME and line.toml. Either all of it is in force at the end, or what was there before.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
umask 022
# Empty on a board; tests have a root of their own.
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
flock -n 9 || die "another deployment is at work on this board; wait for its end"

# A package of what is installed now, for the way back.
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
    # The line file as it was delivered: an edited one would count as the package's own, to be replaced without a word.
    cp -p "$root/usr/share/nominal/line.toml" old/etc/nominal/line.toml
    dpkg-deb --build old old.deb >/dev/null
    rm -r old
}

# 1. Nothing has changed yet: will the new program run here, and the new bundle do what it did on its host?
mkdir new
dpkg-deb --extract nominal.deb new
new/usr/bin/edge-runtime --version || die "the package's program does not run on this board; is it for another processor?"
if [ -n "$name" ]; then
    # For the service's user, who judges the bundle.
    chmod 755 . new
    chmod -R u=rwX,go=rX bundle
    "$edge" exchange --help >/dev/null 2>&1 || die "the package's program can't exchange bundles; deploy a later one"
    holds "bundle/$name" || die "the bundle $name was refused; the line was not touched"
    # Earlier versions of this file switched by two renames; a power cut between them left only the old bundle.
    if [ ! -e "$bundles/$name" ] && [ -e "$bundles/.$name.old" ]; then
        mv "$bundles/.$name.old" "$bundles/$name"
    fi
    rm -rf "$bundles/.$name.old" "$bundles/.$name.new"
fi
before=$(version)
[ -z "$before" ] || keep_package
[ ! -e "$line" ] || cp -p "$line" old-line.toml

# 2. The switch, and the way back from wherever it fails.
new_one=''
id_of() { stat -c %d:%i "$1" 2>/dev/null; }
is_new() { [ -n "$new_one" ] && [ "$(id_of "$1")" = "$new_one" ]; }
back() {
    trap - EXIT
    # Whatever fails here, the rest is still put back.
    set +e
    say "rolling back"
    if [ -n "$name" ]; then
        if is_new "$bundles/$name"; then
            # What is beside it now was in force before; where nothing is, there was none.
            if [ -e "$bundles/.$name.beside" ]; then switch "$name"; else rm -rf "${bundles:?}/$name"; fi
        fi
        if is_new "$bundles/$name"; then
            say "the bundle that was in force could not be put back: it is $bundles/.$name.beside"
        else
            rm -rf "$bundles/.$name.beside"
        fi
    fi
    if [ -n "$before" ]; then install old.deb || say "the package $before could not be put back; install it by hand"; fi
    [ -n "$before" ] || dpkg --remove nominal >/dev/null 2>&1
    if [ -e old-line.toml ]; then cp -p old-line.toml "$line.new"; else cp new/etc/nominal/line.toml "$line.new"; fi
    into_place "$line"
    if [ -n "$before" ] && has_systemd; then
        systemctl restart nominal && say "the line runs as before" || say "the line does not run: systemctl status nominal"
    fi
    exit 1
}
trap back EXIT

install nominal.deb || die "dpkg refused the package"
mkdir -p "$bundles"
if [ -n "$name" ]; then
    stage "bundle/$name" "$name" || die "the bundle $name could not be copied; is there space left?"
    new_one=$(id_of "$bundles/.$name.beside")
    switch "$name" || die "the bundle $name could not take its place"
fi
if [ -e line.toml ]; then
    cp line.toml "$line.new"
    chmod 644 "$line.new"
    into_place "$line"
fi

# 3. Does it hold where it lies now, for the user that it will run as?
if [ -n "$name" ]; then
    holds "$bundles/$name" || die "doctor finds fault with the bundle $name where it lies now"
fi
if [ -n "$(ls "$bundles" 2>/dev/null)" ]; then
    as_service "$edge" check "$line" >check.log 2>&1 || {
        cat check.log
        die "the line file does not hold on this board"
    }
    if has_systemd; then
        # Returns when the line is ready, or has failed to become so.
        systemctl restart nominal || die "the line did not start: journalctl -u nominal"
        sleep 3
        systemctl is-active --quiet nominal || die "the line has ended after its start: journalctl -u nominal"
        say "the line runs"
    else
        say "no systemd here: start the line by hand"
    fi
else
    say "there is no bundle yet: the line waits for one"
fi

# 4. In force.
trap - EXIT
[ -z "$name" ] || rm -rf "$bundles/.$name.beside"
say "in force: nominal $(version)${name:+, bundle $name}$([ ! -e line.toml ] || echo ', a new line file')"
