/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/config_permissions.h"

#include <linux/pci_regs.h>
#include <string.h>
#include <sys/param.h>

#define VARIABLE     0xffU
#define ALL          UINT32_MAX
#define NONE         0U
#define VENDOR_INTEL 0x8086

/* As many bytes as a capability has; 0: it is taken out of the list (pci_cap_length). */
static const uint8_t capability_length[PCI_CAP_ID_MAX + 1] = {
	[PCI_CAP_ID_PM] = PCI_PM_SIZEOF,
	[PCI_CAP_ID_AGP] = PCI_AGP_SIZEOF,
	[PCI_CAP_ID_VPD] = PCI_CAP_VPD_SIZEOF,
	[PCI_CAP_ID_MSI] = VARIABLE,
	[PCI_CAP_ID_PCIX] = VARIABLE,
	[PCI_CAP_ID_HT] = VARIABLE,
	[PCI_CAP_ID_VNDR] = VARIABLE,
	[PCI_CAP_ID_EXP] = VARIABLE,
	[PCI_CAP_ID_MSIX] = PCI_CAP_MSIX_SIZEOF,
	[PCI_CAP_ID_SATA] = VARIABLE,
	[PCI_CAP_ID_AF] = PCI_CAP_AF_SIZEOF,
};

/* The same for extended ones (pci_ext_cap_length). */
static const uint8_t extended_length[PCI_EXT_CAP_ID_MAX + 1] = {
	[PCI_EXT_CAP_ID_ERR] = PCI_ERR_ROOT_COMMAND,
	[PCI_EXT_CAP_ID_VC] = VARIABLE,
	[PCI_EXT_CAP_ID_DSN] = PCI_EXT_CAP_DSN_SIZEOF,
	[PCI_EXT_CAP_ID_PWR] = PCI_EXT_CAP_PWR_SIZEOF,
	[PCI_EXT_CAP_ID_MFVC] = VARIABLE,
	[PCI_EXT_CAP_ID_VC9] = VARIABLE,
	[PCI_EXT_CAP_ID_VNDR] = VARIABLE,
	[PCI_EXT_CAP_ID_ACS] = VARIABLE,
	[PCI_EXT_CAP_ID_ARI] = PCI_EXT_CAP_ARI_SIZEOF,
	[PCI_EXT_CAP_ID_ATS] = PCI_EXT_CAP_ATS_SIZEOF,
	[PCI_EXT_CAP_ID_SRIOV] = PCI_EXT_CAP_SRIOV_SIZEOF,
	[PCI_EXT_CAP_ID_MCAST] = PCI_EXT_CAP_MCAST_ENDPOINT_SIZEOF,
	[PCI_EXT_CAP_ID_PRI] = PCI_EXT_CAP_PRI_SIZEOF,
	[PCI_EXT_CAP_ID_REBAR] = VARIABLE,
	[PCI_EXT_CAP_ID_DPA] = VARIABLE,
	[PCI_EXT_CAP_ID_TPH] = VARIABLE,
	[PCI_EXT_CAP_ID_LTR] = PCI_EXT_CAP_LTR_SIZEOF,
	[PCI_EXT_CAP_ID_DVSEC] = VARIABLE,
};

bool sim_config_hides_intx(const struct sim_device *device)
{
	if (device->vendor != VENDOR_INTEL) {
		return false;
	}
	switch (device->device) {
	case 0x1563:
	case 0x1572:
	case 0x1574:
	case 0x1580 ... 0x1581:
	case 0x1583 ... 0x158b:
	case 0x37d0 ... 0x37d2:
		return true;
	default:
		return false;
	}
}

/* tables */

static void permit_8(struct sim_config_space *space, size_t at, uint32_t emulated, uint32_t write)
{
	space->virtual_bits[at] = (uint8_t)emulated;
	space->writable_bits[at] = (uint8_t)write;
}

static void permit_16(struct sim_config_space *space, size_t at, uint32_t emulated, uint32_t write)
{
	config_put_16(space->virtual_bits + at, (uint16_t)emulated);
	config_put_16(space->writable_bits + at, (uint16_t)write);
}

