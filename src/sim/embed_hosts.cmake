# SPDX-License-Identifier: LGPL-2.1-or-later
# cmake -DOUTPUT=hosts.c "-DTREES=a.dtb;b.dtb" -P embed_hosts.cmake: the trees as a C file for hosts.h, each named
# after its file.
set(arrays "")
set(table "")
foreach(tree IN LISTS TREES)
  get_filename_component(name "${tree}" NAME_WE)
  file(READ "${tree}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char tree_${name}[] __attribute__((aligned(8))) = {${bytes}};\n")
  string(APPEND table "\t{\"${name}\", tree_${name}, sizeof(tree_${name})},\n")
endforeach()
file(WRITE "${OUTPUT}"
  "#include \"sim/hosts.h\"\n\n${arrays}\n"
  "const struct sim_builtin_host sim_builtin_hosts[] = {\n${table}};\n"
  "const size_t sim_builtin_host_count = sizeof(sim_builtin_hosts) / sizeof(sim_builtin_hosts[0]);\n")
