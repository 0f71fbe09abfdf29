-- Moves the idle deadline of a live record of one version; creates nothing. Answers with its end and its
-- principal, whose index is on another server, perhaps.
-- ARGV[2]: the version. ARGV[3]: the new deadline as it is stored. ARGV[4]: the slack.
if not live then
  return 'G'
end
if version ~= ARGV[2] then
  return 'C'
end
local bytes, until_then = ARGV[3], (struct.unpack('<I8', ARGV[3]))
if until_then > ends then
  bytes, until_then = string.sub(head, 41, 48), ends
end
redis.call('SETRANGE', KEYS[1], 64, bytes)
-- As the server takes it: at most a hundred years.
local lasting = math.max(1, math.min(until_then - now + tonumber(ARGV[4]), 3155760000000))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', lasting))
return 'S' .. string.sub(head, 41, 64)
