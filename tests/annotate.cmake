# Drawing, rendering, exporters, the manifest.
sl_test(unit/atlas_test DEPS sl_image)
sl_test(unit/draw_test DEPS sl_image sl_common)
sl_test(unit/manifest_test DEPS sl_annotate)
sl_test(unit/render_test DEPS sl_annotate)
sl_test(contract/exporter_contract_test DEPS sl_annotate)
