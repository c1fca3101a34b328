# The core: wire records, the job table and its policy, the loop of every worker.
sl_test(unit/codec_test DEPS sl_bus)
sl_test(golden/messages_test DEPS sl_schema)
sl_test(unit/job_table_test DEPS sl_broker)
sl_test(unit/job_again_test DEPS sl_broker)
sl_test(unit/job_traces_test TIMEOUT 300 DEPS sl_broker)  # ThreadSanitizer takes ten times as long
sl_test(unit/dispatch_test DEPS sl_broker)
sl_test(unit/pools_test DEPS sl_broker)
sl_test(unit/home_test TIMEOUT 300 DEPS sl_annotate)
sl_test(integration/worker_loop_test DEPS sl_worker)
sl_test(integration/broker_requests_test DEPS sl_broker)
