# The supervisor and what it is made of.
sl_test(unit/crumb_test DEPS sl_worker)
