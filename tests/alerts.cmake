# The delivery of alerts: outbox, delivery to one target, sinks.
sl_test(unit/outbox_test DEPS sl_broker)
sl_test(unit/delivery_test DEPS sl_broker sl_alert)
sl_test(unit/lane_test DEPS sl_alert sl_test_servers)
add_library(sl_test_receivers STATIC ${CMAKE_CURRENT_LIST_DIR}/support/receivers.cpp)
target_link_libraries(sl_test_receivers PUBLIC sl_flags sl_test_servers PkgConfig::mosquitto nlohmann_json::nlohmann_json)
sl_test(contract/sink_test TIMEOUT 300 DEPS sl_alert sl_test_receivers)

add_test(NAME system/alerts_test COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/alerts_test.py)
set_tests_properties(system/alerts_test PROPERTIES LABELS system TIMEOUT 300 ENVIRONMENT
  "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
