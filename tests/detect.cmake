add_library(sl_test_models STATIC ${CMAKE_SOURCE_DIR}/tests/support/models.cpp
            ${CMAKE_SOURCE_DIR}/tests/support/coco_eval.cpp)
target_link_libraries(sl_test_models PUBLIC sl_flags sl_model PkgConfig::libav)
sl_test(unit/fetch_test DEPS sl_model)
sl_test(unit/manifest_model_test DEPS sl_test_models)
sl_test(contract/backend_test DEPS sl_detect sl_preprocess sl_test_models)
sl_test(contract/backend_accuracy_test DEPS sl_detect sl_preprocess sl_test_models)
