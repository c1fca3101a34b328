# The core: wire records, the job table and its policy, the loop of every worker.
sl_test(unit/codec_test DEPS sl_bus)
sl_test(golden/messages_test DEPS sl_schema)
sl_test(unit/job_table_test DEPS sl_broker)
sl_test(unit/dispatch_test DEPS sl_broker)
sl_test(unit/pools_test DEPS sl_broker)
sl_test(unit/home_test DEPS sl_annotate)
sl_test(integration/worker_loop_test DEPS sl_worker)
