# The supervisor and what it is made of.
sl_test(unit/crumb_test DEPS sl_worker)
sl_test(unit/exit_cause_test DEPS sl_cli)
foreach(test compose_test supervisor_test)
  add_test(NAME system/${test} COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/${test}.py)
  set_tests_properties(system/${test} PROPERTIES LABELS system TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT
    "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
