# The broker's side of live work.
sl_test(unit/camera_table_test DEPS sl_broker)
sl_test(unit/live_dispatch_test DEPS sl_broker)
sl_test(integration/cameras_test DEPS sl_broker)
sl_test(contract/camera_registry_test DEPS sl_broker sl_test_servers)
sl_test(integration/cli_cameras_test DEPS sl_cli)
