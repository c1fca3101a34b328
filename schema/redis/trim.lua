-- Forgets the log up to an id. A page goes with its last entry; until then `trimmed` hides its first ones.
-- KEYS: log, trimmed. ARGV: the id as epoch, n, and the n after it.
redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1] .. '-' .. ARGV[3])
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first or first[2][1] ~= 'page' then
  redis.call('DEL', KEYS[2])
  return 1
end
local epoch, n = string.match(redis.call('GET', KEYS[2]) or '0-0', '(%d+)-(%d+)')
local e, m, ours, k = tonumber(epoch), tonumber(n), tonumber(ARGV[1]), tonumber(ARGV[2])
if ours > e or (ours == e and k > m) then  -- it never goes back
  redis.call('SET', KEYS[2], ARGV[1] .. '-' .. ARGV[2])
end
return 1
