# The verbs of this project's CMake files.

# sl_library(media DEPS sl_schema …): every .cpp of this folder (not of folders below) is the library sl_media.
# EXTRA names further sources.
function(sl_library name)
  cmake_parse_arguments(arg "" "" "DEPS;EXTRA" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  add_library(sl_${name} STATIC ${sources} ${arg_EXTRA})
  target_link_libraries(sl_${name} PUBLIC sl_flags ${arg_DEPS})
endfunction()

# plugin_table(ingest FOLDER sources TYPE sl::ingest::SourcePlugin HEADER workers/ingest/source.hpp
#              PREFIX source FUNCTION sl::ingest::source_table)
# Compiles every file of the folder into sl_<library> and writes the table of their rows, `<prefix>_<stem>`.
# A file without its row is a link error that names it. Files of WITHOUT are left out.
function(plugin_table library)
  cmake_parse_arguments(arg "" "FOLDER;TYPE;HEADER;PREFIX;FUNCTION" "WITHOUT" ${ARGN})
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${arg_FOLDER}/*.cpp)
  string(REGEX REPLACE "^(.*)::[^:]*$" "\\1" space ${arg_FUNCTION})
  string(REGEX REPLACE "^.*::" "" function ${arg_FUNCTION})
  set(externs "")
  set(rows "")
  foreach(file ${files})
    get_filename_component(stem ${file} NAME_WE)
    if(stem IN_LIST arg_WITHOUT)
      continue()
    endif()
    target_sources(sl_${library} PRIVATE ${file})
    string(APPEND externs "extern const ${arg_TYPE} ${arg_PREFIX}_${stem};\n")
    string(APPEND rows "    &${arg_PREFIX}_${stem},\n")
  endforeach()
  set(table ${CMAKE_CURRENT_BINARY_DIR}/${arg_PREFIX}_table.cpp)
  file(CONFIGURE OUTPUT ${table} @ONLY CONTENT
"// Made by plugin_table() from the files of ${arg_FOLDER}/.
#include \"${arg_HEADER}\"
namespace ${space} {
${externs}
std::span<const ${arg_TYPE}* const> ${function}() {
    static const ${arg_TYPE}* const rows[] = {
${rows}    };
    return rows;
}
}  // namespace ${space}
")
  target_sources(sl_${library} PRIVATE ${table})
endfunction()

# sl_test(unit/codec_test DEPS sl_schema): tests/unit/codec_test.cpp → the CTest "unit/codec_test", label
# "unit", with a ceiling against hangs (TIMEOUT, 120 s by default).
function(sl_test path)
  cmake_parse_arguments(arg "" "TIMEOUT" "DEPS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  string(REPLACE "/" "_" target ${path})
  get_filename_component(label ${path} DIRECTORY)
  add_executable(${target} ${CMAKE_SOURCE_DIR}/tests/${path}.cpp)
  target_link_libraries(${target} PRIVATE sl_flags ${arg_DEPS} GTest::gmock GTest::gtest_main)
  add_test(NAME ${path} COMMAND ${target})
  set_tests_properties(${path} PROPERTIES LABELS ${label} TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR}"
    ENVIRONMENT_MODIFICATION SIGHTLINE_CONFIG=unset:)  # a fleet of the user's is not the test's
endfunction()
