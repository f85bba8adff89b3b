# SPDX-License-Identifier: LGPL-2.1-or-later
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(LAB_ARCHITECTURE amd64)
set(LAB_TRIPLET x86_64-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/lab_guest.cmake)
