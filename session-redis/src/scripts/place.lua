-- Where the record is in the index of its principal: its tag and its link, or '' if it is in none.
local place = ''
if tag ~= NONE then
  local link = redis.call('GETRANGE', KEYS[1], -16, -1)
  if link ~= NONE then
    place = tag .. link
  end
end
