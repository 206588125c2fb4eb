# SPDX-License-Identifier: GPL-2.0-only
#
# vtd-bench, how fast the guard is, for scripts/bench.py. Built when asked for only.
add_library(guarded OBJECT EXCLUDE_FROM_ALL ${CORE_SOURCES} ${TAKEOVER}/window.c
            bench/guarded.c)
target_include_directories(guarded PRIVATE bench linux ${TAKEOVER})
target_compile_options(guarded PRIVATE ${KERNEL_FLAGS} -Wall -Wextra -Werror)
set_source_files_properties(bench/guarded.c PROPERTIES COMPILE_OPTIONS -Wno-unused-parameter)

add_library(page_tables OBJECT EXCLUDE_FROM_ALL bench/page_tables.cpp)
target_include_directories(page_tables PRIVATE bench linux)
target_compile_options(page_tables PRIVATE -Wall -Wextra -Wconversion -Werror)

find_package(benchmark QUIET)
if(benchmark_FOUND)
  add_executable(vtd-bench EXCLUDE_FROM_ALL bench/bench.cpp $<TARGET_OBJECTS:page_tables>
                 $<TARGET_OBJECTS:guarded>)
  target_include_directories(vtd-bench PRIVATE bench linux)
  target_compile_options(vtd-bench PRIVATE -Wall -Wextra -Wconversion -Werror)
  target_link_options(vtd-bench PRIVATE -no-pie)
  target_link_libraries(vtd-bench PRIVATE benchmark::benchmark)
endif()

# The same in instructions, for scripts/counts.py.
add_executable(vtd-guard-counts EXCLUDE_FROM_ALL bench/guard_counts.cpp
               $<TARGET_OBJECTS:page_tables> $<TARGET_OBJECTS:guarded>)
target_include_directories(vtd-guard-counts PRIVATE bench linux)
target_compile_options(vtd-guard-counts PRIVATE -Wall -Wextra -Wconversion -Werror)
target_link_options(vtd-guard-counts PRIVATE -no-pie)
