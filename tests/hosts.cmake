# Keys, several hosts, several fleets on one host.
sl_test(integration/curve_test DEPS sl_bus)
