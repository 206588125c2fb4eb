# SPDX-License-Identifier: GPL-2.0-only
# The core may call what env.h declares, a few library functions that the
# kernel has under the same names, and nothing else.
cmake_minimum_required(VERSION 3.25)

set(LIBRARY cond_resched memcmp strcmp strcspn strncmp udelay shim_printk)

file(READ ${ENV_H} text)
string(REGEX MATCHALL "vtd_[a-z0-9_]+\\(" calls "${text}")
list(TRANSFORM calls REPLACE "\\($" "")
list(REMOVE_DUPLICATES calls)

execute_process(COMMAND ${NM} -u ${CORE} OUTPUT_VARIABLE undefined COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${NM} --defined-only ${CORE} OUTPUT_VARIABLE defined
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL " U [A-Za-z0-9_]+" undefined "${undefined}")
list(TRANSFORM undefined REPLACE "^ U " "")
list(REMOVE_DUPLICATES undefined)

set(used 0)
foreach(symbol IN LISTS undefined)
  if(symbol IN_LIST calls)
    math(EXPR used "${used} + 1")
  elseif(NOT symbol IN_LIST LIBRARY AND NOT defined MATCHES " [TtDdBb] ${symbol}\n")
    message(SEND_ERROR "the core calls ${symbol}, which env.h does not declare")
  endif()
endforeach()
list(LENGTH calls declared)
if(NOT used EQUAL declared)
  message(SEND_ERROR "env.h declares ${declared} functions, the core calls ${used}")
endif()
# Each does one thing to hardware, memory or ids that the core has no other way to; one tells who
# watches. A new one needs a new thing that only the driver knows.
if(declared GREATER 32)
  message(SEND_ERROR "env.h declares ${declared} functions: the boundary has grown wide")
endif()
message("the core calls ${used} functions of env.h, and ${undefined}")
