# The job table and its stores, explored.
add_library(sl_test_model STATIC ${CMAKE_CURRENT_LIST_DIR}/model/world.cpp ${CMAKE_CURRENT_LIST_DIR}/model/actions.cpp
  ${CMAKE_CURRENT_LIST_DIR}/model/invariants.cpp ${CMAKE_CURRENT_LIST_DIR}/model/redis_mirror.cpp)
target_link_libraries(sl_test_model PUBLIC sl_flags sl_broker sl_test_servers)

sl_test(model/interleavings_test TIMEOUT 300 DEPS sl_test_model)
sl_test(model/traces_test TIMEOUT 300 DEPS sl_test_model)
