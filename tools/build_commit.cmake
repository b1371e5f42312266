# Writes OUTPUT, which says which commit of SOURCE is built, and whether its files differ from it; and
# not when it says so already, so that nothing is compiled anew. For cmake -P, during the build: a
# commit does not configure again. Where SOURCE is no checkout, or git is not here, both are empty.
set(commit "")
set(dirty "")
file(REAL_PATH ${SOURCE} source)
# The checkout may be another user's, as in a container.
set(git git -c safe.directory=${source} -C ${source} --no-optional-locks)
execute_process(COMMAND ${git} rev-parse --show-toplevel HEAD OUTPUT_VARIABLE answer RESULT_VARIABLE failed
                ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
# Sources that lie unpacked inside a checkout of something else are not of its commit.
if(failed EQUAL 0 AND answer MATCHES "^(.*)\n([0-9a-f]+)$" AND CMAKE_MATCH_1 STREQUAL source)
  set(commit ${CMAKE_MATCH_2})
  execute_process(COMMAND ${git} status --porcelain -- CMakeLists.txt host cuda kernels tools/*.cpp tools/*.h
                  OUTPUT_VARIABLE changes RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed EQUAL 0)
    set(dirty "")
  elseif(changes STREQUAL "")
    set(dirty false)
  else()
    set(dirty true)
  endif()
endif()

set(text "// Written by tools/build_commit.cmake.
#include \"host/machine/build.h\"

const char* const digitron::kBuildCommit = \"${commit}\";
const char* const digitron::kBuildDirty = \"${dirty}\";
")
set(before "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${OUTPUT} "${text}")
endif()
file(TOUCH ${STAMP})
