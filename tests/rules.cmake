# Zones, rules, why and why not, replay.
sl_test(unit/zone_json_test DEPS sl_common)
sl_test(unit/alert_json_test DEPS sl_common)
sl_test(unit/zones_test DEPS sl_annotate)
