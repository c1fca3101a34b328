# The pipeline noop, and what makes many small jobs cheap.
sl_test(unit/noop_test DEPS sl_broker sl_noop)
sl_test(unit/audit_thread_test DEPS sl_broker)