static void permit_32(struct sim_config_space *space, size_t at, uint32_t emulated, uint32_t write)
{
	config_put_32(space->virtual_bits + at, emulated);
	config_put_32(space->writable_bits + at, write);
}

static void permit_header(struct sim_config_space *space)
{
	permit_16(space, PCI_VENDOR_ID, ALL, NONE);
	permit_16(space, PCI_DEVICE_ID, ALL, NONE);
	permit_16(space, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, ALL);
	permit_16(space, PCI_STATUS, PCI_STATUS_CAP_LIST, NONE);
	permit_8(space, PCI_CACHE_LINE_SIZE, NONE, ALL);
	permit_8(space, PCI_LATENCY_TIMER, NONE, ALL);
	permit_8(space, PCI_BIST, NONE, ALL);
	for (size_t at = PCI_BASE_ADDRESS_0; at <= PCI_BASE_ADDRESS_5; at += 4) {
		permit_32(space, at, ALL, ALL);
	}
	permit_32(space, PCI_ROM_ADDRESS, ALL, ALL);
	permit_8(space, PCI_CAPABILITY_LIST, ALL, NONE);
	permit_8(space, PCI_INTERRUPT_LINE, ALL, ALL);
	permit_8(space, PCI_INTERRUPT_PIN, ALL, NONE);
}

static void permit_msi(struct sim_config_space *space, size_t at)
{
	uint16_t flags = config_get_16(space->physical + at + PCI_MSI_FLAGS);
	bool wide = flags & PCI_MSI_FLAGS_64BIT;

	permit_8(space, at + PCI_MSI_FLAGS, ALL, ALL);
	permit_32(space, at + PCI_MSI_ADDRESS_LO, ALL, ALL);
	if (wide) {
		permit_32(space, at + PCI_MSI_ADDRESS_HI, ALL, ALL);
	}
	permit_16(space, at + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), ALL, ALL);
	if (flags & PCI_MSI_FLAGS_MASKBIT) {
		permit_32(space, at + (wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32), NONE, ALL);
		permit_32(space, at + (wide ? PCI_MSI_PENDING_64 : PCI_MSI_PENDING_32), NONE, ALL);
	}
}

/* vfio_update_pm_vconfig_bytes: a program can't have power management events. */
static void permit_power(struct sim_config_space *space, size_t at)
{
	const uint16_t events = PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS;
	uint8_t *emulated = space->emulated + at;

	permit_16(space, at + PCI_PM_PMC, PCI_PM_CAP_PME_MASK, NONE);
	permit_16(space, at + PCI_PM_CTRL, events,
		  ~(uint32_t)(events | PCI_PM_CTRL_STATE_MASK) & 0xffffU);
	config_put_16(emulated + PCI_PM_PMC,
		      (uint16_t)(config_get_16(emulated + PCI_PM_PMC) & ~PCI_PM_CAP_PME_MASK));
	config_put_16(emulated + PCI_PM_CTRL,
		      (uint16_t)(config_get_16(emulated + PCI_PM_CTRL) & ~events));
}

