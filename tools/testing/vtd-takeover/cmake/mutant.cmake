# SPDX-License-Identifier: GPL-2.0-only
#
# add_mutant(NAME): tests on a copy of the takeover's code with mutants/NAME.cocci applied to one of its
# files: those of the world, or the ones that its head names ("// tests: core", floor or window). A
# semantic patch that finds no place is an error of the build.
#
# test_mutant(NAME): a test that passes if these tests break off with the invariant that the mutant
# is said to break.

find_program(SPATCH spatch REQUIRED)

# What the head of a mutant says.
function(read_mutant name file breaks tests)
  file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/mutants/${name}.cocci said
       REGEX "^// (file|breaks|tests): ")
  string(REGEX REPLACE ".*// file: ([a-z]+\\.c).*" "\\1" said_file "${said}")
  string(REGEX REPLACE ".*// breaks: ([A-Z]+).*" "\\1" said_breaks "${said}")
  set(said_tests world)
  if(said MATCHES "// tests: ([a-z]+)")
    set(said_tests ${CMAKE_MATCH_1})
  endif()
  set(${file} ${said_file} PARENT_SCOPE)
  set(${breaks} ${said_breaks} PARENT_SCOPE)
  set(${tests} ${said_tests} PARENT_SCOPE)
endfunction()

function(add_mutant name)
  set(patch ${CMAKE_CURRENT_SOURCE_DIR}/mutants/${name}.cocci)
  read_mutant(${name} file breaks tests)

  set(mutated ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}/${file})
  get_filename_component(folder ${mutated} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${mutated}
    COMMAND ${SPATCH} --very-quiet --sp-file ${patch} ${TAKEOVER}/${file} -o ${mutated}
    COMMAND sh -c "test -e '${mutated}' && ! cmp -s '${mutated}' '${TAKEOVER}/${file}'"
    DEPENDS ${patch} ${TAKEOVER}/${file} VERBATIM)

  # An object, which is linked whether somebody asks for it or not: of the library the linker then
  # takes what the mutated file does not have, the other files.
  if(NOT tests STREQUAL world)
    add_library(core-${name} OBJECT ${mutated})
    target_include_directories(core-${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/linux ${TAKEOVER})
    target_compile_options(core-${name} PRIVATE -std=gnu11)
    add_executable(mutant-${name} $<TARGET_OBJECTS:${tests}_tests> $<TARGET_OBJECTS:core-${name}>)
    cmake_language(CALL link_${tests} mutant-${name})
    return()
  endif()
  watched_core(core-${name} OBJECT ${mutated})
  add_executable(mutant-${name} $<TARGET_OBJECTS:world_tests> $<TARGET_OBJECTS:core-${name}>)
  link_world(mutant-${name} watched)
endfunction()

function(test_mutant name)
  read_mutant(${name} file breaks tests)
  # Four kinds of unit are enough for these. Random machines would break by this invariant today and
  # by another one tomorrow.
  add_test(NAME mutant-${name}
    COMMAND mutant-${name} --gtest_fail_fast --gtest_brief=1
            --gtest_filter=*/0:*/1:*/12:*/13-Random.*:Properties.*)
  # First: one that lives long would else be waited for alone.
  set_tests_properties(mutant-${name} PROPERTIES
    PASS_REGULAR_EXPRESSION "${breaks}: " COST 1000)
endfunction()
