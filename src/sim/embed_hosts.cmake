# SPDX-License-Identifier: LGPL-2.1-or-later
# cmake -DOUTPUT=hosts.c "-DDEVICE_LISTS=a.ini;b.ini" "-DTREES=a.dtb" -P embed_hosts.cmake: hosts as a C file for hosts.h, each
# named after its device list; a tree belongs to the list of the same name.
function(embed file array)
  file(READ "${file}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char ${array}[] __attribute__((aligned(8))) = {${bytes}};\n")
  set(arrays "${arrays}" PARENT_SCOPE)
endfunction()

set(arrays "")
set(table "")
foreach(list IN LISTS DEVICE_LISTS)
  get_filename_component(name "${list}" NAME_WE)
  set(tree_of ${TREES})
  list(FILTER tree_of INCLUDE REGEX "/${name}\\.dtb$")
  set(tree "NULL, 0")
  if(tree_of)
    embed("${tree_of}" tree_${name})
    set(tree "tree_${name}, sizeof(tree_${name})")
  endif()
  embed("${list}" list_${name})
  string(APPEND table "\t{\"${name}\", ${tree}, list_${name}, sizeof(list_${name})},\n")
endforeach()
file(WRITE "${OUTPUT}"
  "#include \"sim/hosts.h\"\n\n${arrays}\n"
  "const struct sim_builtin_host sim_builtin_hosts[] = {\n${table}};\n"
  "const size_t sim_builtin_host_count = sizeof(sim_builtin_hosts) / sizeof(sim_builtin_hosts[0]);\n")
