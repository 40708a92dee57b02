# Tests the package /nominal.deb in a separate root: installs, upgrades, removes and purges it.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
say() { echo "  $*"; }
fail() { echo "package test: $*" >&2; exit 1; }
must() { "$@" || fail "failed: $*"; }
owner() { stat -c %U:%G "$1"; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' nominal 2>/dev/null)" = installed ]; }
# later FROM TO: builds a newer package, with a different line file.
later() {
    dpkg-deb -R "/$1.deb" /later
    sed -i 's/^Version: .*/Version: 999-1/' /later/DEBIAN/control
    echo "# A later default." >>/later/etc/nominal/line.toml
    dpkg-deb -b /later "/$2.deb" >/dev/null
    rm -r /later
}

say "install"
dpkg -i /nominal.deb >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -i"; }
must installed
must test -x /usr/bin/edge-runtime
edge-runtime --version
must getent passwd nominal >/dev/null
must test -x /usr/bin/nominal-gateway
nominal-gateway --version
must getent passwd nominal-gateway >/dev/null
must test -f /usr/lib/tmpfiles.d/nominal.conf
must test -f /lib/systemd/system/nominal-gateway.service
must test ! -e /etc/systemd/system/multi-user.target.wants/nominal-gateway.service
must test -f /lib/systemd/system/nominal-capture@.service
must getent passwd nominal-capture >/dev/null
must nominal-gateway init /tmp/gateway.toml
must test "$(stat -c '%U %a' /var/lib/nominal-gateway)" = 'nominal-gateway 700'
must cmp /tmp/gateway.toml /usr/share/nominal/gateway.toml
for group in video gpio dialout; do must getent group $group >/dev/null; done
must test "$(owner /var/lib/nominal)" = nominal:nominal
must test "$(owner /var/lib/nominal/bundles)" = root:root
must test -f /usr/lib/udev/rules.d/60-nominal.rules
must grep -q '^serialport .* | MPL-2.0$' /usr/share/doc/nominal/third-party.txt
must grep -q '^tract-onnx ' /usr/share/doc/nominal/third-party.txt
unit=$(ls /lib/systemd/system/nominal.service)
must test -L /etc/systemd/system/multi-user.target.wants/nominal.service
must test "$(getent passwd nominal | cut -d: -f7)" = /usr/sbin/nologin

say "check without a bundle: it names the missing bundle"
if edge-runtime check /etc/nominal/line.toml >/tmp/log 2>&1; then fail "the default line file passes without a bundle"; fi
grep '^problem' /tmp/log
must grep -q 'bundles/cap' /tmp/log

say "upgrade: the technician's line file and all state are kept"
echo '# Mine.' >>/etc/nominal/line.toml
mkdir -p /var/lib/nominal/state /var/lib/nominal/bundles/cap
echo 7 >/var/lib/nominal/state/counters
echo model >/var/lib/nominal/bundles/cap/model.onnx
later nominal later
dpkg --force-confdef --force-confold -i /later.deb >/tmp/log 2>&1 </dev/null || { cat /tmp/log; fail "the upgrade"; }
must test "$(dpkg-query -W -f '${Version}' nominal)" = 999-1
must test "$(tail -n 1 /etc/nominal/line.toml)" = '# Mine.'
must test -f /etc/nominal/line.toml.dpkg-dist
must test "$(cat /var/lib/nominal/state/counters)" = 7
must test "$(owner /var/lib/nominal)" = nominal:nominal
must test -L /etc/systemd/system/multi-user.target.wants/nominal.service

say "downgrade to the earlier version"
dpkg --force-confdef --force-confold -i /nominal.deb >/tmp/log 2>&1 </dev/null || { cat /tmp/log; fail "the downgrade"; }
must test "$(tail -n 1 /etc/nominal/line.toml)" = '# Mine.'

say "upgrade with the service disabled: it stays disabled"
rm /etc/systemd/system/multi-user.target.wants/nominal.service
dpkg --force-confdef --force-confold -i /later.deb >/tmp/log 2>&1 </dev/null || { cat /tmp/log; fail "the upgrade"; }
must test ! -e /etc/systemd/system/multi-user.target.wants/nominal.service

say "remove: program and unit are deleted, line file and state are kept"
dpkg -r nominal >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -r"; }
must test ! -e /usr/bin/edge-runtime
must test ! -e "$unit"
must test "$(tail -n 1 /etc/nominal/line.toml)" = '# Mine.'
must test "$(cat /var/lib/nominal/state/counters)" = 7

say "install again: line file and state are still there"
dpkg --force-confdef --force-confold -i /nominal.deb >/tmp/log 2>&1 </dev/null || { cat /tmp/log; fail "installing again"; }
must test "$(tail -n 1 /etc/nominal/line.toml)" = '# Mine.'
must test "$(cat /var/lib/nominal/state/counters)" = 7

say "purge: nothing is left"
dpkg -P nominal >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -P"; }
for path in /etc/nominal /var/lib/nominal /var/lib/nominal-gateway /usr/bin/edge-runtime /usr/bin/nominal-gateway /usr/share/doc/nominal "$unit" \
    /etc/systemd/system/multi-user.target.wants/nominal.service; do
    must test ! -e "$path"
done
if getent passwd nominal nominal-gateway nominal-capture; then fail "the user still exists"; fi
if installed; then fail "dpkg still lists the package as installed"; fi
