-- Adds a session to the index of its principal, or has its entry last longer. Entries are sorted by the
-- server's time at which they are due, so that no client's clock can remove another's, and those that are due
-- leave.
-- KEYS[1]: the index. ARGV: the sid; how long the session lasts at most.
local time, left = redis.call('TIME'), tonumber(ARGV[2])
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', now + left), ARGV[1])
if redis.call('PTTL', KEYS[1]) < left then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left))
end
return 'S'
