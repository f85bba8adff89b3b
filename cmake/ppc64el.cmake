# SPDX-License-Identifier: LGPL-2.1-or-later
set(CMAKE_SYSTEM_PROCESSOR ppc64le)
set(LAB_ARCHITECTURE ppc64el)
set(LAB_TRIPLET powerpc64le-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/lab_guest.cmake)
