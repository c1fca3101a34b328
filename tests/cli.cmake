# Configuration, pipelines and presets, the command line.
sl_test(unit/config_test DEPS sl_common)
sl_test(unit/pipeline_test DEPS sl_common)
sl_test(integration/cli_client_test DEPS sl_cli)
sl_test(integration/cli_commands_test DEPS sl_cli)
sl_test(integration/cli_fleet_test TIMEOUT 300 DEPS sl_cli)
add_test(NAME system/clients_test COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/clients_test.py)
set_tests_properties(system/clients_test PROPERTIES LABELS system TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT
  "SIGHTLINE_SOURCE_DIR=${CMAKE_SOURCE_DIR};SIGHTLINE_BINARY_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
