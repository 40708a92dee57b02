#!/bin/busybox sh
# parts.sh SETTLE_MS GAP_MS FRAME…: shows each frame to the camera, waits until a few are captured, and triggers.
settle=$1 gap=$2
shift 2
for frame; do
    cp $frame /feed/next && mv /feed/next /feed/now.jpg
    usleep ${settle}000
    echo pull-up >$TRIGGER
    usleep 20000
    echo pull-down >$TRIGGER
    usleep ${gap}000
done
