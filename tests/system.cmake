# A fleet of real processes: each file starts one of its own in a private folder. Status 77: no clip or model.
foreach(test fleet_bytes fleet_broker_restart fleet_workers fleet_bad_input fleet_hostile fleet_pools fleet_poison fleet_again
             fleet_postgres_minute)
  add_test(NAME system/${test} COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/${test}.py)
  set_tests_properties(system/${test} PROPERTIES LABELS system TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT
    "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()

# Preloaded by fleet_poison: one packet kills what decodes it.
add_library(poison MODULE support/poison.cpp)
target_link_libraries(poison PRIVATE sl_flags ${CMAKE_DL_LIBS})
target_include_directories(poison PRIVATE ${LIBAV_INCLUDE_DIRS})
