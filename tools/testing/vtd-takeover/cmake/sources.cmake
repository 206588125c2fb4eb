# SPDX-License-Identifier: GPL-2.0-only
#
# TAKEOVER, the folder of the kernel code. CORE_SOURCES: all of it but glue.c and window.c, which are
# the kernel's side of the boundary, what is for people who watch, and the KUnit tests. MODEL_SOURCES:
# the hardware.

get_filename_component(VTD_TAKEOVER ${CMAKE_CURRENT_LIST_DIR}/.. REALPATH)
get_filename_component(TAKEOVER ${VTD_TAKEOVER}/../../../drivers/iommu/intel/takeover REALPATH)
file(GLOB CORE_SOURCES CONFIGURE_DEPENDS ${TAKEOVER}/*.c)
list(FILTER CORE_SOURCES EXCLUDE REGEX "/(glue|window|trace|debugfs|kunit|[a-z]+_test)\\.c$")
file(GLOB MODEL_SOURCES CONFIGURE_DEPENDS ${VTD_TAKEOVER}/model/*.cpp)
