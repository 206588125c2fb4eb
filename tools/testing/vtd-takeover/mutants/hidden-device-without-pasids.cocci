// SPDX-License-Identifier: GPL-2.0-only
//
// What a hidden device learnt with a PASID it keeps.
//
// file: device.c
// breaks: SHIELD

@@
expression entry;
@@
- return entry & VTD_SM_CTX_PASIDE ? VTD_DEVICE_ATS | VTD_DEVICE_PASID : VTD_DEVICE_ATS;
+ return VTD_DEVICE_ATS;
