-- Gives the lead up, if it is ours. The epoch stays: it never comes back.
-- KEYS: lead. ARGV: holder.
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'holder', '', 'broker', '', 'until_ms', 0)
end
return 1
