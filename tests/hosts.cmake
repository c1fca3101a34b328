# Keys, several hosts, several fleets on one host.
sl_test(integration/curve_test DEPS sl_bus)
foreach(test hosts_test hosts_two_fleets)
  add_test(NAME system/${test} COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/${test}.py)
  set_tests_properties(system/${test} PROPERTIES LABELS system TIMEOUT 900 SKIP_RETURN_CODE 77 ENVIRONMENT
    "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
