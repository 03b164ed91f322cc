# SPDX-License-Identifier: MIT
"""Each interrupt controller brings what devices have to say: keys over the serial line, bytes over a port."""
import machine
import pytest


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("controller", ["virt", "virt,aia=aplic", "virt,aia=aplic-imsic"])
def test_devices_are_heard(controller, smp):
    extra = ("-machine", controller, "-device", "virtio-serial-device", "-chardev", "file,id=c,path=/dev/null", "-device", "virtserialport,chardev=c")
    with machine.Machine(smp=smp, extra=extra) as m:
        m.shell()
        assert m.run("echo heard") == "heard\n"
        assert m.run("head -c 300000 /dev/zero >/dev/vport0p1; echo $?") == "0\n"
        m.send("poweroff\r")
        assert m.wait() == 0
