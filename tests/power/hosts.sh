# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The hosts of the power lab, as tables: what to boot, with which devices.
# shellcheck disable=SC2034 # used by the files that source this one

# Arguments go to the kernel: an emulated POWER9 has huge pages only without radix.
# In the order in which all of them are booted: those that take longest first, so that none is left to the end alone.
# name           architecture  QEMU machine              kernel package               its suite            devices   arguments
readonly LAB_HOSTS='
powernv8         ppc64el       powernv8                  linux-image-powerpc64le      bookworm-backports   powernv8
powernv8-64k     ppc64el       powernv8                  linux-image-powerpc64le-64k  bookworm-backports   powernv8
powernv9         ppc64el       powernv9                  linux-image-powerpc64le      bookworm-backports   powernv
powernv9-64k     ppc64el       powernv9                  linux-image-powerpc64le-64k  bookworm-backports   powernv
powernv9-hash    ppc64el       powernv9                  linux-image-powerpc64le      bookworm-backports   powernv   disable_radix
powernv9-newer   ppc64el       powernv9                  linux-image-powerpc64le      trixie-backports     powernv
powernv10        ppc64el       powernv10                 linux-image-powerpc64le      bookworm-backports   powernv
powernv10-64k    ppc64el       powernv10                 linux-image-powerpc64le-64k  bookworm-backports   powernv
pseries          ppc64el       pseries                   linux-image-powerpc64le      bookworm-backports   pseries
pseries-64k      ppc64el       pseries                   linux-image-powerpc64le-64k  bookworm-backports   pseries
x86              amd64         q35,kernel-irqchip=split  linux-image-amd64            bookworm-backports   x86
'

# A suite that moves on fast, and whose lists for an architecture are at times not those that its signed release file
# speaks of. Who asks for all hosts gets them all the same when such a kernel can't be had; who asks for it doesn't.
readonly LAB_MOVING_SUITES='trixie-backports'

# What depends on the architecture of the guest.
declare -rA LAB_TRIPLET=([ppc64el]=powerpc64le-linux-gnu [amd64]=x86_64-linux-gnu)
declare -rA LAB_LOADER=([ppc64el]=ld64.so.2 [amd64]=ld-linux-x86-64.so.2)
declare -rA LAB_EMULATOR=([ppc64el]=qemu-system-ppc64 [amd64]='qemu-system-x86_64 -cpu max')
declare -rA LAB_KERNEL_ARGUMENTS=([ppc64el]='console=hvc0' [amd64]='console=ttyS0 intel_iommu=on')

# Inserted in this order where the kernel has them as modules; e1000e is there to make a group that is not viable.
readonly LAB_MODULES=(irqbypass iommufd vfio vfio_iommu_type1 vfio_iommu_spapr_tce vfio-pci-core vfio-pci
	pps_core ptp e1000e)
# After them, where the processor has what they need: KVM, whose VFIO device the conformance program asks.
readonly LAB_MODULES_IF_POSSIBLE=(kvm kvm-hv)

# The devices of a host: PCI address in the guest, driver there (none: unbound), and QEMU's -device options; those that
# only carry others have no address. tests/integration/world.c knows them too.
# edu reaches 28 bits unless told otherwise, the second DMA window starts at 1 << 59.
# On powernv each root port is a PE of its own; the functions of one multifunction device share theirs.
readonly LAB_DEVICES_powernv='
0000:01:00.0  vfio-pci  edu,bus=pcie.0,addr=0,dma_mask=0xffffffffffffffff
0001:01:00.0  vfio-pci  e1000e,bus=pcie.1,addr=0,romfile=
0002:01:00.0  vfio-pci  edu,bus=pcie.2,addr=0,dma_mask=0xffffffffffffffff
0003:01:00.0  vfio-pci  e1000e,bus=pcie.3,addr=0.0,multifunction=on,romfile=
0003:01:00.1  e1000e    e1000e,bus=pcie.3,addr=0.1,romfile=
0004:01:00.0  none      e1000e,bus=pcie.4,addr=0,romfile=
'

# Three root ports are all there is.
readonly LAB_DEVICES_powernv8='
0000:01:00.0  vfio-pci  edu,bus=pcie.0,addr=0,dma_mask=0xffffffffffffffff
0001:01:00.0  vfio-pci  e1000e,bus=pcie.1,addr=0,romfile=
0002:01:00.0  vfio-pci  e1000e,bus=pcie.2,addr=0.0,multifunction=on,romfile=
0002:01:00.1  e1000e    e1000e,bus=pcie.2,addr=0.1,romfile=
'

# All devices of a host bridge share one PE.
readonly LAB_DEVICES_pseries='
-             -         spapr-pci-host-bridge,index=1,id=phb1
-             -         spapr-pci-host-bridge,index=2,id=phb2
-             -         spapr-pci-host-bridge,index=3,id=phb3
-             -         spapr-pci-host-bridge,index=4,id=phb4
0000:00:01.0  vfio-pci  edu,bus=pci.0,addr=1,dma_mask=0xffffffffffffffff
0001:00:01.0  vfio-pci  e1000e,bus=phb1.0,addr=1,romfile=
0002:00:01.0  vfio-pci  edu,bus=phb2.0,addr=1,dma_mask=0xffffffffffffffff
0003:00:01.0  vfio-pci  e1000e,bus=phb3.0,addr=1,romfile=
0003:00:02.0  e1000e    e1000e,bus=phb3.0,addr=2,romfile=
0004:00:01.0  none      e1000e,bus=phb4.0,addr=1,romfile=
'

# Root ports that keep what is behind them apart (ACS), so that each device has a group of its own. The firmware numbers
# the buses as the ports come.
readonly LAB_DEVICES_x86='
-             -         intel-iommu,intremap=on,caching-mode=on,aw-bits=48
-             -         pcie-root-port,id=port1,chassis=1,addr=2
-             -         pcie-root-port,id=port2,chassis=2,addr=3
-             -         pcie-root-port,id=port3,chassis=3,addr=4
-             -         pcie-root-port,id=port4,chassis=4,addr=5
-             -         pcie-root-port,id=port5,chassis=5,addr=6
0000:01:00.0  vfio-pci  edu,bus=port1,addr=0,dma_mask=0xffffffffffffffff
0000:02:00.0  vfio-pci  e1000e,bus=port2,addr=0,romfile=
0000:03:00.0  vfio-pci  edu,bus=port3,addr=0,dma_mask=0xffffffffffffffff
0000:04:00.0  vfio-pci  e1000e,bus=port4,addr=0.0,multifunction=on,romfile=
0000:04:00.1  e1000e    e1000e,bus=port4,addr=0.1,romfile=
0000:05:00.0  none      e1000e,bus=port5,addr=0,romfile=
'
