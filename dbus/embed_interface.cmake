# SPDX-License-Identifier: LGPL-2.1-or-later
# cmake -DINTERFACES="a.xml;b.xml" -DOUTPUT=out.c -P embed_interface.cmake
#
# Write one C string for each file: its <interface> element, which is what introspection needs of
# it. org.spaprd1.AddressSpace.xml becomes interface_xml_address_space.
set(text "/* Made from the XML files by the build. */\n#include \"dbus/interface_xml.h\"\n")
foreach(file IN LISTS INTERFACES)
  cmake_path(GET file STEM LAST_ONLY stem)
  string(REGEX REPLACE "^.*\\." "" noun "${stem}")
  string(REGEX REPLACE "([a-z])([A-Z])" "\\1_\\2" noun "${noun}")
  string(TOLOWER "${noun}" noun)

  file(READ "${file}" xml)
  string(FIND "${xml}" "<interface " start)
  string(FIND "${xml}" "</interface>" end)
  if(start LESS 0 OR end LESS start)
    message(FATAL_ERROR "${file} has no <interface> element")
  endif()
  math(EXPR length "${end} + 12 - ${start}")
  string(SUBSTRING "${xml}" ${start} ${length} xml)

  string(REPLACE "\\" "\\\\" xml "${xml}")
  string(REPLACE "\"" "\\\"" xml "${xml}")
  string(REPLACE "\n" "\\n\"\n\t\"" xml "${xml}")
  string(APPEND text "\nconst char interface_xml_${noun}[] =\n\t\"${xml}\";\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}")