static void permit_capability(struct sim_config_space *space, unsigned int id, size_t at)
{
	permit_8(space, at + PCI_CAP_LIST_NEXT, ALL, NONE);
	switch (id) {
	case PCI_CAP_ID_PM:
		permit_power(space, at);
		break;
	case PCI_CAP_ID_VPD:
		permit_16(space, at + PCI_VPD_ADDR, ALL, ALL);
		permit_32(space, at + PCI_VPD_DATA, ALL, ALL);
		break;
	case PCI_CAP_ID_MSI:
		permit_msi(space, at);
		break;
	case PCI_CAP_ID_PCIX:
		permit_16(space, at + PCI_X_CMD, NONE, ALL);
		break;
	case PCI_CAP_ID_EXP:
		permit_16(space, at + PCI_EXP_DEVCTL,
			  PCI_EXP_DEVCTL_BCR_FLR | PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_READRQ,
			  ~(uint32_t)PCI_EXP_DEVCTL_PHANTOM & 0xffffU);
		if ((config_get_16(space->physical + at + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_VERS) >
		    1) {
			permit_16(space, at + PCI_EXP_DEVCTL2, NONE,
				  ~(uint32_t)PCI_EXP_DEVCTL2_ARI & 0xffffU);
		}
		break;
	case PCI_CAP_ID_AF:
		permit_8(space, at + PCI_AF_CTRL, PCI_AF_CTRL_FLR, PCI_AF_CTRL_FLR);
		break;
	default:
		break;
	}
}

static void permit_errors(struct sim_config_space *space, size_t at)
{
	const uint32_t uncorrectable =
		PCI_ERR_UNC_UND | PCI_ERR_UNC_DLP | PCI_ERR_UNC_SURPDN | PCI_ERR_UNC_POISON_TLP |
		PCI_ERR_UNC_FCP | PCI_ERR_UNC_COMP_TIME | PCI_ERR_UNC_COMP_ABORT |
		PCI_ERR_UNC_UNX_COMP | PCI_ERR_UNC_RX_OVER | PCI_ERR_UNC_MALF_TLP |
		PCI_ERR_UNC_ECRC | PCI_ERR_UNC_UNSUP | PCI_ERR_UNC_ACSV | PCI_ERR_UNC_INTN |
		PCI_ERR_UNC_MCBTLP | PCI_ERR_UNC_ATOMEG | PCI_ERR_UNC_TLPPRE;
	const uint32_t correctable = PCI_ERR_COR_RCVR | PCI_ERR_COR_BAD_TLP | PCI_ERR_COR_BAD_DLLP |
				     PCI_ERR_COR_REP_ROLL | PCI_ERR_COR_REP_TIMER |
				     PCI_ERR_COR_ADV_NFAT | PCI_ERR_COR_INTERNAL |
				     PCI_ERR_COR_LOG_OVER;

	permit_32(space, at + PCI_ERR_UNCOR_STATUS, NONE, uncorrectable);
	permit_32(space, at + PCI_ERR_UNCOR_MASK, NONE, uncorrectable);
	permit_32(space, at + PCI_ERR_UNCOR_SEVER, NONE, uncorrectable);
	permit_32(space, at + PCI_ERR_COR_STATUS, NONE, correctable);
	permit_32(space, at + PCI_ERR_COR_MASK, NONE, correctable);
	permit_32(space, at + PCI_ERR_CAP, NONE, PCI_ERR_CAP_ECRC_GENE | PCI_ERR_CAP_ECRC_CHKE);
}

/* The first word has the way to the next one. */
static void permit_extended(struct sim_config_space *space, unsigned int id, size_t at)
{
	permit_32(space, at, ALL, NONE);
	if (id == PCI_EXT_CAP_ID_ERR) {
		permit_errors(space, at);
	} else if (id == PCI_EXT_CAP_ID_PWR) {
		permit_8(space, at + PCI_PWR_DATA, NONE, ALL);
	}
}

/* lengths */

static unsigned int find_msi_length(uint16_t flags)
{
	return 10U + (flags & PCI_MSI_FLAGS_64BIT ? 4U : 0U) +
	       (flags & PCI_MSI_FLAGS_MASKBIT ? 10U : 0U);
}

static unsigned int find_express_length(uint16_t flags)
{
	bool has_link = (flags & PCI_EXP_FLAGS_TYPE) >> 4 != PCI_EXP_TYPE_RC_END;

	if ((flags & PCI_EXP_FLAGS_VERS) == 1) {
		return has_link ? PCI_CAP_EXP_ENDPOINT_SIZEOF_V1 : 0x0cU;
	}
	return has_link ? PCI_CAP_EXP_ENDPOINT_SIZEOF_V2 : 0x2cU;
}

/* vfio_cap_len; bytes are the capability's. */
static unsigned int find_length(unsigned int id, const uint8_t *bytes)
{
	if (id > PCI_CAP_ID_MAX || capability_length[id] != VARIABLE) {
		return id > PCI_CAP_ID_MAX ? 0 : capability_length[id];
	}
	switch (id) {
	case PCI_CAP_ID_MSI:
		return find_msi_length(config_get_16(bytes + PCI_MSI_FLAGS));
	case PCI_CAP_ID_PCIX:
		return PCI_X_CMD_VERSION(config_get_16(bytes + PCI_X_CMD)) ? PCI_CAP_PCIX_SIZEOF_V2
									   : PCI_CAP_PCIX_SIZEOF_V0;
	case PCI_CAP_ID_VNDR:
		return bytes[PCI_CAP_FLAGS];
	case PCI_CAP_ID_EXP:
		return find_express_length(config_get_16(bytes + PCI_EXP_FLAGS));
	case PCI_CAP_ID_HT:
		return bytes[3] & HT_3BIT_CAP_MASK ? HT_CAP_SIZEOF_SHORT : HT_CAP_SIZEOF_LONG;
	case PCI_CAP_ID_SATA:
		return (bytes[PCI_SATA_REGS] & PCI_SATA_REGS_MASK) == PCI_SATA_REGS_INLINE
			       ? PCI_SATA_SIZEOF_LONG
			       : PCI_SATA_SIZEOF_SHORT;
	default:
		return 0;
	}
}

/* vfio_vc_cap_len: the phases of an arbitration table decide. */
static unsigned int find_channels_length(const uint8_t *bytes)
{
	uint32_t arbitration = config_get_32(bytes + PCI_VC_PORT_CAP2);
	unsigned int channels = config_get_32(bytes + PCI_VC_PORT_CAP1) & PCI_VC_CAP1_EVCC;
	unsigned int length =
		PCI_CAP_VC_BASE_SIZEOF + (channels + 1U) * (unsigned int)PCI_CAP_VC_PER_VC_SIZEOF;
	unsigned int phases = 0;

	if (arbitration & PCI_VC_CAP2_128_PHASE) {
		phases = 128;
	} else if (arbitration & PCI_VC_CAP2_64_PHASE) {
		phases = 64;
	} else if (arbitration & PCI_VC_CAP2_32_PHASE) {
		phases = 32;
	}
	return phases ? roundup(length, 16U) + phases / 2U : length;
}

static unsigned int find_isolation_length(const uint8_t *bytes)
{
	unsigned int bits = bytes[PCI_ACS_EGRESS_BITS];

	if (!(bytes[PCI_ACS_CAP] & PCI_ACS_EC)) {
		return 8;
	}
	return 8U + (bits ? roundup(bits, 32U) : 256U) / 8U;
}

static unsigned int find_hints_length(uint32_t hints)
{
	if ((hints & PCI_TPH_CAP_LOC_MASK) != PCI_TPH_LOC_CAP) {
		return PCI_TPH_BASE_SIZEOF;
	}
	return PCI_TPH_BASE_SIZEOF + ((hints & PCI_TPH_CAP_ST_MASK) >> PCI_TPH_CAP_ST_SHIFT) * 2U +
	       2U;
}

/* vfio_ext_cap_len */
static unsigned int find_extended_length(unsigned int id, const uint8_t *bytes)
{
	if (id > PCI_EXT_CAP_ID_MAX || extended_length[id] != VARIABLE) {
		return id > PCI_EXT_CAP_ID_MAX ? 0 : extended_length[id];
	}
	switch (id) {
	case PCI_EXT_CAP_ID_VNDR:
	case PCI_EXT_CAP_ID_DVSEC:
		/* Both have it at the same place. */
		return config_get_32(bytes + PCI_VSEC_HDR) >> PCI_VSEC_HDR_LEN_SHIFT;
	case PCI_EXT_CAP_ID_VC:
	case PCI_EXT_CAP_ID_VC9:
	case PCI_EXT_CAP_ID_MFVC:
		return find_channels_length(bytes);
	case PCI_EXT_CAP_ID_ACS:
		return find_isolation_length(bytes);
	case PCI_EXT_CAP_ID_REBAR:
		return 4U + ((bytes[PCI_REBAR_CTRL] & PCI_REBAR_CTRL_NBAR_MASK) >>
			     PCI_REBAR_CTRL_NBAR_SHIFT) *
				    8U;
	case PCI_EXT_CAP_ID_DPA:
		return PCI_DPA_BASE_SIZEOF + (bytes[PCI_DPA_CAP] & PCI_DPA_CAP_SUBSTATE_MASK) + 1U;
	case PCI_EXT_CAP_ID_TPH:
		return find_hints_length(config_get_32(bytes + PCI_TPH_CAP));
	default:
		return 0;
	}
}

/* lists */

static void give(struct sim_config_space *space, unsigned int owner, size_t at, size_t length)
{
	memset(space->owner + at, (int)owner, length);
	memset(space->virtual_bits + at, 0, length);
	memset(space->writable_bits + at, 0, length);
}

/* vfio_cap_init */
static void add_capabilities(struct sim_config_space *space)
{
	uint8_t *link = space->emulated + PCI_CAPABILITY_LIST;
	unsigned int left = (PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) / PCI_CAP_SIZEOF;
	size_t at = *link;
	bool any = false;

	if (!(config_get_16(space->physical + PCI_STATUS) & PCI_STATUS_CAP_LIST)) {
		return;
	}
	while (at >= PCI_STD_HEADER_SIZEOF && left-- > 0) {
		const uint8_t *bytes = space->physical + at;
		unsigned int id = bytes[PCI_CAP_LIST_ID];
		size_t length = find_length(id, bytes);

		if (length == 0) {
			*link = bytes[PCI_CAP_LIST_NEXT];
		} else {
			give(space, id, at, MIN(length, PCI_CFG_SPACE_SIZE - at));
			permit_capability(space, id, at);
			link = space->emulated + at + PCI_CAP_LIST_NEXT;
			any = true;
		}
		at = bytes[PCI_CAP_LIST_NEXT];
	}
	if (!any) {
		space->emulated[PCI_STATUS] &= (uint8_t)~PCI_STATUS_CAP_LIST;
	}
}

static void set_next(uint8_t *link, size_t next)
{
	uint32_t word = config_get_32(link) & ~(0xffcU << 20);

	config_put_32(link, word | (uint32_t)next << 20);
}

/* vfio_ecap_init. The first one can't be taken out, so that it stays as a place without a name. */
static void add_extended(struct sim_config_space *space)
{
	unsigned int left =
		(unsigned int)(space->size - PCI_CFG_SPACE_SIZE) / (unsigned int)PCI_CAP_SIZEOF;
	uint8_t *link = NULL;
	size_t at = PCI_CFG_SPACE_SIZE;
	bool any = false;

	while (left-- > 0 && at >= PCI_CFG_SPACE_SIZE && at < space->size) {
		uint32_t header = config_get_32(space->physical + at);
		unsigned int id = PCI_EXT_CAP_ID(header);
		size_t length = find_extended_length(id, space->physical + at);
		bool hidden = length == 0;

		if (hidden && link) {
			set_next(link, PCI_EXT_CAP_NEXT(header));
			at = PCI_EXT_CAP_NEXT(header);
			continue;
		}
		length = hidden ? (size_t)PCI_CAP_SIZEOF : MIN(length, space->size - at);
		give(space, id, at, length);
		permit_extended(space, hidden ? 0 : id, at);
		if (hidden) {
			config_put_32(space->emulated + at, header & 0xffcU << 20);
		}
		any |= !hidden;
		link = space->emulated + at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	if (!any) {
		config_put_32(space->emulated + PCI_CFG_SPACE_SIZE, 0);
	}
}

void sim_config_permissions_build(struct sim_config_space *space)
{
	bool extended = space->express_at && space->size > PCI_CFG_SPACE_SIZE &&
			config_get_32(space->physical + PCI_CFG_SPACE_SIZE) != 0;

	give(space, SIM_CONFIG_HEADER, 0, PCI_STD_HEADER_SIZEOF);
	memset(space->owner + PCI_STD_HEADER_SIZEOF, SIM_CONFIG_UNASSIGNED,
	       space->size - PCI_STD_HEADER_SIZEOF);
	memset(space->virtual_bits + PCI_STD_HEADER_SIZEOF, 0, space->size - PCI_STD_HEADER_SIZEOF);
	/* Some devices have registers in the gaps (be2net). */
	memset(space->writable_bits + PCI_STD_HEADER_SIZEOF, 0xff,
	       space->size - PCI_STD_HEADER_SIZEOF);
	permit_header(space);
	if (sim_config_hides_intx(space->device)) {
		space->emulated[PCI_INTERRUPT_PIN] = 0;
	}
	add_capabilities(space);
	if (extended) {
		add_extended(space);
	}
}
