# boot.sh ROOT GROUP: executes the systemd of a Debian root, with its own /proc, /sys and control groups. Runs as the first
# process of a sandbox.
set -eu
root=$1 group=$2
groups=/sys/fs/cgroup
[ "$(stat -f -c %T "$groups")" = cgroup2fs ] || groups=$groups/unified
mkdir "$groups/$group"
echo 0 >"$groups/$group/cgroup.procs"
exec unshare --cgroup sh -c '
    set -eu
    mount --bind "$1" "$1"
    cd "$1"
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs tmpfs run
    mount -t tmpfs tmpfs tmp
    # Not chroot: the service needs to unmount the root to get its own view of the system.
    pivot_root . .
    umount -l .
    exec env -i container=nominal-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --show-status=no --log-level=warning
' boot "$root"
