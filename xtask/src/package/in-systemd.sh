# Tests the service under systemd, in a root that systemd has booted. Needs /nominal.deb, /bundle and /line.toml.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C SYSTEMD_PAGER= SYSTEMD_COLORS=0
say() { echo "  $*"; }
fail() {
    {
        echo "service test: $*"
        systemctl status --no-pager --full nominal || true
        journalctl --no-pager --lines 40 || true
    } >&2
    exit 1
}
must() { "$@" || fail "failed: $*"; }
property() { systemctl show --property "$1" --value nominal; }
pid() { property MainPID; }
# becomes COMMAND: waits up to half a minute until it succeeds.
becomes() {
    for _ in $(seq 150); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    fail "did not succeed in time: $*"
}
is() { [ "$(property "$1")" = "$2" ]; }
another_pid() { [ "$(pid)" != "$1" ] && [ "$(pid)" != 0 ] && is ActiveState active; }
logged() { journalctl --no-pager --unit nominal --output cat | grep -q -- "$1"; }
status_of() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(pid)/status"; }

say "without a bundle: enabled, and skipped"
dpkg -i /nominal.deb >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -i"; }
must is UnitFileState enabled
must is ActiveState inactive
must is ConditionResult no
must sh -c "systemctl status nominal | grep -q 'ConditionDirectoryNotEmpty=/var/lib/nominal/bundles'"

say "with an invalid line file: it reports the problem and is retried until the file is valid"
cp -r /bundle /var/lib/nominal/bundles/spot
systemctl start nominal 2>/dev/null && fail "it starts with an invalid line file"
becomes is SubState auto-restart
becomes logged 'problem .*bundles/cap'
cp /line.toml /etc/nominal/line.toml
becomes is ActiveState active
must systemctl is-active --quiet nominal
becomes sh -c 'systemctl show --property StatusText --value nominal | grep -q "parts, .*the camera is live"'
say "status: $(property StatusText)"

say "least privilege"
must test "$(ps -o user= -p "$(pid)" 2>/dev/null || stat -c %U "/proc/$(pid)")" = nominal
must test "$(status_of CapEff)" = 0000000000000000
must test "$(status_of CapBnd)" = 0000000000000000
must test "$(status_of NoNewPrivs)" = 1
must test "$(status_of Seccomp)" = 2
# The limits as systemd has read them; whether the kernel enforces them depends on the machine's control groups.
must test "$(property MemoryMax)" != infinity
must test "$(property MemoryHigh)" = infinity
# Without CAP_SYS_RESOURCE (bit 24), as in some containers, not even systemd can raise a limit.
if [ $((0x$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/1/status) >> 24 & 1)) = 1 ]; then
    must grep -q '^Max realtime priority *49 *49' "/proc/$(pid)/limits"
    becomes logged 'SCHED_FIFO.: granted'
    becomes logged 'never paged out: granted'
else
    say "SKIPPED: real-time priority and locked memory, because this machine doesn't allow raising limits"
fi
becomes test -f /var/lib/nominal/state/status.json
must test "$(stat -c %U /var/lib/nominal/state/status.json)" = nominal

say "killed: restarted after two seconds"
before=$(pid)
kill -9 "$before"
becomes another_pid "$before"

say "hung: ended by the watchdog and restarted"
before=$(pid)
kill -STOP "$before"
sleep 8
becomes another_pid "$before"
becomes logged 'Watchdog timeout'

say "upgraded while running: the new program runs"
before=$(pid)
dpkg --force-confdef --force-confold -i /nominal.deb >/tmp/log 2>&1 </dev/null || { cat /tmp/log; fail "the upgrade"; }
becomes another_pid "$before"

say "stopped: it ends cleanly, in its safe state"
systemctl stop nominal
must is Result success
becomes logged 'the line has ended'

say "purged: stopped, and nothing is left over"
systemctl start nominal
dpkg -P nominal >/tmp/log 2>&1 || { cat /tmp/log; fail "dpkg -P"; }
if pgrep -x edge-runtime 2>/dev/null; then fail "it still runs"; fi
must test ! -e /var/lib/nominal
echo passed >/passed
