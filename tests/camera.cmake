# Cameras: what reads them, what they need, and real servers that behave like them.
sl_test(unit/secrets_test DEPS sl_common)
sl_test(unit/motion_test DEPS sl_media)
sl_test(unit/motion_backend_test DEPS sl_detect sl_test_models)
sl_test(integration/camera_reader_test TIMEOUT 300 DEPS sl_ingest sl_test_clips sl_test_servers)
sl_test(integration/camera_rtsp_test TIMEOUT 600 DEPS sl_ingest sl_test_clips sl_test_servers)
