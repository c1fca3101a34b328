# Job stores, audit trails, rules, alert routing.
add_library(sl_test_servers STATIC ${CMAKE_CURRENT_LIST_DIR}/support/server_process.cpp
  ${CMAKE_CURRENT_LIST_DIR}/support/redis_server.cpp ${CMAKE_CURRENT_LIST_DIR}/support/postgres_server.cpp)
target_link_libraries(sl_test_servers PUBLIC sl_flags PkgConfig::hiredis GTest::gtest)

sl_test(contract/store_test DEPS sl_store sl_test_servers)
sl_test(contract/audit_test DEPS sl_store sl_test_servers)
sl_test(unit/rules_test DEPS sl_annotate)
