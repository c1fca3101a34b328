# The delivery of alerts: outbox, delivery to one target, sinks.
sl_test(unit/outbox_test DEPS sl_broker)
sl_test(unit/delivery_test DEPS sl_broker sl_alert)
sl_test(contract/sink_test DEPS sl_alert sl_test_servers)
