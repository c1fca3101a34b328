# What Sightline is built on. Everything is a Debian 12 package but ONNX Runtime, which scripts/setup puts
# under vendor/onnxruntime (or the user names with ORT_ROOT); without it the backend is left out, loudly.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)  # without debug information: it doubles the time of a build
endif()
option(SIGHTLINE_TESTS "build tests and benchmarks" ON)
set(SIGHTLINE_SANITIZE "" CACHE STRING "address, undefined, thread, or empty")

find_program(ccache ccache)
if(ccache)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ccache})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(libzmq REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(pqxx REQUIRED IMPORTED_TARGET libpqxx)
pkg_check_modules(libav REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil libswscale libswresample)
pkg_check_modules(libavdevice REQUIRED IMPORTED_TARGET libavdevice)
pkg_check_modules(yaml_cpp REQUIRED IMPORTED_TARGET yaml-cpp)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(mosquitto REQUIRED IMPORTED_TARGET libmosquitto)
pkg_check_modules(pugixml REQUIRED IMPORTED_TARGET pugixml)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
find_package(OpenSSL REQUIRED)
find_package(date REQUIRED)  # the tz database: g++ 12 has no std::chrono::tzdb
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)

# OpenCV by its parts: the umbrella package brings a hundred more.
find_path(OPENCV_INCLUDE opencv2/dnn.hpp PATH_SUFFIXES opencv4 REQUIRED)
add_library(opencv_parts INTERFACE)
target_include_directories(opencv_parts SYSTEM INTERFACE ${OPENCV_INCLUDE})
foreach(part core imgproc dnn objdetect)
  find_library(OPENCV_${part} opencv_${part} REQUIRED)
  target_link_libraries(opencv_parts INTERFACE ${OPENCV_${part}})
endforeach()

set(ORT_ROOT "${CMAKE_SOURCE_DIR}/vendor/onnxruntime" CACHE PATH "folder with include/ and lib/ of ONNX Runtime")
find_path(ORT_INCLUDE onnxruntime_cxx_api.h HINTS ${ORT_ROOT}/include PATH_SUFFIXES onnxruntime onnxruntime/core/session)
find_library(ORT_LIBRARY NAMES onnxruntime libonnxruntime.so.1 HINTS ${ORT_ROOT}/lib)
if(ORT_INCLUDE AND ORT_LIBRARY)
  add_library(onnxruntime SHARED IMPORTED)
  set_target_properties(onnxruntime PROPERTIES IMPORTED_LOCATION ${ORT_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${ORT_INCLUDE})
else()
  message(WARNING "ONNX Runtime not found (run scripts/setup, or set ORT_ROOT): the onnxruntime backend is not built")
endif()

# Warnings and sanitizers, in one place.
add_library(sl_flags INTERFACE)
target_compile_options(sl_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC bug 105651: string concatenation is taken for overlapping copies.
  target_compile_options(sl_flags INTERFACE -Wno-restrict)
endif()
target_compile_definitions(sl_flags INTERFACE MSGPACK_NO_BOOST SPDLOG_FMT_EXTERNAL)
target_include_directories(sl_flags INTERFACE ${CMAKE_SOURCE_DIR})
if(SIGHTLINE_SANITIZE)
  target_compile_options(sl_flags INTERFACE -fsanitize=${SIGHTLINE_SANITIZE} -fno-omit-frame-pointer -O1)
  target_link_options(sl_flags INTERFACE -fsanitize=${SIGHTLINE_SANITIZE})
endif()
