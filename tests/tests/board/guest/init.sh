#!/bin/busybox sh
# The board's first process: sets up devices, then runs commands from the host, one per line, over the second
# serial port.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /feed /data /sys/kernel/config
for module in $(cat /modules.list); do
    # These two are loaded by the scenarios that need their cameras.
    case $module in */vivid.ko | */v4l2loopback.ko) continue ;; esac
    insmod $module 2>/dev/null
done
mount -t configfs config /sys/kernel/config
# Opened once: closing it would drop data that the host has sent.
exec </dev/ttyS0 >/dev/ttyS0
stty raw -echo
echo "@@ 0"
while true; do
    IFS= read -r line || continue
    case $line in
        "run: "*) ;;
        # When a child's exit interrupts the shell, it drops the part of the line that it has read.
        *) echo "@@ again" && continue ;;
    esac
    eval "${line#run: }" </dev/null >/tmp/out 2>&1
    code=$?
    cat /tmp/out
    echo "@@ $code"
done
