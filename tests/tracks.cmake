# Tracks: who is who, and what of it is shown; how well, on a real clip.
sl_test(unit/assignment_test DEPS sl_annotate)
sl_test(unit/tracker_test DEPS sl_annotate)
sl_test(unit/step_test DEPS sl_annotate)
foreach(name tracking_measures tracking_vtest)
  add_test(NAME system/${name} COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/${name}.py)
  set_tests_properties(system/${name} PROPERTIES LABELS system TIMEOUT 600 SKIP_RETURN_CODE 77 ENVIRONMENT
    "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
