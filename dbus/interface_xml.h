/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The <interface> elements of dbus/org.spaprd1.*.xml, put into the program by the build. */
#pragma once

extern const char interface_xml_manager[];
extern const char interface_xml_group[];
extern const char interface_xml_device[];
extern const char interface_xml_address_space[];
extern const char interface_xml_container[];
extern const char interface_xml_pe[];
extern const char interface_xml_simulator[];
