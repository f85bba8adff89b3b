# SPDX-License-Identifier: LGPL-2.1-or-later
# Compilation for a guest of the power lab, against the sysroot that `./run power` makes. Included by a
# toolchain file that sets LAB_ARCHITECTURE (Debian's name), LAB_TRIPLET and CMAKE_SYSTEM_PROCESSOR.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${LAB_TRIPLET}-gcc)
set(CMAKE_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build/lab/sysroot-${LAB_ARCHITECTURE})
set(CMAKE_FIND_ROOT_PATH ${CMAKE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
    ${CMAKE_SYSROOT}/usr/lib/${LAB_TRIPLET}/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)
