-- The entries of a principal's index sort by the server's time at which they are due, so that those of
-- dead sessions leave from the front, and no client's clock can remove another's.
local function big(millis)
  return struct.pack('>I8', millis)
end

local function server_now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local now = server_now()
redis.call('ZREMRANGEBYLEX', KEYS[1], '-', '(' .. big(now))
