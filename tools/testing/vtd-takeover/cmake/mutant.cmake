# SPDX-License-Identifier: GPL-2.0-only
#
# add_mutant(NAME): a copy of the takeover's code with mutants/NAME.cocci applied to one of its files,
# and a test that passes if the tests of the world break off with the invariant that the mutant is
# said to break. A semantic patch that finds no place is an error of the build.

find_program(SPATCH spatch REQUIRED)

function(add_mutant name)
  set(patch ${CMAKE_CURRENT_SOURCE_DIR}/mutants/${name}.cocci)
  file(STRINGS ${patch} said REGEX "^// (file|breaks): ")
  list(FILTER said INCLUDE REGEX ".")
  string(REGEX REPLACE ".*// file: ([a-z]+\\.c).*" "\\1" file "${said}")
  string(REGEX REPLACE ".*// breaks: ([A-Z]+).*" "\\1" breaks "${said}")

  set(mutated ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}/${file})
  get_filename_component(folder ${mutated} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${mutated}
    COMMAND ${SPATCH} --very-quiet --sp-file ${patch} ${TAKEOVER}/${file} -o ${mutated}
    COMMAND sh -c "test -e '${mutated}' && ! cmp -s '${mutated}' '${TAKEOVER}/${file}'"
    DEPENDS ${patch} ${TAKEOVER}/${file} VERBATIM)

  set(sources ${CORE_SOURCES})
  list(FILTER sources EXCLUDE REGEX "/${file}$")
  watched_core(core-${name} ${mutated} ${sources})
  add_executable(mutant-${name} $<TARGET_OBJECTS:world_tests>)
  link_world(mutant-${name} core-${name})

  # Random machines would break by this invariant today and by another one tomorrow.
  add_test(NAME mutant-${name}
    COMMAND mutant-${name} --gtest_fail_fast --gtest_brief=1 --gtest_filter=-Random.*)
  set_tests_properties(mutant-${name} PROPERTIES PASS_REGULAR_EXPRESSION "${breaks}: ")
endfunction()
