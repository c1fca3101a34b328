-- Takes or keeps the lead of a fleet. Free or expired: a new epoch, so the former leader is fenced off.
-- KEYS: lead. ARGV: broker, holder (broker and its run), ttl_ms. Answers {1 = ours, epoch, broker}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lead = redis.call('HMGET', KEYS[1], 'holder', 'until_ms', 'epoch', 'broker')
local held = lead[1] and lead[1] ~= '' and tonumber(lead[2]) > now
if held and lead[1] ~= ARGV[2] then
  return {0, lead[3], lead[4]}
end
local epoch = lead[3]
if not held then
  epoch = string.format('%.0f', math.max(tonumber(epoch or 0) + 1, now))
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'number', 0, 'broker', ARGV[1], 'holder', ARGV[2])
end
redis.call('HSET', KEYS[1], 'until_ms', string.format('%.0f', now + ARGV[3]))
return {1, epoch, ARGV[1]}
