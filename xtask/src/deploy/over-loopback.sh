# over-loopback.sh XTASK PACKAGE BUNDLE FOLDER: deploys to a board that is a Debian root in FOLDER/board with its own ssh
# server. A stand-in for systemctl starts the line as a plain process; everything else is real.
set -euo pipefail
xtask=$1 package=$2 bundle=$3 folder=$4
board=$folder/board
say() { echo "  $*"; }
fail() {
    echo "deploy test: $*" >&2
    tail -n 30 "$folder/sshd.log" "$folder/said" "$board/run/nominal.log" >&2 || true
    exit 1
}
must() { "$@" || fail "failed: $*"; }

ssh-keygen -q -t ed25519 -N '' -f "$folder/host"
ssh-keygen -q -t ed25519 -N '' -f "$folder/key"
mkdir -p /run/sshd
cat >"$folder/sshd_config" <<C
Port 22
ListenAddress 127.0.0.1
HostKey $folder/host
AuthorizedKeysFile $folder/key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
ChrootDirectory $board
C
cat >"$folder/config" <<C
Host board
    HostName 127.0.0.1
    User root
    IdentityFile $folder/key
    IdentitiesOnly yes
    UserKnownHostsFile $folder/known
# The connection drops after 400000 bytes.
Host board-that-drops
    ProxyCommand bash -c 'exec 3<>/dev/tcp/127.0.0.1/22; cat <&3 & head -c 400000 >&3; kill %%1'
    User root
    IdentityFile $folder/key
    IdentitiesOnly yes
    HostKeyAlias 127.0.0.1
    UserKnownHostsFile $folder/known
C
echo "127.0.0.1 $(cut -d' ' -f1,2 "$folder/host.pub")" >"$folder/known"
/usr/sbin/sshd -D -f "$folder/sshd_config" -E "$folder/sshd.log" &

# Add what a board has and a bare root lacks.
mount --bind /proc "$board/proc"
mkdir -p "$board/run/systemd/system"
cat >"$board/usr/bin/systemctl" <<'S'
#!/bin/sh
# Stands in for systemd: runs the unit's check and program as a plain process.
case "$*" in
    *is-active*) kill -0 "$(cat /run/nominal.pid 2>/dev/null)" 2>/dev/null ;;
    *start*nominal*)
        # Like systemd, wait for the old process to end before starting the new one: both write the same counters.
        if [ -e /run/nominal.pid ]; then
            kill "$(cat /run/nominal.pid)" 2>/dev/null || true
            while kill -0 "$(cat /run/nominal.pid)" 2>/dev/null; do sleep 0.1; done
        fi
        rm -f /run/nominal.pid
        [ -n "$(ls /var/lib/nominal/bundles)" ] || exit 0
        edge-runtime check /etc/nominal/line.toml >/run/nominal.check 2>&1 || exit 1
        setsid runuser -u nominal -- edge-runtime run /etc/nominal/line.toml >/run/nominal.log 2>&1 </dev/null 9>&- &
        echo $! >/run/nominal.pid
        ;;
esac
S
chmod 755 "$board/usr/bin/systemctl"

deploy() { "$xtask" deploy --ssh-config "$folder/config" "$@" >"$folder/said" 2>&1; }
refused() { if deploy "$@"; then fail "accepted: $*"; fi; }
said() { must grep -q "$1" "$folder/said"; }
on_board() { chroot "$board" "$@"; }
runs() { on_board systemctl is-active nominal; }
pid() { cat "$board/run/nominal.pid"; }
version() { on_board dpkg-query -W -f '${Version}' nominal; }
sum() { (cd "$board/var/lib/nominal/bundles" && find . -type f -exec sha256sum {} + | sort | sha256sum); }
no_traces() { must test -z "$(ls "$board/var/tmp")"; must test -z "$(ls -A "$board/var/lib/nominal/bundles" | grep '^\.' || true)"; }
another() { # VERSION FILE SHELL: builds the package with another version, modified by a command in its folder
    rm -rf "$folder/another"
    dpkg-deb -R "$package" "$folder/another"
    sed -i "s/^Version: .*/Version: $1/" "$folder/another/DEBIAN/control"
    (cd "$folder/another" && eval "$3")
    dpkg-deb -Z gzip -b "$folder/another" "$2" >/dev/null
}

cat >"$folder/line.toml" <<'L'
name = "test"
stdout = false
[[product]]
name = "spot"
bundle = "/var/lib/nominal/bundles/spot"
[camera]
source = "pattern"
width = 64
height = 64
fps = 10
[trigger]
kind = "interval"
every_ms = 500
[gate]
delay_ms = 400
pulse_ms = 50
[health]
state = "/var/lib/nominal/state"
every_s = 1
L
mkdir "$folder/good"
cp -r "$bundle" "$folder/good/spot"
for _ in $(seq 50); do ssh -F "$folder/config" -o BatchMode=yes board true 2>/dev/null && break; sleep 0.2; done

