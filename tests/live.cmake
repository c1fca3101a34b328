# Live work: cameras from their connection to their alerts.
sl_test(unit/frame_queue_test DEPS sl_ingest sl_image)
sl_test(unit/live_home_test DEPS sl_annotate)
