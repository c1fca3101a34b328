-- One batch of the leader: fenced by its epoch, applied once by its number, all or nothing.
-- KEYS: lead, records, log.
-- ARGV: epoch, number, prefix of record keys, count of log entries; then for each log entry
--       id, topic, kind, job, time_ns, audit (0 | 1), body; then up to the end:
--       'p' id page | 's' record n (field value)… | 'f' record n field… | 'r' record; n at most 1000.
-- Answers {'ok'} (applied now or before), {'stale', leader's epoch} or {'gap', last number}.
local lead = redis.call('HMGET', KEYS[1], 'epoch', 'number', 'holder')
if lead[1] ~= ARGV[1] or lead[3] == '' then
  return {'stale', lead[1] or '0'}
end
local number, last = tonumber(ARGV[2]), tonumber(lead[2])
if number <= last then
  return {'ok'}
end
if number > last + 1 then
  return {'gap', lead[2]}
end

-- The log comes first: an id that does not rise stops the script before anything was written.
local at = 5
for _ = 1, tonumber(ARGV[4]) do
  redis.call('XADD', KEYS[3], ARGV[at], 'topic', ARGV[at + 1], 'kind', ARGV[at + 2], 'job', ARGV[at + 3],
             'time_ns', ARGV[at + 4], 'audit', ARGV[at + 5], 'body', ARGV[at + 6])
  at = at + 7
end

while at <= #ARGV do
  local kind, record = ARGV[at], ARGV[at + 1]
  local key = ARGV[3] .. record
  if kind == 's' then
    local last = at + 2 + 2 * ARGV[at + 2]
    if redis.call('HSET', key, unpack(ARGV, at + 3, last)) > 0 then
      redis.call('SADD', KEYS[2], record)
    end
    at = last + 1
  elseif kind == 'f' then
    local last = at + 2 + ARGV[at + 2]
    if redis.call('HDEL', key, unpack(ARGV, at + 3, last)) > 0 and redis.call('EXISTS', key) == 0 then
      redis.call('SREM', KEYS[2], record)
    end
    at = last + 1
  elseif kind == 'p' then
    redis.call('XADD', KEYS[3], record, 'page', ARGV[at + 2])
    at = at + 3
  else
    redis.call('DEL', key)
    redis.call('SREM', KEYS[2], record)
    at = at + 2
  end
end
redis.call('HSET', KEYS[1], 'number', ARGV[2])
return {'ok'}
