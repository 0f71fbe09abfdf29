-- What every script reads first: the plain header of what is stored. `record` is '' if nothing is.
local function number(bytes, at)
  return (struct.unpack('<I8', bytes, at))
end

local NONE = string.rep('\0', 16)

-- The header and whether the record is live at `now`; or nil and the answer for what is no record of ours.
local function head_of(key, now)
  local head = redis.call('GETRANGE', key, 0, 71)
  if head == '' then
    return head, false
  end
  if #head < 72 or string.sub(head, 1, 4) ~= 'SSNR' or string.sub(head, 5, 6) == '\0\0' then
    return nil, 'X'
  end
  if string.sub(head, 5, 8) ~= '\1\0\0\0' then
    return nil, 'U'
  end
  return head, math.min(number(head, 65), number(head, 41)) > now
end

-- Where the record is in the index of its principal: its tag and its link, or '' if it is in none.
local function place_of(key, head)
  local tag = string.sub(head, 49, 64)
  if tag == '' or tag == NONE then
    return ''
  end
  local link = redis.call('GETRANGE', key, -16, -1)
  if link == NONE then
    return ''
  end
  return tag .. link
end

-- A time to live in milliseconds, as the server takes it: at most a hundred years.
local function lasting(millis)
  return string.format('%.0f', math.max(1, math.min(millis, 3155760000000)))
end
