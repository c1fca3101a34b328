# Configuration, pipelines and presets, the command line.
sl_test(unit/config_test DEPS sl_common)
sl_test(unit/pipeline_test DEPS sl_common)
sl_test(integration/cli_client_test DEPS sl_cli)
sl_test(integration/cli_commands_test DEPS sl_cli)
sl_test(integration/cli_fleet_test DEPS sl_cli)
