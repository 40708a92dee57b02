# boot.sh ROOT GROUP: becomes the systemd of a Debian root, with /proc, /sys and control groups of its own. Runs as the first
# process of a private place.
set -eu
root=$1 group=$2
groups=/sys/fs/cgroup
[ "$(stat -f -c %T "$groups")" = cgroup2fs ] || groups=$groups/unified
mkdir "$groups/$group"
echo 0 >"$groups/$group/cgroup.procs"
exec unshare --cgroup sh -c '
    set -eu
    mount -t proc proc "$1/proc"
    mount -t sysfs sysfs "$1/sys"
    mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
    mount -t tmpfs tmpfs "$1/run"
    mount -t tmpfs tmpfs "$1/tmp"
    exec env -i container=nominal-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        chroot "$1" /lib/systemd/systemd --system --show-status=no --log-level=warning
' boot "$root"