say "first package, on a board without a bundle: the line waits"
deploy board --package "$package" || fail "the first package"
said "the line waits for one"
first=$(version)
if runs; then fail "it runs without a bundle"; fi

say "bundle and line file: the line runs"
deploy board --package "$package" --bundle "$folder/good/spot" --line "$folder/line.toml" || fail "bundle and line file"
said "the line runs"
must runs
must cmp "$folder/line.toml" "$board/etc/nominal/line.toml"
in_force=$(sum)
no_traces

say "corrupted bundle: refused by doctor, the old one stays, the line isn't even restarted"
mkdir "$folder/bad"
cp -r "$bundle" "$folder/bad/spot"
printf 'X' | dd of="$folder/bad/spot/model.onnx" bs=1 seek=40 conv=notrunc status=none
running=$(pid)
refused board --package "$package" --bundle "$folder/bad/spot"
said "the line was not touched"
must test "$(sum)" = "$in_force"
must test "$(pid)" = "$running"
must runs
no_traces

say "package whose program does not run: refused before anything changes"
another 3-1 "$folder/broken.deb" 'echo "#!/bin/false" >usr/bin/edge-runtime'
refused board --package "$folder/broken.deb"
said "does not run on this board"
must test "$(version)" = "$first"
must test "$(pid)" = "$running"

say "newer package with an invalid line file: package, bundle and line file are rolled back"
another 2-1 "$folder/later.deb" 'true'
sed 's/spot"$/nowhere"/' "$folder/line.toml" >"$folder/wrong.toml"
cp -r "$folder/good" "$folder/new"
cp "$(find "$folder/new/spot/golden" -type f | head -n 1)" "$folder/new/spot/note.png"
refused board --package "$folder/later.deb" --bundle "$folder/new/spot" --line "$folder/wrong.toml"
said "rolling back"
said "the line runs as before"
must test "$(version)" = "$first"
must test "$(sum)" = "$in_force"
must cmp "$folder/line.toml" "$board/etc/nominal/line.toml"
must on_board edge-runtime --version >/dev/null
delivered=$(dpkg-deb --fsys-tarfile "$package" | tar -xO ./etc/nominal/line.toml | md5sum | cut -d' ' -f1)
must grep -q "/etc/nominal/line.toml $delivered" "$board/var/lib/dpkg/status"
must runs
no_traces

say "package that does not install: rolled back"
another 4-1 "$folder/unwilling.deb" 'printf "#!/bin/sh\nexit 1\n" >DEBIAN/preinst; chmod 755 DEBIAN/preinst'
refused board --package "$folder/unwilling.deb" --bundle "$folder/new/spot"
said "rolling back"
must test "$(version)" = "$first"
must test "$(sum)" = "$in_force"
must runs

say "connection drops during the upload: nothing has changed, nothing is left over"
running=$(pid)
refused board-that-drops --package "$folder/later.deb" --bundle "$folder/new/spot"
said "failed or dropped"
for _ in $(seq 50); do [ -n "$(ls "$board/var/tmp")" ] || break; sleep 0.2; done
must test "$(version)" = "$first"
must test "$(sum)" = "$in_force"
must test "$(pid)" = "$running"
no_traces

say "a bundle is judged as the service's user, and its path always exists"
another 1.5-1 "$folder/watched.deb" 'mv usr/bin/edge-runtime usr/bin/edge-runtime.real
printf "#!/bin/sh\n[ \"\$1\" != doctor ] || id -un >>/tmp/readers\nexec \"\$0.real\" \"\$@\"\n" >usr/bin/edge-runtime
chmod 755 usr/bin/edge-runtime'
model=$board/var/lib/nominal/bundles/spot/model.onnx
: >"$folder/watching"
(while [ -e "$folder/watching" ]; do [ -e "$model" ] || echo gap >>"$folder/gaps"; done) &
watch=$!
deploy board --package "$folder/watched.deb" --bundle "$folder/new/spot" || fail "the watched package"
must test "$(sum)" != "$in_force"
deploy board --package "$package" --bundle "$folder/good/spot" || fail "back to the first package"
rm "$folder/watching"
wait "$watch"
must test ! -e "$folder/gaps"
must test "$(sort -u "$board/tmp/readers")" = nominal
must test "$(sum)" = "$in_force"
rm "$board/tmp/readers"
must runs
no_traces

say "power cut between the two renames of an earlier version: a refused deployment afterwards restores the bundle"
mv "$board/var/lib/nominal/bundles/spot" "$board/var/lib/nominal/bundles/.spot.old"
refused board --package "$folder/unwilling.deb" --bundle "$folder/new/spot"
must test "$(sum)" = "$in_force"
must runs
no_traces

say "newer package and another bundle: installed, and the line runs"
deploy board --package "$folder/later.deb" --bundle "$folder/new/spot" || fail "the later package"
must test "$(version)" = 2-1
must test "$(sum)" != "$in_force"
must cmp "$folder/line.toml" "$board/etc/nominal/line.toml"
must runs
no_traces
kill "$(pid)"
