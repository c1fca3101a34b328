# The whole product through `sightline run`: how well it detects, and what it makes of all kinds of clip.
foreach(name accuracy_measures accuracy_coco64 accuracy_vtest clips_plain clips_detected)
  add_test(NAME system/${name} COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/${name}.py)
  set_tests_properties(system/${name} PROPERTIES LABELS system TIMEOUT 600 SKIP_RETURN_CODE 77 ENVIRONMENT
    "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endforeach()
