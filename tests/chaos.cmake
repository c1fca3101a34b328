# Kills whatever there is of a fleet, and shows that nothing was lost. Status 77: no clip or model. They need root: a
# file system to fill, connections to cut. One at a time: they measure times.
foreach(test chaos_test proof_test soak_test)
  add_test(NAME chaos/${test} COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/chaos/${test}.py)
  set_tests_properties(chaos/${test} PROPERTIES LABELS chaos TIMEOUT 600 SKIP_RETURN_CODE 77 RUN_SERIAL ON ENVIRONMENT
    "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
sl_test(unit/dead_sockets_test DEPS sl_bus sl_test_servers)
