# SPDX-License-Identifier: GPL-2.0-only
#
# vtd-counts. Both sides are compiled with the kernel's flags, and pay alike for what is left out.
add_library(counted OBJECT ${CORE_SOURCES} bench/env.c bench/kernel.c bench/queue.c bench/stock.c)
# Bitmaps of the kernel's own instructions come before the tests' stand-ins.
target_include_directories(counted PRIVATE bench linux ${TAKEOVER} ${STOCK_CODE})
target_compile_options(counted PRIVATE ${KERNEL_FLAGS} -Wall -Wextra -Werror)
# Linux compares without regard to signs, and is not ours to mend.
set_source_files_properties(bench/queue.c bench/stock.c PROPERTIES
                            COMPILE_OPTIONS "-Wno-sign-compare;-Wno-unused")
set_target_properties(counted PROPERTIES EXCLUDE_FROM_ALL ON)

add_executable(vtd-counts EXCLUDE_FROM_ALL bench/counts.cpp bench/old_tables.cpp
               $<TARGET_OBJECTS:counted>)
target_include_directories(vtd-counts PRIVATE bench linux)
target_compile_options(vtd-counts PRIVATE -Wall -Wextra -Wconversion -Werror)
target_link_options(vtd-counts PRIVATE -no-pie)
