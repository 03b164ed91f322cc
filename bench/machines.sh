#!/bin/sh
# What bench/hello.py measures from inside a machine, the same on both kernels: says "row CENTISECONDS NAME". $1 and $2 are ports of this side: one takes
# what comes, one sends 100 MB.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
now() {
    read -r now _ </proc/uptime
    echo $((${now%.*} * 100 + 1${now#*.} - 100))
}
row() {
    begun=$(now)
    sh -c "$2" 2>/dev/null
    echo "row $(($(now) - begun)) $1"
}
if [ $$ = 1 ]; then # Linux: pid 1 has to set everything up
    mount -t proc proc /proc
    mount -t devtmpfs dev /dev
    for m in failover net_failover virtio_mmio virtio_net netfs 9pnet 9pnet_virtio 9p; do
        insmod /modules/$m.ko
    done
    ifconfig lo 127.0.0.1 up
    ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
    mkdir -p /v
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 v /v
    sleep 1
fi
row "network: 100 MB out" "dd if=/dev/zero bs=64k count=1600 | nc 10.0.2.2 $1"
row "network: 100 MB in" "nc 10.0.2.2 $2 </dev/null | dd of=/dev/null bs=64k"
row "volume: 100 MB read" "dd if=/v/large of=/dev/null bs=64k"
row "volume: 100 MB written" "dd if=/dev/zero of=/v/new bs=64k count=1600 conv=fsync"
row "volume: 2,000 files read" "cat /v/small/* >/dev/null"
row "volume: 2,000 files written" "cp -r /v/small /v/copy"
echo "end"
[ $$ = 1 ] && poweroff -f
exit 0
