-- Entries of a principal's index and when they are due, in that order, then by sid. An entry is moved towards
-- the end only, so one that is there all the time is in front of no cursor.
-- KEYS[1]: the index. ARGV: when the last entry that was read is due, or '-inf'; how many.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
-- Those that are due with the last one may have been read.
local again = ARGV[1] == '-inf' and 0 or redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[2]) + again)
