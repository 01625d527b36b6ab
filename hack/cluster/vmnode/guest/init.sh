#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# The machine's first program, in its initramfs: loads the modules, lays what
# belongs to this start (/node) over the disk, and hands over to the disk's init.
# A failure ends it, and with it the machine: the console tells.
set -e
busybox=/bin/busybox
$busybox mount -t proc proc /proc
$busybox mount -t devtmpfs dev /dev
while read -r module; do $busybox insmod "/modules/$module"; done </modules/order
until [ -b /dev/vda ]; do $busybox sleep 0.05; done
$busybox mount -t ext4 -o noatime /dev/vda /root
$busybox cp -a /node/. /root/
$busybox mount --move /dev /root/dev
$busybox umount /proc
exec $busybox switch_root /root /sbin/init
