// SPDX-License-Identifier: GPL-2.0-only
//
// What has a PASID is not looked at.
//
// file: guard.c
// breaks: SHIELD

@@
@@
pasids_of(...)
{
<...
- entry[0] & VTD_SM_CTX_PASIDE
+ false
...>
}
