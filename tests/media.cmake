# The media library and the sources.
add_library(sl_test_clips STATIC ${CMAKE_CURRENT_LIST_DIR}/support/clips.cpp)
target_link_libraries(sl_test_clips PUBLIC sl_media GTest::gtest)

sl_test(unit/media_clips_test DEPS sl_media sl_test_clips)
sl_test(unit/media_carry_test DEPS sl_media sl_test_clips)
sl_test(unit/media_scan_test DEPS sl_media sl_test_clips)
sl_test(unit/media_upright_test DEPS sl_media sl_test_clips)
sl_test(unit/media_join_test DEPS sl_media sl_test_clips)
sl_test(unit/media_sources_test DEPS sl_ingest sl_test_clips)
