-- Stores a record in place of what is expected, or says why not.
-- KEYS[1]: the record. ARGV: its bytes; the version it replaces, or '' for none; now; its time to live;
-- its link in the index of its principal, or '' if it is not there yet.
local now = tonumber(ARGV[3])
local old, live = head_of(KEYS[1], now)
if not old then
  return live
end
if ARGV[2] == '' then
  if live then
    return 'C'
  end
elseif not live then
  return 'G'
elseif string.sub(old, 33, 40) ~= ARGV[2] then
  return 'C'
end
local tag, place, link = string.sub(ARGV[1], 49, 64), place_of(KEYS[1], old), ARGV[5]
if tag == NONE then
  link = NONE
elseif link == '' then
  -- The entry of the old record stays true for the new one: same principal, same end.
  if place == '' or string.sub(place, 1, 16) ~= tag or string.sub(old, 41, 48) ~= string.sub(ARGV[1], 41, 48) then
    return 'L'
  end
  link = string.sub(place, 17, 32)
end
redis.call('SET', KEYS[1], ARGV[1] .. link, 'PX', lasting(tonumber(ARGV[4])))
if place == tag .. link then
  return 'S'
end
return 'S' .. place
