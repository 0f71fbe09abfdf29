-- Moves the idle deadline of a live record of one version; creates nothing.
-- KEYS[1]: the record. ARGV: the version; now; the new deadline as it is stored; the slack.
local now = tonumber(ARGV[2])
local old, live = head_of(KEYS[1], now)
if not old then
  return live
end
if not live then
  return 'G'
end
if string.sub(old, 33, 40) ~= ARGV[1] then
  return 'C'
end
local expires_at = ARGV[3]
if number(expires_at, 1) > number(old, 41) then
  expires_at = string.sub(old, 41, 48)
end
redis.call('SETRANGE', KEYS[1], 64, expires_at)
redis.call('PEXPIRE', KEYS[1], lasting(number(expires_at, 1) - now + tonumber(ARGV[4])))
return 'S'
