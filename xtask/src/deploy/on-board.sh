# What `cargo xtask deploy` runs on the board, as root, in the folder with what was sent: nominal.deb and, if they are to
# change, bundle/NAME and line.toml. Either all of it is in force at the end, or what was there before.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
here=$(pwd)
bundles=/var/lib/nominal/bundles
line=/etc/nominal/line.toml
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
has_systemd() { [ -d /run/systemd/system ]; }
# As the service: what only root may read is of no use to it.
as_service() { runuser -u nominal -g nominal -G video -G gpio -G dialout -- "$@"; }

exec 9>/run/nominal-deploy.lock
flock -n 9 || die "another deployment is at work on this board; wait for its end"

# A package of what is installed now, for the way back.
keep_package() {
    mkdir -p old/DEBIAN
    dpkg-query -s nominal | grep -v '^Status:' | awk '/^Conffiles:/ { skip = 1; next } /^ / && skip { next } { skip = 0; print }' \
        >old/DEBIAN/control
    for file in postinst prerm postrm conffiles; do
        [ ! -e "/var/lib/dpkg/info/nominal.$file" ] || cp -p "/var/lib/dpkg/info/nominal.$file" "old/DEBIAN/$file"
    done
    dpkg-query -L nominal | while read -r path; do
        if [ -d "$path" ] && [ ! -L "$path" ]; then mkdir -p "old$path"; else cp -a "$path" "old$path"; fi
    done
    # The line file as it was delivered: an edited one would count as the package's own, to be replaced without a word.
    cp -p /usr/share/nominal/line.toml "old$line"
    dpkg-deb --build old old.deb >/dev/null
    rm -r old
}

# 1. Nothing has changed yet: will the new program run here, and the new bundle do what it did on its host?
mkdir new
dpkg-deb --extract nominal.deb new
new/usr/bin/edge-runtime --version || die "the package's program does not run on this board; is it for another processor?"
if [ -n "$name" ]; then
    new/usr/bin/edge-runtime doctor --bundle "bundle/$name" >doctor.log 2>&1 || {
        grep -E '^(problem|error)' doctor.log || cat doctor.log
        die "the bundle $name was refused; the line was not touched"
    }
fi
# A power cut in an earlier deployment may have left the bundle under the name that it had for the way back.
if [ -n "$name" ] && [ ! -e "$bundles/$name" ] && [ -e "$bundles/.$name.old" ]; then
    mv "$bundles/.$name.old" "$bundles/$name"
fi
before=$(version)
[ -z "$before" ] || keep_package
[ ! -e "$line" ] || cp -p "$line" old-line.toml

# 2. The switch, and the way back from wherever it fails.
back() {
    trap - EXIT
    say "rolling back"
    if [ -n "$name" ]; then
        if [ -e "$bundles/.$name.old" ]; then
            rm -rf "${bundles:?}/$name"
            mv "$bundles/.$name.old" "$bundles/$name"
        elif [ -e "$here/switched" ]; then
            rm -rf "${bundles:?}/$name"
        fi
        rm -rf "$bundles/.$name.new"
    fi
    if [ -n "$before" ]; then install old.deb || say "the package $before could not be put back; install it by hand"; fi
    [ -z "$before" ] && { dpkg --remove nominal >/dev/null 2>&1 || true; }
    if [ -e old-line.toml ]; then cp -p old-line.toml "$line"; else cp new/etc/nominal/line.toml "$line"; fi
    if [ -n "$before" ] && has_systemd; then
        systemctl restart nominal && say "the line runs as before" || say "the line does not run: systemctl status nominal"
    fi
    exit 1
}
trap back EXIT

install nominal.deb || die "dpkg refused the package"
mkdir -p "$bundles"
if [ -n "$name" ]; then
    cp -r "bundle/$name" "$bundles/.$name.new"
    chown -R root:root "$bundles/.$name.new"
    chmod -R u=rwX,go=rX "$bundles/.$name.new"
    sync
    rm -rf "$bundles/.$name.old"
    [ ! -e "$bundles/$name" ] || mv "$bundles/$name" "$bundles/.$name.old"
    touch switched
    mv "$bundles/.$name.new" "$bundles/$name"
fi
if [ -e line.toml ]; then
    cp line.toml "$line.new"
    chmod 644 "$line.new"
    mv "$line.new" "$line"
fi

# 3. Does it hold where it lies now, for the user that it will run as?
if [ -n "$name" ]; then
    as_service edge-runtime doctor --bundle "$bundles/$name" >doctor.log 2>&1 || {
        cat doctor.log
        die "doctor finds fault with the bundle $name where it lies now"
    }
    tail -n 1 doctor.log
fi
if [ -n "$(ls "$bundles" 2>/dev/null)" ]; then
    as_service edge-runtime check "$line" >check.log 2>&1 || {
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
[ -z "$name" ] || rm -rf "$bundles/.$name.old"
say "in force: nominal $(version)${name:+, bundle $name}$([ ! -e line.toml ] || echo ', a new line file')"
