# Live work: cameras from their connection to their alerts.
sl_test(unit/frame_queue_test DEPS sl_ingest sl_image)
sl_test(unit/live_home_test DEPS sl_annotate)
sl_test(unit/live_stages_test DEPS sl_ingest sl_preprocess sl_detect)
foreach(test live_command live_fleet live_load live_credentials)
  add_test(NAME system/${test} COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/${test}.py)
  set_tests_properties(system/${test} PROPERTIES LABELS system TIMEOUT 900 SKIP_RETURN_CODE 77 ENVIRONMENT
    "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
