# Zones, rules, why and why not, replay.
sl_test(unit/zone_json_test DEPS sl_common)
sl_test(unit/alert_json_test DEPS sl_common)
sl_test(unit/zones_test DEPS sl_annotate)
add_test(NAME system/replay_test COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/replay_test.py)
set_tests_properties(system/replay_test PROPERTIES LABELS system TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT
  "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
