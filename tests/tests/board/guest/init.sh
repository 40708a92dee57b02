#!/bin/busybox sh
# The board's first process: devices, then commands from the host, one line each, over the second serial port.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /feed /data /sys/kernel/config
for module in $(cat /modules.list); do
    # vivid would take a camera's number before it is wanted.
    case $module in *vivid.ko|*v4l2loopback.ko) continue ;; esac
    insmod $module 2>/dev/null
done
mount -t configfs config /sys/kernel/config
stty -F /dev/ttyS0 raw -echo
echo "@@ 0" >/dev/ttyS0
while true; do
    while IFS= read -r line; do
        eval "$line" </dev/null >/tmp/out 2>&1
        code=$?
        cat /tmp/out
        echo "@@ $code"
    done
done </dev/ttyS0 >/dev/ttyS0
