#!/bin/busybox sh
# supervise.sh LINE: runs the line and restarts it when it ends, like systemd on a real board.
cd /root
while true; do
    edge-runtime run $1 >>/tmp/line.out 2>>/tmp/line.err
    echo "ended with $?" >>/tmp/line.err
    usleep 200000
done
