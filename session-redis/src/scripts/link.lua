-- Adds a session to the index of its principal, and returns when the entry is due.
-- KEYS[1]: the index. ARGV: the sid; the rest of the link; how long the session lasts at most.
local left = tonumber(ARGV[3])
local due = big(now + left)
redis.call('ZADD', KEYS[1], 0, due .. ARGV[1] .. ARGV[2])
if redis.call('PTTL', KEYS[1]) < left then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left))
end
return due
