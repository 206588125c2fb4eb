# SPDX-License-Identifier: GPL-2.0-only
#
# add_pieces(NAME COUNT [LABEL]): the tests of a program in so many pieces, each a process that writes
# reports/NAME-K.xml. A process for each test spends more time on its start than most tests take.
# GoogleTest deals the tests out in turn: a COUNT that divides no number of kinds keeps pieces equal.

function(add_pieces name count)
  math(EXPR last "${count} - 1")
  foreach(piece RANGE ${last})
    add_test(NAME ${name}-${piece}
      COMMAND ${name} --gtest_output=xml:${CMAKE_BINARY_DIR}/reports/${name}-${piece}.xml)
    set_tests_properties(${name}-${piece} PROPERTIES LABELS "${ARGN}"
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${count};GTEST_SHARD_INDEX=${piece}")
  endforeach()
endfunction()
